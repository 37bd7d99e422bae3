//! `pause_rollout` and `resume_rollout`: stop a rollout where it is, and let it go on.

use super::edit::Drawn;
use super::live::LiveObject;
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::plan::Refusal;
use crate::domain::target::{Kind, Object};

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
    raised_by: "medium where the last ready replica may go, or no disruption is left in a budget",
    does: "lets a paused rollout go on",
    verb: Verb { plain: "resume", doing: "resuming", done: "resumed" },
    transient: false,
};

/// "the rollout of Deployment `web`".
pub fn what(workload: &Object) -> String {
    format!("the rollout of {}", named(workload))
}

/// The one field that is touched.
pub const PAUSED: &str = "/spec/paused";

/// What pausing or resuming changes. Only a Deployment's rollout can be paused.
pub fn draw(live: &LiveObject, paused: bool) -> Result<Drawn, Refusal> {
    live.is(&[Kind::Deployment])?;
    let changes = diff::switched(&live.content, PAUSED, paused, diff::Off::Missing);
    // a rollout that goes on replaces pods, as the workload's own strategy has it
    Ok(if paused { Drawn::quiet(live, Risk::Low, changes) } else { Drawn::rolling(live, Risk::Low, changes) })
}
