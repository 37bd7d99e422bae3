//! The action server's own hard limits. They hold whatever the policy says and whoever signed.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::action::job::{self, Templates};
use crate::domain::action::{Action, ActionKind};
use crate::domain::ids::{Cluster, IntentId};
use crate::domain::plan::{Direction, Plan, Refusal};
use crate::domain::target::{Kind, Named, Object};

/// What this server will never go beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardLimits {
    /// The one cluster that its hand reaches.
    pub cluster: Cluster,
    /// The namespaces it acts in. Empty: none.
    pub namespaces: BTreeSet<String>,
    /// Where belay itself runs: never acted in, also if it is listed.
    pub own_namespace: String,
    /// The node that belay itself runs on, where that is known: never acted on.
    pub own_node: Option<String>,
    /// What belay itself stands on (its database, its way to the model, what it sees by), with why: never acted
    /// on. A namespace, or an object in one: `monitoring`, `data/postgres`.
    pub protected: BTreeMap<String, String>,
    /// Whether it acts on nodes at all.
    pub nodes: bool,
    /// The kinds of action that it carries out.
    pub actions: BTreeSet<ActionKind>,
    /// The most replicas that a workload is given.
    pub max_replicas: u32,
    /// The most by which replicas are changed at once.
    pub max_replica_delta: u32,
    /// The job templates that it runs, and no other.
    pub jobs: Templates,
}

impl HardLimits {
    /// Whether this action may be thought of at all.
    pub fn admit(&self, action: &Action) -> Result<(), Refusal> {
        self.admit_object(action.target())?;
        // before the cluster is asked anything: what it cannot do needs no read
        if !self.actions.contains(&action.kind()) {
            return limit(format!(
                "`{}` is not one of the actions that it carries out",
                action.kind().name()
            ));
        }
        if action.kind() == ActionKind::RunJob {
            self.jobs.find(action)?;
        }
        match action.replicas() {
            Some(replicas) if replicas > self.max_replicas => {
                limit(format!("{replicas} replicas are more than the {} it ever sets", self.max_replicas))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether this plan may be carried out. Putting back an act is let through whatever its size: what
    /// was there before is the safer state.
    pub fn admit_plan(&self, plan: &Plan) -> Result<(), Refusal> {
        match plan.direction {
            Direction::Forward => self.admit(&plan.action)?,
            Direction::Revert => self.admit_object(plan.action.target())?,
        }
        self.admit_place(plan)?;
        self.admit_named(&plan.owner.0.named)?;
        let delta = plan.blast.replica_delta.unsigned_abs();
        if plan.direction == Direction::Forward && delta > u64::from(self.max_replica_delta) {
            return limit(format!(
                "a change by {delta} replicas is more than the {} it makes at once",
                self.max_replica_delta
            ));
        }
        Ok(())
    }

    /// Whether what this plan is about is within reach, and where its Job is.
    pub fn admit_place(&self, plan: &Plan) -> Result<(), Refusal> {
        self.admit_object(plan.action.target())?;
        if plan.action.kind() != ActionKind::RunJob {
            return Ok(());
        }
        let (namespace, name) = job::seen_as(plan, &IntentId::new("none"))?;
        let mut place = plan.action.target().clone();
        place.named = Named { kind: Kind::Job, namespace, name, ..place.named };
        self.admit_object(&place)
    }

    /// Whether this object is within reach.
    pub fn admit_object(&self, object: &Object) -> Result<(), Refusal> {
        let Object { named: Named { cluster, namespace, name, kind }, uid } = object;
        if *cluster != self.cluster {
            return limit(format!("this server acts in cluster `{}` only", self.cluster));
        }
        let placed = if *kind == Kind::Node { namespace.is_empty() } else { label(namespace) };
        if !placed || !subdomain(name) || uid.is_empty() {
            return limit("the target's name is none that Kubernetes gives".to_owned());
        }
        if *kind == Kind::Node {
            return self.admit_node(name);
        }
        if *namespace == self.own_namespace {
            return limit(format!("namespace `{namespace}` is belay's own"));
        }
        if !self.namespaces.contains(namespace) {
            return limit(format!("namespace `{namespace}` is not one that it acts in"));
        }
        self.admit_named(&object.named)
    }

    /// Whether this is nothing that belay itself stands on.
    fn admit_named(&self, named: &Named) -> Result<(), Refusal> {
        let Named { namespace, name, .. } = named;
        let places = [namespace.clone(), format!("{namespace}/{name}")];
        match places.iter().find_map(|place| Some((place, self.protected.get(place)?))) {
            Some((place, why)) => limit(format!("`{place}` is protected: {why}")),
            None => Ok(()),
        }
    }
}

impl HardLimits {
    fn admit_node(&self, name: &str) -> Result<(), Refusal> {
        if self.own_node.as_deref() == Some(name) {
            return limit(format!("node `{name}` is the one that belay runs on"));
        }
        if !self.nodes {
            return limit("it acts on no nodes".to_owned());
        }
        Ok(())
    }
}

fn limit<T>(why: String) -> Result<T, Refusal> {
    Err(Refusal::Limit(why))
}

/// RFC 1123 label, as namespaces are named: these become parts of a URL path.
fn label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// RFC 1123 subdomain, as pods and workloads are named.
fn subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(label)
}
