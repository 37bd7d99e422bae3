//! Earned levels: one at a time, after it has proved itself. What a grant has earned, who lifted it, and
//! what takes it back. Pure over its track record.

use jiff::{SignedDuration, Timestamp};

use super::judge::{Cap, Place, place};
use super::set::{Environment, Grant, Override, PolicySet};
use crate::domain::decision::{Level, Question, Reason};
use crate::domain::ids::GrantId;
use crate::domain::track::{Setback, Track};

/// From level 2 on: how many proven acts each level takes. Ten is what a person remembers having looked at;
/// 35 is the fewest of which all must have helped for the lower bound below to reach 0.9.
const RUNGS: [(Level, u32); 3] = [(Level::OnTheLoop, 10), (Level::Supervised, 20), (Level::Autonomous, 35)];
/// How long a grant stays at each level: four weeks hold a release, a month's end and a handover.
const STAY: SignedDuration = SignedDuration::from_hours(28 * 24);
/// The lower bound of the share of acts that verified, for level 5.
const SURE: f64 = 0.9;
/// The 97.5 % quantile of the standard normal distribution: an interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;
/// An override ends within this.
const OVERRIDE_AT_MOST: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Two setbacks as close as this demote.
const SETBACKS_WITHIN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// So many weekly reports that nobody signed cap the grant.
const UNSIGNED_REPORTS: u32 = 2;

/// The lower end of the Wilson score interval: `(p + z²/2n − z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n)` with
/// `p = good/all` (E. B. Wilson, 1927). 0 where there is nothing to go by.
fn wilson(good: u32, all: u32) -> f64 {
    if all == 0 {
        return 0.0;
    }
    let n = f64::from(all);
    let p = f64::from(good.min(all)) / n;
    let z2 = Z * Z;
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    (p + z2 / (2.0 * n) - spread) / (1.0 + z2 / n)
}

/// What a track record has earned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earned {
    /// The level.
    pub level: Level,
    /// What the next one takes, or that there is none.
    pub next: Next,
}

/// What stands between a grant and its next level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It has proved itself; a person has to sign the promotion.
    ToBeSigned(Level),
    /// Not yet, and what is missing.
    NotYet(String),
    /// There is no higher level.
    Top,
}

/// The level that a track record has earned at `now`. Each rung takes enough proven acts, its stay at the
/// level below, and a promotion that a person signed after that stay: it is never taken.
pub fn earned(track: Option<&Track>, now: Timestamp) -> Earned {
    let mut level = Level::InTheLoop;
    let stand = |level, next| Earned { level, next };
    let Some((track, mut since)) = track.and_then(|track| Some((track, track.began?))) else {
        return stand(level, Next::NotYet("nothing was done by it here yet".to_owned()));
    };
    for (rung, need) in RUNGS {
        if let Some(missing) = missing(track, rung, need) {
            return stand(level, Next::NotYet(missing));
        }
        let stayed = since.saturating_add(STAY).unwrap_or(Timestamp::MAX);
        let signed = track.promotions.iter().filter(|p| p.level == rung && p.at >= stayed && p.at <= now);
        match signed.map(|p| p.at).min() {
            Some(at) => (level, since) = (rung, at),
            None if now < stayed => {
                let text = format!("it stays at level {} until {stayed}", level.number());
                return stand(level, Next::NotYet(text));
            }
            None => return stand(level, Next::ToBeSigned(rung)),
        }
    }
    stand(level, Next::Top)
}

/// What the acts lack for this rung.
fn missing(track: &Track, rung: Level, need: u32) -> Option<String> {
    let Track { proven, missed, .. } = track;
    if *proven < need {
        return Some(format!("{proven} of {need} acts for level {} are proven", rung.number()));
    }
    let bound = wilson(*proven, proven.saturating_add(*missed));
    (rung == Level::Autonomous && bound < SURE).then(|| {
        format!("level 5 takes a lower bound of {SURE} of acts that verify; {proven} proven and {missed} missed give {bound:.3}")
    })
}

