//! What the stream `acts` adds up to. A fold that neither order nor repetition of notes about acts changes:
//! notes are joined by intent, and everything else is found anew from them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::{GrantId, IntentId};
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
