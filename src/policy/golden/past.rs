//! The past in a golden input: counts become moments, acts and track records that a decision reads.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::super::ladder;
use super::super::limits;
use super::super::raw::Node;
use super::super::reader::{Fields, Reader};
use super::super::set::{Per, PolicySet};
use crate::domain::decision::{Fact, HistoryFacts, Level, Person, Question};
use crate::domain::ids::{GrantId, IntentId};
use crate::domain::track::{Became, PastAct, PastVerdict, Promotion, Setback, Track};

const KNOWN: [&str; 15] = [
    "per_target",
    "per_grant",
    "per_namespace",
    "per_cluster",
    "cooldown",
    "global",
    "locked",
    "helped",
    "failures",
    "ineffective",
    "verified",
    "missed",
    "minutes_ago",
    "minutes_apart",
    "track",
];
/// How far back counts lie unless the input says otherwise.
const MINUTES_AGO: u32 = 1;

/// Reads the counts of `history`.
struct Past<'a, 'n> {
    fields: Fields<'n>,
    question: &'a Question,
    ago: SignedDuration,
    apart: SignedDuration,
}

impl Past<'_, '_> {
    fn count(&self, reader: &mut Reader<'_>, key: &str) -> Option<u32> {
        self.fields.get(key).and_then(|node| reader.count(node, 0..=10_000))
    }

    /// So many moments, the newest first.
    fn moments(&self, n: u32) -> Vec<Timestamp> {
        let before =
            |i: u32| self.ago.saturating_add(self.apart.saturating_mul(i32::try_from(i).unwrap_or(i32::MAX)));
        (0..n).filter_map(|i| self.question.now.checked_sub(before(i)).ok()).collect()
    }

    fn acts(&self, n: u32, became: Became) -> Vec<PastAct> {
        let act = |(i, at): (usize, Timestamp)| PastAct {
            intent: IntentId::new(format!("g01den00-{}-{i}", became.name())),
            at,
            action: self.question.action.kind(),
            cause: self.question.finding.cause.clone(),
            grant: GrantId::new("golden"),
            became,
            became_at: Some(at),
            reverted: false,
        };
        self.moments(n).into_iter().enumerate().map(act).collect()
    }
}

/// Counts become moments a minute ago, one second apart, under the keys of every grant that lists the
/// action; `minutes_ago` and `minutes_apart` say otherwise. What is left out is none.
pub(super) fn history(
    reader: &mut Reader<'_>,
    set: &PolicySet,
    question: &Question,
    node: Option<&Node>,
) -> Option<HistoryFacts> {
    let mut history = HistoryFacts {
        acts: Fact::Known(Vec::new()),
        verdicts: Fact::Known(Vec::new()),
        missed: Fact::Known(Vec::new()),
        ..HistoryFacts::default()
    };
    let Some(node) = node else { return Some(history) };
    let fields = reader.fields(node, "history", &KNOWN, &[])?;
    let minutes = |reader: &mut Reader<'_>, key: &str| {
        let count = fields.get(key).and_then(|node| reader.count(node, 0..=1_000_000));
        count.map(|n| SignedDuration::from_mins(n.into()))
    };
    let ago = minutes(reader, "minutes_ago").unwrap_or(SignedDuration::from_mins(MINUTES_AGO.into()));
    let apart = minutes(reader, "minutes_apart").unwrap_or(SignedDuration::from_secs(1));
    let past = Past { fields, question, ago, apart };
    history.taken = taken(reader, set, &past);
    let mut acts = Vec::new();
    let kinds =
        [("failures", Became::Failed), ("ineffective", Became::Ineffective), ("helped", Became::Helped)];
    for (key, became) in kinds {
        acts.extend(past.acts(past.count(reader, key).unwrap_or(0), became));
    }
    history.acts = Fact::Known(acts);
    let missed = past.moments(past.count(reader, "missed").unwrap_or(0));
    let verified = past.moments(past.count(reader, "verified").unwrap_or(0));
    let mut verdicts: Vec<PastVerdict> =
        missed.iter().map(|at| PastVerdict { at: *at, helped: false }).collect();
    verdicts.extend(verified.into_iter().map(|at| PastVerdict { at, helped: true }));
    verdicts.sort_by_key(|verdict| (std::cmp::Reverse(verdict.at), verdict.helped));
    history.verdicts = Fact::Known(verdicts);
    history.missed = Fact::Known(missed);
    if let Some(node) = past.fields.get("track") {
        let track = track(reader, question.now, node)?;
        let grants = ladder::track_grants(set, question);
        history.tracks = grants.into_iter().map(|grant| (grant, track.clone())).collect();
    }
    Some(history)
}

fn taken(reader: &mut Reader<'_>, set: &PolicySet, past: &Past<'_, '_>) -> BTreeMap<String, Vec<Timestamp>> {
    let mut taken = BTreeMap::new();
    let question = past.question;
    let kinds = [
        ("per_target", Per::Target),
        ("per_grant", Per::Grant),
        ("per_namespace", Per::Namespace),
        ("per_cluster", Per::Cluster),
    ];
    for (name, per) in kinds {
        let Some(n) = past.count(reader, name) else { continue };
        for grant in set.grants.iter().filter(|grant| grant.actions.contains(&question.action.kind())) {
            taken.insert(limits::key(per, grant, question), past.moments(n));
        }
    }
    if let Some(n) = past.count(reader, "cooldown") {
        taken.insert(limits::cooldown_key(question), past.moments(n));
    }
    if let Some(n) = past.count(reader, "global") {
        taken.insert("global".to_owned(), past.moments(n));
    }
    if past.fields.get("locked").and_then(|node| reader.boolean(node)).unwrap_or(false) {
        taken.insert(limits::lock(question).key, past.moments(1));
    }
    taken
}

/// A track record: `level` was reached by promotions four weeks apart, the last of them `days` ago.
fn track(reader: &mut Reader<'_>, now: Timestamp, node: &Node) -> Option<Track> {
    let known = ["proven", "missed", "level", "days", "put_back", "harmful", "unsigned_reports", "last_day"];
    let fields = reader.fields(node, "track", &known, &[])?;
    let mut count = |key: &str| fields.get(key).and_then(|node| reader.count(node, 0..=100_000)).unwrap_or(0);
    let [proven, missed, days, put_back, harmful, unsigned_reports, last_day] =
        ["proven", "missed", "days", "put_back", "harmful", "unsigned_reports", "last_day"].map(&mut count);
    let level = fields.get("level").map_or(Some(Level::InTheLoop), |node| reader.level(node))?;
    let day = |n: u32| SignedDuration::from_hours(i64::from(n) * 24);
    let ago = |n: u32| now.saturating_sub(day(n)).unwrap_or(now);
    let reached =
        |rung: Level| ago(days.saturating_add(28 * u32::from(level.number().saturating_sub(rung.number()))));
    let rungs = Level::ALL.into_iter().filter(|rung| *rung > Level::InTheLoop && *rung <= level);
    let by = Person::Operator { name: "golden".to_owned() };
    let mut setbacks: Vec<(Timestamp, Setback)> =
        (1..=put_back).map(|n| (ago(n), Setback::Reverted)).collect();
    setbacks.extend((1..=harmful).map(|n| (ago(n), Setback::Harmful)));
    setbacks.sort_unstable();
    Some(Track {
        began: Some(reached(Level::InTheLoop)),
        proven,
        missed,
        promotions: rungs.map(|rung| Promotion { at: reached(rung), level: rung, by: by.clone() }).collect(),
        setbacks,
        unsigned_reports,
        last_day,
    })
}
