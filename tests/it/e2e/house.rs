//! The whole daemon in this process, put together as the demo does it: the real clients reach the
//! simulated API server, Alertmanager, Slack and model over HTTP, alerts come in through the webhook.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use belay::adapters::kube::{Access, KubeHand, connect};
use belay::app::build::{self, BuildError, Built, Given, Start};
use belay::app::{Daemon, Fed, admin};
use belay::config::{self, Config, LimitsConfig};
use belay::domain::decision::Person;
use belay::domain::ids::{Cluster, IncidentId, StreamId};
use belay::domain::message::{Notice, View};
use belay::domain::record::{Answer, Entry, Intent, MessageRef, Record};
use belay::http::{self, Clicks, Gate, WebhookAuth};
use belay::incident::{Phase, State};
use belay::ports::clock::{Clock, ScaledClock, SharedClock};
use belay::ports::messenger::{Messenger, Pager, Undelivered};
use belay::servers::actions::{self, ActionServer, Engine, Ledger, VerifyingKeys};
use belay::servers::reads;
use belay::sim::alertmanager::{Alertmanager, Settings};
use belay::sim::forge::{FakeForge, Vendor};
use belay::sim::kube::{Behaviour, PodView, Verb, World, WriteSeen};
use belay::sim::model::{Script, ScriptedModel};
use belay::sim::slack::{FakeSlack, Workspace};
use belay::store::Durable;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// When every story begins; no freeze of the demo's policy is near.
pub const BEGINS: &str = "2026-11-21T02:00:00Z";
/// The cluster's name.
pub const CLUSTER: &str = "demo";
/// The name of another one.
pub const SECOND: &str = "second";
/// How long a test waits for anything, in real time: ten times what the slowest takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The policy whose folder every house is built with.
const POLICY: &str = "policies/demo/demo.yaml";

/// How many houses live at once: their clocks run on while the machine is busy, so that more of them
/// would see minutes pass between two of their own steps.
static ROOM: Semaphore = Semaphore::const_new(2);

/// How a house is built.
pub struct Wish {
    /// Simulated seconds a second.
    pub speed: f64,
    /// The policy.
    pub policy: String,
    /// The simulated Alertmanager evaluates its rules and delivers by itself.
    pub rules: bool,
    /// What the webhook asks for.
    pub webhook: WebhookAuth,
    /// People are asked in the fake Slack.
    pub slack: bool,
    /// A scripted model.
    pub model: Option<Script>,
    /// A model that does not answer at all.
    pub dead_model: bool,
    /// In place of the one line that names the model; `MODEL` stands for its URL.
    pub models: Option<String>,
    /// Golden inputs besides the demo's own.
    pub examples: Vec<(String, String)>,
    /// Job templates.
    pub jobs: Vec<String>,
    /// The action server has other texts of them.
    pub other_jobs: Option<Vec<String>>,
    /// The action server has a process of its own, as far as the daemon can tell.
    pub remote: bool,
    /// There is a second cluster, which only servers inside it reach.
    pub second: bool,
    /// More of the configuration, as text.
    pub more: String,
    /// A forge of this vendor, and the files of its repository.
    pub forge: Option<(Vendor, Vec<(&'static str, String)>)>,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            speed: 50.0,
            policy: policy(),
            rules: true,
            webhook: WebhookAuth::LoopbackOnly,
            slack: false,
            model: None,
            dead_model: false,
            models: None,
            examples: Vec::new(),
            jobs: Vec::new(),
            other_jobs: None,
            remote: false,
            second: false,
            more: String::new(),
            forge: None,
        }
    }
}

impl Wish {
    /// Alerts come only from the test.
    pub fn by_hand() -> Self {
        Self { rules: false, ..Self::default() }
    }

    /// At another level.
    pub fn level(mut self, level: u8) -> Self {
        self.policy = self.policy.replace("      level: 3\n", &format!("      level: {level}\n"));
        self
    }

    /// With the policy's text changed; the text must be there.
    pub fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.policy.contains(from), "the policy does not say {from:?}");
        self.policy = self.policy.replace(from, to);
        self
    }
}

