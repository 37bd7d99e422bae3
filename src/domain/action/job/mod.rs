//! `run_job`: runs a Kubernetes Job from a template that the user declared, with parameters that the
//! template's schema allows. The one door for actions of the user's own.

mod build;
mod offer;
mod parameters;
mod pod;
mod run;
mod template;
mod templates;

use std::collections::BTreeMap;

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

pub use build::CreateJob;
pub use run::{LiveJob, MANAGED_BY, TEMPLATE_LABEL, order, plan, plan_revert, seen_as, status, undo_name};
pub use template::{Template, WrongTemplate};
pub use templates::{Rules, Templates};

/// What it is by its nature: the class of a template that declares none.
pub const ENTRY: Entry = Entry {
    name: "run_job",
    class: Class { undo: Reversibility::None, risk: Risk::High },
    why: "belay cannot know what a user's Job does; its template may declare an undo and a lower risk",
    raised_by: "never; lowered by what the template declares",
    does: "runs a Job from a template that the user declared",
    verb: Verb { plain: "run", doing: "starting", done: "started" },
    transient: false,
};

/// "job `expand-volume` for PersistentVolumeClaim `data` (size=20Gi)".
pub fn what(about: &Object, template: &str, parameters: &BTreeMap<String, String>) -> String {
    let given: Vec<String> = parameters.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let given = if given.is_empty() { String::new() } else { format!(" ({})", given.join(", ")) };
    format!("job `{template}` for {}{given}", named(about))
}
