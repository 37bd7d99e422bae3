//! `suspend_cronjob` and `resume_cronjob`: whether a CronJob starts new Jobs. Jobs that run are never
//! touched.

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

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