/// The files of the demo's folder, with another policy among its golden inputs.
pub fn folder(policy: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = |name: String| Path::new(&name).strip_prefix(root).unwrap().display().to_string();
    let files = config::policies(&root.join("policies/demo")).unwrap().into_iter();
    let files = files.map(|(name, text)| (own(name), text));
    files.map(|(name, text)| if name == POLICY { (name, policy.to_owned()) } else { (name, text) }).collect()
}

/// The demo's policy without its own tests, and with a stabilisation that tests can wait for.
pub fn policy() -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(POLICY)).unwrap();
    let rules = text.split("\n  tests:").next().unwrap();
    rules
        .replace("stabilise: 2m", "stabilise: 15s")
        .replace("verify: { within: 20m, expect", "verify: { within: 20m, stabilise: 15s, expect")
}

/// The running house.
pub struct House {
    pub world: World,
    /// The cluster of the second name, if there is one.
    pub second: Option<World>,
    pub alertmanager: Alertmanager,
    pub daemon: Daemon,
    pub clock: SharedClock,
    pub people: Arc<People>,
    pub slack: Option<FakeSlack>,
    pub model: Option<ScriptedModel>,
    pub forge: Option<FakeForge>,
    pub url: String,
    pub policies: Vec<(String, String)>,
    pub dir: Arc<tempfile::TempDir>,
    /// What came of the policy files when the daemon was last put together.
    pub start: Start,
    config: Config,
    webhook: Arc<WebhookAuth>,
    stop: CancellationToken,
    running: Running,
    sides: JoinSet<()>,
    _room: SemaphorePermit<'static>,
}

/// The daemon with its loops and its listener.
struct Running {
    built: Built,
    halt: CancellationToken,
    critical: JoinSet<()>,
}

impl Running {
    /// As a signal would.
    async fn halt(mut self) {
        self.halt.cancel();
        while let Some(ended) = self.critical.join_next().await {
            ended.unwrap();
        }
    }
}

/// A clock that jumped.
#[derive(Debug)]
struct Jumped {
    clock: SharedClock,
    by: SignedDuration,
}

#[async_trait]
impl Clock for Jumped {
    fn now(&self) -> Timestamp {
        self.clock.now() + self.by
    }

    async fn sleep_until(&self, at: Timestamp) {
        self.clock.sleep_until(at - self.by).await;
    }
}

