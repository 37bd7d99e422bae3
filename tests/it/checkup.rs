//! `belay diagnose` against the simulated cluster, over HTTP and with a kubeconfig, as a stranger would run it.
// said so that the lints know these helpers for tests
#![cfg(test)]

use std::path::PathBuf;

use assert_cmd::Command;
use belay::domain::finding::Cause;
use belay::sim::kube::{Access, Behaviour, Builder, DeploymentSpec, Granted, Kind, Token, World};
use serde_json::{Value, json};

use crate::sim::{Served, seconds};

/// A world behind HTTP, and a kubeconfig for it.
struct Scene {
    served: Served,
    dir: tempfile::TempDir,
}

impl Scene {
    async fn new(build: impl FnOnce(Builder) -> Builder, token: Option<&str>) -> Self {
        let served = Served::new(|clock| build(World::builder(clock).namespace("shop")).build()).await;
        let dir = tempfile::tempdir().unwrap();
        let user = token.map_or_else(|| "{}".to_owned(), |token| format!("{{ token: {token} }}"));
        let config = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: sim\n\
             clusters: [{{ name: sim, cluster: {{ server: '{}' }} }}]\n\
             users: [{{ name: me, user: {user} }}]\n\
             contexts: [{{ name: sim, context: {{ cluster: sim, user: me, namespace: shop }} }}]\n",
            served.url
        );
        std::fs::write(dir.path().join("kubeconfig"), config).unwrap();
        Self { served, dir }
    }

    /// Code, standard output and standard error.
    async fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::cargo_bin("belay").unwrap();
        command.arg("diagnose").args(args).env("KUBECONFIG", self.dir.path().join("kubeconfig"));
        command.env("COLUMNS", "60").env("NO_COLOR", "1");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    }
}

fn crashing() -> DeploymentSpec {
    let log = "cannot open /etc/app/config.toml".to_owned();
    DeploymentSpec::new("web", 2).behaviour(Behaviour::CrashAtStart { exit_code: 127, log })
}

fn sick(b: Builder) -> Builder {
    let quota = json!({ "metadata": { "name": "team" }, "spec": { "hard": { "pods": "4" } } });
    b.deployment(DeploymentSpec::new("cart", 1))
        .deployment(crashing())
        .object(Kind::ResourceQuota, quota)
        .deployment(
            DeploymentSpec::new("search", 2)
                .container(json!({ "envFrom": [{ "secretRef": { "name": "keys" } }] })),
        )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_well_has_no_findings() {
    let scene = Scene::new(|b| b.deployment(DeploymentSpec::new("web", 3)).stateful_set("db", 1), None).await;
    let (code, out, err) = scene.run(&["-n", "shop"]).await;
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out, "nothing found: namespace shop, 2 workloads, 4 pods, 3 nodes\n");
    let (code, out, _) = scene.run(&[]).await;
    assert_eq!(code, 0, "{out}");
    scene.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_in_sixty_columns() {
    let scene = Scene::new(sick, None).await;
    scene.served.clock.advance(seconds(120));
    let (code, out, err) = scene.run(&["-n", "shop"]).await;
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 60), "{out}");
    for says in [
        "certain: CrashLoop in Pod shop/web-",
        "its command is not there",
        "certain: MissingConfig in Pod shop/search-",
        "Secret `keys`",
        "certain: QuotaExhausted in Deployment shop/web",
        "actions    a person's part",
        "4 findings: namespace shop, 3 workloads, 4 pods",
    ] {
        let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
        let says = says.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(&says), "{says}: {out}");
    }
    scene.served.stop().await;
}

