//! Putting the daemon together from its configuration.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio_util::task::AbortOnDropHandle;

use crate::adapters::alertmanager::{self, Alertmanager, Credentials};
use crate::adapters::kube::{self, Access, KubeReads};
use crate::adapters::mcp::{self, ConnectError, Hub};
use crate::adapters::openai::{self, OpenAi, TokenField};
use crate::adapters::pager_webhook::{self, WebhookPager};
use crate::adapters::slack::{self, SlackMessenger};
use crate::config::{self, ClusterConfig, Config, ConfigError, ModelConfig};
use crate::domain::canonical::Hash;
use crate::domain::ids::Cluster;
use crate::domain::record::Record;
use crate::execute::{KeyError, Signer};
use crate::investigate::{Limits, Mind, Prompts};
use crate::policy::{self, PolicySet};
use crate::ports::clock::{SharedClock, SystemClock};
use crate::ports::messenger::{Messenger, Pager};
use crate::ports::reads::Alerts;
use crate::ports::store::{Append, AppendError, Store};
use crate::servers::actions::{LedgerError, NotAKey};
use crate::servers::kubernetes::{self, KubernetesServer};
use crate::store;

use super::former::{self, Former};
use super::hands::{self, RightsError};
use super::{Daemon, Ports};

pub use super::forges::repositories;
pub use super::hands::{actions_alone, hard_limits, possible, public_key, serve_actions};

/// The file with the key that signs warrants.
const WARRANT_KEY: &str = "warrant.key";
/// How long one call of the pager may take.
const PAGER_WITHIN: Duration = Duration::from_secs(10);
/// How long one try of the model may take.
const MODEL_WITHIN: Duration = Duration::from_secs(60);