impl House {
    pub async fn open(wish: Wish) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let room = ROOM.acquire().await.unwrap();
        let clock: SharedClock = Arc::new(ScaledClock::new(BEGINS.parse().unwrap(), wish.speed));
        let dir = Arc::new(tempfile::tempdir().unwrap());
        let stop = CancellationToken::new();
        let mut sides = JoinSet::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());

        let world = World::shop(Arc::clone(&clock));
        let (api, api_url) = port().await;
        let (listing, listing_url) = port().await;
        sides.spawn(world.serve(api, stop.clone()));
        let mut settings = Settings::quick(CLUSTER);
        if wish.rules {
            settings = settings.receiver(&format!("{url}/api/v1/alerts/webhook"), None);
        } else {
            // only its list is read
            settings.evaluate_every = SignedDuration::from_secs(4);
        }
        let alertmanager = Alertmanager::new(world.clone(), settings, belay::sim::client().unwrap());
        sides.spawn(alertmanager.run(stop.clone()));
        sides.spawn(alertmanager.serve(listing, stop.clone()));

        let slack =
            if wish.slack { Some(FakeSlack::start(Workspace::default()).await.unwrap()) } else { None };
        let (model, model_url) = match wish.model {
            Some(script) => {
                let model = ScriptedModel::start(script).await.unwrap();
                let url = model.base_url();
                (Some(model), Some(url))
            }
            // a port where nobody listens any more
            None if wish.dead_model => (None, Some(format!("{}/v1", port().await.1))),
            None => (None, None),
        };
        let mut text = configuration(&dir, &api_url, &listing_url, slack.as_ref(), model_url.as_deref());
        if let (Some(models), Some(url)) = (&wish.models, &model_url) {
            text = text.lines().filter(|line| !line.starts_with("model:")).collect::<Vec<_>>().join("\n");
            text = format!("{text}\n{}\n", models.replace("MODEL", url));
        }
        text.push_str(&limits(&dir, "jobs", &wish.jobs));
        text.push_str(&wish.more);
        let forge = match &wish.forge {
            Some((vendor, files)) => {
                let files: Vec<_> = files.iter().map(|(path, file)| (*path, file.as_str())).collect();
                let forge = FakeForge::start(*vendor, FORGE_TOKEN, &files).await.unwrap();
                text =
                    text.replace("limits: {", &format!("limits: {{ {},", repository(&dir, *vendor, &forge)));
                Some(forge)
            }
            None => None,
        };
        let mut servers = Servers { dir: &dir, clock: &clock, stop: &stop, sides: &mut sides };
        if wish.remote {
            let own = limits(&dir, "other-jobs", wish.other_jobs.as_ref().unwrap_or(&wish.jobs));
            text.push_str(&servers.actions(CLUSTER, &api_url, &own).await);
        }
        let second = if wish.second {
            let world = World::shop(Arc::clone(&clock));
            text = text.replace("cluster: { ", "cluster: { labels: { cluster: demo }, ");
            text.push_str(&servers.cluster(SECOND, &world).await);
            Some(world)
        } else {
            None
        };
        let config = config::parse("the test's configuration", &text).unwrap();
        let people = Arc::new(People::default());
        let mut policies = folder(&wish.policy);
        policies.extend(wish.examples);
        let webhook = Arc::new(wish.webhook);
        let given = given(&clock, &people, &policies);
        let running = run(&config, given, listener, &webhook, slack.is_some()).await.unwrap();
        let (daemon, start) = (running.built.daemon.clone(), running.built.start);
        Self {
            world,
            second,
            alertmanager,
            daemon,
            clock,
            people,
            slack,
            model,
            forge,
            url,
            policies,
            dir,
            start,
            config,
            webhook,
            stop,
            running,
            sides,
            _room: room,
        }
    }

    /// Stops the daemon and starts it again in the same world, with these policy files and with a clock that
    /// jumped meanwhile. What people had heard stays heard.
    pub async fn restart(self, policies: Vec<(String, String)>, jumped: SignedDuration) -> Self {
        self.restart_after(policies, jumped, || ()).await
    }

    /// The same, and this happens while it is down.
    pub async fn restart_after(
        self,
        policies: Vec<(String, String)>,
        jumped: SignedDuration,
        meanwhile: impl FnOnce(),
    ) -> Self {
        let Self { config, webhook, running, slack, daemon, people, clock, url, .. } = self;
        drop(daemon);
        running.halt().await;
        meanwhile();
        let listener = TcpListener::bind(url.strip_prefix("http://").unwrap()).await.unwrap();
        let own: SharedClock = Arc::new(Jumped { clock: Arc::clone(&clock), by: jumped });
        let given = given(&own, &people, &policies);
        let running = run(&config, given, listener, &webhook, slack.is_some()).await.unwrap();
        let (daemon, start) = (running.built.daemon.clone(), running.built.start);
        Self { daemon, clock, people, slack, url, policies, start, config, webhook, running, ..self }
    }

    /// Stops the daemon as a signal would; the state directory stays.
    pub async fn stop(mut self) -> Arc<tempfile::TempDir> {
        drop(self.daemon);
        self.running.halt().await;
        self.stop.cancel();
        while let Some(ended) = self.sides.join_next().await {
            ended.unwrap();
        }
        self.dir
    }

    // ---- alerts ----

    /// Delivers a body; the status.
    pub async fn deliver(&self, body: impl Into<reqwest::Body>) -> u16 {
        self.deliver_as(None, body).await.0
    }

    /// Delivers a body with a header; status and answer.
    pub async fn deliver_as(
        &self,
        authorization: Option<&str>,
        body: impl Into<reqwest::Body>,
    ) -> (u16, String) {
        let mut request = belay::sim::client().unwrap().post(format!("{}/api/v1/alerts/webhook", self.url));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.header("content-type", "application/json").body(body).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// One pod of `web` is killed for its memory again and again; returns it once the cluster says so.
    pub async fn leak(&self, deployment: &str) -> PodView {
        let pods = self.world.pods("shop", deployment);
        let name = pods.iter().find(|p| !p.terminating && p.ready).unwrap().name.clone();
        self.leak_pod(deployment, &name).await
    }

    /// The same for one pod.
    pub async fn leak_pod(&self, deployment: &str, name: &str) -> PodView {
        let leak = Behaviour::Leak { oom_after: SignedDuration::from_secs(1) };
        self.world.behave_pod("shop", name, leak);
        until("the pod crash-loops", async || {
            let pods = self.world.pods("shop", deployment);
            pods.into_iter()
                .find(|p| p.name == name && p.waiting == "CrashLoopBackOff" && p.last_ended == "OOMKilled")
        })
        .await
    }

    /// `checkout` has more to do than three pods can.
    pub fn surge(&self) {
        self.world.behave("shop", "checkout", Behaviour::Busy { demand_millicores: 1600 });
    }

    // ---- incidents ----

    /// All incidents as they are now, in the order of opening.
    pub async fn incidents(&self) -> Vec<State> {
        let mut states = Vec::new();
        for summary in self.daemon.incidents(true).await.unwrap() {
            states.push(self.daemon.incident(&summary.incident).await.unwrap());
        }
        states.sort_by_key(|state| state.opened_at);
        states
    }

    /// The first incident about this deployment in which `wanted` holds.
    pub async fn find(&self, what: &str, deployment: &str, wanted: impl Fn(&State) -> bool) -> State {
        let about = |state: &State| state.owner.as_ref().is_some_and(|o| o.0.named.name == deployment);
        let found = async || self.incidents().await.into_iter().find(|s| about(s) && wanted(s));
        let result = tokio::time::timeout(PATIENCE, poll(found)).await;
        match result {
            Ok(state) => state,
            Err(late) => panic!("waited in vain until {what} ({late}):\n{}", self.story().await),
        }
    }

    /// The incident about this deployment once it is there.
    pub async fn phase(&self, deployment: &str, phase: fn(&Phase) -> bool) -> State {
        self.find("the phase is reached", deployment, |state| phase(&state.phase)).await
    }

    /// What each incident's records are, for a failed test.
    pub async fn story(&self) -> String {
        let mut story = String::new();
        for state in self.incidents().await {
            let _ = writeln!(story, "\n{} {:?} {:?}", state.id, state.phase, state.escalations);
            for entry in self.entries(&state.id).await {
                let text = format!("{:?}", entry.record);
                let _ = writeln!(story, "  {} {}", entry.at, text.chars().take(300).collect::<String>());
            }
        }
        for write in self.world.writes() {
            let _ = writeln!(
                story,
                "  {} {:?} {} dry={} {}",
                write.at, write.verb, write.path, write.dry_run, write.status
            );
        }
        story
    }

    /// An incident's journal.
    pub async fn entries(&self, incident: &IncidentId) -> Vec<Durable<Entry>> {
        self.daemon.ports().store.load(&incident.stream()).await.unwrap()
    }

    /// A stream's records.
    pub async fn records(&self, stream: &str) -> Vec<Record> {
        let entries = self.daemon.ports().store.load(&StreamId::new(stream)).await.unwrap();
        entries.iter().map(|entry| entry.record.clone()).collect()
    }

    /// The intents of an incident.
    pub async fn intents(&self, incident: &IncidentId) -> Vec<Intent> {
        self.entries(incident).await.iter().filter_map(Durable::intent).map(|i| (*i).clone()).collect()
    }

    /// Answers the open question as the terminal does.
    pub async fn answer(&self, state: &State, answer: Answer) -> Fed {
        let question = state.question.as_ref().expect("a question is open").question.id.clone();
        self.daemon.answer(&state.id, question, answer, operator()).await.unwrap()
    }

    // ---- the world ----

    /// Requests that were meant to change something, dry runs left out.
    pub fn writes(&self) -> Vec<WriteSeen> {
        self.world.writes().into_iter().filter(|write| !write.dry_run).collect()
    }

    /// Acts that took effect.
    pub fn effects(&self) -> Vec<WriteSeen> {
        self.writes().into_iter().filter(|write| write.effect && write.changed).collect()
    }

    /// Evictions that were asked for, for real.
    pub fn evictions(&self) -> usize {
        self.writes().iter().filter(|w| w.verb == Verb::Create && w.path.ends_with("/eviction")).count()
    }

    pub fn replicas(&self, deployment: &str) -> i64 {
        self.world.deployment("shop", deployment).unwrap().replicas
    }
}

