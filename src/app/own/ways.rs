//! The ways of requests: the tracing backend, and what tells who calls whom.

use std::path::Path;
use std::sync::Arc;

use crate::adapters::jaeger::Jaeger;
use crate::adapters::tempo::Tempo;
use crate::config::{self, ConfigError, MeshName, ServiceEntry, ServiceMapConfig, TracesConfig, TracesKind};
use crate::domain::redact;
use crate::domain::service_map::{Edge, Flow, Teller, named};
use crate::ports::clock::SharedClock;
use crate::ports::reads::Listing;
use crate::ports::traces::Traces;
use crate::servers::map::{Mesh, Sources};

use super::super::build::{self, BuildError};

/// A tracing backend, and whether its spans say in which namespace they are.
pub(in crate::app) type Placed = (Arc<dyn Traces>, bool);

/// The tracing backend, and whether its spans say in which namespace they are.
pub(in crate::app) fn traces(site: config::Site<'_>) -> Result<Option<Placed>, BuildError> {
    let Some(TracesConfig { kind, url, token_file, namespace_attributes }) = site.traces else {
        return Ok(None);
    };
    let credentials = build::credentials(token_file.as_deref())?;
    let attributes = namespace_attributes.clone();
    let traces: Arc<dyn Traces> = match kind {
        TracesKind::Jaeger => Arc::new(Jaeger::new(url, credentials, attributes)?),
        TracesKind::Tempo => Arc::new(Tempo::new(url, credentials, attributes)?),
    };
    Ok(Some((traces, !namespace_attributes.is_empty())))
}

/// What tells who calls whom; `None`: nothing does.
pub(in crate::app) fn map(
    site: config::Site<'_>,
    listing: &Arc<dyn Listing>,
    clock: &SharedClock,
) -> Result<Option<Sources>, BuildError> {
    let traces = traces(site)?;
    if traces.is_none() && site.service_map.is_none() {
        return Ok(None);
    }
    let mut sources = Sources {
        listing: Arc::clone(listing),
        traces,
        mesh: None,
        annotation: None,
        fixed: Arc::default(),
        clock: Arc::clone(clock),
    };
    let Some(ServiceMapConfig { file, mesh, annotation }) = site.service_map else {
        return Ok(Some(sources));
    };
    sources.annotation.clone_from(annotation);
    sources.fixed = file.as_deref().map(fixed).transpose()?.unwrap_or_default().into();
    let metrics = mesh.map(|mesh| Ok::<_, BuildError>((mesh, build::metrics(site)?))).transpose()?;
    sources.mesh = metrics.and_then(|(mesh, metrics)| {
        let mesh = match mesh {
            MeshName::Istio => Mesh::Istio,
            MeshName::Linkerd => Mesh::Linkerd,
        };
        Some((mesh, metrics?))
    });
    Ok(Some(sources))
}

/// The edges of a file. A name that can be none is an error that says which: it would be missing when it is needed.
fn fixed(path: &Path) -> Result<Vec<Edge>, BuildError> {
    let wrong = |name: &str| {
        let why = format!(
            "`{}` names no service: write `name`, `namespace/name` or `external:host`",
            redact::line(name, 80)
        );
        BuildError::Config(ConfigError::Parse { name: path.display().to_string(), why })
    };
    let mut edges = Vec::new();
    for ServiceEntry { namespace, name, calls } in config::service_map(path)?.services {
        let whole = format!("{namespace}/{name}");
        let from = named(&whole, "").ok_or_else(|| wrong(&whole))?;
        for call in calls {
            let to = named(&call, &namespace).ok_or_else(|| wrong(&call))?;
            edges.push(Edge { from: from.clone(), to, teller: Teller::File, flow: Flow::default() });
        }
    }
    Ok(edges)
}
