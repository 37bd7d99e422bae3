//! `scale_workload`: sets the replicas of a Deployment to an absolute value, and puts back the old one as
//! long as the field still holds what was written.

use serde_json::Value;

use super::edit::Drawn;
use super::live::{Around, LiveObject};
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::plan::{FieldChange, Refusal};
use crate::domain::target::{Kind, Object};

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "scale_workload",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "one number, put back while it still holds what belay wrote",
    raised_by: "medium for going down",
    does: "sets the number of replicas of a Deployment",
    verb: Verb { plain: "scale", doing: "scaling", done: "scaled" },
    transient: false,
};

/// The one field that is touched.
pub const REPLICAS: &str = "/spec/replicas";

/// "Deployment `web` to 5".
pub fn what(workload: &Object, replicas: u32) -> String {
    format!("{} to {replicas}", named(workload))
}

/// What another number of replicas changes. Nobody else may set it.
pub fn draw(live: &LiveObject, replicas: u32) -> Result<Drawn, Refusal> {
    live.is(&[Kind::Deployment])?;
    not_autoscaled(live)?;
    let workload = &live.object;
    if replicas == 0 {
        return Err(Refusal::Limit("scaling to 0 takes the whole workload away".to_owned()));
    }
    let desired = live.pods.unwrap_or_default().desired;
    if desired == replicas {
        return Err(Refusal::NothingToDo(format!("`{workload}` already wants {replicas} replicas")));
    }
    let held = live.content.pointer(REPLICAS);
    let change = diff::change(REPLICAS, held, Some(&Value::from(replicas)));
    Ok(resized(live, i64::from(replicas) - i64::from(desired), vec![change]))
}

/// Refuses a workload whose replicas an autoscaler sets.
pub fn not_autoscaled(live: &LiveObject) -> Result<(), Refusal> {
    let workload = &live.object;
    match &live.around {
        Around::Autoscaler(None) => Ok(()),
        Around::Autoscaler(Some(name)) => Err(Refusal::Limit(format!(
            "an autoscaler sets the replicas of `{workload}`: change the bounds of `{name}` instead"
        ))),
        Around::Nothing | Around::Template { .. } | Around::Nodes { .. } | Around::Config { .. } => {
            let why = format!("whether an autoscaler sets the replicas of `{workload}` was not looked at");
            Err(Refusal::Unreadable(why))
        }
    }
}

/// Unavailable is counted among the replicas that are wanted both before and after: new ones that still
/// start take nothing away, and a controller removes those that are not ready first.
pub fn resized(live: &LiveObject, delta: i64, changes: Vec<FieldChange>) -> Drawn {
    let pods = live.pods.unwrap_or_default();
    let after = i64::from(pods.desired).saturating_add(delta).max(0);
    let both = u32::try_from(after).unwrap_or(u32::MAX).min(pods.desired);
    let risk = if delta < 0 { Risk::Medium } else { Risk::Low };
    Drawn {
        changes,
        risk,
        unavailable_after: both.saturating_sub(pods.ready),
        replica_delta: delta,
        no_undo: None,
    }
}
