//! The kubernetes server on the simulated API server: every kind page by page, nodes, use, revisions, and nothing that
//! is secret.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use belay::adapters::kube::{Access, KubeReads, connect};
use belay::adapters::mcp::{InProcess, RemoteReads, connect_in_process};
use belay::domain::ids::Cluster;
use belay::domain::inventory::Kind;
use belay::http;
use belay::ports::clock::SystemClock;
use belay::ports::inventory::Inventory;
use belay::ports::reads::Listing;
use belay::servers::kit::Scope;
use belay::servers::kubernetes::KubernetesServer;
use belay::servers::reads::{self, ReadServer};
use belay::sim::kube::{self as sim, DeploymentSpec, World};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::sim::{Served, run_until};

const WITHIN: Duration = Duration::from_secs(20);
/// Must never be seen.
const CANARY: &str = "c4n4ry-9f3e";

async fn direct(served: &Served) -> Arc<KubeReads> {
    let access = Access::Url { url: served.url.clone(), ca_file: None, token_file: None };
    let client = connect(&access).await.unwrap();
    Arc::new(KubeReads::new(client, Cluster::new("eu-1"), Arc::new(SystemClock)))
}

struct Bench(InProcess);

impl Bench {
    async fn new<T: Listing + Inventory + 'static>(reads: Arc<T>, allowed: &[&str]) -> Self {
        let scope = Scope::new(allowed.iter().map(|name| (*name).to_owned()).collect());
        let server = KubernetesServer::new(Arc::clone(&reads) as _, reads, scope);
        Self(connect_in_process(server).await.unwrap())
    }

    async fn on(served: &Served) -> Self {
        Self::new(direct(served).await, &[]).await
    }

    /// Structure and text of an answer.
    async fn ask(&self, tool: &str, arguments: Value) -> (Value, String) {
        let Value::Object(arguments) = arguments else { panic!() };
        let result = self.0.client.call(tool, arguments, WITHIN).await.unwrap();
        let text = result.content[0].as_text().unwrap().text.clone();
        assert_ne!(result.is_error, Some(true), "{tool}: {text}");
        (result.structured_content.unwrap(), text)
    }

    async fn trouble(&self, tool: &str, arguments: Value) -> String {
        let Value::Object(arguments) = arguments else { panic!() };
        let result = self.0.client.call(tool, arguments, WITHIN).await.unwrap();
        assert_eq!(result.is_error, Some(true), "{result:?}");
        result.content[0].as_text().unwrap().text.clone()
    }

    async fn rows(&self, kind: Kind) -> (Value, String) {
        self.ask("list_objects", json!({ "namespace": "shop", "kind": kind.name() })).await
    }
}

fn row<'a>(answer: &'a Value, name: &str) -> &'a Value {
    answer["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap()
}