fn given(clock: &SharedClock, people: &Arc<People>, policies: &[(String, String)]) -> Given {
    Given {
        clock: Arc::clone(clock),
        policies: policies.to_vec(),
        messenger: Arc::clone(people) as _,
        pager: Arc::clone(people) as _,
        simulated: true,
    }
}

/// Puts the daemon together and starts it.
async fn run(
    config: &Config,
    given: Given,
    listener: TcpListener,
    webhook: &Arc<WebhookAuth>,
    slack: bool,
) -> Result<Running, BuildError> {
    let built = build::build(config, given).await?;
    let clicks = slack.then(|| {
        let Workspace { signing_secret, app, team, channel, .. } = Workspace::default();
        Arc::new(Clicks::new(signing_secret.into(), http::slack::Expected { app, team, channel }))
    });
    let gate = Gate { daemon: built.daemon.clone(), webhook: Arc::clone(webhook), slack: clicks };
    let (halt, mut critical) = (CancellationToken::new(), JoinSet::new());
    let (daemon, token) = (built.daemon.clone(), halt.clone());
    critical.spawn(async move { daemon.run(token).await.unwrap() });
    let (daemon, token) = (built.daemon.clone(), halt.clone());
    critical.spawn(async move { daemon.tick(token).await.unwrap() });
    let socket = admin::bind(&config.state_dir).unwrap();
    critical.spawn(admin::serve(socket, built.daemon.clone(), halt.clone()));
    let token = halt.clone();
    critical.spawn(async move { http::serve(listener, http::routes(gate), token).await.unwrap() });
    Ok(Running { built, halt, critical })
}

