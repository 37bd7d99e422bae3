//! Putting the daemon together from its configuration.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::task::AbortOnDropHandle;

use crate::adapters::alertmanager::{self, Alertmanager, Credentials};
use crate::adapters::kube::{self, Access, KubeReads, KubeWatches};
use crate::adapters::mcp::{self, ConnectError, Hub, RemoteReads};
use crate::adapters::openai;
use crate::adapters::pager_webhook::{self, WebhookPager};
use crate::adapters::prometheus::Prometheus;
use crate::adapters::slack::{self, SlackMessenger};
use crate::config::{self, ClusterConfig, Config, ConfigError, ReadServerConfig, ServerConfig};
use crate::domain::action::ActionKind;
use crate::domain::canonical::Hash;
use crate::domain::ids::Cluster;
use crate::domain::measure::{Measures, NotAMeasure};
use crate::domain::record::Record;
use crate::execute::KeyError;
use crate::investigate::{Endpoints, Limits, Mind, Prompts};
use crate::policy::{self, PolicySet};
use crate::ports::clock::{SharedClock, SystemClock};
use crate::ports::inventory::Inventory;
use crate::ports::messenger::{Messenger, Pager};
use crate::ports::reads::{Alerts, Listing, Metrics, Reads};
use crate::ports::recorder::ShelfError;
use crate::ports::store::{Append, AppendError, Store};
use crate::servers::actions::{LedgerError, NotAKey};
use crate::servers::reads::ReadServer;
use crate::store::{self, SledShelf};

use super::former::{self, Former};
use super::hands::{self, RightsError};
use super::keys;
use super::{Apart, Daemon, Ports, Recorder, Site, Sites, Strangers, logged, models, own};

pub use super::forges::repositories;
pub use super::hands::{actions_alone, exercised, hard_limits, serve_actions, templates};
pub use super::keys::{RotationError, prepare, public_keys, rotate, signer};
pub use super::open::serve_own;
pub use super::strangers::pins;

/// The folder with what was recorded.
const RECORDED: &str = "recorded";
/// How long one call of the pager may take.
const PAGER_WITHIN: Duration = Duration::from_secs(10);

