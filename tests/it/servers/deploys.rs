//! The deploys server over MCP: on a made-up namespace, on the simulated API server, and as the real binary.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use belay::adapters::kube::{Access, KubeReads, connect};
use belay::config;
use belay::domain::alert::Labels;
use belay::domain::canonical::Hash;
use belay::domain::deploy::{Compared, ConfigChange, Deploy, Outcome, Pipeline, Source};
use belay::domain::ids::Cluster;
use belay::domain::recorded::{Healthy, WorkloadHistory};
use belay::domain::target::{Kind, Object};
use belay::ports::clock::{ManualClock, SystemClock};
use belay::ports::deploys::{Delivery, Recorded};
use belay::ports::reads::ReadError;
use belay::servers::deploys::{Delivered, DeploysServer, TOOLS};
use belay::servers::kit::Scope;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::backend::Backend;
use super::given::{Bench, Fake, deployment, now, object, revisions, template};
use crate::sim::Served;

/// What a recorder knows.
#[derive(Clone, Default)]
struct Book {
    healthy: Vec<u64>,
    changes: Vec<ConfigChange>,
}

impl Recorded for Book {
    fn workload(&self, workload: &Object, _: Timestamp) -> Option<WorkloadHistory> {
        let hash = |n: u64| Hash::of(&n.to_be_bytes());
        let healthy = |n: &u64| Healthy { template: hash(*n), revision: Some(*n), name: None, until: now() };
        Some(WorkloadHistory {
            object: workload.clone(),
            since: Timestamp::UNIX_EPOCH,
            template: hash(99),
            revision: None,
            name: None,
            settled: None,
            replicas: 3,
            last_above_zero: Some(3),
            zero_since: None,
            healthy: self.healthy.iter().map(healthy).collect(),
        })
    }

    fn changes(&self, _: &str, since: Timestamp) -> Vec<ConfigChange> {
        self.changes.iter().filter(|change| change.at >= since).cloned().collect()
    }

    fn unwatched(&self, _: &str) -> Vec<String> {
        vec![]
    }
}

/// One that delivers, or cannot say.
struct Forge(Result<Vec<Deploy>, ReadError>);

fn deploy(name: &str, at: &str, commit: char, outcome: Outcome) -> Deploy {
    Deploy {
        source: Source::Github,
        name: name.into(),
        at: at.parse().ok(),
        by: Some("octocat".into()),
        what: vec!["main to production".into()],
        commit: Some(commit.to_string().repeat(40)),
        outcome,
        note: None,
        changes: vec![],
    }
}

#[async_trait]
impl Delivery for Forge {
    fn source(&self) -> Source {
        Source::Github
    }

    async fn history(&self, most: usize) -> Result<Vec<Deploy>, ReadError> {
        self.0.clone().map(|all| all.into_iter().take(most).collect())
    }

    async fn pipelines(&self, _: usize) -> Result<Vec<Pipeline>, ReadError> {
        self.0.clone().map(|_| vec![])
    }

    async fn compare(&self, base: &str, head: &str) -> Result<Option<Compared>, ReadError> {
        assert_ne!(base, head);
        Ok(Some(Compared { commits: 2, files: 5, more: false }))
    }
}

fn world() -> Fake {
    let templates = [
        template("web:3", &[("DB_PASSWORD", "s3cr3t-3")]),
        template("web:2", &[("DB_PASSWORD", "s3cr3t-2")]),
        template("web:1", &[]),
    ];
    Fake {
        deployments: vec![deployment("web")],
        revisions: BTreeMap::from([("web".to_owned(), revisions("web", &templates))]),
        ..Fake::default()
    }
}

async fn bench(world: Fake, forges: Vec<Forge>, recorded: Option<Book>, allowed: &[&str]) -> Bench {
    let ways: Vec<Arc<dyn Delivery>> = forges.into_iter().map(|forge| Arc::new(forge) as _).collect();
    let delivered = Delivered::new(BTreeMap::from([(("shop".to_owned(), "web".to_owned()), ways)]));
    let recorded = recorded.map(|book| Arc::new(book) as Arc<dyn Recorded>);
    let scope = Scope::new(allowed.iter().map(|n| (*n).to_owned()).collect());
    let server = DeploysServer::new(Arc::new(world), delivered, recorded, ManualClock::new(now()), scope);
    Bench::of(server).await
}

fn web() -> Value {
    json!({ "namespace": "shop", "service": "web" })
}

#[tokio::test]
async fn the_tools_are_described_as_they_were_agreed() {
    let bench = bench(world(), vec![], None, &[]).await;
    insta::assert_json_snapshot!("deploys_tools", bench.tools(&TOOLS).await);
}

