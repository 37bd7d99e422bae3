//! The policy in force, and how edited files take its place: as a whole and only if they are sound and
//! pass their own tests. Otherwise the set before them stays, and it is said so.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::domain::canonical::Hash;
use crate::domain::message::Notice;
use crate::domain::record::Record;
use crate::policy::{self, Problem};
use crate::ports::messenger::Undelivered;
use crate::ports::store::{Append, AppendError};
use crate::telemetry::{Metrics, Reloaded};

use super::Daemon;
use super::build::Start;
use super::former;

/// How often the folder is looked at. Kubelet takes a minute to bring an edited ConfigMap, so that 2 s more
/// are nothing; whoever edits a file sees the answer while looking. A look reads well under a megabyte.
/// Looking, unlike being told by the kernel, works on every file system and cannot miss a swapped link.
const EVERY: SignedDuration = SignedDuration::from_secs(2);
/// Notices that wait for the channel; of more edits than that in an outage, the latest are told.
const WAITING: usize = 8;
/// Problems that are told one by one; the linter shows all of them.
const TOLD: usize = 10;
/// The longest that a problem is told in: a few lines of a message.
const LONGEST: usize = 300;

/// What a look at the folder came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// Nothing changed since the last look.
    Same,
    /// Files are being written: they are read again at the next look.
    Unsettled,
    /// Another set is in force.
    Loaded(Hash),
    /// The files are refused; what was in force stays.
    Refused(Vec<String>),
    /// After a refusal the files are those of the set in force again.
    Restored,
    /// The journal did not take it: nothing changed, and it is tried again.
    NotNow(String),
}

/// Looks after a folder of policy files.
pub struct Watch {
    daemon: Daemon,
    dir: PathBuf,
    /// The files that the last verdict is about; none, where they were refused at the start.
    judged: Option<Hash>,
    /// What was read the last time, not yet judged.
    unsettled: Option<Hash>,
    notices: Vec<Notice>,
    not_before: Timestamp,
}

impl Watch {
    /// Watches the folder that held these files at the start, which the set in force was loaded from.
    pub fn new(daemon: Daemon, dir: &Path, files: &[(String, String)]) -> Self {
        Self {
            daemon,
            dir: dir.to_owned(),
            judged: Some(policy::fingerprint(files)),
            unsettled: None,
            notices: Vec::new(),
            not_before: Timestamp::MIN,
        }
    }

    /// Has said what came of the files at the start: that they were refused, as the first look finds again,
    /// or that they were edited while belay was not running.
    #[must_use]
    pub fn after(mut self, start: &Start) -> Self {
        if start.refused {
            self.judged = None;
        }
        let set = self.daemon.policies().hash();
        if let Some(before) = start.former.filter(|former| *former != set) {
            let (set, before) = (set.short(), before.short());
            let headline = format!("Since this start policy set {set} is in force, in place of {before}.");
            self.notice(Notice { headline, lines: Vec::new() });
        }
        self
    }

