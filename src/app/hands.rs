//! Putting the action server together: its limits, its keys, and an account that may do what the actions need
//! and nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::adapters::kube::{self, CheckedHand, KubeHand, Wanted};
use crate::adapters::mcp::{self, McpActions, RemoteActions};
use crate::config::{
    self, ActionServerConfig, ClusterConfig, Config, ConfigError, LimitsConfig, ServerConfig, Site,
};
use crate::domain::action::ActionKind;
use crate::domain::action::job::{Rules, Template, Templates};
use crate::domain::action::rights::{self, Verdict};
use crate::domain::ids::Cluster;
use crate::domain::target::{is_dns_label, is_dns_name};
use crate::policy;
use crate::ports::actions::Actions;
use crate::ports::clock::{SharedClock, SystemClock};
use crate::servers::actions::{ActionServer, Engine, HardLimits, Ledger, VerifyingKeys};
use crate::servers::kit;

use super::build::{BuildError, Server, access, make_private};
use super::{forges, keys};

/// The action server's file of used warrants.
const USED_WARRANTS: &str = "used-warrants.jsonl";
/// How long a read-only call of the action server may take: two reads and a dry-run, each at most 10 s.
const ACTIONS_WITHIN: Duration = Duration::from_secs(35);

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

/// The action server of a cluster as the daemon reaches it: at the address that is configured, or in this process,
/// with its own client and its own identity where one is configured. There it is to carry out what these grants
/// and its own limits allow.
pub(super) async fn actions(
    config: &Config,
    site: Site<'_>,
    clock: &SharedClock,
    granted: &BTreeSet<ActionKind>,
) -> Result<(Arc<dyn Actions>, Option<Server>), BuildError> {
    if let Some(ServerConfig { url, token_file }) = site.actions {
        let remote = RemoteActions::new("actions.url", url, config::secret(token_file)?, ACTIONS_WITHIN)?;
        return Ok((Arc::new(remote), None));
    }
    let held = Held::by(config, site, exercised(site.limits)?.intersection(granted).copied().collect())?;
    let running = mcp::connect_in_process(action_server(held, clock).await?).await?;
    Ok((Arc::new(McpActions::new(running.client, ACTIONS_WITHIN)), Some(running.server)))
}

/// Serves the action server on standard input and output, as a process of its own. It takes warrants
/// that the daemon with this state directory signs, and is to carry out whatever its limits allow.
pub async fn serve_actions(config: &Config, site: Site<'_>) -> Result<(), BuildError> {
    let clock: SharedClock = Arc::new(SystemClock);
    let held = Held::by(config, site, exercised(site.limits)?)?;
    let server = action_server(held, &clock).await?;
    kit::serve_stdio(server).await.map_err(|e| BuildError::Served(e.to_string()))
}

/// The action server that this file holds, and nothing outside of it.
pub async fn actions_alone(config: &ActionServerConfig) -> Result<ActionServer, BuildError> {
    let clock: SharedClock = Arc::new(SystemClock);
    let held = Held {
        cluster: &config.cluster,
        token: config.cluster.token_file.as_ref(),
        limits: &config.limits,
        used: config.state_dir.join(USED_WARRANTS),
        keys: named_keys(&config.warrant_keys)?,
        actions: exercised(&config.limits)?,
        // it knows of no daemon: its file names what is protected
        reached: Vec::new(),
    };
    action_server(held, &clock).await
}

fn named_keys(texts: &[String]) -> Result<VerifyingKeys, BuildError> {
    let wrong = |text: &String| {
        ConfigError::Conflict(format!(
            "`warrantKeys`: `{text}` is no public key: `belay mcp key` prints the one that a daemon signs with"
        ))
    };
    let decoded = texts.iter().map(|text| STANDARD.decode(text).map_err(|_| wrong(text)));
    let decoded: Vec<Vec<u8>> = decoded.collect::<Result<_, _>>()?;
    if let Some((text, _)) = texts.iter().zip(&decoded).find(|(_, key)| key.len() != 32) {
        return Err(wrong(text).into());
    }
    Ok(VerifyingKeys::new(decoded.iter().map(Vec::as_slice))?)
}

