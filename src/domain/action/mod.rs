//! Actions: one typed act with its exact target and parameters, and the candidates of an incident. What
//! each kind is stands in `catalogue`; how it is planned and undone, in the file of its name.

mod catalogue;
pub mod cronjob;
mod diff;
pub mod edit;
pub mod hpa_bounds;
pub mod job;
pub mod live;
pub mod managers;
pub mod node;
pub mod pull_request;
pub mod resources;
pub mod restart_pod;
pub mod restart_workload;
pub mod restore_config;
pub mod rights;
pub mod rollback_workload;
pub mod rollout;
pub mod scale_workload;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::canonical::Hash;
use super::ids::{CandidateId, EvidenceId};
use super::plan::FieldChange;
use super::target::{Object, RootOwner};

pub use catalogue::{ActionKind, Class, Entry, Reversibility, Risk, Verb, markdown};
pub use hpa_bounds::HpaBounds;
pub use resources::{Resource, ResourceStep};
pub use restore_config::Restore;
pub use rollback_workload::TemplateHash;

/// How long a plan is good for: as long as a person needs to read and approve it, and short enough that
/// the blast radius they saw is still true.
pub const PLAN_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// The moment from which a plan made at `made_at` is refused.
pub(crate) fn expiry(made_at: Timestamp) -> Timestamp {
    made_at.saturating_add(PLAN_LIFE).unwrap_or(Timestamp::MAX)
}

/// One action with its exact target and parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Evict this pod (by uid), so that its controller makes a new one.
    RestartPod {
        /// The pod.
        pod: Object,
    },
    /// Replace the pods of this workload, one after the other.
    RestartWorkload {
        /// The Deployment, StatefulSet or DaemonSet.
        workload: Object,
    },
    /// Set `spec.replicas` of this workload to this absolute value.
    ScaleWorkload {
        /// The Deployment.
        workload: Object,
        /// The new value.
        replicas: u32,
    },
    /// Give this workload a recorded template.
    RollbackWorkload {
        /// The Deployment, StatefulSet or DaemonSet.
        workload: Object,
        /// Which template.
        template: TemplateHash,
    },
    /// Stop the rollout of this workload.
    PauseRollout {
        /// The Deployment.
        workload: Object,
    },
    /// Let the rollout of this workload go on.
    ResumeRollout {
        /// The Deployment.
        workload: Object,
    },
    /// Start no more Jobs of this CronJob.
    SuspendCronjob {
        /// The CronJob.
        cronjob: Object,
    },
    /// Start Jobs of this CronJob again.
    ResumeCronjob {
        /// The CronJob.
        cronjob: Object,
    },
    /// Give this autoscaler these bounds.
    SetHpaBounds {
        /// The HorizontalPodAutoscaler.
        autoscaler: Object,
        /// From and to how many replicas.
        bounds: HpaBounds,
    },
    /// Take one step with one limit of this container.
    SetResources {
        /// The workload whose template it stands in.
        workload: Object,
        /// The container's name there.
        container: String,
        /// The step.
        step: ResourceStep,
    },
    /// Let no new pod onto this node.
    CordonNode {
        /// The node.
        node: Object,
    },
    /// Let new pods onto this node again.
    UncordonNode {
        /// The node.
        node: Object,
    },
    /// Give this ConfigMap or Service its recorded content.
    RestoreConfig {
        /// The ConfigMap or Service.
        config: Object,
        /// Which of the versions that belay recorded.
        version: u64,
        /// What it held, and for whom it is restored.
        #[serde(flatten)]
        restore: Restore,
    },
    /// Propose the change of another action instead of making it.
    OpenPullRequest {
        /// The action whose change is proposed.
        instead_of: Box<Action>,
    },
    /// Run a Job that the user declared.
    RunJob {
        /// What it is run for.
        about: Object,
        /// The name of its template.
        template: String,
        /// What the template's schema lets be chosen.
        parameters: BTreeMap<String, String>,
        /// The class that the template declares.
        declared: Class,
        /// The template's hash: whoever carries it out must have the same one.
        hash: Hash,
    },
}

