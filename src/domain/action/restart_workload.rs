//! `restart_workload`: replaces all pods of a workload, one after the other, as its own strategy has it.

use serde_json::{Value, json};

use super::edit::{Drawn, THE_INTENT};
use super::live::LiveObject;
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::plan::{INTENT_ANNOTATION, Refusal, escaped};
use crate::domain::target::{Kind, Object};

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

/// Where the annotations of the pod template stand.
pub const ANNOTATIONS: &str = "/spec/template/metadata/annotations";

/// The one annotation that is written.
pub fn annotation() -> String {
    format!("{ANNOTATIONS}/{}", escaped(INTENT_ANNOTATION))
}

/// What a restart changes: the intent stands in the pod template, so that a repeat changes nothing and no
/// clock is needed to tell two restarts apart.
pub fn draw(live: &LiveObject) -> Result<Drawn, Refusal> {
    live.is(&[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet])?;
    live.rolls_by_itself()?;
    let intent = Value::from(THE_INTENT);
    let change = match live.content.pointer(ANNOTATIONS) {
        Some(annotations) => diff::change(&annotation(), annotations.get(INTENT_ANNOTATION), Some(&intent)),
        None => diff::change(ANNOTATIONS, None, Some(&json!({ INTENT_ANNOTATION: intent }))),
    };
    let no_undo = Some("pods that were replaced do not come back; equal ones took their places");
    Ok(Drawn { no_undo, ..Drawn::rolling(live, Risk::Low, vec![change]) })
}