fn names(answer: &Value) -> Vec<String> {
    let rows = answer["rows"].as_array().unwrap();
    rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// A shop with something of every kind, and secrets wherever an object can hold one.
fn everything(clock: Arc<belay::ports::clock::ManualClock>) -> World {
    let meta = |name: &str| json!({ "name": name, "annotations": { "applied": CANARY } });
    let selector = json!({ "matchLabels": { "app": "web" } });
    let port = json!([{ "name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP" }]);
    let backend = json!({ "service": { "name": "web", "port": { "number": 80 } } });
    let objects = [
        (
            sim::Kind::Service,
            json!({ "metadata": meta("web"), "spec": { "selector": { "app": "web" }, "ports": port, "type": "ClusterIP" } }),
        ),
        (
            sim::Kind::Service,
            json!({ "metadata": meta("lost"), "spec": { "selector": { "app": "gone" }, "ports": port, "type": "ClusterIP" } }),
        ),
        (sim::Kind::Secret, json!({ "metadata": meta("key"), "data": { "password": CANARY } })),
        (
            sim::Kind::Ingress,
            json!({
                "metadata": meta("shop"),
                "spec": {
                    "ingressClassName": "nginx",
                    "tls": [{ "hosts": ["shop.example"], "secretName": "key" }],
                    "rules": [{ "host": "shop.example", "http": { "paths": [
                        { "path": "/cart", "pathType": "Prefix", "backend": backend },
                    ] } }],
                },
                "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.7" }] } },
            }),
        ),
        (
            sim::Kind::NetworkPolicy,
            json!({ "metadata": meta("closed"), "spec": { "podSelector": selector, "policyTypes": ["Ingress", "Egress"], "ingress": [{}] } }),
        ),
        (sim::Kind::ResourceQuota, json!({ "metadata": meta("team"), "spec": { "hard": { "pods": "50" } } })),
        (
            sim::Kind::PersistentVolumeClaim,
            json!({
                "metadata": meta("disk"),
                "spec": { "accessModes": ["ReadWriteOnce"], "storageClassName": "fast", "resources": { "requests": { "storage": "10Gi" } } },
                "status": { "phase": "Pending" },
            }),
        ),
        (
            sim::Kind::Job,
            json!({
                "metadata": meta("import"), "spec": { "template": { "spec": { "containers": [{
                    "name": "import", "image": "import:1", "env": [{ "name": "PASSWORD", "value": CANARY }],
                }] } } },
                "status": { "failed": 3, "conditions": [{ "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded" }] },
            }),
        ),
    ];
    let builder = World::builder(clock)
        .namespace("shop")
        .deployment(DeploymentSpec::new("web", 3).limits("500m", "256Mi"))
        .stateful_set("db", 2)
        .daemon_set("agent")
        .cron_job("nightly", "0 3 * * *")
        .autoscaler("web", (1, 6))
        .pdb("web", sim::Budget::MaxUnavailable("1".to_owned()));
    objects.into_iter().fold(builder, |builder, (kind, object)| builder.object(kind, object)).build()
}