/// Whoever sits at the terminal.
pub fn operator() -> Person {
    Person::Operator { name: "tester".into() }
}

async fn port() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// The file of used warrants of an action server that stands apart.
pub const USED: &str = "apart.jsonl";

/// What servers of belay's own, apart from the daemon, are started with.
struct Servers<'a> {
    dir: &'a tempfile::TempDir,
    clock: &'a SharedClock,
    stop: &'a CancellationToken,
    sides: &'a mut JoinSet<()>,
}

impl Servers<'_> {
    /// Serves an action server over HTTP, and says where in the words of the configuration.
    async fn actions(&mut self, cluster: &str, api: &str, limits: &str) -> String {
        let access = Access::Url { url: api.to_owned(), ca_file: None, token_file: None };
        let used = if cluster == CLUSTER { USED.to_owned() } else { format!("{cluster}.{USED}") };
        let cluster = Cluster::new(cluster);
        let hand = KubeHand::new(connect(&access).await.unwrap(), cluster.clone());
        let key = build::public_keys(&bare(self.dir.path())).unwrap().remove(0);
        let key = base64::engine::general_purpose::STANDARD.decode(key).unwrap();
        let keys = VerifyingKeys::new([key.as_slice()]).unwrap();
        let limits: LimitsConfig = serde_saphyr::from_str(limits.strip_prefix("limits: ").unwrap()).unwrap();
        let limits = build::hard_limits(&limits, &cluster, &[]).unwrap();
        let ledger = Ledger::open(&self.dir.path().join(used), self.clock.now()).unwrap();
        let engine = Engine::new(Arc::new(hand), keys, limits, Arc::clone(self.clock), ledger);
        let service = actions::service(ActionServer::new(Arc::new(engine)), self.stop);
        self.listen("actions", http::mcp_routes(service, "s3cret".into())).await
    }

    /// Serves a cluster's reads and its actions, and says so as the configuration names another cluster.
    async fn cluster(&mut self, name: &str, world: &World) -> String {
        let (listing, list) = port().await;
        let mut settings = Settings::quick(name);
        settings.evaluate_every = SignedDuration::from_secs(4);
        let alertmanager = Alertmanager::new(world.clone(), settings, belay::sim::client().unwrap());
        self.sides.spawn(alertmanager.run(self.stop.clone()));
        self.sides.spawn(alertmanager.serve(listing, self.stop.clone()));
        let (api, url) = port().await;
        self.sides.spawn(world.serve(api, self.stop.clone()));
        let actions = self.actions(name, &url, "limits: { namespaces: [shop] }").await;
        let token = self.token();
        let file = self.dir.path().join("reads.yaml");
        let text = format!("cluster: {{ name: {name}, url: {url:?} }}\nclientTokenFile: {token:?}\n");
        std::fs::write(&file, text).unwrap();
        let server = build::reads_alone(&config::load_reads(&file).unwrap()).await.unwrap();
        let service = reads::service(server, self.stop);
        let reads = self.listen("reads", http::mcp_routes(service, "s3cret".into())).await;
        format!(
            "otherClusters:\n- cluster: {{ name: {name}, labels: {{ cluster: {name} }} }}\n  \
             limits: {{ namespaces: [shop] }}\n  alertmanager: {{ url: {list:?} }}\n  {actions}  {reads}"
        )
    }

    async fn listen(&mut self, key: &str, routes: http::Routes) -> String {
        let (listener, url) = port().await;
        let stop = self.stop.clone();
        self.sides.spawn(async move { http::serve(listener, routes, stop).await.unwrap() });
        format!("{key}: {{ url: '{url}/mcp', tokenFile: {:?} }}\n", self.token())
    }

    fn token(&self) -> PathBuf {
        let token = self.dir.path().join("client.token");
        std::fs::write(&token, "s3cret").unwrap();
        token
    }
}

