//! Deployments as resources: `k8s://namespaces/{namespace}/deployments/{name}`, each a summary for reading.

use super::args::{HistoryArgs, Rolled};
use super::eyes::Eyes;
use super::text::{POD_HEADING, pod_row};
use super::views::{DeploymentRow, PodRow};
use crate::domain::target::{is_dns_label, is_dns_name};
use crate::servers::kit::{Readable as _, Trouble, table};

/// How a Deployment is addressed.
pub const TEMPLATE: &str = "k8s://namespaces/{namespace}/deployments/{name}";

/// A summary is read whole: the newest revisions and the pods of one screen.
const REVISIONS: u32 = 5;
const PODS: usize = 20;

/// The address of a Deployment.
pub fn uri(namespace: &str, name: &str) -> String {
    format!("k8s://namespaces/{namespace}/deployments/{name}")
}

/// Namespace and name of the Deployment that an address names; `None`: it names none.
pub fn parse(uri: &str) -> Option<(&str, &str)> {
    let (namespace, name) = uri.strip_prefix("k8s://namespaces/")?.split_once("/deployments/")?;
    (is_dns_label(namespace) && is_dns_name(name)).then_some((namespace, name))
}

/// The Deployment, its revisions and its pods.
pub async fn summary(eyes: &Eyes, namespace: &str, name: &str) -> Result<String, Trouble> {
    let deployments = eyes.raw_deployments(namespace).await?.items;
    let Some(deployment) = deployments.iter().find(|d| d.object.named.name == name) else {
        return Err(eyes.no_deployment(namespace, name).await);
    };
    let history = HistoryArgs {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        kind: Rolled::Deployment,
        limit: REVISIONS,
    };
    let (history, pods) = futures::join!(eyes.history(&history), eyes.raw_pods(namespace));
    let row = DeploymentRow::from(deployment);
    let head = format!(
        "deployment `{name}` in namespace `{namespace}`: {} of {} replicas ready, {} of the current template, {} available\n",
        row.ready, row.desired, row.updated, row.available
    );
    let conditions: Vec<String> = row.conditions.iter().map(|c| format!("- {c}\n")).collect();
    let history = history?;
    let sets: Vec<&str> = history.revisions.iter().map(|r| r.name.as_str()).collect();
    let mine = |p: &PodRow| {
        p.controller.as_deref().and_then(|c| c.strip_prefix("ReplicaSet/")).is_some_and(|c| sets.contains(&c))
    };
    let pods: Vec<PodRow> = pods?.items.iter().map(PodRow::from).filter(mine).collect();
    let rows: Vec<Vec<String>> = pods.iter().take(PODS).map(pod_row).collect();
    let mut below = format!("showing {} of {} pods of these revisions", rows.len(), pods.len());
    if !rows.is_empty() {
        below = format!("{below}\n\n{}", table(&POD_HEADING, &rows));
    }
    Ok(format!("{head}{}\n{}\n\n{below}\n", conditions.concat(), history.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_deployments_are_read() {
        assert_eq!(parse(&uri("shop", "web")), Some(("shop", "web")));
        for wrong in [
            "",
            "k8s://namespaces/shop/secrets/web",
            "k8s://namespaces/shop/deployments/",
            "k8s://namespaces//deployments/web",
            "k8s://namespaces/shop/deployments/web/scale",
            "k8s://namespaces/../deployments/web",
            "k8s://namespaces/shop/deployments/%2e%2e",
            "K8S://namespaces/shop/deployments/web",
            "file:///etc/passwd",
            TEMPLATE,
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
