//! The closed list of the kinds of action, and what each is by its nature: its class with the reason for
//! it, what raises the risk, and the verb that people read. `docs/actions.md` is generated from here.

use serde::{Deserialize, Serialize};

use super::{
    cronjob, hpa_bounds, job, node, pull_request, resources, restart_pod, restart_workload, restore_config,
    rollback_workload, rollout, scale_workload,
};

/// The kinds of action, as policies list them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Evict one pod; its controller makes a new one.
    RestartPod,
    /// Replace the pods of a workload, one after the other.
    RestartWorkload,
    /// Set the number of replicas of a workload.
    ScaleWorkload,
    /// Give a workload the template of an earlier revision.
    RollbackWorkload,
    /// Stop a rollout where it is.
    PauseRollout,
    /// Let a paused rollout go on.
    ResumeRollout,
    /// Start no more Jobs of a CronJob.
    SuspendCronjob,
    /// Start Jobs of a CronJob again.
    ResumeCronjob,
    /// Set how far an autoscaler may go.
    SetHpaBounds,
    /// Give one container one bounded step more of one resource.
    SetResources,
    /// Let no new pod onto a node.
    CordonNode,
    /// Let new pods onto a node again.
    UncordonNode,
    /// Give a ConfigMap or Service the content that was recorded before it changed.
    RestoreConfig,
    /// Propose a change where the desired state is kept.
    OpenPullRequest,
    /// Run a Job that the user declared.
    RunJob,
}

/// What an action is by its nature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The name in policies, records and messages.
    pub name: &'static str,
    /// Its class, before a concrete plan raises the risk.
    pub class: Class,
    /// Why that class.
    pub why: &'static str,
    /// What a plan raises the risk for, or what it is refused for.
    pub raised_by: &'static str,
    /// What it does, in one clause.
    pub does: &'static str,
    /// The verb that people read.
    pub verb: Verb,
    /// Nothing of it stays in a spec of the cluster, so that a GitOps controller has nothing to undo.
    pub transient: bool,
}

/// A verb in the three forms in which an act is spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verb {
    /// "restart".
    pub plain: &'static str,
    /// "restarting".
    pub doing: &'static str,
    /// "restarted".
    pub done: &'static str,
}

impl ActionKind {
    /// Every kind, in the order of the catalogue.
    pub const ALL: [Self; 15] = [
        Self::RestartPod,
        Self::RestartWorkload,
        Self::ScaleWorkload,
        Self::RollbackWorkload,
        Self::PauseRollout,
        Self::ResumeRollout,
        Self::SuspendCronjob,
        Self::ResumeCronjob,
        Self::SetHpaBounds,
        Self::SetResources,
        Self::CordonNode,
        Self::UncordonNode,
        Self::RestoreConfig,
        Self::OpenPullRequest,
        Self::RunJob,
    ];

    /// What it is by its nature.
    pub const fn entry(self) -> &'static Entry {
        match self {
            Self::RestartPod => &restart_pod::ENTRY,
            Self::RestartWorkload => &restart_workload::ENTRY,
            Self::ScaleWorkload => &scale_workload::ENTRY,
            Self::RollbackWorkload => &rollback_workload::ENTRY,
            Self::PauseRollout => &rollout::PAUSE,
            Self::ResumeRollout => &rollout::RESUME,
            Self::SuspendCronjob => &cronjob::SUSPEND,
            Self::ResumeCronjob => &cronjob::RESUME,
            Self::SetHpaBounds => &hpa_bounds::ENTRY,
            Self::SetResources => &resources::ENTRY,
            Self::CordonNode => &node::CORDON,
            Self::UncordonNode => &node::UNCORDON,
            Self::RestoreConfig => &restore_config::ENTRY,
            Self::OpenPullRequest => &pull_request::ENTRY,
            Self::RunJob => &job::ENTRY,
        }
    }

    /// The name in policies, records and messages.
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// The kind with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its class, before a concrete plan raises the risk.
    pub const fn class(self) -> Class {
        self.entry().class
    }
}

/// What can be put back, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reversibility {
    /// Every touched field gets its old value back.
    Exact,
    /// A controller brings back an equivalent object; there is nothing to revert.
    SelfHealing,
    /// The fields can be put back, and doing so has effects of its own (a rollout).
    SideEffects,
    /// Nothing can be put back.
    None,
}

impl Reversibility {
    /// The word in policies and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::SelfHealing => "self_healing",
            Self::SideEffects => "side_effects",
            Self::None => "none",
        }
    }
}

/// How much can go wrong. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Risk {
    Low,
    Medium,
    High,
}

impl Risk {
    /// The word in policies and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Reversibility and risk: the column of the level table that an action stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    /// What can be put back.
    pub undo: Reversibility,
    /// How much can go wrong.
    pub risk: Risk,
}

/// The catalogue as a table in Markdown, for `docs/actions.md`.
pub fn markdown() -> String {
    let row = |kind: &ActionKind| {
        let Entry { name, class, why, raised_by, does, verb: _, transient: _ } = kind.entry();
        let (undo, risk) = (class.undo.name(), class.risk.name());
        format!("| `{name}` | {does} | `{undo}` | {risk} | {raised_by} | {why} |\n")
    };
    let head = "| action | what it does | undo | risk | raised, or refused | why this class |\n\
                |---|---|---|---|---|---|\n";
    std::iter::once(head.to_owned()).chain(ActionKind::ALL.iter().map(row)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_records_have() {
        for kind in ActionKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(ActionKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(ActionKind::from_name("exec"), None);
    }
}
