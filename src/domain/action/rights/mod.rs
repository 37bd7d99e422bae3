//! What each action asks of the API server, once: the roles that `belay rbac` prints and the check at start
//! both come from here. Whoever makes the hand send something new says it here.

mod held;

use std::collections::BTreeSet;
use std::fmt;

use super::ActionKind;
use crate::domain::target::Kind;

pub use held::{Excess, Exempt, Held, Missing, NotExempt, Rule, Verdict, weigh};

/// What is asked, in the words of Kubernetes' authorisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read all objects.
    List,
    /// Change a part of an object.
    Patch,
    /// Make an object, or evict a pod.
    Create,
}

impl Verb {
    /// The word in roles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Patch => "patch",
            Self::Create => "create",
        }
    }
}

/// What it is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Plural, with its subresource: `pods/eviction`.
    pub name: &'static str,
    /// Whether its objects live in a namespace.
    pub namespaced: bool,
}

/// One verb on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Right {
    /// On what.
    pub resource: Resource,
    /// What.
    pub verb: Verb,
}

/// `create pods/eviction`, `patch deployments.apps`.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.name(), qualified(self.resource.group, self.resource.name))
    }
}

/// The resource as messages name it: `pods`, `deployments.apps`.
fn qualified(group: &str, name: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

const fn resource(group: &'static str, name: &'static str) -> Resource {
    Resource { group, name, namespaced: true }
}

const PODS: Resource = resource("", "pods");
const EVICTIONS: Resource = resource("", "pods/eviction");
const NODES: Resource = Resource { group: "", name: "nodes", namespaced: false };
const DEPLOYMENTS: Resource = resource("apps", "deployments");
const REPLICASETS: Resource = resource("apps", "replicasets");
const STATEFULSETS: Resource = resource("apps", "statefulsets");
const DAEMONSETS: Resource = resource("apps", "daemonsets");
const REVISIONS: Resource = resource("apps", "controllerrevisions");
const CRONJOBS: Resource = resource("batch", "cronjobs");
const JOBS: Resource = resource("batch", "jobs");
const VOLUME_CLAIMS: Resource = resource("", "persistentvolumeclaims");
const SERVICES: Resource = resource("", "services");
const AUTOSCALERS: Resource = resource("autoscaling", "horizontalpodautoscalers");
const CONFIGMAPS: Resource = resource("", "configmaps");
const BUDGETS: Resource = resource("policy", "poddisruptionbudgets");

const fn get(resource: Resource) -> Right {
    Right { resource, verb: Verb::Get }
}

const fn list(resource: Resource) -> Right {
    Right { resource, verb: Verb::List }
}

const fn patch(resource: Resource) -> Right {
    Right { resource, verb: Verb::Patch }
}

const fn create(resource: Resource) -> Right {
    Right { resource, verb: Verb::Create }
}

/// Would a pod of the new template be admitted? Only ever asked as a dry run, which roles cannot tell from
/// the real thing.
pub const REHEARSE: Right = create(PODS);

/// What is read and written where a workload of any kind gets another pod template.
const TEMPLATE: [Right; 8] = [
    get(DEPLOYMENTS),
    patch(DEPLOYMENTS),
    get(STATEFULSETS),
    patch(STATEFULSETS),
    get(DAEMONSETS),
    patch(DAEMONSETS),
    list(BUDGETS),
    REHEARSE,
];

/// What reading needs in each namespace: without one of these a part of every diagnosis is missing. It is what
/// `deploy/rbac/reader.yaml` gives, without what only some clusters have.
pub const READING: [Right; 16] = [
    list(PODS),
    get(PODS),
    get(resource("", "pods/log")),
    list(resource("", "events")),
    list(DEPLOYMENTS),
    list(REPLICASETS),
    list(STATEFULSETS),
    list(DAEMONSETS),
    list(JOBS),
    list(CRONJOBS),
    list(AUTOSCALERS),
    list(BUDGETS),
    list(VOLUME_CLAIMS),
    list(SERVICES),
    list(resource("", "resourcequotas")),
    list(resource("networking.k8s.io", "networkpolicies")),
];

/// What an action of this kind needs, its undo included: nothing is missing, and nothing is too much.
pub const fn needed(kind: ActionKind) -> &'static [Right] {
    match kind {
        ActionKind::RestartPod => {
            const {
                &[
                    get(PODS),
                    patch(PODS), // the mark
                    create(EVICTIONS),
                    REHEARSE,
                    list(BUDGETS),
                    // the chain of controllers, and the template of the lowest
                    get(REPLICASETS),
                    get(DEPLOYMENTS),
                    get(STATEFULSETS),
                    get(DAEMONSETS),
                ]
            }
        }
        ActionKind::RestartWorkload | ActionKind::SetResources => &TEMPLATE,
        ActionKind::ScaleWorkload => {
            const { &[get(DEPLOYMENTS), patch(DEPLOYMENTS), list(BUDGETS), list(AUTOSCALERS)] }
        }
        ActionKind::RollbackWorkload => {
            const {
                &[
                    get(DEPLOYMENTS),
                    patch(DEPLOYMENTS),
                    get(STATEFULSETS),
                    patch(STATEFULSETS),
                    get(DAEMONSETS),
                    patch(DAEMONSETS),
                    list(BUDGETS),
                    REHEARSE,
                    // the recorded templates
                    list(REPLICASETS),
                    list(REVISIONS),
                ]
            }
        }
        ActionKind::PauseRollout | ActionKind::ResumeRollout => {
            const { &[get(DEPLOYMENTS), patch(DEPLOYMENTS), list(BUDGETS)] }
        }
        ActionKind::SuspendCronjob | ActionKind::ResumeCronjob => const { &[get(CRONJOBS), patch(CRONJOBS)] },
        ActionKind::SetHpaBounds => {
            const {
                &[
                    get(AUTOSCALERS),
                    patch(AUTOSCALERS),
                    list(BUDGETS),
                    // what it scales
                    get(DEPLOYMENTS),
                    get(STATEFULSETS),
                    get(REPLICASETS),
                ]
            }
        }
        ActionKind::CordonNode | ActionKind::UncordonNode => {
            const { &[get(NODES), list(NODES), patch(NODES)] }
        }
        ActionKind::RestoreConfig => {
            const {
                &[
                    get(CONFIGMAPS),
                    patch(CONFIGMAPS),
                    get(SERVICES),
                    patch(SERVICES),
                    // whoever reads it
                    list(DEPLOYMENTS),
                    list(STATEFULSETS),
                    list(DAEMONSETS),
                    list(BUDGETS),
                ]
            }
        }
        // what is proposed is worked out on the live object; nothing in the cluster is written
        ActionKind::OpenPullRequest => {
            const {
                &[
                    get(DEPLOYMENTS),
                    get(STATEFULSETS),
                    get(DAEMONSETS),
                    get(REPLICASETS),
                    get(CRONJOBS),
                    get(AUTOSCALERS),
                    list(AUTOSCALERS),
                    list(BUDGETS),
                    list(REPLICASETS),
                    list(REVISIONS),
                ]
            }
        }
        // belay cannot carry these out yet
        // where its templates say; what they are about comes to it, see `reading`
        ActionKind::RunJob => const { &[get(JOBS), create(JOBS)] },
    }
}

