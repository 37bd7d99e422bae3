//! What people do about track records: look at them, sign promotions and reports, judge acts, reset what was
//! demoted. Each is a record with a person and a reason.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::domain::decision::{Level, Person};
use crate::domain::ids::{GrantId, IntentId};
use crate::domain::record::Record;
use crate::domain::track::{Judgement, Reset, Track};
use crate::policy::{self, Book, Next};

use super::Daemon;

/// What is asked about track records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "track", rename_all = "snake_case", deny_unknown_fields)]
pub enum TrackAsk {
    /// What each grant has earned, and what its next level takes.
    Show,
    /// Sign a promotion by one level.
    Promote {
        /// The grant.
        grant: GrantId,
        /// The environment.
        environment: String,
        /// Why.
        reason: String,
    },
    /// End a grant's demotion; it begins anew at level 2.
    ResetGrant {
        /// The grant.
        grant: GrantId,
        /// Why.
        reason: String,
    },
    /// Close the breaker.
    ResetBreaker {
        /// Why.
        reason: String,
    },
    /// Say of an act that it was a false positive, or harmful.
    Judge {
        /// The act.
        intent: IntentId,
        /// What it was.
        judgement: Judgement,
        /// Why.
        reason: String,
    },
    /// Sign a weekly report.
    Sign {
        /// Its name.
        report: String,
    },
}

impl Daemon {
    /// Does what a person asks about track records; in words, what was done or why not.
    pub async fn track(&self, ask: TrackAsk, by: Person) -> Result<String, String> {
        let book = self.book().await.map_err(|e| e.to_string())?;
        let (record, done) = match ask {
            TrackAsk::Show => return Ok(self.show_tracks(&book)),
            TrackAsk::Promote { grant, environment, reason } => {
                let level = self.may_promote(&book, &grant, &environment)?;
                let done = format!("`{grant}` stands at level {} in `{environment}` now", level.number());
                (Record::Promoted { grant, environment, level, reason: given(&reason)?, by }, done)
            }
            TrackAsk::ResetGrant { grant, reason } => {
                if policy::demoted(&book.track(&grant, None, self.now())).is_none() {
                    return Err(format!("`{grant}` is not demoted"));
                }
                let done = format!("`{grant}` begins anew at level 2");
                (Record::Reset { reset: Reset::Grant { grant }, reason: given(&reason)?, by }, done)
            }
            TrackAsk::ResetBreaker { reason } => {
                if book.missed().is_empty() {
                    return Err("no act was missed since the breaker was last reset".to_owned());
                }
                let done = "the breaker is closed".to_owned();
                (Record::Reset { reset: Reset::Breaker, reason: given(&reason)?, by }, done)
            }
            TrackAsk::Judge { intent, judgement, reason } => {
                if book.act(&intent).is_none() {
                    return Err(format!("there is no act `{intent}`; `belay incidents show` names them"));
                }
                let done = format!("`{intent}` is judged");
                (Record::Judged { intent, judgement, reason: given(&reason)?, by }, done)
            }
            TrackAsk::Sign { report } => {
                if !book.is_unsigned(&report) {
                    return Err(format!("there is no report `{report}` that waits to be signed"));
                }
                let done = format!("report `{report}` is signed");
                (Record::SignedOff { report, by }, done)
            }
        };
        self.append_acts(record).await.map_err(|e| e.to_string())?;
        Ok(done)
    }

    /// Notes that a weekly report was handed out: from now on it waits to be signed. Again changes nothing.
    pub async fn reported(
        &self,
        report: &str,
        from: jiff::Timestamp,
        to: jiff::Timestamp,
        grants: Vec<GrantId>,
    ) -> Result<(), String> {
        let record = Record::Reported { report: report.to_owned(), from, to, grants };
        self.append_acts(record).await.map_err(|e| e.to_string())
    }

    /// The level that the grant has proved itself for: one above the one it has.
    fn may_promote(&self, book: &Book, grant: &GrantId, environment: &str) -> Result<Level, String> {
        let (grants, environments) = policy::earning(&self.policies());
        if !grants.contains(grant) {
            return Err(format!("there is no grant `{grant}`"));
        }
        if !environments.iter().any(|known| known == environment) {
            return Err(format!("no levels are earned in an environment `{environment}`"));
        }
        let track = book.track(grant, Some(environment), self.now());
        if let Some(why) = policy::demoted(&track) {
            return Err(format!("`{grant}` is demoted until a person resets it: {why}"));
        }
        match policy::earned(Some(&track), self.now()).next {
            Next::ToBeSigned(level) => Ok(level),
            Next::NotYet(why) => Err(format!("`{grant}` cannot be promoted yet: {why}")),
            Next::Top => Err(format!("`{grant}` is at the highest level")),
        }
    }

    fn show_tracks(&self, book: &Book) -> String {
        let now = self.now();
        let mut text = String::new();
        for (grant, environment) in book.places() {
            let track = book.track(&grant, environment.as_deref(), now);
            let place = environment.as_deref().unwrap_or("(no environment)");
            let _ = writeln!(text, "{grant} in {place}: {}", line(&track, now));
        }
        let missed = book.missed();
        if !missed.is_empty() {
            let _ = writeln!(text, "breaker: {} acts did not help since its last reset", missed.len());
        }
        if text.is_empty() { "nothing was done yet".to_owned() } else { text.trim_end().to_owned() }
    }
}

fn line(track: &Track, now: jiff::Timestamp) -> String {
    let earned = policy::earned(Some(track), now);
    let next = match earned.next {
        Next::ToBeSigned(level) => format!("ready for level {}: sign with `promote`", level.number()),
        Next::NotYet(why) => why,
        Next::Top => "the highest".to_owned(),
    };
    let demoted = policy::demoted(track).map(|why| format!("; DEMOTED: {why}")).unwrap_or_default();
    let reports = match track.unsigned_reports {
        0 => String::new(),
        n => format!("; {n} reports unsigned"),
    };
    let (level, proven, missed) = (earned.level.number(), track.proven, track.missed);
    format!("level {level}, {proven} proven, {missed} missed; {next}{demoted}{reports}")
}

/// A reason, which there must be.
fn given(reason: &str) -> Result<String, String> {
    let reason = super::admin::tidy(reason);
    if reason.is_empty() { Err("say why: the reason is part of the record".to_owned()) } else { Ok(reason) }
}
