//! What the simulated API server makes when somebody asks: endpoints and measured use, in the shapes of the API.

use belay::sim::kube::{Fault, Pods};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use super::Served;

#[tokio::test]
async fn endpoints_follow_the_pods_of_a_service() {
    let served = Served::shop().await;
    let slices: Api<EndpointSlice> = Api::namespaced(served.kube(), "shop");
    let of_web = ListParams::default().labels("kubernetes.io/service-name=web");
    let web = slices.list(&of_web).await.unwrap().items.remove(0);
    assert_eq!(web.address_type, "IPv4");
    let pods = served.world.pods("shop", "web");
    let mut behind: Vec<String> =
        web.endpoints.iter().map(|e| e.target_ref.clone().unwrap().name.unwrap()).collect();
    behind.sort_unstable();
    let mut names: Vec<String> = pods.iter().map(|pod| pod.name.clone()).collect();
    names.sort_unstable();
    assert_eq!(behind, names);
    assert!(web.endpoints.iter().all(|e| e.conditions.clone().unwrap().ready == Some(true)));
    assert_eq!(web.ports.unwrap()[0].port, Some(8080));
    let same = slices.get(web.metadata.name.as_deref().unwrap()).await.unwrap();
    assert_eq!(same.endpoints.len(), 3);

    // one is killed again and again: in the end it is behind the service, and gets nothing
    served.world.break_it(Fault::Leak { deployment: "web".into(), pods: Pods::One });
    super::run_until(&served.clock, 300, || served.world.pods("shop", "web").iter().any(|pod| !pod.ready));
    let web = slices.list(&of_web).await.unwrap().items.remove(0);
    let ready = web.endpoints.iter().filter(|e| e.conditions.clone().unwrap().ready == Some(true)).count();
    assert_eq!((web.endpoints.len(), ready), (3, 2));
    served.stop().await;
}

#[tokio::test]
async fn what_nodes_use_is_what_their_pods_use() {
    let served = Served::shop().await;
    let (code, nodes) = served.send("GET", "/apis/metrics.k8s.io/v1beta1/nodes", None).await;
    assert_eq!((code, &nodes["kind"]), (200, &json!("NodeMetricsList")));
    let (_, pods) = served.send("GET", "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods", None).await;
    let amount = |text: &serde_json::Value, unit: &str| {
        text.as_str().unwrap().strip_suffix(unit).unwrap().parse::<u64>().unwrap()
    };
    let cpu = |of: &serde_json::Value| amount(&of["usage"]["cpu"], "n");
    let of_nodes: u64 = nodes["items"].as_array().unwrap().iter().map(cpu).sum();
    let of_pods: u64 = pods["items"].as_array().unwrap().iter().map(|pod| cpu(&pod["containers"][0])).sum();
    assert!(of_nodes > 0);
    assert_eq!(of_nodes, of_pods);
    // nothing of it is stored
    let path = "/apis/metrics.k8s.io/v1beta1/nodes";
    let made = json!({ "metadata": { "name": "x" } });
    assert_eq!(served.send("POST", path, Some(("application/json", made))).await.0, 405);
    served.stop().await;
}
