//! Above level 2 the action server has a process of its own, or a person says otherwise and every report shows it;
//! and the keys that both of them share.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use belay::app::build::{self, BuildError, Built, Given};
use belay::app::policies::{Looked, Watch};
use belay::config::{self, Config};
use belay::domain::ids::StreamId;
use belay::domain::record::Record;
use belay::ports::clock::SystemClock;
use belay::sim::kube::World;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::house::{CLUSTER, People, folder, policy};
use super::reloads::mount;

const LEVEL_2: &str = "maxLevel: 2";
const LEVEL_5: &str = "maxLevel: 5";

/// A daemon with this policy and these settings, whose cluster could be anybody's.
async fn built(dir: &Path, text: &str, settings: &str) -> (Result<Built, BuildError>, Arc<People>) {
    // that it has no Alertmanager is another reason
    seeing(dir, text, settings, "D").await
}

async fn seeing(
    dir: &Path,
    text: &str,
    settings: &str,
    minimum: &str,
) -> (Result<Built, BuildError>, Arc<People>) {
    rustls::crypto::ring::default_provider().install_default().ok();
    let clock = Arc::new(SystemClock);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(World::shop(clock.clone()).serve(listener, CancellationToken::new()));
    let config = format!(
        "stateDir: {dir:?}\npolicies: policies\ncluster: {{ name: {CLUSTER}, url: {api:?} }}\n\
         minimumGrade: {minimum}\nlimits: {{ namespaces: [shop], extraRights: ['* *'] }}\n{settings}"
    );
    let config = config::parse("the test's configuration", &config).unwrap();
    let people = Arc::new(People::default());
    let given = Given {
        clock,
        policies: folder(text),
        messenger: Arc::clone(&people) as _,
        pager: Arc::clone(&people) as _,
        simulated: false,
    };
    (build::build(&config, given).await, people)
}

async fn one_process(built: &Built) -> bool {
    let stream = StreamId::new("daemon");
    let entries = built.daemon.ports().store.load(&stream).await.unwrap();
    entries.iter().any(|e| matches!(e.record, Record::Started { one_process: true, .. }))
}