/// Everything that an action server is held to.
struct Held<'a> {
    cluster: &'a ClusterConfig,
    token: Option<&'a PathBuf>,
    limits: &'a LimitsConfig,
    /// Where its used warrants are kept.
    used: PathBuf,
    keys: VerifyingKeys,
    /// What its account must be able to do, and nothing more.
    actions: BTreeSet<ActionKind>,
    /// What the daemon reaches, by the keys of its configuration.
    reached: Vec<(&'static str, &'a str)>,
}

impl<'a> Held<'a> {
    fn by(config: &'a Config, site: Site<'a>, actions: BTreeSet<ActionKind>) -> Result<Self, BuildError> {
        let cluster = site.cluster;
        // a cluster each: what one of them used says nothing of another
        let used = if cluster.name == config.cluster.name {
            USED_WARRANTS.to_owned()
        } else {
            format!("used-warrants.{}.jsonl", cluster.name)
        };
        Ok(Self {
            cluster,
            token: cluster.write_token_file.as_ref().or(cluster.token_file.as_ref()),
            limits: site.limits,
            used: config.state_dir.join(used),
            keys: keys::verifying(config)?,
            actions,
            reached: reached(config, site),
        })
    }
}

fn reached<'a>(config: &'a Config, site: Site<'a>) -> Vec<(&'static str, &'a str)> {
    let alertmanager = site.alertmanager.into_iter().map(|a| ("alertmanager.url", a.url.as_str()));
    let model = config.endpoints().map(|m| ("model.url", m.url.as_str()));
    let pager = config.pager.iter().map(|p| ("pager.webhook", p.webhook.as_str()));
    let prometheus = site.prometheus.into_iter().map(|p| ("prometheus.url", p.url.as_str()));
    let traces = site.traces.into_iter().map(|t| ("traces.url", t.url.as_str()));
    alertmanager.chain(prometheus).chain(traces).chain(model).chain(pager).collect()
}

async fn action_server(held: Held<'_>, clock: &SharedClock) -> Result<ActionServer, BuildError> {
    held.used.parent().map_or(Ok(()), make_private)?;
    let cluster = Cluster::new(&held.cluster.name);
    let client = kube::connect(&access(held.cluster, held.token)).await?;
    let limits = hard_limits(held.limits, &cluster, &held.reached)?;
    let wanted = wanted(held.limits, &held.actions, &limits.jobs)?;
    let hand = CheckedHand::new(KubeHand::new(client, cluster), wanted);
    checked(&hand, held.limits, held.actions).await?;
    let ledger = Ledger::open(&held.used, clock.now())?;
    let repositories = forges::repositories(held.limits, clock)?;
    let engine = Engine::new(Arc::new(hand), held.keys, limits, Arc::clone(clock), ledger);
    let engine = engine.proposing(repositories);
    Ok(ActionServer::new(Arc::new(engine)))
}

