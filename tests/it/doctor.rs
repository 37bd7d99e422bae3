//! `belay doctor` against the simulated cluster and its Alertmanager, as a stranger would run it.
// said so that the lints know these helpers for tests
#![cfg(test)]

use assert_cmd::Command;
use axum::routing::get;
use axum::{Json, Router};
use belay::sim::kube::{Access, Builder, DeploymentSpec, Granted, Kind, Token, World};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::sim::Served;

/// A world behind HTTP, something that looks like Alertmanager and Prometheus, and a configuration.
struct Scene {
    served: Served,
    dir: tempfile::TempDir,
}

/// Alertmanager's and Prometheus' answers, as Debian's give them.
async fn monitoring() -> String {
    let alert = |labels: Value| {
        json!({ "annotations": {}, "startsAt": "2026-11-20T02:00:00Z", "endsAt": "2026-11-20T03:00:00Z",
                "updatedAt": "2026-11-20T02:00:00Z", "fingerprint": "f", "generatorURL": "", "receivers": [],
                "labels": labels, "status": { "state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": [] } })
    };
    let alerts = json!([
        alert(json!({ "alertname": "Slow", "namespace": "shop" })),
        alert(json!({ "alertname": "<b>Lost</b>" })),
        alert(json!({ "alertname": "Fine", "namespace": "shop", "deployment": "web" })),
    ]);
    let measured = json!({ "status": "success", "data": { "resultType": "vector", "result": [
        { "metric": { "pod": "web-7f4b9-x2x" }, "value": [0, "1"] },
    ] } });
    let routes = Router::new()
        .route("/api/v2/status", get(|| async { Json(json!({ "versionInfo": { "version": "0.25.0" } })) }))
        .route("/api/v2/alerts", get(move || async move { Json(alerts) }))
        .route("/api/v1/query", get(move || async move { Json(measured) }))
        .route(
            "/api/v1/status/buildinfo",
            get(|| async { Json(json!({ "status": "success", "data": { "version": "2.42.0" } })) }),
        )
        .route(
            "/api/v1/status/runtimeinfo",
            get(|| async { Json(json!({ "status": "success", "data": { "storageRetention": "15d" } })) }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

impl Scene {
    async fn new(build: impl FnOnce(Builder) -> Builder, settings: &str) -> Self {
        let served = Served::new(|clock| build(World::builder(clock).namespace("shop")).build()).await;
        let dir = tempfile::tempdir().unwrap();
        let config = format!(
            "stateDir: state\npolicies: policies\ncluster: {{ name: lab, url: {:?}, tokenFile: token }}\n\
             limits: {{ namespaces: [shop] }}\n{settings}",
            served.url
        );
        std::fs::write(dir.path().join("belay.yaml"), config).unwrap();
        std::fs::write(dir.path().join("token"), "reader").unwrap();
        Self { served, dir }
    }

    /// Code, standard output and standard error.
    async fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::cargo_bin("belay").unwrap();
        command.arg("doctor").args(args).arg("--config").arg(self.dir.path().join("belay.yaml"));
        command.env("COLUMNS", "60").env("NO_COLOR", "1");
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    async fn json(&self) -> (i32, Value) {
        let (code, out, err) = self.run(&["--output", "json"]).await;
        assert_eq!(err, "");
        (code, serde_json::from_str(&out).unwrap())
    }
}

fn shop(b: Builder) -> Builder {
    b.deployment(DeploymentSpec::new("web", 1)).deployment(DeploymentSpec::new("cart", 1)).token(Token {
        secret: "reader".into(),
        user: "belay".into(),
        access: Access::Read,
    })
}

/// May read what a diagnosis reads, and no log.
fn narrow(b: Builder) -> Builder {
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| {
        let own = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
        Granted { namespace: None, groups: own(groups), resources: own(resources), verbs: own(verbs) }
    };
    let rules = vec![
        rule(
            &[""],
            &["pods", "events", "persistentvolumeclaims", "services", "resourcequotas"],
            &["get", "list"],
        ),
        rule(&["apps"], &["deployments", "replicasets", "statefulsets", "daemonsets"], &["get", "list"]),
        rule(&["batch"], &["jobs", "cronjobs"], &["list"]),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], &["list"]),
        rule(&["policy"], &["poddisruptionbudgets"], &["list"]),
        rule(&["networking.k8s.io"], &["networkpolicies"], &["list"]),
        rule(&["apps"], &["deployments"], &["delete"]),
    ];
    b.deployment(DeploymentSpec::new("web", 1)).token(Token {
        secret: "reader".into(),
        user: "belay".into(),
        access: Access::Exactly { rules, unlisted: None },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_counts_and_what_is_missing_is_said() {
    let url = monitoring().await;
    let settings =
        format!("alertmanager: {{ url: {url:?} }}\nprometheus: {{ url: {url:?} }}\nrunbooks: books\n");
    let scene = Scene::new(shop, &settings).await;
    let books = scene.dir.path().join("books");
    std::fs::create_dir(&books).unwrap();
    std::fs::write(books.join("web.md"), "---\nservices: [web]\n---\n# web\nLook at it.\n").unwrap();

    let (_, told) = scene.json().await;
    assert_eq!(told["grade"], "A", "{told:#}");
    let cluster = &told["clusters"][0];
    let source = |sense: &str| {
        let all = cluster["sources"].as_array().unwrap();
        all.iter().find(|s| s["sense"] == sense).unwrap_or_else(|| panic!("{sense}: {cluster:#}")).clone()
    };
    assert_eq!(source("alerts")["answer"]["version"], "0.25.0");
    assert_eq!(source("metrics")["answer"]["version"], "2.42.0");
    assert_eq!(source("metrics")["answer"]["retention"], "15d");
    assert!(source("cluster")["answer"]["version"].as_str().unwrap().starts_with("v1.36"), "{cluster:#}");
    let vague: Vec<&Value> =
        cluster["vague_alerts"].as_array().unwrap().iter().map(|v| &v["alert"]).collect();
    assert_eq!(vague, ["<b>Lost</b>", "Slow"]);
    assert_eq!(
        cluster["dark_services"],
        json!([{ "namespace": "shop", "service": "cart", "lacks": ["metrics", "runbooks"] }])
    );
    assert!(cluster["blind_to"].get("traces").is_some() && cluster["blind_to"].get("metrics").is_none());

    let (_, text, _) = scene.run(&[]).await;
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    assert!(
        text.contains("cluster lab: grade A") && text.contains("shop/cart: no metrics, no runbooks"),
        "{text}"
    );
    let (_, page, _) = scene.run(&["--output", "html"]).await;
    assert!(page.contains("&lt;b&gt;Lost&lt;&#x2f;b&gt;") && !page.contains("<b>Lost"), "{page}");
    scene.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_few_rights_too_many_and_a_source_that_is_down_are_told_apart() {
    let scene = Scene::new(narrow, "alertmanager: { url: 'http://127.0.0.1:9' }\n").await;
    let (code, told) = scene.json().await;
    assert_eq!(code, 1);
    assert_eq!(told["grade"], "D", "{told:#}");
    let cluster = &told["clusters"][0];
    let all = cluster["sources"].as_array().unwrap();
    let of = |sense: &str| all.iter().find(|s| s["sense"] == sense).unwrap();
    assert_eq!(of("cluster")["too_little"], json!(["may not `get pods/log` in namespace `shop`"]));
    assert_eq!(of("cluster")["too_much"], json!(["may `delete deployments.apps` in `shop`"]));
    assert_eq!(of("logs")["answer"]["answer"], "unusable");
    assert_eq!(of("alerts")["answer"]["answer"], "unusable");
    assert_eq!(cluster["lacking"], json!(["alerts"]));
    let (_, text, _) = scene.run(&[]).await;
    let told = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("grade D, below the minimum of C: what belay does above level 1 it would do blindly"),
        "{text}"
    );
    scene.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_be_read_is_no_finding() {
    let scene = Scene::new(shop, "nonsense: true\n").await;
    let (code, out, err) = scene.run(&[]).await;
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(err.contains("nonsense"), "{err}");
    scene.served.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_the_cluster_is_proposed() {
    let service = |name: &str, port: u16| {
        json!({ "metadata": { "name": name, "labels": { "app.kubernetes.io/name": "prometheus" } },
                "spec": { "selector": {}, "ports": [{ "name": "web", "port": port }] } })
    };
    let build = |b: Builder| shop(b).object(Kind::Service, service("prometheus-k8s", 9090));
    let scene = Scene::new(build, "").await;
    let (code, out, err) = scene.run(&["--discover"]).await;
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("\nprometheus: { url: http://prometheus-k8s.shop.svc:9090 }"), "{out}");
    scene.served.stop().await;
}
