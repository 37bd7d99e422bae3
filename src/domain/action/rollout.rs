//! `pause_rollout` and `resume_rollout`: stop a rollout where it is, and let it go on.

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

/// What pausing is by its nature.
pub const PAUSE: Entry = Entry {
    name: "pause_rollout",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "one field, put back by resuming; what serves goes on serving",
    raised_by: "never",
    does: "stops a rollout where it is",
    verb: Verb { plain: "pause", doing: "pausing", done: "paused" },
    transient: false,
};

/// What resuming is by its nature.
pub const RESUME: Entry = Entry {
    name: "resume_rollout",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "one field, put back by pausing; the rollout keeps to its own strategy",
    raised_by: "never",
    does: "lets a paused rollout go on",
    verb: Verb { plain: "resume", doing: "resuming", done: "resumed" },
    transient: false,
};

/// "the rollout of Deployment `web`".
pub fn what(workload: &Object) -> String {
    format!("the rollout of {}", named(workload))
}
