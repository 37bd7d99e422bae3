//! Resources: what the tools list, to be read by address.

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use super::KubernetesServer;
use super::pages::Shown as _;
use super::scope;
use crate::domain::redact;

const SCHEME: &str = "k8s://namespaces/";
const TEXT: &str = "text/plain";
/// Rows of a resource: as a tool shows without being asked for more.
const ROWS: u32 = 100;
/// A list that people still scroll through.
const LISTED: usize = 200;

/// The addresses that can be read.
pub fn templates() -> Vec<ResourceTemplate> {
    [
        ("k8s://namespaces/{namespace}/pods", "pods", "The pods of a namespace"),
        ("k8s://namespaces/{namespace}/events", "events", "The newest events of a namespace"),
        ("k8s://namespaces/{namespace}/deployments", "deployments", "The deployments of a namespace"),
        (
            "k8s://namespaces/{namespace}/deployments/{name}",
            "deployment",
            "One deployment: its state, its revisions, and what happened to it",
        ),
    ]
    .into_iter()
    .map(|(uri, name, what)| ResourceTemplate::new(uri, name).with_description(what).with_mime_type(TEXT))
    .collect()
}

impl KubernetesServer {
    /// What there is to read in the namespaces that are named; without any named, only the templates say.
    pub(super) async fn resources(&self) -> Vec<Resource> {
        let mut all = vec![];
        for namespace in self.scope.named() {
            let at = format!("{SCHEME}{namespace}");
            for list in ["pods", "events", "deployments"] {
                all.push(
                    Resource::new(format!("{at}/{list}"), format!("{namespace}/{list}")).with_mime_type(TEXT),
                );
            }
            // a namespace that cannot be read has no deployments to offer, and says why when it is read
            for d in self.listing.deployments(namespace).await.iter().flat_map(|l| &l.items) {
                let name = &d.object.named.name;
                let uri = format!("{at}/deployments/{name}");
                all.push(Resource::new(uri, format!("{namespace}/{name}")).with_mime_type(TEXT));
            }
        }
        all.truncate(LISTED);
        all
    }

    /// One resource as text.
    pub(super) async fn resource(&self, uri: &str) -> Result<ReadResourceResult, ErrorData> {
        let shown = redact::line(uri, 200);
        let none = |why: String| ErrorData::resource_not_found(why, Some(json!({ "uri": shown })));
        let path: Vec<&str> = uri.strip_prefix(SCHEME).map(|p| p.split('/').collect()).unwrap_or_default();
        let text = match path.as_slice() {
            [namespace, "pods"] => self.pods(self.open(namespace)?, ROWS).await.map(|p| p.text()),
            [namespace, "events"] => {
                self.events(self.open(namespace)?, None, false, ROWS).await.map(|p| p.text())
            }
            [namespace, "deployments"] => {
                self.deployments(self.open(namespace)?, ROWS).await.map(|p| p.text())
            }
            [namespace, "deployments", name] => {
                let name =
                    scope::name("deployment", name).map_err(|why| ErrorData::invalid_params(why, None))?;
                self.summary(self.open(namespace)?, name).await
            }
            _ => Err(format!("there is no resource `{shown}`: see the resource templates")),
        };
        let text = text.map_err(none)?;
        Ok(ReadResourceResult::new(vec![ResourceContents::text(text, uri).with_mime_type(TEXT)]))
    }

    fn open<'a>(&self, namespace: &'a str) -> Result<&'a str, ErrorData> {
        self.scope.namespace(namespace).map_err(|why| ErrorData::invalid_params(why, None))
    }

    async fn summary(&self, namespace: &str, name: &str) -> Result<String, String> {
        let mut all = self.deployments(namespace, u32::MAX).await?;
        all.items.retain(|d| d.name == name);
        if all.items.is_empty() {
            return Err(self.no_deployment(namespace, name).await);
        }
        all.note = format!("deployment `{name}` in namespace `{namespace}`");
        let revisions = self.revisions(namespace, name, 10).await?;
        let events = self.events(namespace, Some(name), false, 20).await?;
        Ok([all.text(), revisions.text(), events.text()].join("\n\n"))
    }
}