#[tokio::test]
async fn the_history_is_put_together_from_all_sources() {
    let told = vec![
        deploy("deployment 2", "2026-11-21T01:29:00Z", 'b', Outcome::Failed),
        deploy("deployment 1", "2026-11-20T01:29:00Z", 'a', Outcome::Succeeded),
    ];
    let down =
        ReadError::Failed { what: "application `web` of Argo CD".into(), why: "it answered 500".into() };
    let mut world = world();
    let labels = [("helm.sh/chart", "web-1.4.2"), ("app.kubernetes.io/version", "3.0")];
    world.deployments[0].labels = labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
    world.deployments[0].annotations = [("meta.helm.sh/release-name".to_owned(), "web".to_owned())].into();
    let bench = bench(world, vec![Forge(Ok(told)), Forge(Err(down))], Some(Book::default()), &[]).await;
    let text = bench.text("deploy_history", web()).await;
    insta::assert_snapshot!("deploys_history", text);
    assert!(!text.contains("s3cr3t"));
    let two = json!({ "namespace": "shop", "service": "web", "limit": 2 });
    let text = bench.text("deploy_history", two).await;
    assert!(
        text.starts_with("2 deploys of `web` in namespace `shop`, newest first; there are older ones\n"),
        "{text}"
    );
}

#[tokio::test]
async fn what_changed_lately_is_told_by_name() {
    let change = |at: &str, watched, gone, fields: &[&str]| ConfigChange {
        object: object(Kind::ConfigMap, "flags"),
        at: at.parse().unwrap(),
        watched,
        fields: fields.iter().map(|f| (*f).to_owned()).collect(),
        gone,
    };
    let changes = vec![
        change("2026-11-21T01:50:00Z", true, true, &[]),
        change("2026-11-21T01:40:00Z", false, false, &["/data/flags.json", "/data/pool"]),
        change("2026-11-10T01:40:00Z", true, false, &["/data/old"]),
    ];
    let told = vec![deploy("deployment 2", "2026-11-21T01:29:00Z", 'b', Outcome::Failed)];
    let mut world = world();
    let mut quiet = deployment("quiet");
    quiet.writers[0].at = "2026-10-01T00:00:00Z".parse().ok();
    world.deployments.push(quiet);
    let book = Book { changes, ..Book::default() };
    let with = bench(world.clone(), vec![Forge(Ok(told))], Some(book), &[]).await;
    insta::assert_snapshot!(
        "deploys_changes",
        with.text("recent_changes", json!({ "namespace": "shop" })).await
    );
    let lately = json!({ "namespace": "shop", "since": "15m" });
    assert!(
        with.text("recent_changes", lately)
            .await
            .starts_with("1 change in namespace `shop` since 2026-11-21T01:45:00Z")
    );
    let without = bench(world, vec![], None, &[]).await;
    let text = without.text("recent_changes", web()).await;
    assert!(text.contains("only a running daemon records them"), "{text}");
    for (since, why) in [("soon", "`since` is `soon`"), ("40d", "more than thirty days")] {
        let told = without.trouble("recent_changes", json!({ "namespace": "shop", "since": since })).await;
        assert!(told.contains(why), "{told}");
    }
}

fn annotated(mut world: Fake, annotations: &[(&str, &str)]) -> Fake {
    let annotations: Labels = annotations.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    world.deployments[0].annotations = annotations;
    world
}

#[tokio::test]
async fn a_rollback_is_planned_and_never_done() {
    let no = ("belay.dev/migration", "false");
    let book = Book { healthy: vec![1], ..Book::default() };
    let known = bench(annotated(world(), &[no]), vec![], Some(book.clone()), &[]).await;
    insta::assert_snapshot!("deploys_rollback", known.text("plan_rollback", web()).await);
    let two = json!({ "namespace": "shop", "service": "web", "to_revision": 2 });
    let result = known.call("plan_rollback", two.clone()).await;
    let view = result.structured_content.unwrap();
    assert_eq!((&view["to"], &view["newest_healthy"]), (&json!(2), &json!(1)));
    let wanted = json!({
        "action": "rollback_workload", "kind": "Deployment", "namespace": "shop", "name": "web", "template": "hash2",
    });
    assert_eq!(view["proposal"], wanted);
    assert_eq!(
        view["changes"],
        json!(["image of `web`: `web:3` to `web:2`", "environment variable `DB_PASSWORD` of `web` changed"])
    );
    // a migration lies between: the very refusal that planning the action would give
    let migrated =
        bench(annotated(world(), &[("belay.dev/migration", "true")]), vec![], Some(book), &[]).await;
    let view = migrated.call("plan_rollback", two.clone()).await.structured_content.unwrap();
    assert_eq!(
        (&view["migration"], &view["risk"], &view["proposal"]),
        (&json!("yes"), &json!(null), &json!(null))
    );
    assert!(view["against"][0].as_str().unwrap().contains("a migration lies between"), "{view}");
    // nobody says
    let silent = bench(world(), vec![], None, &[]).await;
    let view = silent.call("plan_rollback", two.clone()).await.structured_content.unwrap();
    assert_eq!((&view["migration"], &view["risk"]), (&json!("unknown"), &json!("medium")));
    let text = silent.text("plan_rollback", web()).await;
    assert!(text.contains("nobody recorded which earlier revision worked"), "{text}");
    assert!(text.ends_with("Nothing was changed, and there is nothing to propose."), "{text}");
    // somebody else would put it back
    let gitops = ("argocd.argoproj.io/tracking-id", "x");
    let managed = bench(annotated(world(), &[no, gitops]), vec![], None, &[]).await;
    let view = managed.call("plan_rollback", two).await.structured_content.unwrap();
    assert!(view["against"][0].as_str().unwrap().starts_with("Argo CD manages it"), "{view}");
    assert_eq!(view["proposal"], json!(null));
    // to where it is, and to where it never was
    let here = silent
        .text("plan_rollback", json!({ "namespace": "shop", "service": "web", "to_revision": 3 }))
        .await;
    assert!(here.contains("it runs this revision already"), "{here}");
    let nowhere = silent
        .trouble("plan_rollback", json!({ "namespace": "shop", "service": "web", "to_revision": 9 }))
        .await;
    assert_eq!(nowhere, "deployment `web` has no revision 9; it has 3, 2, 1");
}

