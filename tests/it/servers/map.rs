//! The service map over MCP: from each of its sources, and what it keeps to itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use belay::adapters::mcp::{InProcess, connect_in_process};
use belay::adapters::prometheus::{Credentials, Prometheus};
use belay::domain::cluster::{Event, LogTail, Pod, Revision, Workload};
use belay::domain::service_map::{Edge, Flow, Teller, named};
use belay::ports::clock::ManualClock;
use belay::ports::reads::{Listed, Listing, LogQuery, ReadError};
use belay::ports::traces::Calls;
use belay::servers::kit::Scope;
use belay::servers::map::{MapServer, Mesh, Sources, TOOLS};
use serde_json::{Value, json};

use super::traces::{Fake as FakeTraces, failed};
use crate::eyes::metrics::Fake as FakePrometheus;
use crate::given;

/// Deployments by namespace: name, ready, desired, and what the annotation says.
#[derive(Clone, Default)]
struct Cluster(BTreeMap<&'static str, Vec<(&'static str, u32, u32, &'static str)>>);

#[async_trait::async_trait]
impl Listing for Cluster {
    async fn pods(&self, _: &str) -> Result<Listed<Pod>, ReadError> {
        Ok(Listed { items: Vec::new(), left_out: Some(0) })
    }

    async fn deployments(&self, namespace: &str) -> Result<Listed<Workload>, ReadError> {
        let Some(there) = self.0.get(namespace) else {
            let (what, why) = ("deployments".to_owned(), "forbidden".to_owned());
            return Err(ReadError::Refused { what, why });
        };
        let items = there.iter().map(|(name, ready, desired, calls)| {
            let mut object = given::object(belay::domain::target::Kind::Deployment, name);
            object.named.namespace = namespace.to_owned();
            Workload {
                object,
                generation: 1,
                observed_generation: 1,
                desired: *desired,
                current: *desired,
                ready: *ready,
                updated: *desired,
                available: *ready,
                labels: BTreeMap::new(),
                annotations: [("belay.dev/calls".to_owned(), (*calls).to_owned())].into(),
                revision: None,
                conditions: Vec::new(),
                template_changed: None,
                writers: Vec::new(),
                pod_labels: BTreeMap::new(),
                reads: Vec::new(),
                needs: None,
            }
        });
        Ok(Listed { items: items.collect(), left_out: Some(0) })
    }

    async fn events(&self, _: &str) -> Result<Listed<Event>, ReadError> {
        Ok(Listed { items: Vec::new(), left_out: Some(0) })
    }

    async fn revisions(&self, _: &str, _: &str) -> Result<Listed<Revision>, ReadError> {
        Ok(Listed { items: Vec::new(), left_out: Some(0) })
    }

    async fn log(&self, query: &LogQuery) -> Result<LogTail, ReadError> {
        Err(ReadError::NotFound { what: query.pod.clone() })
    }
}

fn cluster() -> Cluster {
    Cluster(BTreeMap::from([
        (
            "shop",
            vec![
                ("checkout", 2, 2, "cart, data/postgres external:api.stripe.com, ../x {}"),
                ("cart", 0, 2, ""),
            ],
        ),
        ("pay", vec![("payments", 1, 3, "")]),
    ]))
}

fn sources() -> Sources {
    Sources {
        listing: Arc::new(cluster()),
        traces: None,
        mesh: None,
        annotation: None,
        fixed: Arc::default(),
        clock: ManualClock::new("2026-11-21T01:00:00Z".parse().unwrap()),
    }
}

fn edge(from: &str, to: &str) -> Edge {
    let place = |text| named(text, "shop").unwrap();
    Edge { from: place(from), to: place(to), teller: Teller::File, flow: Flow::default() }
}

async fn serve(sources: Sources, allowed: &[&str]) -> InProcess {
    let scope = Scope::new(allowed.iter().map(|n| (*n).to_owned()).collect());
    connect_in_process(MapServer::new(sources, scope)).await.unwrap()
}

async fn told(running: &InProcess, arguments: Value) -> (String, Value) {
    let Value::Object(arguments) = arguments else { panic!() };
    let result = running.client.call(TOOLS[0], arguments, Duration::from_secs(20)).await.unwrap();
    let text = result.content[0].as_text().unwrap().text.clone();
    (text, result.structured_content.unwrap_or_default())
}

fn checkout() -> Value {
    json!({ "namespace": "shop", "service": "checkout" })
}

fn rows(view: &Value) -> Vec<(String, String, String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    let row = |row: &Value| {
        let by: Vec<&str> =
            row["told_by"].as_array().unwrap().iter().map(|by| by.as_str().unwrap()).collect();
        (text(row, "direction"), text(row, "service"), text(row, "health"), by.join("+"))
    };
    view["neighbours"].as_array().unwrap().iter().map(row).collect()
}

fn row(direction: &str, service: &str, health: &str, by: &str) -> (String, String, String, String) {
    (direction.into(), service.into(), health.into(), by.into())
}

#[tokio::test]
async fn annotations_and_a_file_tell_who_calls_whom_and_the_cluster_how_each_is() {
    let annotation = Some("belay.dev/calls".to_owned());
    let fixed: Arc<[Edge]> = vec![edge("pay/payments", "checkout"), edge("checkout", "cart")].into();
    let running = serve(Sources { annotation, fixed, ..sources() }, &[]).await;
    let (text, view) = told(&running, checkout()).await;
    assert_eq!(
        rows(&view),
        [
            row("downstream", "api.stripe.com", "-", "annotation"),
            row("downstream", "data/postgres", "-", "annotation"),
            row("downstream", "shop/cart", "down, 0/2 ready", "annotation+file"),
            row("upstream", "pay/payments", "degraded, 1/3 ready", "file"),
        ]
    );
    assert_eq!(view["health"], "well, 2/2 ready");
    // what could not be read of a neighbour's namespace is said
    assert!(text.contains("not known: reading deployments was refused: forbidden"), "{text}");
    let (_, view) =
        told(&running, json!({ "namespace": "shop", "service": "cart", "direction": "upstream" })).await;
    assert_eq!(rows(&view), [row("upstream", "shop/checkout", "well, 2/2 ready", "annotation+file")]);
}

#[tokio::test]
async fn traces_and_the_backends_count_tell_it_too() {
    let calls = vec![Calls { from: "gateway".into(), to: "checkout".into(), calls: 100 }];
    let traces = FakeTraces { traces: vec![failed()], calls };
    let with = Sources { traces: Some((Arc::new(traces), true)), ..sources() };
    let (_, view) = told(&serve(with.clone(), &[]).await, checkout()).await;
    assert_eq!(
        rows(&view),
        [
            row("downstream", "pay/payments", "degraded, 1/3 ready", "traces"),
            row("upstream", "gateway", "-", "the tracing backend's count"),
        ]
    );
    assert_eq!(view["neighbours"][0]["failing"], 1.0);
    // who may see one namespace sees that there is another, and no count that knows no namespaces
    let (text, view) = told(&serve(with, &["shop"]).await, checkout()).await;
    assert_eq!(rows(&view), [row("downstream", "another namespace", "-", "traces")]);
    assert!(!text.contains("payments") && !text.contains("gateway"), "{text}");
}

#[tokio::test]
async fn a_mesh_tells_how_often_and_how_much_fails() {
    let (_fake, url, _task) = FakePrometheus::start(|query, _| {
        let labels = r#""source_workload_namespace":"shop","source_workload":"checkout","destination_workload_namespace":"pay","destination_workload":"payments","destination_service_namespace":"pay","destination_service_name":"payments""#;
        let down = labels.replace(r#""destination_workload":"payments""#, r#""destination_workload":"unknown""#).replace("payments", "ledger");
        let value = if query.contains("5..") { "0.5" } else { "2" };
        let series = |labels: &str| format!(r#"{{"metric":{{{labels}}},"value":[1,"{value}"]}}"#);
        let odd = series(r#""source_workload_namespace":"shop","source_workload":"../x","destination_workload_namespace":"pay","destination_workload":"y""#);
        let all = [series(labels), series(&down), odd].join(",");
        (200, format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{all}]}}}}"#))
    })
    .await;
    let metrics = Arc::new(Prometheus::new(&url, Credentials::None).unwrap());
    let running = serve(Sources { mesh: Some((Mesh::Istio, metrics)), ..sources() }, &[]).await;
    let (_, view) = told(&running, checkout()).await;
    assert_eq!(
        rows(&view),
        [
            row("downstream", "pay/ledger", "-", "istio"),
            row("downstream", "pay/payments", "degraded, 1/3 ready", "istio"),
        ]
    );
    assert_eq!(
        (&view["neighbours"][1]["per_second"], &view["neighbours"][1]["failing"]),
        (&json!(2.0), &json!(0.25))
    );
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_a_gap_and_the_rest_still_counts() {
    let (_fake, url, _task) = FakePrometheus::start(|_, _| (503, "<html>".to_owned())).await;
    let metrics = Arc::new(Prometheus::new(&url, Credentials::None).unwrap());
    let fixed: Arc<[Edge]> = vec![edge("checkout", "cart")].into();
    let running = serve(Sources { mesh: Some((Mesh::Linkerd, metrics)), fixed, ..sources() }, &[]).await;
    let (text, view) = told(&running, checkout()).await;
    assert_eq!(rows(&view).len(), 1);
    assert!(
        text.contains("not known: reading a measurement of Prometheus failed: it answered 503"),
        "{text}"
    );
    let (text, _) = told(&running, json!({ "namespace": "shop", "service": "a b" })).await;
    assert!(text.contains("cannot be the name of a service"), "{text}");
}

#[test]
fn the_schema_of_the_file_is_the_one_that_is_shipped() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/service-map.schema.json");
    let shipped: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(shipped, belay::config::service_map_schema());
}

