//! How a cluster is, for `belay doctor`: its version, what this account may do in it, and the Services that stand in it.

use std::collections::BTreeMap;

use async_trait::async_trait;
use k8s_openapi::api::authorization::v1::{
    ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectRulesReviewStatus,
};
use k8s_openapi::api::core::v1::Service;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};

use super::client::why;
use crate::domain::action::rights::{Held, Rule};
use crate::domain::redact;
use crate::ports::probe::{Probe, Probed};
use crate::ports::reads::ReadError;

/// What is kept of a server's own words.
const MESSAGE: usize = 300;
/// Services that are looked at: with 1 KiB each, 2 MiB. A cluster's monitoring is among them or is named by hand.
const SERVICES: u32 = 2_000;

/// A cluster, as this account sees it.
pub struct KubeProbe(Client);

/// A Service that stands in the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its ports: number, and name where it has one.
    pub ports: Vec<(u16, String)>,
}

impl KubeProbe {
    /// The cluster behind this client.
    pub const fn new(client: Client) -> Self {
        Self(client)
    }

    /// What this account may do in a namespace.
    pub async fn held(&self, namespace: &str) -> Result<Held, ReadError> {
        held(&self.0, namespace, "what belay may read").await
    }

    /// The Services of all namespaces, as many as are looked at; and whether there are more.
    pub async fn services(&self) -> Result<(Vec<Standing>, bool), ReadError> {
        let all: Api<Service> = Api::all(self.0.clone());
        let listed = all.list(&ListParams::default().limit(SERVICES)).await;
        let listed = listed.map_err(|e| why("the Services of all namespaces", e))?;
        let more = listed.metadata.continue_.is_some_and(|token| !token.is_empty());
        Ok((listed.items.into_iter().map(standing).collect(), more))
    }
}

fn standing(service: Service) -> Standing {
    let ports = service.spec.and_then(|spec| spec.ports).unwrap_or_default();
    let port = |port: k8s_openapi::api::core::v1::ServicePort| {
        Some((u16::try_from(port.port).ok()?, port.name.unwrap_or_default()))
    };
    Standing {
        namespace: service.metadata.namespace.unwrap_or_default(),
        name: service.metadata.name.unwrap_or_default(),
        labels: service.metadata.labels.unwrap_or_default(),
        ports: ports.into_iter().filter_map(port).collect(),
    }
}

#[async_trait]
impl Probe for KubeProbe {
    async fn probe(&self) -> Result<Probed, ReadError> {
        let version =
            self.0.apiserver_version().await.map_err(|e| why("the version of the API server", e))?;
        Ok(Probed { version: Some(redact::line(&version.git_version, MESSAGE)), retention: None })
    }
}

/// What the account of this client may do in a namespace, as the API server says; `what` is asked for, in messages.
pub(super) async fn held(client: &Client, namespace: &str, what: &str) -> Result<Held, ReadError> {
    let what = format!("{what} in namespace `{namespace}`");
    let spec = SelfSubjectRulesReviewSpec { namespace: Some(namespace.to_owned()) };
    let review = SelfSubjectRulesReview { spec, ..SelfSubjectRulesReview::default() };
    let api: Api<SelfSubjectRulesReview> = Api::all(client.clone());
    let answer = api.create(&PostParams::default(), &review).await.map_err(|e| why(&what, e))?;
    let none = || ReadError::Failed { what, why: "the answer says nothing".to_owned() };
    Ok(read(namespace, answer.status.ok_or_else(none)?))
}

fn read(namespace: &str, status: SubjectRulesReviewStatus) -> Held {
    let rule = |ResourceRule { api_groups, resource_names, resources, verbs }: ResourceRule| Rule {
        groups: api_groups.unwrap_or_default(),
        resources: resources.unwrap_or_default(),
        verbs,
        names: resource_names.unwrap_or_default(),
    };
    let why = status.evaluation_error.filter(|why| !why.is_empty());
    // an error means that something was left out, whatever the flag says
    let unsure = status.incomplete || why.is_some();
    let told = why.unwrap_or_else(|| "it does not say why".to_owned());
    Held {
        namespace: namespace.to_owned(),
        rules: status.resource_rules.into_iter().map(rule).collect(),
        incomplete: unsure.then(|| redact::line(&told, MESSAGE)),
    }
}