#[tokio::test]
async fn every_kind_is_listed_in_its_columns_and_no_secret_is_told() {
    let served = Served::new(everything).await;
    let bench = Bench::on(&served).await;
    let mut told = String::new();
    for kind in Kind::ALL {
        let (answer, text) = bench.rows(kind).await;
        assert!(!answer["rows"].as_array().unwrap().is_empty(), "{kind:?}: {text}");
        let columns: Vec<&str> =
            answer["columns"].as_array().unwrap().iter().map(|c| c.as_str().unwrap()).collect();
        let mut wanted = vec!["name"];
        wanted.extend(kind.columns().iter().map(|column| column.name()));
        wanted.push("trouble");
        assert_eq!(columns, wanted, "{kind:?}");
        // each column of its kind is filled by some object, but for what this cluster has nothing of
        let unfilled = [
            "completed",
            "deadline_seconds",
            "started",
            "time_zone",
            "last_scheduled",
            "last_succeeded",
            "service",
            "capacity",
            "volume",
            "address",
            "revision",
            "zone",
            "version",
            "owner",
        ];
        for column in columns {
            let filled = answer["rows"].as_array().unwrap().iter().any(|row| !row[column].is_null());
            assert!(
                filled || column == "trouble" || unfilled.contains(&column),
                "{kind:?}: {column} is never known"
            );
        }
        told.extend([answer.to_string().as_str(), "\n", &text, "\n"]);
    }
    let (_, nodes) = bench.ask("list_nodes", json!({})).await;
    let (_, usage) = bench.ask("get_usage", json!({ "namespace": "shop" })).await;
    told.push_str(&nodes);
    told.push_str(&usage);
    assert!(!told.contains(CANARY), "{told}");
    assert!(served.world.writes().is_empty());
    served.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_object_stands_beside_it() {
    let served = Served::new(everything).await;
    let bench = Bench::on(&served).await;
    // as many pods as there are, and not one more
    let quota = served.world.object(sim::Kind::ResourceQuota, "shop", "team").unwrap();
    let pods = quota["status"]["used"]["pods"].as_str().unwrap();
    served.world.edit(|all| {
        all.modify(sim::Kind::ResourceQuota, "shop", "team", |quota| {
            quota["spec"]["hard"]["pods"] = pods.into();
        })
    });
    for (kind, name, trouble, columns) in [
        (
            Kind::Services,
            "lost",
            json!("no endpoint is ready"),
            json!({ "ready_endpoints": 0, "selector": "app=gone" }),
        ),
        (
            Kind::Services,
            "web",
            Value::Null,
            json!({ "ready_endpoints": 3, "not_ready_endpoints": 0, "ports": ["http 80→8080/TCP"] }),
        ),
        (
            Kind::Ingresses,
            "shop",
            Value::Null,
            json!({ "class": "nginx", "routes": ["shop.example/cart → web:80"], "tls_hosts": ["shop.example"], "address": ["192.0.2.7"] }),
        ),
        (
            Kind::NetworkPolicies,
            "closed",
            Value::Null,
            json!({ "selector": "app=web", "ingress_rules": 1, "egress_rules": 0, "egress_dns": false }),
        ),
        (
            Kind::ResourceQuotas,
            "team",
            json!("used up: pods"),
            json!({ "used": [format!("pods {pods} of {pods}")], "scoped": false }),
        ),
        (
            Kind::PersistentVolumeClaims,
            "disk",
            json!("Pending"),
            json!({ "status": "Pending", "requested": "10Gi", "class": "fast", "access_modes": ["ReadWriteOnce"] }),
        ),
        (
            Kind::Jobs,
            "import",
            json!("failed: BackoffLimitExceeded"),
            json!({ "status": "Failed", "failed": 3 }),
        ),
        (Kind::StatefulSets, "db", Value::Null, json!({ "ready": 2, "desired": 2 })),
        (Kind::CronJobs, "nightly", Value::Null, json!({ "schedule": "0 3 * * *", "suspended": false })),
        (
            Kind::HorizontalPodAutoscalers,
            "web",
            Value::Null,
            json!({ "target": "Deployment/web", "min": 1, "max": 6 }),
        ),
        (
            Kind::PodDisruptionBudgets,
            "web",
            Value::Null,
            json!({ "allowed": 1, "healthy": 3, "selector": "app=web" }),
        ),
    ] {
        let (answer, _) = bench.rows(kind).await;
        let row = row(&answer, name);
        assert_eq!(row["trouble"], trouble, "{kind:?} {name}: {row}");
        for (column, expected) in columns.as_object().unwrap() {
            assert_eq!(&row[column], expected, "{kind:?} {name}: {column}");
        }
    }
    let (in_trouble, text) = bench
        .ask("list_objects", json!({ "namespace": "shop", "kind": "services", "in_trouble": true }))
        .await;
    assert_eq!(names(&in_trouble), ["lost"]);
    assert!(text.starts_with("all 1 services in namespace `shop`\n\nNAME  TYPE"), "{text}");
    served.stop().await;
}

#[tokio::test]
async fn pages_stay_right_while_the_list_changes() {
    let served = Served::new(|clock| World::builder(clock).namespace("shop").build()).await;
    let service = |name: &str| json!({ "metadata": { "name": name, "namespace": "shop" }, "spec": { "type": "ClusterIP" } });
    let add = |name: &str| served.world.edit(|all| drop(all.insert(sim::Kind::Service, service(name))));
    for n in 0..30 {
        add(&format!("s-{n:02}"));
    }
    let bench = Bench::on(&served).await;
    let ask = |cursor: Option<String>| json!({ "namespace": "shop", "kind": "services", "fields": ["type"], "limit": 10, "cursor": cursor });
    let (page, text) = bench.ask("list_objects", ask(None)).await;
    assert_eq!(page["columns"], json!(["name", "type"]));
    assert!(text.starts_with("showing 10 of 30 services in namespace `shop`\nmore with `cursor`"), "{text}");
    let cursor = page["next_cursor"].as_str().unwrap().to_owned();
    let mut seen = names(&page);
    // before the place, at it, and after it
    add("a-new");
    add("s-15-new");
    for gone in ["s-03", "s-09", "s-12"] {
        served.world.edit(|all| drop(all.remove(sim::Kind::Service, "shop", gone)));
    }
    let mut next = Some(cursor.clone());
    while let Some(cursor) = next {
        let (page, text) = bench.ask("list_objects", ask(Some(cursor))).await;
        assert!(text.contains(" services in namespace `shop` after `s-"), "{text}");
        seen.extend(names(&page));
        next = page.get("next_cursor").and_then(Value::as_str).map(str::to_owned);
    }
    let mut expected: Vec<String> = (0..30).filter(|n| *n != 12).map(|n| format!("s-{n:02}")).collect();
    expected.insert(15, "s-15-new".to_owned());
    assert_eq!(seen, expected, "each once, but for what came before the place");

    for other in [
        json!({ "namespace": "shop", "kind": "pods", "cursor": cursor }),
        json!({ "namespace": "shop", "kind": "services", "name_contains": "s", "cursor": cursor }),
        json!({ "namespace": "default", "kind": "services", "cursor": cursor }),
        json!({ "namespace": "shop", "kind": "services", "cursor": "../../secrets" }),
    ] {
        let told = bench.trouble("list_objects", other).await;
        assert!(told.contains("leave it out to begin anew"), "{told}");
    }
    served.stop().await;
}

/// More than the API server gives at once: every object on exactly one page, and the totals right on each.
#[tokio::test]
async fn a_long_list_is_read_to_its_end() {
    const ALL: usize = 1_150;
    let served = Served::new(|clock| World::builder(clock).namespace("shop").build()).await;
    served.world.edit(|all| {
        for n in 0..ALL {
            let metadata = json!({ "name": format!("s-{n:04}"), "namespace": "shop" });
            all.insert(sim::Kind::Ingress, json!({ "metadata": metadata, "spec": {} }));
        }
    });
    let bench = Bench::on(&served).await;
    let (mut seen, mut cursor, mut left) = (Vec::new(), Value::Null, ALL);
    loop {
        let asked = json!({
            "namespace": "shop", "kind": "ingresses", "fields": ["class"], "limit": 200, "cursor": cursor,
        });
        let (page, text) = bench.ask("list_objects", asked).await;
        assert_eq!(page["extent"]["total"], left, "{text}");
        seen.extend(names(&page));
        left = ALL - seen.len();
        match page.get("next_cursor") {
            Some(next) => cursor = next.clone(),
            None => break,
        }
    }
    assert_eq!(seen, (0..ALL).map(|n| format!("s-{n:04}")).collect::<Vec<_>>());
    served.stop().await;
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_with_what_can() {
    let served = Served::shop().await;
    let narrow = Bench::new(direct(&served).await, &["shop"]).await;
    for (tool, arguments, expected) in [
        (
            "list_nodes",
            json!({}),
            "`list_objects` with `kind` `nodes` lists those that carry pods of a namespace",
        ),
        (
            "list_objects",
            json!({ "namespace": "kube-system", "kind": "pods" }),
            "namespace `kube-system` is not allowed",
        ),
        ("get_usage", json!({ "namespace": "kube-system" }), "namespace `kube-system` is not allowed"),
        ("list_objects", json!({ "namespace": "shop", "kind": "secrets" }), "unknown variant `secrets`"),
        (
            "list_objects",
            json!({ "namespace": "shop", "kind": "resourcequotas", "fields": ["used", "annotations"] }),
            "resourcequotas have no `annotations`: `fields` may name `used`, `scoped`, `trouble`",
        ),
        (
            "get_rollout_history",
            json!({ "namespace": "shop", "name": "orders", "kind": "statefulset" }),
            "stateful set `orders` not found in namespace `shop`; did you mean `orders-db`?",
        ),
        (
            "get_rollout_history",
            json!({ "namespace": "shop", "name": "../x", "kind": "daemonset" }),
            "`../x` cannot be the name of a workload",
        ),
    ] {
        let told = narrow.trouble(tool, arguments).await;
        assert!(told.contains(expected), "{told}");
    }
    let (nodes, _) = narrow.ask("list_objects", json!({ "namespace": "shop", "kind": "nodes" })).await;
    let carrying: BTreeSet<String> = served
        .world
        .objects(sim::Kind::Pod, "shop")
        .iter()
        .map(|pod| pod["spec"]["nodeName"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names(&nodes).into_iter().collect::<BTreeSet<_>>(), carrying);
    served.stop().await;
}

#[tokio::test]
async fn use_is_told_beside_its_limit_the_most_first() {
    let served = Served::new(everything).await;
    let bench = Bench::on(&served).await;
    let (usage, text) = bench.ask("get_usage", json!({ "namespace": "shop", "name_contains": "web" })).await;
    let containers = usage["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 3, "{text}");
    let memory = |one: &Value| one["memory_bytes"].as_u64().unwrap();
    assert!(containers.windows(2).all(|two| memory(&two[0]) >= memory(&two[1])), "{text}");
    assert_eq!(usage["total_memory_bytes"], containers.iter().map(memory).sum::<u64>());
    for one in containers {
        assert_eq!(one["memory_limit_bytes"], 256 << 20, "{one}");
        assert_eq!(one["memory_percent"], memory(one) * 100 / (256 << 20));
        assert_eq!(one["cpu_limit_millis"], 500);
    }
    assert!(text.starts_with("all 3 containers in namespace `shop` by what they use; "), "{text}");
    // a node uses what its pods use
    let (nodes, _) = bench.ask("list_nodes", json!({ "fields": ["memory_bytes", "cpu_millis"] })).await;
    let (all, _) = bench.ask("get_usage", json!({ "namespace": "shop", "by": "cpu" })).await;
    let of_nodes: u64 = nodes["rows"].as_array().unwrap().iter().map(memory).sum();
    let total = all["total_memory_bytes"].as_u64().unwrap();
    // the metrics API writes whole KiB
    assert!(of_nodes > 0 && of_nodes.abs_diff(total) < 64 << 10, "{of_nodes} of nodes, {total} of pods");
    served.stop().await;
}

#[tokio::test]
async fn stateful_and_daemon_sets_have_a_history_too() {
    let served = Served::new(everything).await;
    let bench = Bench::on(&served).await;
    let image = |kind: sim::Kind, name: &str, image: &str| {
        served.world.edit(|all| {
            all.modify(kind, "shop", name, |set| {
                set["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
            })
        });
    };
    image(sim::Kind::StatefulSet, "db", "db:2");
    image(sim::Kind::DaemonSet, "agent", "agent:2");
    let updated = |kind, name: &str| {
        let set = served.world.object(kind, "shop", name).unwrap();
        let status = &set["status"];
        status.get("updatedReplicas").or(status.get("updatedNumberScheduled")).cloned().unwrap_or_default()
    };
    run_until(&served.clock, 120, || updated(sim::Kind::StatefulSet, "db") == 2);
    for (kind, name, now) in [("statefulset", "db", "db:2"), ("daemonset", "agent", "agent:2")] {
        let asked = json!({ "namespace": "shop", "name": name, "kind": kind });
        let (history, text) = bench.ask("get_rollout_history", asked).await;
        let revisions = history["revisions"].as_array().unwrap();
        assert_eq!(revisions.len(), 2, "{text}");
        assert_eq!(revisions[0]["images"], json!([now]), "{text}");
        let numbers: Vec<u64> = revisions.iter().map(|one| one["revision"].as_u64().unwrap()).collect();
        assert!(numbers[0] > numbers[1], "{text}");
    }
    let asked = json!({ "namespace": "shop", "name": "db", "kind": "statefulset" });
    let (history, text) = bench.ask("get_rollout_history", asked).await;
    assert_eq!(history["revisions"][0]["pods"], 2, "{text}");
    assert!(
        text.starts_with("all 2 revisions of stateful set `db` in namespace `shop`, newest first"),
        "{text}"
    );
    served.stop().await;
}

#[tokio::test]
async fn a_cluster_behind_a_read_server_looks_the_same() {
    let world = Served::new(everything).await;
    let reads = direct(&world).await;
    let stop = CancellationToken::new();
    let server = ReadServer::new(Arc::clone(&reads) as _, Arc::clone(&reads) as _, Arc::clone(&reads) as _);
    let routes = http::mcp_routes(reads::service(server, &stop), "s3cret".into());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let serving = tokio::spawn(http::serve(listener, routes, stop.clone()));
    let remote = Arc::new(RemoteReads::new("reads.url", &url, "s3cret".into()).unwrap());
    let (near, far) = (Bench::new(reads, &[]).await, Bench::new(remote, &[]).await);
    for kind in Kind::ALL {
        assert_eq!(near.rows(kind).await, far.rows(kind).await, "{kind:?}");
    }
    for (tool, arguments) in [
        ("list_nodes", json!({ "limit": 1 })),
        ("get_usage", json!({ "namespace": "shop" })),
        ("get_rollout_history", json!({ "namespace": "shop", "name": "db", "kind": "statefulset" })),
    ] {
        assert_eq!(near.ask(tool, arguments.clone()).await, far.ask(tool, arguments).await, "{tool}");
    }
    stop.cancel();
    serving.await.unwrap().unwrap();
    world.stop().await;
}

/// What a token may not read is said, and the rest is told all the same.
#[tokio::test]
async fn a_part_that_may_not_be_read_is_named() {
    let rule = |groups: &str, resources: &[&str]| sim::Granted {
        namespace: None,
        groups: vec![groups.to_owned()],
        resources: resources.iter().map(|one| (*one).to_owned()).collect(),
        verbs: vec!["get".to_owned(), "list".to_owned()],
    };
    let rules = vec![rule("", &["services", "nodes"])];
    let token = sim::Token {
        secret: "narrow".to_owned(),
        user: "narrow".to_owned(),
        access: sim::Access::Exactly { rules, unlisted: None },
    };
    let served = Served::new(|clock| World::builder(clock).namespace("shop").token(token).build()).await;
    let service = json!({ "metadata": { "name": "web", "namespace": "shop" }, "spec": { "selector": { "app": "web" } } });
    served.world.edit(|all| drop(all.insert(sim::Kind::Service, service)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "narrow").unwrap();
    let access = Access::Url { url: served.url.clone(), ca_file: None, token_file: Some(file) };
    let client = connect(&access).await.unwrap();
    let reads = Arc::new(KubeReads::new(client, Cluster::new("eu-1"), Arc::new(SystemClock)));
    let bench = Bench::new(reads, &[]).await;
    let (services, text) = bench.rows(Kind::Services).await;
    let web = row(&services, "web");
    assert!(web["ready_endpoints"].is_null() && web["trouble"].is_null(), "unknown is not none: {web}");
    assert!(text.contains("not known: reading endpoint slices of namespace `shop` was refused"), "{text}");
    let (nodes, _) = bench.ask("list_nodes", json!({})).await;
    assert!(nodes["not_read"][0].as_str().unwrap().contains("the measured use of the nodes"), "{nodes}");
    let told = bench.trouble("get_usage", json!({ "namespace": "shop" })).await;
    assert!(told.contains("the measured use of namespace `shop` was refused"), "{told}");
    served.stop().await;
}