/// What it takes to read an object of this kind and the controllers above it.
pub const fn reading(kind: Kind) -> &'static [Right] {
    match kind {
        Kind::Pod => {
            const { &[get(PODS), get(REPLICASETS), get(DEPLOYMENTS), get(STATEFULSETS), get(DAEMONSETS)] }
        }
        Kind::ReplicaSet => const { &[get(REPLICASETS), get(DEPLOYMENTS)] },
        Kind::Deployment => const { &[get(DEPLOYMENTS)] },
        Kind::StatefulSet => const { &[get(STATEFULSETS)] },
        Kind::DaemonSet => const { &[get(DAEMONSETS)] },
        Kind::Job => const { &[get(JOBS)] },
        Kind::CronJob => const { &[get(CRONJOBS)] },
        Kind::PersistentVolumeClaim => const { &[get(VOLUME_CLAIMS)] },
        Kind::Service => const { &[get(SERVICES)] },
        // no job is about one of these
        Kind::Node
        | Kind::Namespace
        | Kind::HorizontalPodAutoscaler
        | Kind::PodDisruptionBudget
        | Kind::ConfigMap
        | Kind::Other => const { &[] },
    }
}

/// What these kinds need together.
pub fn of(kinds: impl IntoIterator<Item = ActionKind>) -> BTreeSet<Right> {
    kinds.into_iter().flat_map(|kind| needed(kind).iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_needs_something_and_nothing_twice() {
        for kind in ActionKind::ALL {
            assert!(!needed(kind).is_empty(), "{}", kind.name());
            let twice = needed(kind).len() - of([kind]).len();
            assert_eq!(twice, 0, "{} names something twice", kind.name());
        }
    }

    #[test]
    fn a_right_is_named_as_kubernetes_names_it() {
        assert_eq!(create(EVICTIONS).to_string(), "create pods/eviction");
        assert_eq!(patch(DEPLOYMENTS).to_string(), "patch deployments.apps");
    }
}