/// Why a grant is demoted until a person resets it, if it is.
pub fn demoted(track: &Track) -> Option<String> {
    if let Some((at, _)) = track.setbacks.iter().find(|(_, what)| *what == Setback::Harmful) {
        return Some(format!("an act of it was judged harmful at {at}"));
    }
    let close = |pair: &[(Timestamp, Setback)]| match pair {
        [(first, _), (second, _)] => second.duration_since(*first).abs() <= SETBACKS_WITHIN,
        _ => false,
    };
    track.setbacks.windows(2).find(|pair| close(pair)).and_then(|pair| pair.last()).map(|(at, _)| {
        format!("two of its acts were put back or judged false positives within 30 days, the second at {at}")
    })
}

/// What lowers this grant because of what became of its acts.
pub(super) fn caps(grant: &Grant, place: &Place<'_>, question: &Question) -> Vec<Cap> {
    let track = question.history.tracks.get(&grant.id);
    let mut caps = Vec::new();
    if let Place::In(environment) = place
        && environment.strict
    {
        caps.push(standing(grant, environment, track, question.now));
        if let Some(n) = track.map(|t| t.unsigned_reports).filter(|n| *n >= UNSIGNED_REPORTS) {
            let text = format!("{n} weekly reports about grant `{}` are not signed", grant.id);
            caps.push(cap("unsigned-reports", Level::InTheLoop, text));
        }
    }
    if let Some(why) = track.and_then(demoted) {
        let text = format!("grant `{}` is demoted until a person resets it: {why}", grant.id);
        caps.push(cap("demoted", Level::InTheLoop, text));
    }
    caps
}

fn standing(grant: &Grant, environment: &Environment, track: Option<&Track>, now: Timestamp) -> Cap {
    let Earned { level, next } = earned(track, now);
    let name = &environment.name;
    let next = match next {
        Next::ToBeSigned(rung) => {
            format!("; for level {} a person has to sign its promotion", rung.number())
        }
        Next::NotYet(missing) => format!("; {missing}"),
        Next::Top => String::new(),
    };
    let own =
        format!("grant `{}` has earned level {} in environment `{name}`{next}", grant.id, level.number());
    match grant.lifted.as_ref().filter(|lifted| in_force(lifted, now)) {
        Some(Override { level: to, by, reason, until }) if *to > level => {
            let text = format!("{by} lifted it to level {} until {until} ({reason}); {own}", to.number());
            cap(OVERRIDE, *to, text)
        }
        Some(_) | None => cap("earned", level, own),
    }
}

/// The code of a cap that a person lifted. It is told even where it lowers nothing.
pub(super) const OVERRIDE: &str = "override";

/// An override holds until its end, and one that reaches further than is allowed does not hold at all.
fn in_force(lifted: &Override, now: Timestamp) -> bool {
    now < lifted.until && lifted.until.duration_since(now) <= OVERRIDE_AT_MOST
}

fn cap(code: &str, level: Level, text: String) -> Cap {
    Cap { level, reason: Reason { code: code.to_owned(), text } }
}

/// The environment that the question's target is in: where its track records are kept.
pub fn environment(set: &PolicySet, question: &Question) -> Option<String> {
    match place(set, question) {
        Place::In(environment) => Some(environment.name.clone()),
        Place::Nowhere | Place::Several(_) | Place::Unknown(_) => None,
    }
}

/// The grants that could carry the question's action: those whose track records it needs.
pub fn track_grants(set: &PolicySet, question: &Question) -> Vec<GrantId> {
    let alertname = question.alert.labels.get("alertname").map_or("", String::as_str);
    let candidates = set.index.candidates(question.action.kind(), alertname);
    let mut grants: Vec<GrantId> =
        candidates.filter_map(|i| set.grants.get(i)).map(|grant| grant.id.clone()).collect();
    grants.extend(question.undoes.clone());
    grants.sort();
    grants.dedup();
    grants
}

/// The ids of all grants, and the names of the environments in which their levels are earned.
pub fn earning(set: &PolicySet) -> (Vec<GrantId>, Vec<String>) {
    let strict = set.environments.iter().filter(|environment| environment.strict);
    let environments = strict.map(|environment| environment.name.clone()).collect();
    (set.grants.iter().map(|grant| grant.id.clone()).collect(), environments)
}
