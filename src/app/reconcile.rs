//! What no webhook ever says: silences, inhibition, route changes and deleted receivers send no
//! `resolved`. Every five minutes, what is open is compared with Alertmanager's own list; an alert that
//! is missing there twice in a row is over. And the hourly checkpoint over all streams. Each minute it is
//! looked whether alerts come in a storm, and whether they come at all.
//!
//! `tokio-cron-scheduler` only ticks once a minute; what is due is decided from the store and the clock.

use std::collections::{HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use tokio_cron_scheduler::{Job as CronJob, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;

use crate::domain::alert::AlertStatus;
use crate::domain::ids::{Cluster, Fingerprint};
use crate::domain::record::Record;
use crate::incident::Input;
use crate::ports::reads::Alerts;
use crate::ports::store::{Append, StoreError};
use crate::store::checkpoint;

use super::Daemon;
use super::effects::NotNow;
use super::incidents::FeedError;
use super::sites::Kept;

/// How often open incidents are compared with Alertmanager's list.
const RECONCILE_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// How often a checkpoint is taken.
const CHECKPOINT_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// Once a minute, at its first second.
const EVERY_MINUTE: &str = "0 * * * * *";

/// Alerts that were missing at the last reconciliation.
pub(super) type Missing = tokio::sync::Mutex<HashSet<(Cluster, Fingerprint)>>;

impl Daemon {
    /// Ticks until `stop`.
    pub async fn tick(&self, stop: CancellationToken) -> Result<(), JobSchedulerError> {
        let (ticks, mut ticked) = tokio::sync::mpsc::channel(1);
        let mut scheduler = JobScheduler::new().await?;
        let job = CronJob::new(EVERY_MINUTE, move |_, _| {
            // one waiting tick says as much as many
            let _ = ticks.try_send(());
        })?;
        scheduler.add(job).await?;
        scheduler.start().await?;
        let mut reconciled = Timestamp::MIN;
        let mut checkpointed = self.now();
        loop {
            for site in self.ports().sites.iter() {
                if let Err(NotNow(why)) = self.sense(site).await {
                    tracing::warn!(error = %why, "what was seen could not be remembered");
                }
            }
            if self.is_due(&mut reconciled, RECONCILE_EVERY)
                && let Err(e) = self.reconcile().await
            {
                tracing::warn!(error = %e, "reconciliation with Alertmanager failed");
            }
            if self.is_due(&mut checkpointed, CHECKPOINT_EVERY)
                && let Err(e) = self.checkpoint().await
            {
                tracing::error!(error = %e, "no checkpoint could be taken");
            }
            tokio::select! {
                () = stop.cancelled() => break,
                ticked = ticked.recv() => if ticked.is_none() { break },
            }
        }
        scheduler.shutdown().await
    }

    fn is_due(&self, last: &mut Timestamp, every: SignedDuration) -> bool {
        let now = self.now();
        // also when the clock was set back
        let due = now.duration_since(*last) >= every || now < *last;
        if due {
            *last = now;
        }
        due
    }

    /// Compares what is open with Alertmanager's list: each cluster with its own. One that cannot be read keeps
    /// the others waiting for nothing.
    pub(super) async fn reconcile(&self) -> Result<(), FeedError> {
        let mut failed = None;
        let mut lists = HashMap::new();
        for Kept { site, .. } in self.ports().sites.iter() {
            let Some(alerts) = &site.alerts else { continue };
            match known(&**alerts).await {
                Ok(known) => drop(lists.insert(&site.cluster, known)),
                Err(e) => failed = Some(e),
            }
        }
        self.compare(&lists).await?;
        failed.map_or(Ok(()), Err)
    }

    async fn compare(&self, lists: &HashMap<&Cluster, HashSet<Fingerprint>>) -> Result<(), FeedError> {
        let mut missing_before = self.inner.missing.lock().await;
        // what was missing where the list cannot be read now is still to be asked about
        let unread = |(cluster, _): &&(Cluster, Fingerprint)| !lists.contains_key(cluster);
        let mut missing_now: HashSet<_> = missing_before.iter().filter(unread).cloned().collect();
        for incident in self.open_incidents().await? {
            let state = self.incident(&incident).await?;
            let Some(known) = lists.get(&state.cluster) else { continue };
            for alert in state.alerts.values().filter(|a| a.status == AlertStatus::Firing) {
                if known.contains(&alert.fingerprint) {
                    continue;
                }
                let key = (state.cluster.clone(), alert.fingerprint.clone());
                if missing_before.contains(&key) {
                    let why = "Alertmanager has not known it for five minutes".to_owned();
                    let fingerprint = alert.fingerprint.clone();
                    self.feed(&state.id, Input::Vanished { fingerprint, why }, None).await?;
                } else {
                    missing_now.insert(key);
                }
            }
        }
        *missing_before = missing_now;
        Ok(())
    }

    /// Takes a checkpoint over all stream heads.
    async fn checkpoint(&self) -> Result<(), FeedError> {
        let heads = self.ports().store.heads().await?;
        let root = checkpoint(&heads).map_err(|e| StoreError::Damaged(e.to_string()))?;
        let mut append = Append::to(super::daemon_stream(), None, self.now());
        append.records.push(Record::Checkpoint { root, streams: heads.len() as u64 });
        self.ports().store.append(append).await.map_err(FeedError::Refused)?;
        tracing::info!(%root, streams = heads.len(), "checkpoint");
        Ok(())
    }
}

async fn known(alerts: &dyn Alerts) -> Result<HashSet<Fingerprint>, FeedError> {
    let active = alerts.active().await?;
    Ok(active.into_iter().map(|a| a.fingerprint).collect())
}
