//! The demo's small shop, and what breaks in it.

use jiff::SignedDuration;
use serde_json::json;

use super::World;
use super::behaviours::Behaviour;
use super::kinds::Kind;
use super::spec::{Budget, DeploymentSpec};
use crate::ports::clock::SharedClock;

/// The namespace of the shop.
pub const SHOP: &str = "shop";

/// From the first leaked byte to the kill.
const LEAK: SignedDuration = SignedDuration::from_secs(45);

/// Which pods a leak befalls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pods {
    /// The first by name.
    One,
    /// All that run now.
    All,
}

/// What breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Pods of a Deployment of the shop leak until they are killed; their successors do not.
    Leak {
        /// The Deployment.
        deployment: String,
        /// Which of its pods.
        pods: Pods,
    },
    /// A Deployment of the shop has more to do.
    Surge {
        /// The Deployment.
        deployment: String,
        /// Its total demand in thousandths of a core.
        demand_millicores: u64,
    },
}

impl World {
    /// A shop of five Deployments, a database, budgets, services and an autoscaler.
    pub fn shop(clock: SharedClock) -> Self {
        let busy = Behaviour::Busy { demand_millicores: 600 };
        let service = |name: &str| {
            let ports = json!([{ "name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP" }]);
            let spec = json!({ "selector": { "app": name }, "ports": ports, "type": "ClusterIP" });
            json!({ "metadata": { "name": name, "labels": { "app": name } }, "spec": spec })
        };
        Self::builder(clock)
            .namespace(SHOP)
            .deployment(DeploymentSpec::new("web", 3).limits("500m", "256Mi").label("team", "storefront"))
            .deployment(DeploymentSpec::new("checkout", 3).behaviour(busy).label("team", "payments"))
            .object(
                Kind::ConfigMap,
                json!({ "metadata": { "name": "cart-settings" }, "data": { "BACKEND": "redis", "TTL": "30m" } }),
            )
            .deployment(
                DeploymentSpec::new("cart", 2).label("team", "storefront").reads("cart-settings", "BACKEND", "redis"),
            )
            .deployment(DeploymentSpec::new("payments", 2).label("team", "payments"))
            .deployment(DeploymentSpec::new("search", 2).label("team", "storefront"))
            .stateful_set("orders-db", 1)
            .pdb("web", Budget::MaxUnavailable("1".to_owned()))
            .pdb("payments", Budget::MinAvailable("1".to_owned()))
            .object(Kind::Service, service("web"))
            .object(Kind::Service, service("checkout"))
            .object(Kind::Service, service("cart"))
            .object(Kind::Service, service("payments"))
            .object(Kind::Service, service("search"))
            .autoscaler("search", (2, 6))
            .build()
    }

    /// Breaks something in the shop.
    pub fn break_it(&self, fault: Fault) {
        match fault {
            Fault::Leak { deployment, pods } => {
                let count = match pods {
                    Pods::One => 1,
                    Pods::All => usize::MAX,
                };
                for pod in self.pods(SHOP, &deployment).into_iter().take(count) {
                    self.behave_pod(SHOP, &pod.name, Behaviour::Leak { oom_after: LEAK });
                }
            }
            Fault::Surge { deployment, demand_millicores } => {
                self.behave(SHOP, &deployment, Behaviour::Busy { demand_millicores });
            }
        }
    }
}
