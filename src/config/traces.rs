//! Where traces are had, and what is known of who calls whom.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::load::{read, yaml};
use super::{ConfigError, Site};

/// A tracing backend.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TracesConfig {
    /// Whose API it answers.
    pub kind: TracesKind,
    /// Its base URL.
    pub url: String,
    /// A file with a bearer token.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// The resource attributes that hold a span's namespace, the first that a span has counts; empty: spans do not say it.
    #[serde(default = "attributes")]
    pub namespace_attributes: Vec<String>,
}

/// Whose API it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum TracesKind {
    Jaeger,
    Tempo,
}

/// What is known of who calls whom, besides what traces show.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceMapConfig {
    /// A file that says it (YAML).
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The service mesh whose metrics are in `prometheus.url`.
    #[serde(default)]
    pub mesh: Option<MeshName>,
    /// The annotation of Deployments that names what each calls: `payments, data/postgres`.
    #[serde(default)]
    pub annotation: Option<String>,
}

/// A service mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum MeshName {
    Istio,
    Linkerd,
}

/// OpenTelemetry's names for it: what a collector in Kubernetes adds, and what a program may say itself.
fn attributes() -> Vec<String> {
    ["k8s.namespace.name", "service.namespace"].map(str::to_owned).to_vec()
}

/// A map of services as a file says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceMapFile {
    /// The services.
    pub services: Vec<ServiceEntry>,
}

/// A service and what it calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ServiceEntry {
    /// Its namespace.
    pub namespace: String,
    /// Its name: that of its workload.
    pub name: String,
    /// What it calls: `name` in its own namespace, `namespace/name`, or `external:host` outside of the cluster.
    #[serde(default)]
    pub calls: Vec<String>,
}

/// The most services that a file may hold: a large company's cluster.
const SERVICES: usize = 5_000;

/// Reads the file of a service map. Names in it are checked by whoever uses them.
pub fn service_map(path: &Path) -> Result<ServiceMapFile, ConfigError> {
    let name = path.display().to_string();
    let file: ServiceMapFile = yaml(&name, &read(path)?)?;
    if file.services.len() > SERVICES {
        let why = format!("it holds {} services, and may hold {SERVICES}", file.services.len());
        return Err(ConfigError::Parse { name, why });
    }
    Ok(file)
}

/// The JSON Schema of that file, for editors.
pub fn service_map_schema() -> Value {
    let mut schema = schemars::schema_for!(ServiceMapFile);
    schema.insert("title".into(), json!("belay: a service map"));
    schema.to_value()
}

/// What these keys may say together.
pub(super) fn check(site: Site<'_>) -> Result<(), ConfigError> {
    let name = &site.cluster.name;
    let conflict = |text: String| Err(ConfigError::Conflict(text));
    let fit = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let plain = |text: &String| (1..=120).contains(&text.len()) && text.chars().all(fit);
    let attributes = site.traces.map(|t| t.namespace_attributes.as_slice()).unwrap_or_default();
    if attributes.len() > 4 || !attributes.iter().all(plain) {
        return conflict(format!(
            "cluster `{name}`: `traces.namespaceAttributes` holds at most 4 names of letters, digits, `.`, `_`, `-` and `/`"
        ));
    }
    let Some(map) = site.service_map else { return Ok(()) };
    let ServiceMapConfig { file, mesh, annotation } = map;
    if file.is_none() && mesh.is_none() && annotation.is_none() {
        return conflict(format!("cluster `{name}`: `serviceMap` names no `file`, `mesh` or `annotation`"));
    }
    if mesh.is_some() && site.prometheus.is_none() {
        return conflict(format!(
            "cluster `{name}`: `serviceMap.mesh` needs `prometheus.url`: its metrics are read there"
        ));
    }
    if annotation.as_ref().is_some_and(|key| !plain(key)) {
        return conflict(format!(
            "cluster `{name}`: `serviceMap.annotation` is the key of an annotation, as in `belay.dev/calls`"
        ));
    }
    Ok(())
}