#[tokio::test(flavor = "multi_thread")]
async fn above_level_1_nothing_starts_that_sees_too_little() {
    let dir = tempfile::tempdir().unwrap();
    let level_2 = policy().replace(LEVEL_5, LEVEL_2);
    let (refused, _) = seeing(dir.path(), &level_2, "", "C").await;
    let Err(BuildError::OneProcess(why)) = refused else { panic!("it cannot see whether an alert is over") };
    for part in ["at level 2", "grade D, below C", "`alerts`", "`minimumGrade: D`", "`belay doctor`"] {
        assert!(why.contains(part), "{why}");
    }
    let level_1 = policy().replace(LEVEL_5, "maxLevel: 1");
    for (text, settings, minimum) in [
        (&level_2, "", "D"),
        (&level_2, "alertmanager: { url: 'http://127.0.0.1:9' }\n", "C"),
        (&level_1, "", "C"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (built, _) = seeing(dir.path(), text, settings, minimum).await;
        assert!(built.is_ok(), "{settings}{minimum}: {:?}", built.err());
    }
    let alertmanager = "alertmanager: { url: 'http://127.0.0.1:9' }\n";
    let (refused, _) = seeing(dir.path(), &level_2, alertmanager, "B").await;
    let Err(BuildError::OneProcess(why)) = refused else { panic!("it measures nothing") };
    assert!(why.contains("`metrics`"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn above_level_2_nothing_starts_that_holds_everything() {
    let dir = tempfile::tempdir().unwrap();
    let (refused, _) = built(dir.path(), &policy(), "").await;
    let Err(BuildError::OneProcess(why)) = refused else { panic!("it holds everything") };
    for part in ["at level 3", "`belay mcp serve actions --limits`", "`oneProcessHoldsEverything: true`"] {
        assert!(why.contains(part), "{why}");
    }
    // asking first, it may
    let (asks, _) = built(dir.path(), &policy().replace(LEVEL_5, LEVEL_2), "").await;
    let asks = asks.unwrap();
    assert!(!one_process(&asks).await && asks.daemon.tracks().await.unwrap().warning.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_goes_beyond_level_2_is_refused_while_it_runs() {
    let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let careful = policy().replace(LEVEL_5, LEVEL_2);
    let (built, people) = built(dir.path(), &careful, "").await;
    let built = built.unwrap();
    mount(files.path(), "1", &careful);
    let mut watch = Watch::new(built.daemon.clone(), files.path(), &config::policies(files.path()).unwrap());
    mount(files.path(), "2", &policy());
    let Looked::Refused(why) = watch.look().await else { panic!("it goes beyond") };
    assert!(why[0].contains("at level 3") && why[0].contains("a process of its own"), "{why:?}");
    let told = people.notices.lock().unwrap().pop().unwrap();
    assert!(told.headline.starts_with("Policy files were refused"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_accepts_it_is_reminded_in_every_report() {
    let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (built, people) = built(dir.path(), &policy(), "oneProcessHoldsEverything: true\n").await;
    let built = built.unwrap();
    assert!(one_process(&built).await, "the journal says so");
    let tracks = built.daemon.tracks().await.unwrap().to_string();
    assert!(tracks.contains("WARNING: oneProcessHoldsEverything"), "{tracks}");
    mount(files.path(), "1", &policy());
    let mut watch = Watch::new(built.daemon.clone(), files.path(), &config::policies(files.path()).unwrap());
    mount(files.path(), "2", &policy().replace("max: 2, window: 1h", "max: 1, window: 1h"));
    assert!(matches!(watch.look().await, Looked::Loaded(_)));
    let told = people.notices.lock().unwrap().pop().unwrap();
    assert!(told.lines[0].starts_with("WARNING: oneProcessHoldsEverything"), "{told:?}");
}

fn with(dir: &Path, key: &str) -> Config {
    let text = format!("stateDir: {dir:?}\npolicies: p\ncluster: {{ name: c }}\n{key}");
    config::parse("the test's configuration", &text).unwrap()
}

#[test]
fn a_key_is_replaced_without_a_gap() {
    let dir = tempfile::tempdir().unwrap();
    let config = with(dir.path(), "");
    let why = build::rotate(&config).unwrap_err().to_string();
    assert!(why.contains("`belay mcp key --next` makes one"), "{why}");
    let next = build::prepare(&config).unwrap();
    assert_eq!(build::prepare(&config).unwrap(), next, "prepared once");
    let both = build::public_keys(&config).unwrap();
    assert_eq!((both.len(), &both[1]), (2, &next));
    assert_ne!(both[0], next);
    assert_eq!(build::rotate(&config).unwrap(), next);
    assert_eq!(build::public_keys(&config).unwrap(), [next]);
    assert!(build::rotate(&config).is_err(), "each key once");
    let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("warrant.key"), 0o600);
}

#[test]
fn a_key_of_the_users_own_is_kept_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let pem = dir.path().join("warrant.pem");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/keys/warrant.pem"), &pem).unwrap();
    let config = with(dir.path(), &format!("warrantKeyFile: {pem:?}\n"));
    let mode = |mode| fs::set_permissions(&pem, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let why = build::public_keys(&config).unwrap_err().to_string();
    assert!(why.contains("(mode 644)") && why.contains("`defaultMode: 0400`"), "{why}");
    mode(0o440);
    // the public half, as `openssl pkey -pubout -outform DER | tail -c 32 | base64` prints it
    assert_eq!(build::public_keys(&config).unwrap(), ["GrVCVqImhPEy2dZ4wV3AVh5Vi9S1bs1dyVGzlDHEBAE="]);
    assert!(!dir.path().join("warrant.key").exists(), "none is made beside it");
    for told in [build::prepare(&config).unwrap_err(), build::rotate(&config).unwrap_err()] {
        assert!(told.to_string().contains("which belay does not write"), "{told}");
    }
    mode(0o600);
    fs::write(&pem, "-----BEGIN PRIVATE KEY-----\nnone\n-----END PRIVATE KEY-----\n").unwrap();
    let why = build::public_keys(&config).unwrap_err().to_string();
    assert!(why.contains("holds no Ed25519 key in PEM") && !why.contains("none"), "{why}");
}

/// An MCP server of others as a child: a program that would read what it can.
fn child(starts: &Path) -> String {
    let program = crate::foreign::odd::program(&[]);
    let args: Vec<String> = program.args.iter().map(|arg| format!("{arg:?}")).collect();
    format!(
        "mcpPins: {:?}\nmcpServers:\n  spy:\n    command: {:?}\n    args: [{}]\n    \
         env: {{ ODD: '1', STARTS: {starts:?} }}\n    tools: [echo]\n",
        starts.with_file_name("pins.json"),
        program.command,
        args.join(", ")
    )
}

/// A child has the daemon's user, so that it cannot be kept from the key for warrants, the tokens and the journal:
/// where isolation is impossible, it is not started.
#[tokio::test(flavor = "multi_thread")]
async fn above_level_1_no_server_of_others_is_a_child() {
    let dir = tempfile::tempdir().unwrap();
    let starts = dir.path().join("starts");
    for (level, accepted) in [(LEVEL_2, ""), (LEVEL_5, "oneProcessHoldsEverything: true\n")] {
        let text = policy().replace(LEVEL_5, level);
        let (refused, _) = built(dir.path(), &text, &format!("{accepted}{}", child(&starts))).await;
        let Err(BuildError::OneProcess(why)) = refused else { panic!("it could read the keys") };
        for part in
            ["above level 1", "`spy`", "name its `url`", "the key for warrants, the tokens and the journal"]
        {
            assert!(why.contains(part), "{why}");
        }
    }
    assert!(!starts.exists(), "it was never started");
    // as a sidecar it may be there
    let remote =
        "mcpPins: none.json\nmcpServers: { spy: { url: 'http://127.0.0.1:1/mcp', tools: [echo] } }\n";
    let (far, _) = built(dir.path(), &policy().replace(LEVEL_5, LEVEL_2), remote).await;
    assert!(far.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_goes_beyond_level_1_is_refused_beside_a_child() {
    let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let watching = policy().replace(LEVEL_5, "maxLevel: 1");
    let (built, _) = built(dir.path(), &watching, &child(&dir.path().join("starts"))).await;
    let built = built.unwrap();
    mount(files.path(), "1", &watching);
    let mut watch = Watch::new(built.daemon.clone(), files.path(), &config::policies(files.path()).unwrap());
    mount(files.path(), "2", &policy().replace(LEVEL_5, LEVEL_2));
    let Looked::Refused(why) = watch.look().await else { panic!("it goes beyond") };
    assert!(why[0].contains("above level 1") && why[0].contains("`spy`"), "{why:?}");
}