/// What the account is held against. Where it acts in no namespace, what it may do everywhere is asked where
/// belay runs.
fn wanted(
    limits: &LimitsConfig,
    actions: &BTreeSet<ActionKind>,
    jobs: &Templates,
) -> Result<Wanted, BuildError> {
    let mut namespaces: BTreeSet<String> = limits.namespaces.iter().cloned().collect();
    // what jobs need depends on where they are run
    let mut needs = rights::of(actions.iter().copied().filter(|kind| *kind != ActionKind::RunJob));
    let mut apart = BTreeMap::new();
    if actions.contains(&ActionKind::RunJob) {
        apart.extend(namespaces.iter().map(|namespace| (namespace.clone(), jobs.needs(namespace))));
    }
    if namespaces.is_empty() {
        needs.retain(|right| !right.resource.namespaced);
        namespaces.extend((!needs.is_empty()).then(|| limits.own_namespace.clone()));
    }
    let exempt = limits.extra_rights.iter().map(|text| text.parse());
    let exempt = exempt.collect::<Result<_, rights::NotExempt>>();
    let exempt = exempt.map_err(|e| ConfigError::Conflict(format!("`limits.extraRights`: {e}")))?;
    Ok(Wanted { namespaces, needs, apart, exempt })
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
pub fn hard_limits(
    limits: &LimitsConfig,
    cluster: &Cluster,
    reached: &[(&str, &str)],
) -> Result<HardLimits, ConfigError> {
    let protected = protected(limits, reached)?;
    Ok(HardLimits {
        jobs: templates(limits, &protected)?,
        protected,
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

/// The job templates that the daemon offers: the same files, read as the action server reads them.
pub(super) fn jobs(config: &Config, site: Site<'_>) -> Result<Templates, ConfigError> {
    templates(site.limits, &protected(site.limits, &reached(config, site))?)
}

/// The job templates that these limits name, each within them.
pub fn templates(
    limits: &LimitsConfig,
    protected: &BTreeMap<String, String>,
) -> Result<Templates, ConfigError> {
    let namespaces = limits.namespaces.iter().cloned().collect();
    let rules = Rules { namespaces: &namespaces, own_namespace: &limits.own_namespace, protected };
    let read: Vec<(String, Template)> = config::documents(&limits.jobs)?;
    Templates::new(read, rules).map_err(|wrong| ConfigError::Conflict(wrong.to_string()))
}

/// What belay stands on: what its limits name, and the namespaces of the services that it reaches by these
/// keys of its configuration.
fn protected(
    limits: &LimitsConfig,
    reached: &[(&str, &str)],
) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut protected = BTreeMap::new();
    for (key, url) in reached {
        if let Some(namespace) = service_namespace(url) {
            protected.insert(namespace.to_owned(), format!("belay reaches `{key}` there"));
        }
    }
    for place in &limits.protected {
        let (namespace, name) = place.split_once('/').unwrap_or((place, "x"));
        if !is_dns_label(namespace) || !is_dns_name(name) {
            let why = format!(
                "`limits.protected`: `{place}` is neither a namespace nor an object in one (`data/postgres`)"
            );
            return Err(ConfigError::Conflict(why));
        }
        protected.insert(place.clone(), "`limits.protected` names it".to_owned());
    }
    Ok(protected)
}

/// The namespace of a Service that a URL names by its name within a cluster: `http://name.namespace.svc:9093`.
fn service_namespace(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', ':', '?', '#']).next()?;
    let mut labels = host.split('.');
    let (_, namespace, svc) = (labels.next()?, labels.next()?, labels.next()?);
    (svc == "svc" && is_dns_label(namespace)).then_some(namespace)
}

/// The kinds of action that these limits let be carried out somewhere.
fn possible(limits: &LimitsConfig) -> Result<BTreeSet<ActionKind>, ConfigError> {
    let mut kinds: BTreeSet<ActionKind> = match &limits.actions {
        None => ActionKind::ALL.into(),
        Some(named) => named.iter().map(|name| one_of(name)).collect::<Result<_, _>>()?,
    };
    for (kind, none, why) in [
        (ActionKind::RunJob, limits.jobs.is_empty(), "`limits.jobs` names no template to run"),
        (
            ActionKind::OpenPullRequest,
            limits.repositories.is_empty(),
            "`limits.repositories` names none to propose to",
        ),
    ] {
        if none && limits.actions.iter().flatten().any(|name| name == kind.name()) {
            let why = format!("`limits.actions` names `{}`, and {why}", kind.name());
            return Err(ConfigError::Conflict(why));
        }
    }
    if limits.jobs.is_empty() {
        kinds.remove(&ActionKind::RunJob);
    }
    if !limits.nodes {
        kinds.retain(|kind| rights::needed(*kind).iter().all(|right| right.resource.namespaced));
    }
    Ok(kinds)
}

/// Those of them that the account needs rights for. Without a repository a proposal is refused before anything is read.
pub fn exercised(limits: &LimitsConfig) -> Result<BTreeSet<ActionKind>, ConfigError> {
    let mut kinds = possible(limits)?;
    if limits.repositories.is_empty() {
        kinds.remove(&ActionKind::OpenPullRequest);
    }
    Ok(kinds)
}

fn one_of(name: &str) -> Result<ActionKind, ConfigError> {
    ActionKind::from_name(name).ok_or_else(|| {
        let names = ActionKind::ALL.map(ActionKind::name);
        ConfigError::Conflict(format!(
            "`limits.actions`: there is no action `{name}`: {}",
            policy::meant(name, &names)
        ))
    })
}
