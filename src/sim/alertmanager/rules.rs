//! The alerting rules: a closed set, evaluated over the world as Prometheus would over its metrics.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Labels;
use crate::sim::kube::World;

/// An alerting rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Fires always: proof that alerts arrive.
    Watchdog,
    /// A container waits in `CrashLoopBackOff`.
    KubePodCrashLooping,
    /// A container waits for anything else.
    KubeContainerWaiting,
    /// A Deployment's rollout exceeded its deadline.
    KubeDeploymentRolloutStuck,
    /// The ready pods of a Deployment use nearly all of their processor limit.
    CpuSaturation,
}

/// Share of the limit above which a Deployment is saturated.
const SATURATED: f64 = 0.9;

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 5] = [
        Self::Watchdog,
        Self::KubePodCrashLooping,
        Self::KubeContainerWaiting,
        Self::KubeDeploymentRolloutStuck,
        Self::CpuSaturation,
    ];

    /// `alertname`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Watchdog => "Watchdog",
            Self::KubePodCrashLooping => "KubePodCrashLooping",
            Self::KubeContainerWaiting => "KubeContainerWaiting",
            Self::KubeDeploymentRolloutStuck => "KubeDeploymentRolloutStuck",
            Self::CpuSaturation => "CPUSaturation",
        }
    }

    const fn severity(self) -> &'static str {
        match self {
            Self::Watchdog => "none",
            Self::KubePodCrashLooping
            | Self::KubeContainerWaiting
            | Self::KubeDeploymentRolloutStuck
            | Self::CpuSaturation => "warning",
        }
    }

    /// The expression that a person would look at.
    pub(super) const fn expression(self) -> &'static str {
        match self {
            Self::Watchdog => "vector(1)",
            Self::KubePodCrashLooping => {
                "kube_pod_container_status_waiting_reason{reason=\"CrashLoopBackOff\"} >= 1"
            }
            Self::KubeContainerWaiting => {
                "kube_pod_container_status_waiting_reason{reason!=\"CrashLoopBackOff\"} > 0"
            }
            Self::KubeDeploymentRolloutStuck => {
                "kube_deployment_status_condition{condition=\"Progressing\",status=\"false\"} != 0"
            }
            Self::CpuSaturation => "deployment:cpu_usage_limit:ratio > 0.9",
        }
    }

    /// The label sets for which the rule's condition holds right now.
    fn holds(self, world: &World) -> Vec<Labels> {
        match self {
            Self::Watchdog => vec![Labels::new()],
            Self::KubePodCrashLooping => waiting(world, |reason| reason == "CrashLoopBackOff", false),
            Self::KubeContainerWaiting => {
                waiting(world, |reason| !reason.is_empty() && reason != "CrashLoopBackOff", true)
            }
            Self::KubeDeploymentRolloutStuck => world
                .deployments()
                .into_iter()
                .filter(|view| view.progress == "ProgressDeadlineExceeded")
                .map(|view| labels(&[("namespace", &view.namespace), ("deployment", &view.name)]))
                .collect(),
            Self::CpuSaturation => world
                .saturations()
                .into_iter()
                .filter(|(_, share)| *share > SATURATED)
                .map(|((namespace, name), _)| labels(&[("namespace", &namespace), ("deployment", &name)]))
                .collect(),
        }
    }

    /// What the alert tells people.
    pub(super) fn annotations(self, labels: &Labels) -> Labels {
        let of = |key: &str| labels.get(key).map_or("", String::as_str);
        let place = format!("{}/{}{}", of("namespace"), of("deployment"), of("pod"));
        let (summary, description) = match self {
            Self::Watchdog => ("Alerts arrive.".to_owned(), "This alert always fires.".to_owned()),
            Self::KubePodCrashLooping => (
                format!("Pod {place} is crash looping"),
                format!("Container {} of pod {place} waits in CrashLoopBackOff.", of("container")),
            ),
            Self::KubeContainerWaiting => (
                format!("Pod {place} has a waiting container"),
                format!("Container {} of pod {place} waits: {}.", of("container"), of("reason")),
            ),
            Self::KubeDeploymentRolloutStuck => (
                format!("Rollout of {place} is stuck"),
                format!("The rollout of deployment {place} exceeded its progress deadline."),
            ),
            Self::CpuSaturation => (
                format!("Deployment {place} is saturated"),
                format!("The ready pods of deployment {place} use more than 90% of their processor limit."),
            ),
        };
        let runbook = format!("https://runbooks.example/{}", self.name());
        self::labels(&[("summary", &summary), ("description", &description), ("runbook_url", &runbook)])
    }
}

fn waiting(world: &World, wanted: impl Fn(&str) -> bool, with_reason: bool) -> Vec<Labels> {
    let pods = world.all_pods().into_iter().filter(|pod| wanted(&pod.waiting));
    pods.map(|pod| {
        let mut labels =
            labels(&[("namespace", &pod.namespace), ("pod", &pod.name), ("container", &pod.container)]);
        if with_reason {
            labels.insert("reason".to_owned(), pod.waiting);
        }
        labels
    })
    .collect()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// How rules are evaluated.
#[derive(Debug, Clone)]
pub struct Timing {
    /// How long a condition holds before its alert fires (`for:`); `Watchdog` never waits.
    pub hold: SignedDuration,
    /// How long a container that waited counts as waiting: the range of `max_over_time`.
    pub window: SignedDuration,
}

/// A condition that holds or held lately.
#[derive(Debug, Clone)]
struct Condition {
    since: Timestamp,
    seen: Timestamp,
    fired: Option<Timestamp>,
}

/// What is pending and what fires.
#[derive(Debug, Default)]
pub(super) struct Evaluation {
    conditions: BTreeMap<(Rule, Labels), Condition>,
}

impl Evaluation {
    /// Looks at the world; gives the firing alerts: rule, whole label set, start.
    pub(super) fn at(
        &mut self,
        world: &World,
        rules: &BTreeSet<Rule>,
        cluster: &str,
        timing: &Timing,
    ) -> Vec<(Rule, Labels, Timestamp)> {
        let now = world.clock().now();
        for rule in rules {
            for mut labels in rule.holds(world) {
                labels.insert("alertname".to_owned(), rule.name().to_owned());
                labels.insert("severity".to_owned(), rule.severity().to_owned());
                labels.insert("cluster".to_owned(), cluster.to_owned());
                let fresh = Condition { since: now, seen: now, fired: None };
                self.conditions.entry((*rule, labels)).or_insert(fresh).seen = now;
            }
        }
        self.conditions
            .retain(|(rule, _), condition| now.duration_since(condition.seen) <= rule.memory(timing));
        let mut firing = Vec::new();
        for ((rule, labels), condition) in &mut self.conditions {
            let hold = if *rule == Rule::Watchdog { SignedDuration::ZERO } else { timing.hold };
            if condition.fired.is_none() && now.duration_since(condition.since) >= hold {
                condition.fired = Some(now);
            }
            if let Some(fired) = condition.fired {
                firing.push((*rule, labels.clone(), fired));
            }
        }
        firing
    }
}

impl Rule {
    /// How long its condition outlives what caused it.
    fn memory(self, timing: &Timing) -> SignedDuration {
        match self {
            Self::KubePodCrashLooping => timing.window,
            Self::Watchdog
            | Self::KubeContainerWaiting
            | Self::KubeDeploymentRolloutStuck
            | Self::CpuSaturation => SignedDuration::ZERO,
        }
    }
}