#[test]
fn a_file_is_read_and_what_cannot_be_is_refused_where_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("map.yaml");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        belay::config::service_map(&path)
    };
    let file = read("services: [{ namespace: shop, name: web, calls: [cart] }]\n").unwrap();
    assert_eq!(file.services[0].calls, ["cart"]);
    for wrong in
        ["services: [{ namespace: shop }]", "services: [{ namespace: a, name: b, color: red }]", "[]"]
    {
        assert!(read(wrong).unwrap_err().to_string().contains("map.yaml"), "{wrong}");
    }
    let parse = |text: &str| {
        let least = "policies: p\ncluster: { name: eu-1 }\n";
        belay::config::parse("belay.yaml", &format!("{least}{text}")).unwrap_err().to_string()
    };
    assert!(parse("serviceMap: {}\n").contains("names no `file`, `mesh` or `annotation`"));
    assert!(parse("serviceMap: { mesh: istio }\n").contains("needs `prometheus.url`"));
    assert!(parse("serviceMap: { annotation: 'a b' }\n").contains("`serviceMap.annotation`"));
    let odd = parse("traces: { kind: tempo, url: 'http://t', namespaceAttributes: ['a\" } || {'] }\n");
    assert!(odd.contains("`traces.namespaceAttributes`"), "{odd}");
    assert!(parse("traces: { kind: zipkin, url: 'http://t' }\n").contains("zipkin"));
}
