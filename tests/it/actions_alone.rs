//! The action server as a process of its own: held by one file, reached over HTTP with a token, and back again
//! after it was gone.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use belay::adapters::mcp::{RemoteActions, RemoteError};
use belay::domain::action::Action;
use belay::domain::ids::Cluster;
use belay::domain::plan::{Plan, Refusal};
use belay::domain::target::{Kind as K, Named, Object, RootOwner};
use belay::domain::warrant::Applied;
use belay::ports::actions::Actions as _;
use belay::ports::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::hands::world::{Key, body};
use crate::sim::Served;

/// What a test waits for at most.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server's process, and where it listens.
struct Apart {
    child: Child,
    address: String,
}

fn write_files(folder: &Path, api: &str, key: &Key, limits: &str) {
    let key = base64::engine::general_purpose::STANDARD.encode(key.public());
    let text = format!(
        "cluster: {{ name: eu-1, url: {api:?} }}\nwarrantKeys: ['{key}']\nstateDir: state\n\
         clientTokenFile: client\nlog: {{ filter: info }}\nlimits: {limits}\n"
    );
    std::fs::write(folder.join("actions.yaml"), text).unwrap();
    std::fs::write(folder.join("client"), "s3cret\n").unwrap();
}

fn command(folder: &Path, address: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
    command.args(["mcp", "serve", "actions", "--limits"]).arg(folder.join("actions.yaml"));
    command.args(["--listen", address]).env("NO_COLOR", "1").kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Apart {
    async fn start(folder: &Path, address: &str) -> Self {
        let mut child = command(folder, address).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, address)) = line.split_once("listen=") {
                    return address.trim().to_owned();
                }
            }
            panic!("it ended before it was ready");
        };
        let address = tokio::time::timeout(PATIENCE, said).await.unwrap();
        // it goes on writing: somebody has to read
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address }
    }

    fn client(&self, token: &str) -> RemoteActions {
        RemoteActions::new("actions.url", &format!("http://{}/mcp", self.address), token.into(), PATIENCE)
            .unwrap()
    }

    async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn web(served: &Served) -> Object {
    let uid = served.world.deployment("shop", "web").unwrap().uid;
    let (cluster, namespace) = (Cluster::new("eu-1"), "shop".to_owned());
    Object { named: Named { cluster, kind: K::Deployment, namespace, name: "web".into() }, uid }
}

fn scale(served: &Served, replicas: u32) -> (Action, RootOwner) {
    (Action::ScaleWorkload { workload: web(served), replicas }, RootOwner(web(served)))
}

async fn planned(client: &RemoteActions, (action, owner): (Action, RootOwner)) -> Result<Plan, Refusal> {
    client.plan(&action, &owner).await.unwrap()
}

const LIMITS: &str =
    "{ namespaces: [shop], actions: [scale_workload], maxReplicas: 6, extraRights: ['* *'] }";

#[tokio::test]
async fn one_file_holds_it_and_nothing_else() {
    let (served, folder) = (Served::shop().await, tempfile::tempdir().unwrap());
    let (key, stranger) = (Key::from_seed(3), Key::from_seed(4));
    write_files(folder.path(), &served.url, &key, LIMITS);
    let apart = Apart::start(folder.path(), "127.0.0.1:0").await;

    let wrong = apart.client("guess");
    let (action, owner) = scale(&served, 5);
    assert!(wrong.plan(&action, &owner).await.is_err(), "without the token nobody is served");

    let client = apart.client("s3cret");
    let plan = planned(&client, scale(&served, 5)).await.unwrap();
    let now = SystemClock.now();
    let hash = plan.hash().unwrap();
    let foreign = stranger.sign(&body(hash, "w-1", "inc-1", now));
    let refused = client.apply(&plan, &foreign).await.unwrap();
    assert!(matches!(refused, Applied::Refused { refusal: Refusal::Warrant(_) }), "{refused:?}");
    let warrant = key.sign(&body(hash, "w-0", "inc-0", now));
    let applied = client.apply(&plan, &warrant).await.unwrap();
    assert!(matches!(applied, Applied::Done { .. }), "{applied:?}");
    assert_eq!(served.world.deployment("shop", "web").unwrap().replicas, 5);

    let limit = |refusal: Refusal| match refusal {
        Refusal::Limit(why) => why,
        other => panic!("{other:?}"),
    };
    let why = limit(planned(&client, scale(&served, 7)).await.unwrap_err());
    assert!(why.contains("more than the 6"), "{why}");
    let restart = (Action::RestartWorkload { workload: web(&served) }, RootOwner(web(&served)));
    let why = limit(planned(&client, restart).await.unwrap_err());
    assert!(why.contains("`restart_workload` is not one of the actions"), "{why}");
    apart.kill().await;
    served.stop().await;
}