/// The daemon could not be put together.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum BuildError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the policies cannot be used:\n{0}")]
    Policies(policy::Errors),
    #[error("{0}")]
    OneProcess(String),
    #[error("the journal cannot be opened")]
    Store(#[from] store::OpenError),
    #[error("the start could not be recorded")]
    Start(#[from] AppendError),
    #[error("the journal cannot be read")]
    Journal(#[from] crate::ports::store::StoreError),
    #[error("the key that signs warrants cannot be used; remove `{}` to make a new one", path.display())]
    Key {
        path: PathBuf,
        #[source]
        source: KeyError,
    },
    #[error(
        "`{}` holds no Ed25519 key in PEM (PKCS #8, as `openssl genpkey -algorithm ed25519` writes it)", path.display()
    )]
    TheirKey {
        path: PathBuf,
        #[source]
        source: KeyError,
    },
    #[error(
        "everybody on this machine may use `{}` (mode {mode:03o}), and whoever has it signs warrants: make it 0400, or \
         `defaultMode: 0400` where a Secret is mounted", path.display()
    )]
    OpenKey { path: PathBuf, mode: u32 },
    #[error("`{}` cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the key that signs warrants does not verify them")]
    NotAKey(#[from] NotAKey),
    #[error(transparent)]
    Remote(#[from] mcp::RemoteError),
    #[error(transparent)]
    Rights(#[from] RightsError),
    #[error("the file of used warrants cannot be opened")]
    Ledger(#[from] LedgerError),
    #[error("the folder for what is recorded cannot be used")]
    Shelf(#[from] ShelfError),
    #[error("the cluster cannot be reached")]
    Cluster(#[from] kube::ConnectError),
    #[error("a server of the monitoring stack cannot be asked")]
    Monitoring(#[from] alertmanager::SetupError),
    #[error("`prometheus.measures` of cluster `{cluster}` cannot be used")]
    Measure {
        cluster: String,
        #[source]
        source: NotAMeasure,
    },
    #[error("the file of `onCall` (`{}`) cannot be used: {why}", path.display())]
    OnCall { path: PathBuf, why: String },
    #[error("the tokens of `mcp.oauth` cannot be verified")]
    OAuth(#[from] crate::adapters::oauth::SetupError),
    #[error("Slack cannot be used")]
    Slack(#[from] slack::Misconfigured),
    #[error("the pager cannot be used")]
    Pager(#[from] pager_webhook::Misconfigured),
    #[error("the model cannot be used")]
    Model(#[from] openai::Misconfigured),
    #[error("the runbooks cannot be used")]
    Runbooks(#[from] super::runbooks::RunbooksError),
    #[error("the prompts cannot be used")]
    Prompts(#[from] crate::investigate::prompts::PromptError),
    #[error("an MCP server of belay's own could not be started")]
    Mcp(#[from] ConnectError),
    #[error("the MCP server ended: {0}")]
    Served(String),
    #[error("the {server} server has nothing to read: the configuration lacks `{key}`")]
    NoSource { server: &'static str, key: &'static str },
    #[error("the store of logs cannot be asked")]
    Loki(#[from] crate::adapters::loki::NoLoki),
    #[error("the accepted definitions of MCP tools in `{}` cannot be used", path.display())]
    Pins {
        path: PathBuf,
        #[source]
        source: mcp::PinsError,
    },
    #[error("the tools for the model could not be offered")]
    Hub(#[from] mcp::HubError),
}

/// What a caller brings besides the configuration.
pub struct Given {
    /// Time.
    pub clock: SharedClock,
    /// The policies' texts, by file name.
    pub policies: Vec<(String, String)>,
    /// Where people read and answer, unless Slack is configured.
    pub messenger: Arc<dyn Messenger>,
    /// How people are called, unless a pager is configured.
    pub pager: Arc<dyn Pager>,
    /// The cluster is only simulated: there is nothing to hold apart.
    pub simulated: bool,
}

/// A daemon, and the in-process servers that live as long as this.
pub struct Built {
    /// The daemon.
    pub daemon: Daemon,
    /// What opening the journal found.
    pub report: store::OpenReport,
    /// What came of the policy files.
    pub start: Start,
    _servers: Vec<AbortOnDropHandle<Result<(), ConnectError>>>,
}

/// What came of the policy files at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The set that was in force before.
    pub former: Option<Hash>,
    /// They are refused, and the former set stays in force.
    pub refused: bool,
}

/// Puts the daemon together; nothing of it runs yet.
pub async fn build(config: &Config, given: Given) -> Result<Built, BuildError> {
    let loaded = policy::load(given.policies.iter().map(|(n, t)| (n.as_str(), t.as_str())));
    make_private(&config.state_dir)?;
    let (store, report) = store::open(&config.state_dir, &store::Options::default())?;
    let store: Arc<dyn Store> = Arc::new(store);
    let former = former::last(&store).await?;
    let refused = loaded.is_err();
    let set = in_force(&store, loaded, former).await?;
    let apart = Apart::of(config, given.simulated);
    apart.admits(&set).map_err(BuildError::OneProcess)?;
    let signer = keys::signer(config)?;
    let mut servers = Vec::new();
    let mut sites = Vec::new();
    let granted = policy::granted(&set);
    let strangers = Strangers::of(config, &given.clock)?;
    let models = models::endpoints(config, &store, &given.clock)?;
    let endpoints = models.as_ref().map(|(endpoints, _)| endpoints);
    for of in config.sites() {
        let minds = Minds { endpoints, strangers: &strangers };
        let (site, running) = site(config, of, &given.clock, &granted, minds).await?;
        sites.push(site);
        servers.extend(running);
    }
    let ports = Ports {
        clock: given.clock,
        store,
        sites: Sites::new(sites),
        apart,
        strangers,
        messenger: messenger(config, given.messenger)?,
        pager: pager(config, given.pager)?,
    };
    let files = match &former {
        Some(former) if refused => former.files,
        Some(_) | None => Some(former::keep(&ports.store, &given.policies).await?),
    };
    record_start(&ports, &set, files).await?;
    let start = Start { former: former.map(|former| former.set), refused };
    let daemon = Daemon::new(ports, set, signer);
    if let Some(dir) = &config.runbooks {
        daemon.take_runbooks(super::runbooks::load(dir)?);
    }
    if let Some((_, accounts)) = models {
        accounts.counted_by(daemon.metrics().models.clone());
    }
    Ok(Built { daemon, report, start, _servers: servers })
}

/// The recorder of the namespaces that belay may act in, with the account that reads. Where it may act in none,
/// there is nothing to go back to.
async fn recorder(
    config: &Config,
    of: config::Site<'_>,
    clock: &SharedClock,
) -> Result<Option<Arc<Recorder>>, BuildError> {
    // a read server answers, and shows no changes
    if of.limits.namespaces.is_empty() || of.reads.is_some() {
        return Ok(None);
    }
    let cluster = Cluster::new(&of.cluster.name);
    let client = kube::connect_watching(&access(of.cluster, of.cluster.token_file.as_ref())).await?;
    let watches = KubeWatches::new(client, cluster, Arc::clone(clock));
    let folder = if of.cluster.name == config.cluster.name {
        RECORDED.to_owned()
    } else {
        format!("{RECORDED}.{}", of.cluster.name)
    };
    let shelf = SledShelf::open(&config.state_dir.join(folder))?;
    Ok(Some(Arc::new(Recorder::open(Arc::new(watches), Arc::new(shelf)).await)))
}

/// The set of the files at hand. Where they are refused, the set that was in force last stays, as it does when
/// files are edited while belay runs; whoever watches the folder says so.
async fn in_force(
    store: &Arc<dyn Store>,
    loaded: Result<PolicySet, policy::Errors>,
    former: Option<Former>,
) -> Result<PolicySet, BuildError> {
    let errors = match loaded {
        Ok(set) => return Ok(set),
        Err(errors) => errors,
    };
    let kept = match former {
        Some(former) => former.load(store).await?,
        None => None,
    };
    kept.ok_or(BuildError::Policies(errors))
}

async fn record_start(ports: &Ports, set: &PolicySet, files: Option<Hash>) -> Result<(), AppendError> {
    let mut append = Append::to(super::daemon_stream(), None, ports.clock.now());
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let warning = ports.apart.warning(set);
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    append.records.push(Record::Started { version, set: set.hash(), files, one_process: warning.is_some() });
    ports.store.append(append).await.map(drop)
}

pub(super) fn access(cluster: &ClusterConfig, token_file: Option<&PathBuf>) -> Access {
    let ClusterConfig { url, ca_file, kubeconfig, context, .. } = cluster;
    match url {
        Some(url) => {
            Access::Url { url: url.clone(), ca_file: ca_file.clone(), token_file: token_file.cloned() }
        }
        None if kubeconfig.is_none() && context.is_none() => Access::Infer,
        None => Access::Kubeconfig { file: kubeconfig.clone(), context: context.clone() },
    }
}

/// What a model for a cluster is made of, besides the cluster.
#[derive(Clone, Copy)]
struct Minds<'a> {
    endpoints: Option<&'a Arc<Endpoints>>,
    strangers: &'a Strangers,
}

/// Everything that belay has of one cluster, and the servers that run for it in this process.
async fn site(
    config: &Config,
    of: config::Site<'_>,
    clock: &SharedClock,
    granted: &BTreeSet<ActionKind>,
    Minds { endpoints, strangers }: Minds<'_>,
) -> Result<(Site, Vec<Server>), BuildError> {
    let Eyes { reads, listing, inventory } = eyes(of, clock).await?;
    let (actions, server) = hands::actions(config, of, clock, granted).await?;
    let mut servers: Vec<Server> = server.into_iter().collect();
    let recorder = recorder(config, of, clock).await?;
    let logged = logged::errors(config, of, &listing, clock)?;
    let map = match config.mcp_reads.dependencies {
        None => own::map(of, &listing, clock)?,
        Some(_) => None,
    };
    let known = recorder.clone().map(|it| it as _);
    let mind = match endpoints {
        None => None,
        Some(endpoints) => {
            let mut hub = Hub::of(&format!("investigations of {}", of.cluster.name));
            let sources = own::Sources {
                config,
                site: of,
                listing: &listing,
                inventory: &inventory,
                clock,
                recorded: known,
            };
            servers.extend(own::join(&mut hub, &sources).await?);
            strangers.servers().iter().try_for_each(|server| hub.add(Arc::clone(server)))?;
            Some(mind(config, endpoints, clock, hub)?)
        }
    };
    let site = Site {
        cluster: Cluster::new(&of.cluster.name),
        labels: of.cluster.labels.clone(),
        namespaces: of.limits.namespaces.clone(),
        reads,
        listing: Some(listing),
        alerts: alerts(of)?,
        metrics: metrics(of)?,
        logged,
        measures: Arc::new(measures(of)?),
        actions,
        jobs: Arc::new(hands::jobs(config, of)?),
        recorder,
        map,
        mind,
    };
    Ok((site, servers))
}

/// What reads one cluster.
pub(super) struct Eyes {
    pub(super) reads: Arc<dyn Reads>,
    pub(super) listing: Arc<dyn Listing>,
    pub(super) inventory: Arc<dyn Inventory>,
}

impl Eyes {
    fn of<T: Reads + Listing + Inventory + 'static>(all: &Arc<T>) -> Self {
        Self { reads: Arc::clone(all) as _, listing: Arc::clone(all) as _, inventory: Arc::clone(all) as _ }
    }
}

/// The eyes for one cluster: a read server inside it, or its API server from here.
pub(super) async fn eyes(of: config::Site<'_>, clock: &SharedClock) -> Result<Eyes, BuildError> {
    if let Some(ServerConfig { url, token_file }) = of.reads {
        return Ok(Eyes::of(&Arc::new(RemoteReads::new("reads.url", url, config::secret(token_file)?)?)));
    }
    let client = kube::connect(&access(of.cluster, of.cluster.token_file.as_ref())).await?;
    let cluster = Cluster::new(&of.cluster.name);
    Ok(Eyes::of(&Arc::new(KubeReads::new(client, cluster, Arc::clone(clock)))))
}

/// The read server that this file describes.
pub async fn reads_alone(config: &ReadServerConfig) -> Result<ReadServer, BuildError> {
    let ReadServerConfig { cluster, .. } = config;
    let client = kube::connect(&access(cluster, cluster.token_file.as_ref())).await?;
    let reads = Arc::new(KubeReads::new(client, Cluster::new(&cluster.name), Arc::new(SystemClock)));
    Ok(ReadServer::new(Arc::clone(&reads) as _, Arc::clone(&reads) as _, reads))
}

pub(super) type Server = AbortOnDropHandle<Result<(), ConnectError>>;

/// The models, with their tools.
fn mind(
    config: &Config,
    endpoints: &Arc<Endpoints>,
    clock: &SharedClock,
    tools: Hub,
) -> Result<Mind, BuildError> {
    let texts = config.prompts.as_deref().map(config::prompts).transpose()?.unwrap_or_default();
    Ok(Mind {
        endpoints: Arc::clone(endpoints),
        tools: Arc::new(tools),
        clock: Arc::clone(clock),
        prompts: Arc::new(Prompts::load(texts)?),
        limits: Limits::default(),
    })
}

pub(super) fn alerts(of: config::Site<'_>) -> Result<Option<Arc<dyn Alerts>>, BuildError> {
    let Some(alertmanager) = of.alertmanager else { return Ok(None) };
    let credentials = credentials(alertmanager.bearer_token_file.as_deref())?;
    Ok(Some(Arc::new(Alertmanager::new(&alertmanager.url, credentials)?)))
}

pub(super) fn metrics(of: config::Site<'_>) -> Result<Option<Arc<dyn Metrics>>, BuildError> {
    let Some(prometheus) = of.prometheus else { return Ok(None) };
    let credentials = credentials(prometheus.bearer_token_file.as_deref())?;
    Ok(Some(Arc::new(Prometheus::new(&prometheus.url, credentials)?)))
}

pub(super) fn credentials(token_file: Option<&Path>) -> Result<Credentials, BuildError> {
    Ok(token_file.map(config::secret).transpose()?.map_or(Credentials::None, Credentials::Bearer))
}

/// What grants may measure in this cluster.
pub fn measures(of: config::Site<'_>) -> Result<Measures, BuildError> {
    let own = of.prometheus.map(|prometheus| prometheus.measures.clone()).unwrap_or_default();
    let failed = |source| BuildError::Measure { cluster: of.cluster.name.clone(), source };
    Measures::shipped_and(own).map_err(failed)
}

fn messenger(config: &Config, otherwise: Arc<dyn Messenger>) -> Result<Arc<dyn Messenger>, BuildError> {
    Ok(slack(config)?.map_or(otherwise, |slack| Arc::new(slack)))
}

/// Slack, where it is configured.
pub(super) fn slack(config: &Config) -> Result<Option<SlackMessenger>, BuildError> {
    let Some(slack) = &config.slack else { return Ok(None) };
    let token: SecretString = config::secret(&slack.token_file)?;
    let mut settings = slack::Config::new(token, slack.channel.clone());
    settings.api_url.clone_from(&slack.url);
    settings.policy_channel.clone_from(&slack.policy_channel);
    Ok(Some(SlackMessenger::new(settings)?))
}

fn pager(config: &Config, otherwise: Arc<dyn Pager>) -> Result<Arc<dyn Pager>, BuildError> {
    let Some(pager) = &config.pager else { return Ok(otherwise) };
    let bearer = pager.bearer_token_file.as_deref().map(config::secret).transpose()?;
    Ok(Arc::new(WebhookPager::new(&pager.webhook, bearer, PAGER_WITHIN)?))
}

/// Makes the state directory, for its owner alone.
pub(super) fn make_private(dir: &Path) -> Result<(), BuildError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| BuildError::Write { path: dir.to_owned(), source })
}
