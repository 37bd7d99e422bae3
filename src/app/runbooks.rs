//! The runbooks in force, and how edited ones take their place: as a whole and only if each can be used.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::config::{self, CheckFront, ConfigError, Expected, Front, RunbookFile, State, StepFront};
use crate::diagnose::runbooks::{Library, Said, Source, Unusable};
use crate::domain::runbook::{self, Check, Measured, Pattern, Step};
use crate::ports::clock::SharedClock;
use crate::ports::reads::ReadError;
use crate::ports::runbooks::{Fit, Runbooks, Shelf, Sought};

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
    let RunbookFile { name, front: Front { title, alerts, services, link, steps }, text } = file;
    let said = |(line, text): (u64, String)| Said { line, text };
    Source {
        name,
        title,
        alerts: alerts.into_iter().map(|one| said(one.said())).collect(),
        services: services.into_iter().map(|one| said(one.said())).collect(),
        link: link.map(|one| said(one.said())),
        steps: steps.into_iter().map(step).collect(),
        text,
    }
}

fn step(StepFront { title, check }: StepFront) -> (u64, Result<Step, String>) {
    let (line, title) = title.said();
    let check = check.map(self::check).transpose();
    let title_missing = title.trim().is_empty().then(|| "a step needs a `title`".to_owned());
    (line, title_missing.map_or_else(|| check.map(|check| Step { title, check }), Err))
}

fn check(front: CheckFront) -> Result<Check, String> {
    match front {
        CheckFront { metric: Some(promql), below, above, workload: None, log: None, expect: None } => {
            Measured::new(&promql, below, above).map(Check::Metric)
        }
        CheckFront {
            workload: Some(state), metric: None, below: None, above: None, log: None, expect: None
        } => Ok(Check::Workload(match state {
            State::Ready => runbook::State::Ready,
            State::RolledOut => runbook::State::RolledOut,
            State::Steady => runbook::State::Steady,
        })),
        CheckFront {
            log: Some(pattern), expect: Some(expect), metric: None, below: None, above: None, workload: None
        } => Pattern::new(&pattern, expect == Expected::Present).map(Check::Log),
        _ => Err("a check is `metric` with `below` or `above`, or `workload`, or `log` with `expect`, and one of them \
                  alone"
            .to_owned()),
    }
}

/// A folder of runbooks as a server reads it: looked at anew when it is asked, but not more often than the daemon does.
pub struct Folder {
    dir: PathBuf,
    clock: SharedClock,
    read: Mutex<Option<Read>>,
}

#[derive(Clone)]
struct Read {
    at: Timestamp,
    library: Arc<Library>,
    version: Option<String>,
}

impl Folder {
    /// The runbooks of this folder; the first look says what is wrong with them.
    pub fn new(dir: &Path, clock: SharedClock) -> Self {
        Self { dir: dir.to_owned(), clock, read: Mutex::default() }
    }

    /// What was read lately. What cannot be used any more leaves what was read before in its place.
    fn read(&self) -> Result<Read, ReadError> {
        let mut kept = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if let Some(read) = kept.as_ref().filter(|read| now.duration_since(read.at) < EVERY) {
            return Ok(read.clone());
        }
        // before the files: if it moves meanwhile, the next look finds out
        let version = config::commit_of(&self.dir);
        let read = match (load(&self.dir), kept.take()) {
            (Ok(library), _) => Read { at: now, library: Arc::new(library), version },
            (Err(_), Some(before)) => Read { at: now, ..before },
            (Err(error), None) => {
                let why = error.to_string();
                return Err(ReadError::Failed { what: "the runbooks".to_owned(), why });
            }
        };
        *kept = Some(read.clone());
        Ok(read)
    }
}

impl Runbooks for Folder {
    fn all(&self) -> Result<Shelf, ReadError> {
        let Read { library, version, .. } = self.read()?;
        Ok(Shelf { books: library.books().cloned().collect(), version })
    }

    fn find(&self, sought: &Sought, most: usize) -> Result<Vec<Fit>, ReadError> {
        Ok(self.read()?.library.find(sought, most))
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
