//! The runbooks in force, and how edited ones take their place: as a whole and only if each can be used.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use crate::config::{self, ConfigError, Front, RunbookFile};
use crate::diagnose::runbooks::{Library, Said, Source, Unusable};

use super::Daemon;

/// How often the folder is looked at: a runbook is read during incidents and written between them.
const EVERY: SignedDuration = SignedDuration::from_secs(30);

/// The runbooks cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunbooksError {
    /// A file cannot be read, or what stands in front of it is not as it should be.
    #[error(transparent)]
    Files(#[from] ConfigError),
    /// What it says of itself cannot be used.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// Reads the runbooks of a folder.
pub fn load(dir: &Path) -> Result<Library, RunbooksError> {
    let sources = config::runbooks(dir)?.into_iter().map(source).collect();
    Ok(Library::load(sources)?)
}

fn source(file: RunbookFile) -> Source {
    let RunbookFile { name, front: Front { title, alerts, services, link }, text } = file;
    let said = |(line, text): (u64, String)| Said { line, text };
    Source {
        name,
        title,
        alerts: alerts.into_iter().map(|one| said(one.said())).collect(),
        services: services.into_iter().map(|one| said(one.said())).collect(),
        link: link.map(|one| said(one.said())),
        text,
    }
}

/// Looks after a folder of runbooks.
pub struct Watch {
    daemon: Daemon,
    dir: PathBuf,
    complained: Option<String>,
}

impl Watch {
    /// Watches the folder that the runbooks in force were loaded from.
    pub fn new(daemon: Daemon, dir: &Path) -> Self {
        Self { daemon, dir: dir.to_owned(), complained: None }
    }

    /// Looks again and again until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.daemon.ports().clock.sleep(EVERY) => {}
            }
            self.look();
        }
    }

    /// Looks once; whether others are in force now. Those that cannot be used change nothing, and it is said so once.
    pub fn look(&mut self) -> bool {
        match load(&self.dir) {
            Ok(library) => {
                self.complained = None;
                let other = library.hash() != self.daemon.runbooks().hash();
                if other {
                    tracing::info!(runbooks = library.len(), "other runbooks are in force");
                    self.daemon.take_runbooks(library);
                }
                other
            }
            Err(error) => {
                let why = error.to_string();
                if self.complained.as_ref() != Some(&why) {
                    tracing::error!(error = %why, "the runbooks cannot be used: those before them stay");
                    self.complained = Some(why);
                }
                false
            }
        }
    }
}

impl Daemon {
    /// The runbooks in force.
    pub(super) fn runbooks(&self) -> Arc<Library> {
        self.inner.runbooks.load_full()
    }

    /// Puts these runbooks in force.
    pub fn take_runbooks(&self, library: Library) {
        self.inner.runbooks.store(Arc::new(library));
    }
}
