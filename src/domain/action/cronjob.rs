//! `suspend_cronjob` and `resume_cronjob`: whether a CronJob starts new Jobs. Jobs that run are never
//! touched.

use super::edit::Drawn;
use super::live::LiveObject;
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::plan::Refusal;
use crate::domain::target::{Kind, Object};

/// What suspending is by its nature.
pub const SUSPEND: Entry = Entry {
    name: "suspend_cronjob",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "one field, put back by resuming; a Job that runs is not touched",
    raised_by: "never",
    does: "lets a CronJob start no more Jobs",
    verb: Verb { plain: "suspend", doing: "suspending", done: "suspended" },
    transient: false,
};

/// What resuming is by its nature.
pub const RESUME: Entry = Entry {
    name: "resume_cronjob",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "one field, put back by suspending",
    raised_by: "never",
    does: "lets a CronJob start Jobs again",
    verb: Verb { plain: "resume", doing: "resuming", done: "resumed" },
    transient: false,
};

/// "CronJob `nightly`".
pub fn what(cronjob: &Object) -> String {
    named(cronjob)
}

/// The one field that is touched.
pub const SUSPENDED: &str = "/spec/suspend";

/// What suspending or resuming changes.
pub fn draw(live: &LiveObject, suspended: bool) -> Result<Drawn, Refusal> {
    live.is(&[Kind::CronJob])?;
    Ok(Drawn::quiet(live, Risk::Low, diff::switched(&live.content, SUSPENDED, suspended, diff::Off::False)))
}
