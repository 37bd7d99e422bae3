//! What the stream `acts` adds up to. A fold that neither order nor repetition of notes about acts changes:
//! notes are joined by intent, and everything else is found anew from them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::{GrantId, IncidentId, IntentId};
use crate::domain::record::Record;
use crate::domain::target::RootOwner;
use crate::domain::track::{
    ActNote, Became, Judgement, PastAct, PastVerdict, Promotion, Reset, Setback, Track,
};

/// How many acts on one owner policy is told of: more than any hold-off counts, and a page of them.
const PAST_ACTS: usize = 50;
/// How many verdicts policy is told of: ten times what the default allows in an hour.
pub(super) const VERDICTS: usize = 100;
/// How many setbacks of a grant policy is told of: two close ones demote, so the newest of many suffice.
const SETBACKS: usize = 50;
/// A day: what `Track::last_day` looks back on.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A weekly report that was handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Report {
    from: Timestamp,
    to: Timestamp,
    grants: Vec<GrantId>,
}

impl Report {
    fn covers(&self, grant: &GrantId) -> bool {
        self.grants.is_empty() || self.grants.contains(grant)
    }
}

/// Everything that the stream `acts` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    acts: BTreeMap<IntentId, ActNote>,
    judged: BTreeMap<(IntentId, Judgement), Timestamp>,
    resets: BTreeMap<GrantId, Timestamp>,
    breaker_reset: Option<Timestamp>,
    promotions: BTreeMap<(GrantId, String), BTreeSet<Promotion>>,
    reports: BTreeMap<String, Report>,
    signed: BTreeSet<String>,
}

impl Book {
    /// Takes one entry of the stream in.
    pub fn take(&mut self, at: Timestamp, record: &Record) {
        match record {
            Record::Noted(note) => match self.acts.get_mut(&note.intent) {
                Some(known) => known.join(note),
                None => {
                    self.acts.insert(note.intent.clone(), (**note).clone());
                }
            },
            Record::Judged { intent, judgement, .. } => {
                let first = self.judged.entry((intent.clone(), *judgement)).or_insert(at);
                *first = at.min(*first);
            }
            Record::Reset { reset: Reset::Breaker, .. } => {
                self.breaker_reset = self.breaker_reset.max(Some(at));
            }
            Record::Reset { reset: Reset::Grant { grant }, .. } => {
                let last = self.resets.entry(grant.clone()).or_insert(at);
                *last = at.max(*last);
            }
            Record::Promoted { grant, environment, level, by, .. } => {
                let promotion = Promotion { at, level: *level, by: by.clone() };
                self.promotions.entry((grant.clone(), environment.clone())).or_default().insert(promotion);
            }
            Record::Reported { report, from, to, grants } => {
                let report = self.reports.entry(report.clone());
                report.or_insert_with(|| Report { from: *from, to: *to, grants: grants.clone() });
            }
            Record::SignedOff { report, .. } => {
                self.signed.insert(report.clone());
            }
            // nothing else belongs to the stream
            _ => {}
        }
    }

    /// The act with this intent.
    pub fn act(&self, intent: &IntentId) -> Option<&ActNote> {
        self.acts.get(intent)
    }

    /// The incidents with an act that was intended from then on.
    pub fn incidents_since(&self, since: Timestamp) -> BTreeSet<IncidentId> {
        self.acts.values().filter(|act| act.at >= since).map(|act| act.incident.clone()).collect()
    }

    /// Whether a report of this name was handed out and nobody has signed it.
    pub fn is_unsigned(&self, report: &str) -> bool {
        self.reports.contains_key(report) && !self.signed.contains(report)
    }

    /// Every grant and environment in which something was done or promoted.
    pub fn places(&self) -> BTreeSet<(GrantId, Option<String>)> {
        let acts = self.acts.values().map(|act| (act.grant.clone(), act.environment.clone()));
        let promoted = self.promotions.keys().map(|(grant, place)| (grant.clone(), Some(place.clone())));
        acts.chain(promoted).collect()
    }

