//! `restart_workload`: replaces all pods of a workload, one after the other, as its own strategy has it.

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "restart_workload",
    class: Class { undo: Reversibility::SelfHealing, risk: Risk::Low },
    why: "the controller brings up equal pods before it takes the old ones, within its own strategy",
    raised_by: "medium where the last ready replica goes, or no disruption is left in a budget",
    does: "replaces the pods of a workload, one after the other, from the same template",
    verb: Verb { plain: "restart", doing: "restarting", done: "restarted" },
    transient: false,
};

/// "Deployment `web`".
pub fn what(workload: &Object) -> String {
    named(workload)
}