/// The daemon could not be put together.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each says what it is")]
pub enum BuildError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the policies cannot be used:\n{0}")]
    Policies(policy::Errors),
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
    #[error("`{}` cannot be written", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the key that signs warrants does not verify them")]
    NotAKey(#[from] NotAKey),
    #[error("the action server cannot be reached")]
    Actions(#[from] mcp::RemoteError),
    #[error(transparent)]
    Rights(#[from] RightsError),
    #[error("the file of used warrants cannot be opened")]
    Ledger(#[from] LedgerError),
    #[error("the cluster cannot be reached")]
    Cluster(#[from] kube::ConnectError),
    #[error("Alertmanager cannot be asked")]
    Alertmanager(#[from] alertmanager::SetupError),
    #[error("Slack cannot be used")]
    Slack(#[from] slack::Misconfigured),
    #[error("the pager cannot be used")]
    Pager(#[from] pager_webhook::Misconfigured),
    #[error("the model cannot be used")]
    Model(#[from] openai::Misconfigured),
    #[error("the prompts cannot be used")]
    Prompts(#[from] crate::investigate::prompts::PromptError),
    #[error("an MCP server of belay's own could not be started")]
    Mcp(#[from] ConnectError),
    #[error("the MCP server ended: {0}")]
    Served(String),
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
    let signer = signer(&config.state_dir)?;
    let mut servers = Vec::new();
    let cluster = Cluster::new(&config.cluster.name);

    let reading = access(&config.cluster, config.cluster.token_file.as_ref());
    let client = kube::connect(&reading).await?;
    let reads = Arc::new(KubeReads::new(client, cluster.clone(), Arc::clone(&given.clock)));
    let (actions, server) = hands::actions(config, &given.clock, &policy::granted(&set)).await?;
    servers.extend(server);
    let mind = match &config.model {
        None => None,
        Some(model) => {
            let made = mind(config, model, &given.clock, &reads).await?;
            servers.push(made.1);
            Some(made.0)
        }
    };
    let ports = Ports {
        clock: given.clock,
        store,
        cluster,
        namespaces: config.limits.namespaces.clone(),
        reads,
        alerts: alerts(config)?,
        actions,
        messenger: messenger(config, given.messenger)?,
        pager: pager(config, given.pager)?,
        mind,
    };
    let files = match &former {
        Some(former) if refused => former.files,
        Some(_) | None => Some(former::keep(&ports.store, &given.policies).await?),
    };
    record_start(&ports, &set, files).await?;
    let start = Start { former: former.map(|former| former.set), refused };
    Ok(Built { daemon: Daemon::new(ports, set, signer), report, start, _servers: servers })
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
    append.records.push(Record::Started { version, set: set.hash(), files });
    ports.store.append(append).await.map(drop)
}

pub(super) fn access(cluster: &ClusterConfig, token_file: Option<&PathBuf>) -> Access {
    match &cluster.url {
        Some(url) => Access::Url {
            url: url.clone(),
            ca_file: cluster.ca_file.clone(),
            token_file: token_file.cloned(),
        },
        None => Access::Infer,
    }
}

/// Serves the kubernetes server on standard input and output.
pub async fn serve_kubernetes(config: &Config) -> Result<(), BuildError> {
    let client = kube::connect(&access(&config.cluster, config.cluster.token_file.as_ref())).await?;
    let clock: SharedClock = Arc::new(SystemClock);
    let reads = Arc::new(KubeReads::new(client, Cluster::new(&config.cluster.name), clock));
    let server = KubernetesServer::new(reads, config.limits.namespaces.clone());
    kubernetes::serve_stdio(server).await.map_err(|e| BuildError::Served(e.to_string()))
}

pub(super) type Server = AbortOnDropHandle<Result<(), ConnectError>>;

/// The model, with the read-only tools of belay's own kubernetes server.
async fn mind(
    config: &Config,
    model: &ModelConfig,
    clock: &SharedClock,
    reads: &Arc<KubeReads>,
) -> Result<(Mind, Server), BuildError> {
    let key = model.api_key_file.as_deref().map(config::secret).transpose()?;
    let openai = OpenAi::new(openai::Settings {
        base_url: model.url.clone(),
        key,
        model: model.name.clone(),
        per_try: MODEL_WITHIN,
        proxy: None,
        token_field: TokenField::default(),
    })?;
    let texts = config.prompts.as_deref().map(config::prompts).transpose()?.unwrap_or_default();
    let server = KubernetesServer::new(Arc::clone(reads) as _, config.limits.namespaces.clone());
    let started = mcp::connect_in_process(server).await?;
    let mut hub = Hub::new();
    hub.join("kubernetes", started.client, &mcp::Allow::only(crate::servers::kubernetes::TOOLS)).await?;
    let mind = Mind {
        model: Arc::new(openai),
        tools: Arc::new(hub),
        clock: Arc::clone(clock),
        prompts: Arc::new(Prompts::load(texts)?),
        limits: Limits::default(),
    };
    Ok((mind, started.server))
}

fn alerts(config: &Config) -> Result<Option<Arc<dyn Alerts>>, BuildError> {
    let Some(alertmanager) = &config.alertmanager else { return Ok(None) };
    let credentials = match &alertmanager.bearer_token_file {
        Some(file) => Credentials::Bearer(config::secret(file)?),
        None => Credentials::None,
    };
    Ok(Some(Arc::new(Alertmanager::new(&alertmanager.url, credentials)?)))
}

fn messenger(config: &Config, otherwise: Arc<dyn Messenger>) -> Result<Arc<dyn Messenger>, BuildError> {
    let Some(slack) = &config.slack else { return Ok(otherwise) };
    let token: SecretString = config::secret(&slack.token_file)?;
    let mut settings = slack::Config::new(token, slack.channel.clone());
    settings.api_url.clone_from(&slack.url);
    settings.policy_channel.clone_from(&slack.policy_channel);
    Ok(Arc::new(SlackMessenger::new(settings)?))
}

fn pager(config: &Config, otherwise: Arc<dyn Pager>) -> Result<Arc<dyn Pager>, BuildError> {
    let Some(pager) = &config.pager else { return Ok(otherwise) };
    let bearer = pager.bearer_token_file.as_deref().map(config::secret).transpose()?;
    Ok(Arc::new(WebhookPager::new(&pager.webhook, bearer, PAGER_WITHIN)?))
}

/// The key that signs warrants: kept in the state directory, made at the first start.
pub fn signer(state_dir: &Path) -> Result<Signer, BuildError> {
    let path = state_dir.join(WARRANT_KEY);
    let broken = |source| BuildError::Key { path: path.clone(), source };
    match fs::read(&path) {
        Ok(bytes) => Signer::from_pkcs8(&bytes).map_err(broken),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let (signer, secret) = Signer::generate().map_err(broken)?;
            keep_private(&path, secret.expose())
                .map_err(|source| BuildError::Write { path: path.clone(), source })?;
            Ok(signer)
        }
        Err(source) => Err(ConfigError::Read { path, source }.into()),
    }
}

/// Writes a file that only its owner can read, wholly or not at all.
fn keep_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    match fs::remove_file(&part) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

/// Makes the state directory, for its owner alone.
pub(super) fn make_private(dir: &Path) -> Result<(), BuildError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| BuildError::Write { path: dir.to_owned(), source })
}