    /// The acts on a root owner, the newest first. What was withdrawn is left out: nothing was done.
    pub fn on(&self, owner: &RootOwner) -> Vec<PastAct> {
        let mut acts: Vec<PastAct> = self
            .acts
            .values()
            .filter(|act| act.owner == *owner && act.became != Became::Withdrawn)
            .map(past)
            .collect();
        acts.sort_by(|a, b| (b.at, &b.intent).cmp(&(a.at, &a.intent)));
        acts.truncate(PAST_ACTS);
        acts
    }

    /// The verdicts on acts anywhere, the newest first.
    pub fn verdicts(&self) -> Vec<PastVerdict> {
        let mut verdicts: Vec<PastVerdict> = self.acts.values().filter_map(verdict).collect();
        verdicts.sort_by_key(|verdict| (std::cmp::Reverse(verdict.at), verdict.helped));
        verdicts.truncate(VERDICTS);
        verdicts
    }

    /// When acts anywhere were not seen to help since the breaker was last reset, the newest first.
    pub fn missed(&self) -> Vec<Timestamp> {
        let missed = self.acts.values().filter_map(verdict).filter(|verdict| !verdict.helped);
        let since = missed.map(|verdict| verdict.at).filter(|at| Some(*at) > self.breaker_reset);
        let mut missed: Vec<Timestamp> = since.collect();
        missed.sort_unstable_by(|a, b| b.cmp(a));
        missed.truncate(VERDICTS);
        missed
    }

    /// The track record of a grant in an environment, as of `now`.
    pub fn track(&self, grant: &GrantId, environment: Option<&str>, now: Timestamp) -> Track {
        let reset = self.resets.get(grant).copied();
        let counts = |at: Timestamp| reset.is_none_or(|reset| at > reset);
        let of_grant: Vec<&ActNote> = self.acts.values().filter(|act| act.grant == *grant).collect();
        let done = || of_grant.iter().filter(|act| act.became != Became::Withdrawn && counts(act.at));
        let here = || done().filter(|act| act.environment.as_deref() == environment);
        let key = environment.map(|environment| (grant.clone(), environment.to_owned()));
        let promotions = key.and_then(|key| self.promotions.get(&key)).into_iter().flatten();
        let yesterday = now.saturating_sub(DAY).unwrap_or(Timestamp::MIN);
        let days = of_grant.iter().filter(|act| act.at > yesterday).count();
        Track {
            began: reset.or_else(|| here().map(|act| act.at).min()),
            proven: count(here().filter(|act| self.is_proven(act)).count()),
            missed: count(here().filter(|act| self.is_missed(act)).count()),
            promotions: promotions.filter(|promotion| counts(promotion.at)).cloned().collect(),
            setbacks: self.setbacks(&of_grant, counts),
            unsigned_reports: self.unsigned(grant),
            last_day: count(days),
        }
    }

    fn judgement(&self, act: &ActNote, judgement: Judgement) -> Option<Timestamp> {
        self.judged.get(&(act.intent.clone(), judgement)).copied()
    }

    fn is_bad(&self, act: &ActNote) -> bool {
        let judged = [Judgement::FalsePositive, Judgement::Harmful];
        act.put_back.is_some() || judged.into_iter().any(|j| self.judgement(act, j).is_some())
    }

    /// It helped, and a person has put their name to it.
    fn is_proven(&self, act: &ActNote) -> bool {
        let signed = || {
            self.reports.iter().any(|(name, report)| {
                let at = act.became_at.unwrap_or(act.at);
                self.signed.contains(name) && report.covers(&act.grant) && report.from <= at && at < report.to
            })
        };
        let named = !act.approved_by.is_empty() || act.confirmed_by.is_some();
        act.became == Became::Helped && !self.is_bad(act) && (named || signed())
    }

    fn is_missed(&self, act: &ActNote) -> bool {
        matches!(act.became, Became::Ineffective | Became::Unseen) || self.is_bad(act)
    }

