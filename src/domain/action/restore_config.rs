//! `restore_config`: gives a ConfigMap or a Service the content that belay recorded before it changed.
//! Never a Secret.

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "restore_config",
    class: Class { undo: Reversibility::Exact, risk: Risk::Medium },
    why: "the content that is replaced is recorded; somebody changed it on purpose, and others may read it too",
    raised_by: "never; a Secret is refused",
    does: "gives a ConfigMap or a Service its last recorded content",
    verb: Verb { plain: "restore", doing: "restoring", done: "restored" },
    transient: false,
};

/// "ConfigMap `flags` to recorded version 7".
pub fn what(config: &Object, version: u64) -> String {
    format!("{} to recorded version {version}", named(config))
}