#[tokio::test]
async fn a_paused_or_failing_rollout_is_told_as_such() {
    for (reason, outcome) in [("ProgressDeadlineExceeded", "failed"), ("DeploymentPaused", "waiting")] {
        let mut world = world();
        world.deployments[0].ready = 1;
        world.deployments[0].conditions[0].reason = reason.into();
        let bench = bench(world, vec![], None, &[]).await;
        let view = bench.call("deploy_history", web()).await.structured_content.unwrap();
        assert_eq!(view["deploys"][0]["outcome"], json!(outcome));
        assert_eq!(view["deploys"][0]["by"], json!("kubectl-edit"));
        assert_eq!(view["deploys"][1]["outcome"], json!("replaced"));
        let plan = bench
            .text("plan_rollback", json!({ "namespace": "shop", "service": "web", "to_revision": 2 }))
            .await;
        assert_eq!(plan.contains("its rollout is paused"), reason == "DeploymentPaused", "{plan}");
    }
}

#[tokio::test]
async fn pipelines_say_what_is_missing() {
    let bench = bench(world(), vec![], Some(Book { healthy: vec![2], ..Book::default() }), &[]).await;
    let text = bench.text("pipeline_status", web()).await;
    assert_eq!(
        text,
        "0 pipelines of `web` in namespace `shop`\nrollback: revision 2 worked; see `plan_rollback`\n\nnot read:\n- no pipeline: `deploys.services` of the configuration names none for `shop/web`"
    );
}

#[tokio::test]
async fn trouble_says_what_to_do_instead() {
    let bench = bench(world(), vec![], None, &["shop", "cart"]).await;
    for tool in TOOLS {
        let elsewhere = json!({ "namespace": "kube-system", "service": "web" });
        let told = bench.trouble(tool, elsewhere).await;
        assert_eq!(told, "namespace `kube-system` is not allowed; the allowed ones are `shop`, `cart`");
        let typo = bench.trouble(tool, json!({ "namespace": "shop", "service": "webb" })).await;
        assert!(
            typo.contains("deployment `webb` not found in namespace `shop`; did you mean `web`?"),
            "{typo}"
        );
        let hostile =
            bench.trouble(tool, json!({ "namespace": "shop", "service": "../secrets\u{202e}" })).await;
        assert!(hostile.starts_with("`../secrets<U+202E>` cannot be the name of a deployment"), "{hostile}");
    }
    let blind =
        Fake { error: Some(ReadError::Refused { what: "deployments".into(), why: "no".into() }), ..world() };
    let blind = self::bench(blind, vec![], None, &[]).await;
    assert_eq!(blind.trouble("deploy_history", web()).await, "reading deployments was refused: no");
    // who delivers it still knows
    let told = vec![deploy("deployment 2", "2026-11-21T01:29:00Z", 'b', Outcome::Failed)];
    let gone = Fake { deployments: vec![], ..world() };
    let gone = self::bench(gone, vec![Forge(Ok(told))], None, &[]).await;
    let text = gone.text("deploy_history", web()).await;
    assert!(text.starts_with("1 deploy of `web`") && text.contains("- deployment `web` not found"), "{text}");
}

