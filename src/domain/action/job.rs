//! `run_job`: runs a Kubernetes Job from a template that the user declared, with parameters that the
//! template's schema allows. The one door for actions of the user's own.

use std::collections::BTreeMap;

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

/// What it is by its nature: the class of a template that declares none.
pub const ENTRY: Entry = Entry {
    name: "run_job",
    class: Class { undo: Reversibility::None, risk: Risk::High },
    why: "belay cannot know what a user's Job does; its template may declare an undo and a lower risk",
    raised_by: "never; lowered by what the template declares",
    does: "runs a Job from a template that the user declared",
    verb: Verb { plain: "run", doing: "running", done: "ran" },
    transient: false,
};

/// "job `expand-volume` for PersistentVolumeClaim `data` (size=20Gi)".
pub fn what(about: &Object, template: &str, parameters: &BTreeMap<String, String>) -> String {
    let given: Vec<String> = parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let given = if given.is_empty() { String::new() } else { format!(" ({})", given.join(", ")) };
    format!("job `{template}` for {}{given}", named(about))
}
