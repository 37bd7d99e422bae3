//! `set_resources`: gives one container one bounded step more of one resource. The pods roll, so the undo
//! has effects of its own.

use serde::{Deserialize, Serialize};

use serde_json::Value;

use super::edit::Drawn;
use super::live::{LiveObject, changed};
use super::{Class, Entry, Reversibility, Risk, Verb, diff, named};
use crate::domain::plan::Refusal;
use crate::domain::quantity;
use crate::domain::target::{Kind, Object};

/// The largest step, in percent of what there was: enough for a load that grew, and small enough that a
/// leak does not take the node with it.
pub const MOST_PERCENT: u64 = 50;

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "set_resources",
    class: Class { undo: Reversibility::SideEffects, risk: Risk::Medium },
    why: "the fields can be put back, and both ways all pods are replaced; a larger limit can crowd a node",
    raised_by: "never; a step of more than half as much again cannot be written down",
    does: "raises one limit of one container by one step of at most 50 %",
    verb: Verb { plain: "raise", doing: "raising", done: "raised" },
    transient: false,
};

/// What a container can have more of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// In thousandths of a core.
    Cpu,
    /// In mebibytes.
    Memory,
}

impl Resource {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }

    /// A quantity in the unit of steps, if it is a whole number of it.
    pub fn read(self, text: &str) -> Option<u64> {
        const MEBIBYTE: u64 = 1024 * 1024;
        match self {
            Self::Cpu => quantity::millicores(text).map(u64::from),
            Self::Memory => quantity::bytes(text).filter(|bytes| bytes % MEBIBYTE == 0).map(|b| b / MEBIBYTE),
        }
    }

    /// A number of steps as the API server stores it, in the largest unit that it is a whole number of:
    /// what was written must be found again.
    fn stored(self, steps: u64) -> String {
        let larger: &[(u64, &str)] = match self {
            Self::Cpu => &[(1000, "")],
            Self::Memory => &[(1024 * 1024, "Ti"), (1024, "Gi")],
        };
        let whole = larger.iter().find(|(size, _)| steps % size == 0);
        whole.map_or(format!("{steps}{}", self.unit()), |(size, unit)| format!("{}{unit}", steps / size))
    }

    /// The unit of steps, as Kubernetes writes it.
    const fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "m",
            Self::Memory => "Mi",
        }
    }
}

/// One step of a limit, from what it is to what it becomes: upwards, and at most half as much again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct ResourceStep {
    resource: Resource,
    from: u64,
    to: u64,
}

/// A step as it is written.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    resource: Resource,
    from: u64,
    to: u64,
}

impl ResourceStep {
    /// This step, if it is one that belay takes.
    pub fn new(resource: Resource, from: u64, to: u64) -> Option<Self> {
        let most = from.checked_mul(100 + MOST_PERCENT)?.checked_div(100)?;
        (from < to && to <= most).then_some(Self { resource, from, to })
    }

    /// Of what.
    pub const fn resource(self) -> Resource {
        self.resource
    }
}

impl TryFrom<Unchecked> for ResourceStep {
    type Error = String;

    fn try_from(Unchecked { resource, from, to }: Unchecked) -> Result<Self, String> {
        Self::new(resource, from, to)
            .ok_or_else(|| format!("from {from} to {to} is no step up of at most {MOST_PERCENT} %"))
    }
}

impl From<ResourceStep> for Unchecked {
    fn from(ResourceStep { resource, from, to }: ResourceStep) -> Self {
        Self { resource, from, to }
    }
}

/// "the memory limit of container `api` of Deployment `api` from 256Mi to 384Mi".
pub fn what(workload: &Object, container: &str, step: ResourceStep) -> String {
    let ResourceStep { resource, from, to } = step;
    let (name, unit, workload) = (resource.name(), resource.unit(), named(workload));
    format!("the {name} limit of container `{container}` of {workload} from {from}{unit} to {to}{unit}")
}

/// Where the containers of a pod template stand.
const CONTAINERS: &str = "/spec/template/spec/containers";

/// Whether this is the path of a limit of a container.
pub fn is_limit(path: &str) -> bool {
    let rest = path.strip_prefix(CONTAINERS).and_then(|rest| rest.strip_prefix('/'));
    let Some((position, limit)) = rest.and_then(|rest| rest.split_once('/')) else { return false };
    position.bytes().all(|b| b.is_ascii_digit())
        && ["resources/limits/cpu", "resources/limits/memory"].contains(&limit)
}

/// What a step changes: one limit, as long as it is what the step was measured from.
pub fn draw(live: &LiveObject, container: &str, step: ResourceStep) -> Result<Drawn, Refusal> {
    live.is(&[Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet])?;
    live.rolls_by_itself()?;
    let ResourceStep { resource, from, to } = step;
    let containers = live.content.pointer(CONTAINERS).and_then(Value::as_array);
    let position = containers.and_then(|all| {
        all.iter().position(|one| one.get("name").and_then(Value::as_str) == Some(container))
    });
    let Some(position) = position else {
        return Err(changed(&live.object, format!("it has no container `{container}`")));
    };
    let path = format!("{CONTAINERS}/{position}/resources/limits/{}", resource.name());
    let held = live.content.pointer(&path);
    let Some(text) = held.and_then(Value::as_str) else {
        let detail = format!("container `{container}` has no {} limit to raise", resource.name());
        return Err(Refusal::Limit(detail));
    };
    if resource.read(text) != Some(from) {
        let detail = format!("its {} limit is `{text}` now, not {from}{}", resource.name(), resource.unit());
        return Err(changed(&live.object, detail));
    }
    let wanted = Value::from(resource.stored(to));
    Ok(Drawn::rolling(live, Risk::Medium, vec![diff::change(&path, held, Some(&wanted))]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_goes_up_and_by_no_more_than_half() {
        let cases = [(256, 384, true), (256, 257, true), (256, 385, false), (256, 256, false)];
        let cases = cases.into_iter().chain([(256, 128, false), (0, 1, false), (u64::MAX, u64::MAX, false)]);
        for (from, to, fine) in cases {
            assert_eq!(ResourceStep::new(Resource::Memory, from, to).is_some(), fine, "{from} {to}");
        }
        let text = r#"{"resource":"memory","from":256,"to":1024}"#;
        assert!(serde_json::from_str::<ResourceStep>(text).is_err());
    }

    #[test]
    fn a_quantity_is_written_as_it_will_be_stored() {
        for (resource, steps, expected) in [
            (Resource::Memory, 384, "384Mi"),
            (Resource::Memory, 1024, "1Gi"),
            (Resource::Memory, 1536, "1536Mi"),
            (Resource::Memory, 3 * 1024 * 1024, "3Ti"),
            (Resource::Cpu, 1500, "1500m"),
            (Resource::Cpu, 2000, "2"),
        ] {
            assert_eq!(resource.stored(steps), expected);
            assert_eq!(resource.read(expected), Some(steps));
        }
    }
}