#[tokio::test]
async fn the_simulated_cluster_shows_what_a_release_changed() {
    let world = Served::shop().await;
    let client =
        connect(&Access::Url { url: world.url.clone(), ca_file: None, token_file: None }).await.unwrap();
    let listing = Arc::new(KubeReads::new(client, Cluster::new("eu-1"), Arc::new(SystemClock)));
    let server =
        DeploysServer::new(listing, Delivered::default(), None, world.clock.clone(), Scope::new(vec![]));
    let bench = Bench::of(server).await;
    let view = bench.call("deploy_history", web()).await.structured_content.unwrap();
    let newest = &view["deploys"][0];
    assert_eq!((&newest["source"], &newest["outcome"]), (&json!("Kubernetes"), &json!("succeeded")));
    assert!(newest["at"].is_string(), "{view:#}");
    bench.text("recent_changes", json!({ "namespace": "shop", "since": "1d" })).await;
    bench.text("pipeline_status", web()).await;
    bench.text("plan_rollback", web()).await;
    assert!(world.world.writes().is_empty());
    world.stop().await;
}

#[tokio::test]
async fn the_binary_asks_whom_the_configuration_names() {
    let served = Served::shop().await;
    let body = include_str!("../../data/argocd/application.json");
    let argo = Backend::start(&[("/api/v1/applications/shop-web", body)]).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("argo-token"), "t0ken").unwrap();
    let config = folder.path().join("belay.yaml");
    let text = format!(
        "policies: policies\ncluster:\n  name: eu-1\n  url: {}\ndeploys:\n  argocd: {{ url: '{}', tokenFile: argo-token }}\n  services:\n    shop/web: {{ application: shop-web }}\n",
        served.url, argo.url
    );
    std::fs::write(&config, text).unwrap();
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_belay"))
        .args(["mcp", "serve", "deploys", "-c"])
        .arg(&config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let client = json!({ "name": "test", "version": "1" });
    let hello = json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    let call = json!({ "name": "deploy_history", "arguments": web() });
    for ask in [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call }),
    ] {
        stdin.write_all(format!("{ask}\n").as_bytes()).await.unwrap();
    }
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut line = String::new();
        tokio::time::timeout(Duration::from_secs(30), stdout.read_line(&mut line)).await.unwrap().unwrap();
        answers.push(serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("{line:?}")));
    }
    assert_eq!(answers[0]["result"]["serverInfo"]["name"], "belay-deploys");
    let text = answers[1]["result"]["content"][0]["text"].as_str().unwrap();
    assert!(
        text.contains("Argo CD") && text.contains("deployment 41") && text.contains("Kubernetes"),
        "{text}"
    );
    assert_eq!(argo.asked()[0].authorization, "Bearer t0ken");
    drop(stdin);
    tokio::time::timeout(Duration::from_secs(30), child.wait()).await.unwrap().unwrap();
    served.stop().await;
}

#[test]
fn who_delivers_what_is_checked_when_it_is_read() {
    let base = "policies: p\ncluster: { name: c }\ndeploys:\n";
    let argo = "  argocd: { url: 'https://a', tokenFile: t }\n  github: { url: 'https://g', tokenFile: t }\n  gitlab: { url: 'https://l', tokenFile: t }\n";
    let tried = |rest: &str| {
        config::parse("belay.yaml", &format!("{base}{rest}")).map(drop).map_err(|e| e.to_string())
    };
    for fine in [
        "{ application: web }",
        "{ application: team/web, environment: production, github: a/b }",
        "{ gitlab: a/b/c, environment: prod }",
    ] {
        assert_eq!(tried(&format!("{argo}  services: {{ shop/web: {fine} }}")), Ok(()), "{fine}");
    }
    for (rest, why) in [
        ("  services: { shop/web: { application: web } }", "needs `deploys.argocd`"),
        (
            format!("{argo}  services: {{ web: {{ application: web }} }}").as_str(),
            "give it as `namespace/name`",
        ),
        (format!("{argo}  services: {{ shop/web: {{ }} }}").as_str(), "names neither"),
        (
            format!("{argo}  services: {{ shop/web: {{ application: '../x' }} }}").as_str(),
            "is no name that `argocd` knows",
        ),
        (
            format!("{argo}  services: {{ shop/web: {{ github: a }} }}").as_str(),
            "is no name that `github` knows",
        ),
        (
            format!("{argo}  services: {{ shop/web: {{ github: a/../b }} }}").as_str(),
            "is no name that `github` knows",
        ),
        (
            format!("{argo}  services: {{ shop/web: {{ application: a, environment: x }} }}").as_str(),
            "is for `github` or `gitlab`",
        ),
    ] {
        let told = tried(rest).unwrap_err();
        assert!(told.contains(why) && told.contains("deploys.services"), "{rest}: {told}");
    }
    let unknown = tried("  argo: x").unwrap_err();
    assert!(unknown.contains("argo"), "{unknown}");
}
