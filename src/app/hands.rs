//! Putting the action server together: its limits, its keys, and an account that may do what the actions need
//! and nothing more.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::adapters::kube::{self, CheckedHand, KubeHand, Wanted};
use crate::adapters::mcp;
use crate::config::{Config, ConfigError, LimitsConfig};
use crate::domain::action::ActionKind;
use crate::domain::action::rights::{self, Verdict};
use crate::domain::ids::Cluster;
use crate::execute::Signer;
use crate::policy;
use crate::ports::clock::{SharedClock, SystemClock};
use crate::servers::actions::{self, ActionServer, Engine, HardLimits, Ledger, VerifyingKeys};

use super::build::{BuildError, access, make_private, signer};

/// The action server's file of used warrants.
const USED_WARRANTS: &str = "used-warrants.jsonl";

/// The account that writes may do too little, or too much.
#[derive(Debug, thiserror::Error)]
#[error(
    "the account that the action server writes with has not the rights that it should have:\n{verdict}\n\
     `belay rbac --actions {} --namespaces {}` prints the roles that it needs{}",
    names(.actions), .namespaces.join(","), spare(.verdict)
)]
pub struct RightsError {
    verdict: Box<Verdict>,
    actions: BTreeSet<ActionKind>,
    namespaces: Vec<String>,
}

fn names(actions: &BTreeSet<ActionKind>) -> String {
    actions.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(",")
}

fn spare(verdict: &Verdict) -> &'static str {
    if verdict.excess.is_empty() {
        ""
    } else {
        "; what is too much is taken away from the account, or allowed by name in `limits.extraRights`"
    }
}

/// The action server, in this process, with its own client and its own identity where one is configured. It is
/// to carry out what these grants and its own limits allow.
pub(super) async fn in_process(
    config: &Config,
    clock: &SharedClock,
    signer: &Signer,
    granted: &BTreeSet<ActionKind>,
) -> Result<mcp::InProcess, BuildError> {
    let actions = possible(&config.limits)?.intersection(granted).copied().collect();
    Ok(mcp::connect_in_process(action_server(config, clock, signer, actions).await?).await?)
}

/// Serves the action server on standard input and output, as a process of its own. It takes warrants
/// that the daemon with this state directory signs, and is to carry out whatever its limits allow.
pub async fn serve_actions(config: &Config) -> Result<(), BuildError> {
    make_private(&config.state_dir)?;
    let signer = signer(&config.state_dir)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let server = action_server(config, &clock, &signer, possible(&config.limits)?).await?;
    actions::serve_stdio(server).await.map_err(|e| BuildError::Served(e.to_string()))
}

async fn action_server(
    config: &Config,
    clock: &SharedClock,
    signer: &Signer,
    actions: BTreeSet<ActionKind>,
) -> Result<ActionServer, BuildError> {
    let cluster = Cluster::new(&config.cluster.name);
    let token = config.cluster.write_token_file.as_ref().or(config.cluster.token_file.as_ref());
    let client = kube::connect(&access(config, token)).await?;
    let limits = hard_limits(&config.limits, &cluster)?;
    let hand = CheckedHand::new(KubeHand::new(client, cluster), wanted(&config.limits, &actions)?);
    checked(&hand, &config.limits, actions).await?;
    let keys = VerifyingKeys::new([signer.public_key()])?;
    let ledger = Ledger::open(&config.state_dir.join(USED_WARRANTS), clock.now())?;
    let engine = Engine::new(Arc::new(hand), keys, limits, Arc::clone(clock), ledger);
    Ok(ActionServer::new(Arc::new(engine)))
}

/// What the account is held against. Where it acts in no namespace, what it may do everywhere is asked where
/// belay runs.
fn wanted(limits: &LimitsConfig, actions: &BTreeSet<ActionKind>) -> Result<Wanted, BuildError> {
    let mut namespaces: BTreeSet<String> = limits.namespaces.iter().cloned().collect();
    let mut needs = rights::of(actions.iter().copied());
    if namespaces.is_empty() {
        needs.retain(|right| !right.resource.namespaced);
        namespaces.extend((!needs.is_empty()).then(|| limits.own_namespace.clone()));
    }
    let exempt = limits.extra_rights.iter().map(|text| text.parse());
    let exempt = exempt.collect::<Result<_, rights::NotExempt>>();
    let exempt = exempt.map_err(|e| ConfigError::Conflict(format!("`limits.extraRights`: {e}")))?;
    Ok(Wanted { namespaces, needs, exempt })
}

/// Too little or too much ends the start. Where nobody can be asked, belay starts all the same, so that people
/// hear of alerts, and its hand stays shut until the answer is there.
async fn checked(
    hand: &CheckedHand,
    limits: &LimitsConfig,
    actions: BTreeSet<ActionKind>,
) -> Result<(), RightsError> {
    let verdict = match hand.check().await {
        Ok(verdict) => verdict,
        Err(error) => {
            tracing::warn!(%error, "what the account may do is not known: nothing is done until it is");
            return Ok(());
        }
    };
    if verdict.is_right() {
        for (namespace, why) in &verdict.unsure {
            tracing::warn!(%namespace, %why, "the account may be able to do more than the API server can name");
        }
        return Ok(());
    }
    Err(RightsError { verdict: Box::new(verdict), actions, namespaces: limits.namespaces.clone() })
}

/// What the action server refuses, whatever policy says.
pub fn hard_limits(limits: &LimitsConfig, cluster: &Cluster) -> Result<HardLimits, ConfigError> {
    Ok(HardLimits {
        cluster: cluster.clone(),
        namespaces: limits.namespaces.iter().cloned().collect(),
        own_namespace: limits.own_namespace.clone(),
        own_node: limits.own_node.clone(),
        nodes: limits.nodes,
        actions: possible(limits)?,
        max_replicas: limits.max_replicas,
        max_replica_delta: limits.max_replica_delta,
    })
}

/// The kinds of action that these limits let be carried out somewhere.
pub fn possible(limits: &LimitsConfig) -> Result<BTreeSet<ActionKind>, ConfigError> {
    let all = || ActionKind::ALL.into_iter().filter(|kind| kind.can_be_carried_out());
    let mut kinds: BTreeSet<ActionKind> = match &limits.actions {
        None => all().collect(),
        Some(named) => {
            named.iter().map(|name| one_of(name, &all().collect::<Vec<_>>())).collect::<Result<_, _>>()?
        }
    };
    if !limits.nodes {
        kinds.retain(|kind| rights::needed(*kind).iter().all(|right| right.resource.namespaced));
    }
    Ok(kinds)
}

fn one_of(name: &str, known: &[ActionKind]) -> Result<ActionKind, ConfigError> {
    let names: Vec<&str> = known.iter().map(|kind| kind.name()).collect();
    let found = known.iter().find(|kind| kind.name() == name).copied();
    found.ok_or_else(|| {
        ConfigError::Conflict(format!(
            "`limits.actions`: belay cannot carry out `{name}`: {}",
            policy::meant(name, &names)
        ))
    })
}