    fn setbacks(&self, acts: &[&ActNote], counts: impl Fn(Timestamp) -> bool) -> Vec<(Timestamp, Setback)> {
        let mut setbacks: Vec<(Timestamp, Setback)> = Vec::new();
        for act in acts {
            let put_back = act.put_back.as_ref().map(|back| (back.at, Setback::Reverted));
            let wrong = self.judgement(act, Judgement::FalsePositive).map(|at| (at, Setback::FalsePositive));
            // one act sets back once, however many things are said of it; harm is told besides
            setbacks.extend(put_back.or(wrong));
            setbacks.extend(self.judgement(act, Judgement::Harmful).map(|at| (at, Setback::Harmful)));
        }
        setbacks.retain(|(at, _)| counts(*at));
        setbacks.sort_unstable();
        setbacks.split_off(setbacks.len().saturating_sub(SETBACKS))
    }

    fn unsigned(&self, grant: &GrantId) -> u32 {
        let unsigned = self.reports.iter().filter(|(name, _)| !self.signed.contains(*name));
        count(unsigned.filter(|(_, report)| report.covers(grant)).count())
    }
}

fn past(act: &ActNote) -> PastAct {
    PastAct {
        intent: act.intent.clone(),
        at: act.at,
        action: act.action,
        cause: act.cause.clone(),
        grant: act.grant.clone(),
        became: act.became,
        became_at: act.became_at,
        reverted: act.put_back.is_some(),
    }
}