    /// Looks again and again until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.daemon.ports().clock.sleep(EVERY) => {}
            }
            self.look().await;
        }
    }

    /// Looks once.
    pub async fn look(&mut self) -> Looked {
        let looked = self.judge().await;
        self.tell().await;
        looked
    }

    async fn judge(&mut self) -> Looked {
        let files = match config::policies(&self.dir) {
            Ok(files) if !files.is_empty() => files,
            // between two states of the folder there may be nothing: it has to stay so to be refused
            Ok(_) => return self.unreadable(format!("`{}` holds no policy", self.dir.display())).await,
            Err(e) => return self.unreadable(chain(&e)).await,
        };
        let found = policy::fingerprint(&files);
        if self.judged == Some(found) {
            self.unsettled = None;
            return Looked::Same;
        }
        if !self.settled(found) {
            return Looked::Unsettled;
        }
        match policy::load(files.clone()) {
            Ok(set) if set.hash() == self.daemon.policies().hash() => self.restored(found),
            Ok(set) => match self.daemon.ports().apart.admits(&set) {
                Ok(()) => self.take_up(&files, set).await,
                Err(why) => self.refuse(found, vec![why]).await,
            },
            Err(policy::Errors(problems)) => self.refuse(found, problems.iter().map(told).collect()).await,
        }
    }

    /// A mounted ConfigMap changes as a whole. Other folders are written file by file: they must be found
    /// alike twice.
    fn settled(&mut self, found: Hash) -> bool {
        config::mounted(&self.dir) || self.unsettled.replace(found) == Some(found)
    }

    async fn unreadable(&mut self, why: String) -> Looked {
        let found = Hash::of(why.as_bytes());
        if self.judged == Some(found) {
            return Looked::Same;
        }
        // even of a ConfigMap: its old files are removed while they are read
        if self.unsettled.replace(found) != Some(found) {
            return Looked::Unsettled;
        }
        self.refuse(found, vec![why]).await
    }

    fn restored(&mut self, found: Hash) -> Looked {
        self.judged(found);
        let set = self.daemon.policies().hash();
        tracing::info!(set = %set.short(), "the policy files are those of the set in force again");
        let headline = format!("The policy files are sound again; set {} stays in force.", set.short());
        self.notice(Notice { headline, lines: Vec::new() });
        Looked::Restored
    }

    async fn take_up(&mut self, files: &[(String, String)], set: policy::PolicySet) -> Looked {
        let (hash, before) = (set.hash(), self.daemon.policies().hash());
        let warning = self.daemon.ports().apart.warning(&set).map(str::to_owned);
        let notes: Vec<String> = warning.into_iter().chain(set.notes().iter().take(TOLD).cloned()).collect();
        let kept = match former::keep(&self.daemon.ports().store, files).await {
            Ok(kept) => Some(kept),
            Err(e) => return Looked::NotNow(e.to_string()),
        };
        if let Err(e) = self.record(Record::PolicyLoaded { set: hash, before, files: kept }).await {
            return Looked::NotNow(e.to_string());
        }
        self.daemon.inner.policies.store(Arc::new(set));
        self.judged(hash);
        tracing::info!(set = %hash.short(), before = %before.short(), "another policy set is in force");
        self.daemon.metrics().reloaded(Reloaded::Loaded);
        in_force(self.daemon.metrics(), hash, self.daemon.now());
        let headline = format!("Policy set {} is in force, in place of {}.", hash.short(), before.short());
        self.notice(Notice { headline, lines: notes });
        Looked::Loaded(hash)
    }

    async fn refuse(&mut self, found: Hash, mut why: Vec<String>) -> Looked {
        let more = why.len().saturating_sub(TOLD);
        why.truncate(TOLD);
        if more > 0 {
            why.push(format!("and {more} more: `belay policy lint` shows them"));
        }
        let stays = self.daemon.policies().hash();
        if let Err(e) = self.record(Record::PolicyRefused { why: why.clone(), stays }).await {
            return Looked::NotNow(e.to_string());
        }
        self.judged(found);
        let first = why.first().map(String::as_str).unwrap_or_default();
        tracing::error!(stays = %stays.short(), first, problems = why.len(), "the policy files are refused");
        self.daemon.metrics().reloaded(Reloaded::Refused);
        let headline = format!("Policy files were refused; set {} stays in force.", stays.short());
        self.notice(Notice { headline, lines: why.clone() });
        Looked::Refused(why)
    }

    fn judged(&mut self, found: Hash) {
        self.judged = Some(found);
        self.unsettled = None;
    }

    async fn record(&self, record: Record) -> Result<(), AppendError> {
        let mut append = Append::to(super::daemon_stream(), None, self.daemon.now());
        append.records.push(record);
        let appended = self.daemon.ports().store.append(append).await.map(drop);
        if let Err(e) = &appended {
            tracing::warn!(error = %e, "a change of policy could not be recorded, so it waits");
        }
        appended
    }

    fn notice(&mut self, notice: Notice) {
        if self.notices.len() >= WAITING {
            self.notices.remove(0);
        }
        self.notices.push(notice);
    }

    /// Says what waits to be said, in order. What a channel does not take now waits on.
    async fn tell(&mut self) {
        while let Some(notice) = self.notices.first() {
            let now = self.daemon.now();
            if now < self.not_before {
                return;
            }
            match self.daemon.ports().messenger.tell(notice).await {
                Ok(()) => {}
                Err(Undelivered::Later { why, after_seconds }) => {
                    tracing::warn!(error = %why, "a notice about the policy was not accepted yet");
                    let wait = SignedDuration::from_secs(after_seconds.into());
                    self.not_before = now.saturating_add(wait).unwrap_or(now);
                    return;
                }
                Err(e @ Undelivered::Never(_)) => {
                    tracing::error!(error = %e, "a notice about the policy was refused");
                }
            }
            self.notices.remove(0);
        }
    }
}

/// Notes in the metrics which set is in force since when.
pub(super) fn in_force(metrics: &Metrics, set: Hash, at: Timestamp) {
    let at = at.as_duration().as_secs_f64();
    metrics.in_force(set.short(), at);
}

/// A problem in one line, without the text of the file: that may hold anything.
fn told(problem: &Problem) -> String {
    let Problem { file, at, message, .. } = problem;
    let text = format!("{file}:{}:{}: {message}", at.line, at.column);
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    line
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
