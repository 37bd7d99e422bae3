//! The runbooks server of one cluster.

use std::path::Path;
use std::sync::Arc;

use crate::app::build::{self, BuildError};
use crate::app::runbooks::Folder;
use crate::domain::ids::Cluster;
use crate::servers::kubernetes::Paced;
use crate::servers::runbooks::{Ground, RunbooksServer};

use super::Sources;

/// The key of the configuration that it needs.
pub const KEY: &str = "runbooks";

/// The server of this folder.
pub fn server(dir: &Path, sources: &Sources<'_>) -> Result<RunbooksServer, BuildError> {
    let ground = Ground {
        cluster: Cluster::new(&sources.site.cluster.name),
        listing: Arc::new(Paced::new(Arc::clone(sources.listing), Arc::clone(sources.clock))),
        metrics: build::metrics(sources.site)?,
        clock: Arc::clone(sources.clock),
    };
    let folder = Folder::new(dir, Arc::clone(sources.clock));
    Ok(RunbooksServer::new(Arc::new(folder), ground, sources.scope()))
}