#[tokio::test]
async fn a_client_finds_it_again_after_it_was_gone() {
    let (served, folder) = (Served::shop().await, tempfile::tempdir().unwrap());
    write_files(folder.path(), &served.url, &Key::from_seed(3), LIMITS);
    let apart = Apart::start(folder.path(), "127.0.0.1:0").await;
    let (client, address) = (apart.client("s3cret"), apart.address.clone());
    planned(&client, scale(&served, 5)).await.unwrap();
    apart.kill().await;
    let (action, owner) = scale(&served, 5);
    assert!(client.plan(&action, &owner).await.is_err(), "it is gone");
    let apart = Apart::start(folder.path(), &address).await;
    planned(&client, scale(&served, 5)).await.unwrap();
    apart.kill().await;
    served.stop().await;
}

#[tokio::test]
async fn what_it_cannot_be_held_to_is_refused_at_the_start() {
    let (served, folder) = (Served::shop().await, tempfile::tempdir().unwrap());
    let told = async || {
        let done = command(folder.path(), "127.0.0.1:0").output().await.unwrap();
        assert!(!done.status.success());
        String::from_utf8(done.stderr).unwrap()
    };
    write_files(folder.path(), &served.url, &Key::from_seed(3), "{ namespaces: [shop] }");
    let why = told().await;
    assert!(why.contains("too much: no action needs"), "{why}");
    write_files(folder.path(), &served.url, &Key::from_seed(3), LIMITS);
    let file = folder.path().join("actions.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("clientTokenFile: client\n", "")).unwrap();
    let why = told().await;
    assert!(why.contains("`clientTokenFile`"), "{why}");
    let short = text
        .lines()
        .map(|line| if line.starts_with("warrantKeys") { "warrantKeys: [c2hvcnQ=]" } else { line });
    std::fs::write(&file, short.collect::<Vec<_>>().join("\n")).unwrap();
    let why = told().await;
    assert!(why.contains("`c2hvcnQ=` is no public key"), "{why}");
    served.stop().await;
}

#[test]
fn a_token_travels_only_in_private() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let made = |url: &str| RemoteActions::new("actions.url", url, "t".into(), PATIENCE).map(drop);
    assert!(made("https://hands.example/mcp").is_ok() && made("http://127.0.0.1:1/mcp").is_ok());
    assert!(made("http://[::1]:1/mcp").is_ok());
    assert!(
        matches!(made("http://hands.example/mcp"), Err(RemoteError::Unprotected { key }) if key == "actions.url")
    );
    for wrong in ["", "hands", "ftp://127.0.0.1/mcp", "unix:/run/x"] {
        assert!(matches!(made(wrong), Err(RemoteError::Address { .. })), "{wrong}");
    }
}

#[tokio::test]
async fn the_key_of_a_daemon_is_printed_as_the_file_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("belay.yaml");
    std::fs::write(&config, "policies: p\ncluster: { name: c }\nstateDir: state\n").unwrap();
    let printed = async || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_belay"));
        let done = command.args(["mcp", "key", "-c"]).arg(&config).output().await.unwrap();
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    };
    let key = printed().await;
    assert_eq!(key, printed().await, "made once");
    let signer = belay::app::build::signer(&belay::config::load(&config).unwrap()).unwrap();
    assert_eq!(key, base64::engine::general_purpose::STANDARD.encode(signer.public_key()));
}