/// How belay's hands carry out an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doable<'a> {
    /// Evict this pod.
    Evict(&'a Object),
    /// Change fields of this object.
    Edit(&'a Object),
    /// Run a Job for this object.
    Run(&'a Object),
    /// Propose the change of this action where the desired state is kept.
    Propose(&'a Action),
}

impl Action {
    /// Its kind.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::RestartPod { .. } => ActionKind::RestartPod,
            Self::RestartWorkload { .. } => ActionKind::RestartWorkload,
            Self::ScaleWorkload { .. } => ActionKind::ScaleWorkload,
            Self::RollbackWorkload { .. } => ActionKind::RollbackWorkload,
            Self::PauseRollout { .. } => ActionKind::PauseRollout,
            Self::ResumeRollout { .. } => ActionKind::ResumeRollout,
            Self::SuspendCronjob { .. } => ActionKind::SuspendCronjob,
            Self::ResumeCronjob { .. } => ActionKind::ResumeCronjob,
            Self::SetHpaBounds { .. } => ActionKind::SetHpaBounds,
            Self::SetResources { .. } => ActionKind::SetResources,
            Self::CordonNode { .. } => ActionKind::CordonNode,
            Self::UncordonNode { .. } => ActionKind::UncordonNode,
            Self::RestoreConfig { .. } => ActionKind::RestoreConfig,
            Self::OpenPullRequest { .. } => ActionKind::OpenPullRequest,
            Self::RunJob { .. } => ActionKind::RunJob,
        }
    }

    /// Its class, before a concrete plan raises the risk: what the catalogue says, or what the template
    /// of a user's own Job declares.
    pub const fn class(&self) -> Class {
        match self {
            Self::RunJob { declared, .. } => *declared,
            Self::RestartPod { .. }
            | Self::RestartWorkload { .. }
            | Self::ScaleWorkload { .. }
            | Self::RollbackWorkload { .. }
            | Self::PauseRollout { .. }
            | Self::ResumeRollout { .. }
            | Self::SuspendCronjob { .. }
            | Self::ResumeCronjob { .. }
            | Self::SetHpaBounds { .. }
            | Self::SetResources { .. }
            | Self::CordonNode { .. }
            | Self::UncordonNode { .. }
            | Self::RestoreConfig { .. }
            | Self::OpenPullRequest { .. } => self.kind().class(),
        }
    }

    /// Whether pods go because of it: those that run now, with all that they hold.
    pub const fn removes_pods(&self) -> bool {
        match self.kind() {
            ActionKind::RestartPod
            | ActionKind::RestartWorkload
            | ActionKind::RollbackWorkload
            | ActionKind::SetResources => true,
            ActionKind::ScaleWorkload
            | ActionKind::PauseRollout
            | ActionKind::ResumeRollout
            | ActionKind::SuspendCronjob
            | ActionKind::ResumeCronjob
            | ActionKind::SetHpaBounds
            | ActionKind::CordonNode
            | ActionKind::UncordonNode
            | ActionKind::RestoreConfig
            | ActionKind::OpenPullRequest
            | ActionKind::RunJob => false,
        }
    }

    /// The action whose change it is: for a proposal, the one that it stands for.
    pub fn core(&self) -> &Self {
        match self {
            Self::OpenPullRequest { instead_of } => instead_of,
            other => other,
        }
    }

    /// The object it changes, or would change.
    pub fn target(&self) -> &Object {
        match self {
            Self::RestartPod { pod } => pod,
            Self::RestartWorkload { workload }
            | Self::ScaleWorkload { workload, .. }
            | Self::RollbackWorkload { workload, .. }
            | Self::PauseRollout { workload }
            | Self::ResumeRollout { workload }
            | Self::SetResources { workload, .. } => workload,
            Self::SuspendCronjob { cronjob } | Self::ResumeCronjob { cronjob } => cronjob,
            Self::SetHpaBounds { autoscaler, .. } => autoscaler,
            Self::CordonNode { node } | Self::UncordonNode { node } => node,
            Self::RestoreConfig { config, .. } => config,
            Self::OpenPullRequest { instead_of } => instead_of.target(),
            Self::RunJob { about, .. } => about,
        }
    }

    /// How many replicas it sets, or lets an autoscaler go up to.
    pub fn replicas(&self) -> Option<u32> {
        match self {
            Self::ScaleWorkload { replicas, .. } => Some(*replicas),
            Self::SetHpaBounds { bounds, .. } => Some(bounds.max()),
            Self::RestartPod { .. }
            | Self::RestartWorkload { .. }
            | Self::RollbackWorkload { .. }
            | Self::PauseRollout { .. }
            | Self::ResumeRollout { .. }
            | Self::SuspendCronjob { .. }
            | Self::ResumeCronjob { .. }
            | Self::SetResources { .. }
            | Self::CordonNode { .. }
            | Self::UncordonNode { .. }
            | Self::RestoreConfig { .. }
            | Self::RunJob { .. } => None,
            Self::OpenPullRequest { instead_of } => instead_of.replicas(),
        }
    }

    /// What belay's hands make of it.
    pub fn doable(&self) -> Doable<'_> {
        match self {
            Self::RestartPod { pod } => Doable::Evict(pod),
            Self::RestartWorkload { .. }
            | Self::ScaleWorkload { .. }
            | Self::RollbackWorkload { .. }
            | Self::PauseRollout { .. }
            | Self::ResumeRollout { .. }
            | Self::SuspendCronjob { .. }
            | Self::ResumeCronjob { .. }
            | Self::SetHpaBounds { .. }
            | Self::SetResources { .. }
            | Self::CordonNode { .. }
            | Self::UncordonNode { .. }
            | Self::RestoreConfig { .. } => Doable::Edit(self.target()),
            Self::OpenPullRequest { instead_of } => Doable::Propose(instead_of),
            Self::RunJob { about, .. } => Doable::Run(about),
        }
    }

    /// The action that puts these changes of it back, where the catalogue has one; itself otherwise.
    #[must_use]
    pub fn inverse(&self, changes: &[FieldChange]) -> Self {
        let before = |path: &str| {
            let change = changes.iter().find(|change| change.path == path)?;
            change.from.as_deref()?.parse::<u32>().ok()
        };
        match self.clone() {
            Self::ScaleWorkload { workload, replicas } => {
                let replicas = before(scale_workload::REPLICAS).unwrap_or(replicas);
                Self::ScaleWorkload { workload, replicas }
            }
            Self::PauseRollout { workload } => Self::ResumeRollout { workload },
            Self::ResumeRollout { workload } => Self::PauseRollout { workload },
            Self::SuspendCronjob { cronjob } => Self::ResumeCronjob { cronjob },
            Self::ResumeCronjob { cronjob } => Self::SuspendCronjob { cronjob },
            Self::CordonNode { node } => Self::UncordonNode { node },
            Self::UncordonNode { node } => Self::CordonNode { node },
            Self::SetHpaBounds { autoscaler, bounds } => {
                let touched = |path: &str| changes.iter().any(|change| change.path == path);
                let min = match before(hpa_bounds::MIN) {
                    None if touched(hpa_bounds::MIN) => hpa_bounds::DEFAULT_MIN,
                    before => before.unwrap_or(bounds.min()),
                };
                let max = before(hpa_bounds::MAX).unwrap_or(bounds.max());
                let bounds = HpaBounds::new(min, max).unwrap_or(bounds);
                Self::SetHpaBounds { autoscaler, bounds }
            }
            same @ (Self::RestartPod { .. }
            | Self::RestartWorkload { .. }
            | Self::RollbackWorkload { .. }
            | Self::SetResources { .. }
            | Self::RestoreConfig { .. }
            | Self::OpenPullRequest { .. }
            | Self::RunJob { .. }) => same,
        }
    }

    /// What it is done to, and with what: "pod `api-7f4b9`", "Deployment `web` to 5".
    pub fn what(&self) -> String {
        match self {
            Self::RestartPod { pod } => restart_pod::what(pod),
            Self::RestartWorkload { workload } => restart_workload::what(workload),
            Self::ScaleWorkload { workload, replicas } => scale_workload::what(workload, *replicas),
            Self::RollbackWorkload { workload, template } => rollback_workload::what(workload, template),
            Self::PauseRollout { workload } | Self::ResumeRollout { workload } => rollout::what(workload),
            Self::SuspendCronjob { cronjob } | Self::ResumeCronjob { cronjob } => cronjob::what(cronjob),
            Self::SetHpaBounds { autoscaler, bounds } => hpa_bounds::what(autoscaler, *bounds),
            Self::SetResources { workload, container, step } => resources::what(workload, container, *step),
            Self::CordonNode { node } | Self::UncordonNode { node } => node::what(node),
            Self::RestoreConfig { config, version, .. } => restore_config::what(config, *version),
            Self::OpenPullRequest { instead_of } => pull_request::what(instead_of),
            Self::RunJob { about, template, parameters, .. } => job::what(about, template, parameters),
        }
    }

    /// What it does, as a person would say it: "restart pod `api-7f4b9`".
    pub fn words(&self) -> String {
        format!("{} {}", self.kind().entry().verb.plain, self.what())
    }

    /// What was done, as a person would say it: "restarted pod `api-7f4b9`".
    pub fn done_words(&self) -> String {
        format!("{} {}", self.kind().entry().verb.done, self.what())
    }
}

/// "Deployment `web`".
fn named(object: &Object) -> String {
    format!("{} `{}`", object.named.kind, object.named.name)
}

/// A remedy that policy could permit for an incident. The set of an incident's candidates is closed
/// before any text from the cluster is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// `c1`, `c2`, … within the incident.
    pub id: CandidateId,
    /// What would be done.
    pub action: Action,
    /// Who answers for the target.
    pub owner: RootOwner,
    /// The name of the cause that suggests it.
    pub cause: String,
    /// What that finding rests on.
    pub evidence: Vec<EvidenceId>,
}