/// The least that a configuration of a daemon with this state directory says.
pub fn bare(state: &Path) -> Config {
    let text = format!("stateDir: {state:?}\npolicies: policies\ncluster: {{ name: {CLUSTER} }}\n");
    config::parse("the test's configuration", &text).unwrap()
}

/// The limits, with these job templates in a folder of this name.
fn limits(dir: &tempfile::TempDir, folder: &str, jobs: &[String]) -> String {
    let folder = dir.path().join(folder);
    std::fs::create_dir(&folder).unwrap();
    for (i, text) in jobs.iter().enumerate() {
        std::fs::write(folder.join(format!("{i}.yaml")), text).unwrap();
    }
    let jobs = if jobs.is_empty() { String::new() } else { format!("{folder:?}") };
    format!("limits: {{ namespaces: [shop], extraRights: ['* *'], jobs: [{jobs}] }}\n")
}

/// The token of the forge.
pub const FORGE_TOKEN: &str = "forge-s3cret";

/// The only repository of a forge, in the words of the configuration.
fn repository(dir: &tempfile::TempDir, vendor: Vendor, forge: &FakeForge) -> String {
    let token = dir.path().join("forge.token");
    std::fs::write(&token, FORGE_TOKEN).unwrap();
    let name = format!("{vendor:?}").to_lowercase();
    format!(
        "repositories: [{{ forge: {name}, url: '{}', repository: {}, tokenFile: {token:?}, files: [{{ path: 'apps/{{namespace}}/{{name}}.yaml' }}] }}]",
        forge.url(),
        forge.repository(),
    )
}

