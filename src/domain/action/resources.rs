//! `set_resources`: gives one container one bounded step more of one resource. The pods roll, so the undo
//! has effects of its own.

use serde::{Deserialize, Serialize};

use super::{Class, Entry, Reversibility, Risk, Verb, named};
use crate::domain::target::Object;

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

    /// The unit, as Kubernetes writes it.
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
}