/// The paths of all fields, with list elements as `[]`.
fn shape(value: &Value, path: &str, into: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                shape(field, &format!("{path}.{key}"), into);
            }
        }
        Value::Array(all) => {
            for one in all {
                shape(one, &format!("{path}[]"), into);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            into.insert(path.to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_has_the_fields_that_are_documented() {
    let scene = Scene::new(sick, None).await;
    scene.served.clock.advance(seconds(120));
    let (code, out, _) = scene.run(&["-n", "shop", "--output", "json"]).await;
    assert_eq!(code, 1);
    let report: Value = serde_json::from_str(&out).unwrap();
    let mut found = std::collections::BTreeSet::new();
    shape(&report, "", &mut found);
    found.retain(|path| !path.starts_with(".findings[].details."));
    let expected = [
        ".at",
        ".findings[].actions[]",
        ".findings[].cause",
        ".findings[].certainty",
        ".findings[].evidence[].summary",
        ".findings[].evidence[].title",
        ".findings[].object.kind",
        ".findings[].object.name",
        ".findings[].object.namespace",
        ".findings[].ruled_out[]",
        ".findings[].summary",
        ".findings[].workloads[].kind",
        ".findings[].workloads[].name",
        ".findings[].workloads[].namespace",
        ".looked_at.namespaces",
        ".looked_at.nodes",
        ".looked_at.pods",
        ".looked_at.workloads",
        ".namespace",
        ".not_read[]",
        ".version",
    ];
    for path in &found {
        assert!(expected.contains(&path.as_str()), "{path} is not documented");
    }
    let order: Vec<&str> =
        report["findings"].as_array().unwrap().iter().map(|f| f["certainty"].as_str().unwrap()).collect();
    let rank = |c: &&str| ["certain", "likely", "possible"].iter().position(|known| known == c).unwrap();
    assert!(order.is_sorted_by_key(rank), "{order:?}");
    let doc = include_str!("../../docs/diagnose.md");
    for path in expected {
        let field = path.rsplit(['.', '[']).find(|part| !part.starts_with(']')).unwrap();
        assert!(doc.contains(&format!("`{field}`")) || doc.contains(&format!("\"{field}\"")), "{field}");
    }
    scene.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_looked_at_by_the_same_rules_as_the_daemons() {
    let scene = Scene::new(sick, None).await;
    scene.served.clock.advance(seconds(120));
    let labels = json!({ "alertname": "KubePodCrashLooping", "namespace": "shop", "deployment": "web" });
    let one = scene.file("one.json", &json!({ "labels": labels }).to_string());
    let (code, out, err) = scene.run(&["--alert", &one]).await;
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("CrashLoop") && !out.contains("MissingConfig"), "{out}");
    let alert = json!({ "status": "firing", "labels": labels, "annotations": {}, "startsAt": "2026-11-21T02:29:00Z",
                        "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "00000000000000a1" });
    let body = scene.file("body.json", &json!({ "version": "4", "alerts": [alert] }).to_string());
    let (code, again, _) = scene.run(&["--alert", &body]).await;
    assert_eq!((code, again.lines().next()), (1, out.lines().next()));
    let unclear = scene.file("unclear.json", &json!({ "labels": { "alertname": "Watchdog" } }).to_string());
    let (code, _, err) = scene.run(&["--alert", &unclear]).await;
    assert_eq!(code, 2);
    assert!(err.contains("no alert says what to look at"), "{err}");
    let odd = scene.file("odd.json", "[1, 2");
    assert_eq!(scene.run(&["--alert", &odd]).await.0, 2);
    let (code, _, err) = scene.run(&["--alert", "/nowhere/alert.json"]).await;
    assert_eq!(code, 2, "{err}");
    scene.served.stop().await;
}

fn may(namespace: Option<&str>, resources: &[&str]) -> Granted {
    Granted {
        namespace: namespace.map(str::to_owned),
        groups: vec!["*".to_owned()],
        resources: resources.iter().map(|one| (*one).to_owned()).collect(),
        verbs: ["get", "list"].map(str::to_owned).into(),
    }
}

fn token(rules: Vec<Granted>) -> Token {
    let access = Access::Exactly { rules, unlisted: None };
    Token { secret: "viewer-token".into(), user: "viewer".into(), access }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_named_and_the_rest_is_told() {
    let rights =
        token(vec![may(Some("shop"), &["pods", "pods/log", "deployments", "replicasets", "events"])]);
    let scene = Scene::new(|b| sick(b).token(rights), Some("viewer-token")).await;
    scene.served.clock.advance(seconds(120));
    let (code, out, err) = scene.run(&["-n", "shop"]).await;
    assert_eq!((code, err.as_str()), (1, ""));
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        flat.contains("CrashLoop") && flat.contains("the metadata of the Secrets of namespace `shop`"),
        "{out}"
    );
    assert!(flat.contains("resource quotas of namespace `shop` was refused"), "{out}");
    assert!(!flat.contains("QuotaExhausted"), "{out}");
    // of all namespaces nothing may be read, and namespaces may not be listed either
    let (code, _, err) = scene.run(&[]).await;
    assert_eq!(code, 2);
    assert!(err.contains("name a namespace that you may read with `-n`"), "{err}");
    scene.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_all_namespaces_those_are_looked_at_that_may_be_read() {
    let rights = token(vec![may(Some("shop"), &["*"]), may(None, &["namespaces"])]);
    let scene = Scene::new(
        |b| sick(b).namespace("other").deployment(DeploymentSpec::new("x", 1)).token(rights),
        Some("viewer-token"),
    )
    .await;
    scene.served.clock.advance(seconds(120));
    let (code, out, err) = scene.run(&[]).await;
    assert_eq!((code, err.as_str()), (1, ""), "{out}");
    let flat = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("namespace `other`:") && flat.contains("CrashLoop in Pod shop/web-"), "{out}");
    scene.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_reached_is_code_two_and_says_what_to_do() {
    let scene = Scene::new(|b| b, None).await;
    let (code, out, err) = scene.run(&["--kubeconfig", "/nowhere/config"]).await;
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.starts_with("belay: "), "{err}");
    assert_eq!(scene.run(&["--context", "another"]).await.0, 2);
    assert_eq!(scene.run(&["-n", "Not/A/Name"]).await.0, 2);
    let config = scene.file(
        "belay.yaml",
        &format!("listen: 127.0.0.1:0\npolicies: .\ncluster: {{ name: sim, url: '{}' }}\n", scene.served.url),
    );
    let (code, out, err) = scene.run(&["--config", &config, "-n", "shop"]).await;
    assert_eq!(code, 0, "{out}{err}");
    scene.served.stop().await;
    let gone = scene.dir.path().join("kubeconfig");
    assert!(PathBuf::from(&gone).exists());
}

/// Thousands of pods take pages of lists, never a request for each.
#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_pods_take_a_few_dozen_requests() {
    let scene = Scene::new(|b| b, None).await;
    scene.served.world.edit(|objects| {
        for n in 0..3_000 {
            let owner = json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "controller": true,
                                "name": format!("app-{}", n / 10), "uid": format!("set-{}", n / 10) });
            let ready = json!([{ "type": "Ready", "status": "True" }, { "type": "PodScheduled", "status": "True" }]);
            let status = json!({ "name": "app", "ready": true, "restartCount": 0, "image": "app:1", "imageID": "",
                                 "state": { "running": { "startedAt": "2026-11-21T00:00:00Z" } } });
            objects.insert(Kind::Pod, json!({
                "metadata": { "name": format!("app-{n}"), "namespace": "shop", "ownerReferences": [owner] },
                "spec": { "nodeName": "node-a", "containers": [{ "name": "app", "image": "app:1" }] },
                "status": { "phase": "Running", "conditions": ready, "containerStatuses": [status] },
            }));
        }
    });
    let before = scene.served.world.requests();
    let (code, out, err) = scene.run(&["-n", "shop", "--output", "json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&report["looked_at"]["pods"], &report["looked_at"]["workloads"]),
        (&json!(3000), &json!(300))
    );
    // nineteen lists, that of pods in six pages
    let asked = scene.served.world.requests() - before;
    assert!(asked <= 26, "{asked}");
    scene.served.stop().await;
}

/// Each cause that an analyser finds has its row in the manual, and no row is of another.
#[test]
fn the_manual_lists_exactly_the_causes_that_there_are() {
    let doc = include_str!("../../docs/diagnose.md");
    let rows: Vec<&str> =
        doc.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let code = include_str!("../../src/domain/finding.rs");
    let word =
        |line: &str| line.split_once("=> CauseWord::").map(|(_, word)| word.trim_end_matches(',').to_owned());
    let mut known: Vec<String> = code.lines().filter_map(word).collect();
    for word in &mut known {
        if word == "OomKilled" {
            "OOMKilled".clone_into(word);
        }
    }
    known.retain(|word| word != "NothingWrong" && word != "DeclaredJob");
    known.sort();
    let mut rows: Vec<String> = rows.into_iter().map(str::to_owned).collect();
    rows.sort();
    assert_eq!(rows, known);
    assert!(known.iter().all(|word| Cause::NAMES.contains(&word.as_str())));
}
