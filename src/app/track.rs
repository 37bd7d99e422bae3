//! What people do about track records: look at them, sign promotions and reports, judge acts, reset what was
//! demoted. Each is a record with a person and a reason.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::decision::{Level, Person};
use crate::domain::ids::{GrantId, IntentId};
use crate::domain::record::Record;
use crate::domain::track::{Judgement, Reset};
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
            TrackAsk::Show => return Ok(self.tracks_of(&book).to_string()),
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

    /// Where every grant stands that did something, and the breaker.
    pub async fn tracks(&self) -> Result<Tracks, String> {
        let book = self.book().await.map_err(|e| e.to_string())?;
        Ok(self.tracks_of(&book))
    }

    fn tracks_of(&self, book: &Book) -> Tracks {
        let now = self.now();
        let standing = |(grant, environment): (GrantId, Option<String>)| {
            let track = book.track(&grant, environment.as_deref(), now);
            let earned = policy::earned(Some(&track), now);
            GrantStanding {
                grant,
                environment,
                level: earned.level,
                proven: track.proven,
                missed: track.missed,
                next: next(earned.next),
                demoted: policy::demoted(&track),
                unsigned_reports: track.unsigned_reports,
            }
        };
        let warning = self.ports().apart.warning(&self.policies()).map(str::to_owned);
        let grants = book.places().into_iter().map(standing).collect();
        Tracks { grants, missed: book.missed().len(), warning }
    }
}

/// Where each grant stands, and what the breaker has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracks {
    /// Every grant and environment in which something was done or promoted.
    pub grants: Vec<GrantStanding>,
    /// Acts anywhere that did not help since the breaker was last reset.
    pub missed: usize,
    /// What is not as it should be in how belay is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Where one grant stands in one environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantStanding {
    /// The grant.
    pub grant: GrantId,
    /// The environment, if the target was in one.
    pub environment: Option<String>,
    /// The level that it has earned.
    pub level: Level,
    /// Acts that helped and that somebody stands by.
    pub proven: u32,
    /// Acts that did not help.
    pub missed: u32,
    /// What its next level takes.
    pub next: String,
    /// Why it is demoted, if it is.
    pub demoted: Option<String>,
    /// Weekly reports about it that nobody signed.
    pub unsigned_reports: u32,
}

impl fmt::Display for Tracks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let missed = match self.missed {
            0 => None,
            n => Some(format!("breaker: {n} acts did not help since its last reset")),
        };
        let mut lines: Vec<String> = self.grants.iter().map(ToString::to_string).chain(missed).collect();
        if lines.is_empty() {
            lines.push("nothing was done yet".to_owned());
        }
        lines.extend(self.warning.clone());
        f.write_str(&lines.join("\n"))
    }
}

impl fmt::Display for GrantStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { grant, level, proven, missed, next, .. } = self;
        let place = self.environment.as_deref().unwrap_or("(no environment)");
        write!(f, "{grant} in {place}: level {}, {proven} proven, {missed} missed; {next}", level.number())?;
        if let Some(why) = &self.demoted {
            write!(f, "; DEMOTED: {why}")?;
        }
        match self.unsigned_reports {
            0 => Ok(()),
            n => write!(f, "; {n} reports unsigned"),
        }
    }
}

fn next(next: Next) -> String {
    match next {
        Next::ToBeSigned(level) => format!("ready for level {}: sign with `promote`", level.number()),
        Next::NotYet(why) => why,
        Next::Top => "the highest".to_owned(),
    }
}

/// A reason, which there must be.
fn given(reason: &str) -> Result<String, String> {
    let reason = super::admin::tidy(reason);
    if reason.is_empty() { Err("say why: the reason is part of the record".to_owned()) } else { Ok(reason) }
}