/// The verdict on an act: one that could not be seen to help has not been seen to help.
fn verdict(act: &ActNote) -> Option<PastVerdict> {
    let helped = match act.became {
        Became::Helped => true,
        Became::Ineffective | Became::Unseen => false,
        Became::Open | Became::Withdrawn | Became::Failed => return None,
    };
    Some(PastVerdict { at: act.became_at.unwrap_or(act.at), helped })
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::action::ActionKind;
    use crate::domain::decision::{Level, Person};
    use crate::domain::ids::{Cluster, IncidentId};
    use crate::domain::target::{Kind, Named, Object};
    use crate::domain::track::PutBack;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn person() -> Person {
        Person::Operator { name: "kim".to_owned() }
    }

    fn owner(name: &str) -> RootOwner {
        let cluster = Cluster::new("demo");
        let named =
            Named { cluster, kind: Kind::Deployment, namespace: "shop".to_owned(), name: name.to_owned() };
        RootOwner(Object { named, uid: format!("uid-{name}") })
    }

    fn grant() -> GrantId {
        GrantId::new("restart")
    }

    fn note(n: i64, became: Became) -> ActNote {
        ActNote {
            intent: IntentId::new(format!("abcd1234-{n}")),
            incident: IncidentId::new("abcd1234"),
            grant: grant(),
            environment: Some("production".to_owned()),
            owner: owner("api"),
            action: ActionKind::RestartPod,
            cause: "OOMKilled".to_owned(),
            at: at(n),
            approved_by: vec![person()],
            confirmed_by: None,
            became,
            became_at: (became != Became::Open).then(|| at(n + 5)),
            put_back: None,
        }
    }

    fn noted(note: ActNote) -> Record {
        Record::Noted(Box::new(note))
    }

    fn fold<'a>(records: impl IntoIterator<Item = &'a (i64, Record)>) -> Book {
        let mut book = Book::default();
        records.into_iter().for_each(|(minute, record)| book.take(at(*minute), record));
        book
    }

    fn track(book: &Book) -> Track {
        book.track(&grant(), Some("production"), at(1_000))
    }

    /// Each thing that may be missing from a proven act.
    #[test]
    fn what_counts_as_proven() {
        let helped = || note(1, Became::Helped);
        let cases: [(&str, ActNote, (u32, u32)); 9] = [
            ("approved and helped", helped(), (1, 0)),
            (
                "confirmed afterwards",
                ActNote { approved_by: vec![], confirmed_by: Some(person()), ..helped() },
                (1, 0),
            ),
            ("nobody's", ActNote { approved_by: vec![], ..helped() }, (0, 0)),
            ("put back", ActNote { put_back: Some(PutBack { at: at(9), by: None }), ..helped() }, (0, 1)),
            ("elsewhere", ActNote { environment: Some("staging".to_owned()), ..helped() }, (0, 0)),
            ("open", note(1, Became::Open), (0, 0)),
            ("withdrawn", note(1, Became::Withdrawn), (0, 0)),
            ("failed", note(1, Became::Failed), (0, 0)),
            ("ineffective", note(1, Became::Ineffective), (0, 1)),
        ];
        for (what, act, expected) in cases {
            let track = track(&fold(&[(1, noted(act))]));
            assert_eq!((track.proven, track.missed), expected, "{what}");
        }
    }

    #[test]
    fn a_signed_report_covers_what_nobody_confirmed() {
        let act = noted(ActNote { approved_by: vec![], ..note(1, Became::Helped) });
        let report = |from, to, grants| Record::Reported {
            report: "w1".to_owned(),
            from: at(from),
            to: at(to),
            grants,
        };
        let signed = || Record::SignedOff { report: "w1".to_owned(), by: person() };
        let told = |report: Record, rest: &[Record]| {
            let records: Vec<_> = [act.clone(), report].iter().chain(rest).map(|r| (10, r.clone())).collect();
            let track = track(&fold(&records));
            (track.proven, track.unsigned_reports)
        };
        assert_eq!(told(report(0, 100, vec![]), &[]), (0, 1));
        assert_eq!(told(report(0, 100, vec![]), &[signed()]), (1, 0));
        assert_eq!(told(report(0, 100, vec![grant()]), &[signed()]), (1, 0));
        assert_eq!(told(report(0, 6, vec![]), &[signed()]), (0, 0), "it ended before the act did");
        assert_eq!(told(report(0, 100, vec![GrantId::new("other")]), &[]), (0, 0));
        let book = fold(&[(10, report(0, 100, vec![]))]);
        assert!(book.is_unsigned("w1") && !book.is_unsigned("w2"));
    }

    #[test]
    fn judgements_and_resets() {
        let harm = Record::Judged {
            intent: IntentId::new("abcd1234-1"),
            judgement: Judgement::Harmful,
            reason: "it hurt".to_owned(),
            by: person(),
        };
        let reset = Record::Reset {
            reset: Reset::Grant { grant: grant() },
            reason: "mended".to_owned(),
            by: person(),
        };
        let promoted = Record::Promoted {
            grant: grant(),
            environment: "production".to_owned(),
            level: Level::OnTheLoop,
            reason: "proved".to_owned(),
            by: person(),
        };
        let acts = [(1, noted(note(1, Became::Helped))), (2, promoted), (3, harm)];
        let book = fold(&acts);
        let before = track(&book);
        assert_eq!((before.proven, before.missed, before.promotions.len()), (0, 1, 1));
        assert_eq!(before.setbacks, [(at(3), Setback::Harmful)]);
        let after = track(&fold(acts.iter().chain(&[(20, reset)])));
        assert_eq!(after, Track { began: Some(at(20)), last_day: after.last_day, ..Track::default() });
    }

    #[test]
    fn the_breaker_forgets_what_was_before_its_reset() {
        let reset = Record::Reset { reset: Reset::Breaker, reason: "seen".to_owned(), by: person() };
        let missed = [(6, noted(note(1, Became::Ineffective))), (7, noted(note(2, Became::Unseen)))];
        assert_eq!(fold(&missed).missed(), [at(7), at(6)]);
        assert_eq!(fold(missed.iter().chain(&[(7, reset)])).missed(), []);
    }

    #[test]
    fn the_past_of_an_owner_is_its_own() {
        let other = ActNote { owner: owner("web"), ..note(2, Became::Helped) };
        let records = [
            (1, noted(note(1, Became::Failed))),
            (1, noted(other)),
            (1, noted(note(3, Became::Open))),
            (1, noted(note(4, Became::Withdrawn))),
        ];
        let acts = fold(&records).on(&owner("api"));
        let seen: Vec<_> = acts.iter().map(|act| (act.at, act.became)).collect();
        assert_eq!(seen, [(at(3), Became::Open), (at(1), Became::Failed)]);
    }

    fn became() -> impl Strategy<Value = Became> {
        prop::sample::select(vec![
            Became::Open,
            Became::Withdrawn,
            Became::Helped,
            Became::Unseen,
            Became::Failed,
            Became::Ineffective,
        ])
    }

    fn any_note() -> impl Strategy<Value = (i64, Record)> {
        (0..6i64, became(), any::<bool>(), any::<bool>(), any::<bool>(), 0..60i64).prop_map(
            |(n, became, approved, confirmed, back, minute)| {
                let mut act = note(n, became);
                act.became_at = act.became_at.map(|_| at(minute));
                act.approved_by.retain(|_| approved);
                act.confirmed_by = confirmed.then(person);
                act.put_back = back.then(|| PutBack { at: at(minute), by: None });
                (minute, noted(act))
            },
        )
    }

    #[test]
    fn a_day_and_a_reset_end_where_they_say() {
        let day = 24 * 60;
        let counted = |now: i64| {
            let book = fold(&[(1, noted(note(1, Became::Helped)))]);
            book.track(&grant(), Some("production"), at(now)).last_day
        };
        assert_eq!((counted(1), counted(day), counted(day + 1), counted(2 * day)), (1, 1, 0, 0));
        let reset = Record::Reset {
            reset: Reset::Grant { grant: grant() },
            reason: "mended".to_owned(),
            by: person(),
        };
        let proven = |minute| {
            let book = fold(&[(1, noted(note(minute, Became::Helped))), (20, reset.clone())]);
            track(&book).proven
        };
        assert_eq!((proven(19), proven(20), proven(21)), (0, 0, 1));
    }

    #[test]
    fn what_was_noted_can_be_looked_up() {
        let elsewhere = ActNote { environment: None, ..note(2, Became::Failed) };
        let promoted = Record::Promoted {
            grant: grant(),
            environment: "staging".to_owned(),
            level: Level::OnTheLoop,
            reason: "proved".to_owned(),
            by: person(),
        };
        let helped = note(1, Became::Helped);
        let late = note(9, Became::Unseen);
        let records = [(1, noted(helped.clone())), (2, noted(elsewhere)), (3, promoted), (14, noted(late))];
        let book = fold(&records);
        assert_eq!(book.act(&helped.intent), Some(&helped));
        assert_eq!(book.act(&IntentId::new("none")), None);
        let places: Vec<_> = book.places().into_iter().map(|(_, environment)| environment).collect();
        assert_eq!(places, [None, Some("production".to_owned()), Some("staging".to_owned())]);
        let verdicts: Vec<_> = book.verdicts().iter().map(|verdict| (verdict.at, verdict.helped)).collect();
        assert_eq!(verdicts, [(at(14), false), (at(6), true)]);
    }

    proptest! {
        /// Notes come at least once, and those of different acts in any order: neither matters.
        #[test]
        fn prop_order_and_copies_of_notes_do_not_matter(
            notes in prop::collection::vec(any_note(), 0..20),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let book = fold(&notes);
            let mut shuffled: Vec<_> = order.iter().filter(|_| !notes.is_empty()).map(|i| i.get(&notes)).collect();
            shuffled.extend(&notes);
            shuffled.extend(notes.iter().rev());
            prop_assert_eq!(fold(shuffled), book.clone());
            // a prefix says what its own notes say, and never more acts than the whole
            let half = fold(&notes[..notes.len() / 2]);
            prop_assert_eq!(&half, &fold(notes[..notes.len() / 2].iter().rev()));
            prop_assert!(half.on(&owner("api")).len() <= 6);
            let (all, some) = (track(&book), track(&half));
            prop_assert!(all.missed + 6 >= some.missed && all.setbacks.len() >= some.setbacks.len());
        }
    }
}