fn configuration(
    dir: &tempfile::TempDir,
    api: &str,
    alertmanager: &str,
    slack: Option<&FakeSlack>,
    model: Option<&str>,
) -> String {
    let path = |name: &str| -> PathBuf { dir.path().join(name) };
    let mut text = format!(
        "stateDir: {:?}\npolicies: policies\ncluster: {{ name: {CLUSTER}, url: {api:?} }}\n\
         alertmanager: {{ url: {alertmanager:?} }}\n",
        dir.path(),
    );
    if let Some(slack) = slack {
        let workspace = Workspace::default();
        std::fs::write(path("slack.token"), &workspace.token).unwrap();
        std::fs::write(path("slack.secret"), &workspace.signing_secret).unwrap();
        let _ = writeln!(
            text,
            "slack: {{ channel: {}, app: {}, team: {}, tokenFile: {:?}, signingSecretFile: {:?}, url: {:?} }}",
            workspace.channel,
            workspace.app,
            workspace.team,
            path("slack.token"),
            path("slack.secret"),
            slack.api_url(),
        );
    }
    if let Some(model) = model {
        let _ = writeln!(text, "model: {{ url: {model:?}, name: scripted }}");
    }
    text
}

/// Tries until there is something; fails when it takes too long.
pub async fn until<T>(what: &str, attempt: impl AsyncFnMut() -> Option<T>) -> T {
    match tokio::time::timeout(PATIENCE, poll(attempt)).await {
        Ok(found) => found,
        Err(late) => panic!("waited in vain until {what} ({late})"),
    }
}

async fn poll<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    loop {
        if let Some(found) = attempt().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(40)).await; // polls
    }
}

/// The people's side: what they were shown and whom belay called.
#[derive(Default)]
pub struct People {
    pub views: Mutex<Vec<View>>,
    pub pages: Mutex<Vec<(IncidentId, String)>>,
    pub notices: Mutex<Vec<Notice>>,
}

impl People {
    pub fn pages(&self) -> Vec<String> {
        self.pages.lock().unwrap().iter().map(|(_, why)| why.clone()).collect()
    }
}

#[async_trait]
impl Messenger for People {
    fn name(&self) -> &'static str {
        "people"
    }

    async fn publish(&self, view: &View, _: Option<&MessageRef>) -> Result<MessageRef, Undelivered> {
        self.views.lock().unwrap().push(view.clone());
        Ok(MessageRef { through: "people".into(), channel: String::new(), id: view.incident.to_string() })
    }

    async fn tell(&self, notice: &Notice) -> Result<(), Undelivered> {
        self.notices.lock().unwrap().push(notice.clone());
        Ok(())
    }
}

#[async_trait]
impl Pager for People {
    fn name(&self) -> &'static str {
        "people"
    }

    async fn page(&self, incident: &IncidentId, _: &str, why: &str) -> Result<(), Undelivered> {
        self.pages.lock().unwrap().push((incident.clone(), why.to_owned()));
        Ok(())
    }
}

/// An alert as Alertmanager's webhook writes it.
pub fn alert(labels: &[(&str, &str)], starts: &str, ends: Option<&str>) -> Value {
    let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    json!({
        "status": if ends.is_some() { "resolved" } else { "firing" },
        "fingerprint": belay::sim::alertmanager::fingerprint(&labels),
        "labels": labels,
        "annotations": { "summary": "something is wrong" },
        "startsAt": starts,
        "endsAt": ends.unwrap_or("0001-01-01T00:00:00Z"),
        "generatorURL": "http://prometheus.example/graph",
    })
}

/// A crash-looping pod's alert.
pub fn crash_loop(pod: &str, starts: &str, ends: Option<&str>) -> Value {
    let labels = [
        ("alertname", "KubePodCrashLooping"),
        ("cluster", CLUSTER),
        ("container", "app"),
        ("namespace", "shop"),
        ("pod", pod),
        ("severity", "warning"),
    ];
    alert(&labels, starts, ends)
}

/// A saturated deployment's alert.
pub fn saturation(deployment: &str, starts: &str, ends: Option<&str>) -> Value {
    let labels = [
        ("alertname", "CPUSaturation"),
        ("cluster", CLUSTER),
        ("deployment", deployment),
        ("namespace", "shop"),
        ("severity", "warning"),
    ];
    alert(&labels, starts, ends)
}

/// A body of version 4 around alerts.
pub fn body(alerts: &[Value]) -> String {
    let status = if alerts.iter().any(|a| a["status"] == "firing") { "firing" } else { "resolved" };
    json!({
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "belay",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": alerts,
    })
    .to_string()
}
