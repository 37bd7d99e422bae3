//! From the webhook to the incidents: first durable, then answered, then worked on.

use crate::domain::alert::{Alert, AlertStatus};
use crate::domain::ids::{Cluster, Fingerprint, IncidentId, StreamId};
use crate::domain::record::{Opening, Record};
use crate::domain::target::{RootOwner, Targeted};
use crate::incident::{Input, Phase, State, open};
use crate::intake::{self, BadBody};
use crate::ports::reads::ReadError;
use crate::ports::store::{Append, AppendError, Claimed, IndexOp, StoreError};

use super::effects::{Done, NotNow};
use super::incidents::{FeedError, Place, owner_key};
use super::work::Job;
use super::{Daemon, Fed, sites};

/// How often an alert is routed anew because an incident was opened or closed meanwhile.
const TRIES: usize = 8;

/// A delivery that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Its number in the stream `intake`.
    pub seq: u64,
    /// How many alerts were readable.
    pub alerts: usize,
}

/// A body was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Nothing in it can be used (400).
    #[error(transparent)]
    Bad(#[from] BadBody),
    /// It could not be made durable (503: Alertmanager tries again).
    #[error("the delivery could not be kept: {0}")]
    NotKept(#[from] AppendError),
}

/// The stream that holds all deliveries.
pub(super) fn stream() -> StreamId {
    StreamId::new("intake")
}

pub(super) fn fingerprint_key(cluster: &Cluster, fingerprint: &Fingerprint) -> String {
    format!("fp/{cluster}/{fingerprint}")
}

impl Daemon {
    /// Takes a webhook body in. When this returns, it is durable and nothing has been worked on yet.
    pub async fn receive(&self, body: Vec<u8>) -> Result<Receipt, ReceiveError> {
        let body = intake::text(body)?;
        let alerts = intake::readable(&body)?;
        let seq = self.keep(body.into()).await?;
        self.metrics().deliveries.inc();
        Ok(Receipt { seq, alerts })
    }

    /// Notes that a body was too large to be read; reconciliation makes up for it.
    pub async fn receive_oversize(&self, bytes: u64) -> Result<Receipt, ReceiveError> {
        let first = self.keep_deliveries(vec![Record::Oversize { bytes }], &Job::Reconcile).await?;
        Ok(Receipt { seq: first, alerts: 0 })
    }

    /// Writes deliveries down and what is to be done about them, in one step; gives the number of the first.
    pub(super) async fn keep_deliveries(&self, records: Vec<Record>, job: &Job) -> Result<u64, AppendError> {
        let at = self.now();
        let mut append = Append::to(stream(), None, at);
        append.records = records;
        let id = format!("intake/{:032x}", super::entropy());
        append.enqueue.push(job.work(id, stream(), at));
        let entries = self.ports().store.append(append).await?;
        Ok(entries.first().map_or(0, |entry| entry.seq))
    }
}

/// Where one alert went.
enum Routed {
    Done,
    /// Somebody opened or closed an incident meanwhile.
    Again,
}

impl Daemon {
    /// Gives each alert of these deliveries to its incident. Safe to repeat: an alert that was given
    /// before is a duplicate there. One that cannot be given does not keep the others waiting.
    pub(super) async fn route(&self, claimed: &Claimed, deliveries: usize) -> Result<(), FeedError> {
        let first = (claimed.entry + 1).saturating_sub(deliveries as u64);
        let entries = self.ports().store.range(&stream(), first, deliveries).await?;
        let mut failed = None;
        for entry in entries {
            let Record::Received { body } = &entry.record else { continue };
            // it was readable when it was taken in
            let Ok(delivery) = intake::parse(body) else { continue };
            for alert in &delivery.alerts {
                self.heard(alert, entry.at).await.map_err(FeedError::Refused)?;
                if let Err(e) = self.route_alert(alert, claimed).await {
                    failed = Some(e);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    async fn route_alert(&self, alert: &Alert, claimed: &Claimed) -> Result<(), FeedError> {
        for _ in 0..TRIES {
            match Box::pin(self.route_once(alert, claimed)).await? {
                Routed::Done => return Ok(()),
                Routed::Again => {}
            }
        }
        Err(FeedError::Busy)
    }

    async fn route_once(&self, alert: &Alert, claimed: &Claimed) -> Result<Routed, FeedError> {
        let cluster = self.cluster_of(alert);
        let known = self.incident_at(&fingerprint_key(&cluster, &alert.fingerprint)).await?;
        if let Some(incident) = &known {
            let (_, state) = self.load(incident).await?;
            if alert.status == AlertStatus::Resolved {
                self.tell_successor(&state, alert).await?;
            }
            if state.phase != Phase::Closed || alert.status == AlertStatus::Resolved {
                return self.hand_to(incident, alert).await;
            }
        } else if alert.status == AlertStatus::Resolved {
            return Ok(Routed::Done); // it fired before belay knew of it
        }
        let (target, owner) = self.owner_of(alert, claimed).await?;
        if let Some(owner) = &owner
            && let Some(incident) = self.incident_at(&owner_key(owner)).await?
        {
            return self.join(&incident, alert).await;
        }
        match known {
            Some(incident) => self.hand_to(&incident, alert).await,
            None => self.open_for(alert, target, owner).await,
        }
    }

    /// The cluster that the alert is kept under.
    fn cluster_of(&self, alert: &Alert) -> Cluster {
        self.ports().sites.of_alert(alert).map_or_else(|_| sites::nobodys(), |kept| kept.site.cluster.clone())
    }

    pub(super) async fn incident_at(&self, key: &str) -> Result<Option<IncidentId>, StoreError> {
        let found = self.ports().store.find(key).await?;
        let exact = found.into_iter().find(|(k, _)| k == key);
        Ok(exact.map(|(_, stream)| IncidentId::new(stream.as_str())))
    }

    /// An alert that an incident began with may be known to another one by now, which is open for the same owner.
    async fn tell_successor(&self, state: &State, alert: &Alert) -> Result<(), FeedError> {
        let successor = match (&state.merged, &state.owner) {
            (Some(into), _) => Some(into.clone()),
            (None, Some(owner)) => self.incident_at(&owner_key(owner)).await?,
            (None, None) => None,
        };
        let Some(successor) = successor.filter(|successor| *successor != state.id) else { return Ok(()) };
        let (_, its) = self.load(&successor).await?;
        if its.alerts.contains_key(&alert.fingerprint) {
            self.feed(&successor, Input::Alert(alert.clone()), None).await?;
        }
        Ok(())
    }

    /// The alerts of an incident that was merged find the one that goes on with them.
    pub(super) async fn hand_on(&self, state: &State, claimed: &Claimed) -> Done {
        for alert in state.alerts.values().filter(|alert| alert.status == AlertStatus::Firing) {
            self.route_alert(alert, claimed).await.map_err(|e| NotNow(e.to_string()))?;
        }
        Ok(None)
    }

    async fn hand_to(&self, incident: &IncidentId, alert: &Alert) -> Result<Routed, FeedError> {
        match self.feed(incident, Input::Alert(alert.clone()), None).await {
            Ok(Fed::Taken(_) | Fed::Ignored(_)) => Ok(Routed::Done),
            // its owner has another incident by now: join that one
            Err(FeedError::Refused(AppendError::Taken { .. })) => Ok(Routed::Again),
            Err(e) => Err(e),
        }
    }

    /// Another alert of an owner that has an open incident: one incident per root owner.
    async fn join(&self, incident: &IncidentId, alert: &Alert) -> Result<Routed, FeedError> {
        let routed = self.hand_to(incident, alert).await?;
        let mut append = Append::to(incident.stream(), None, self.now());
        append
            .index
            .push(IndexOp::Bind { key: fingerprint_key(&self.cluster_of(alert), &alert.fingerprint) });
        match self.ports().store.append(append).await {
            // bound to an earlier incident of that alert: the owner's open one has it all the same
            Ok(_) | Err(AppendError::Taken { .. }) => Ok(routed),
            Err(AppendError::Store(e)) => Err(e.into()),
            Err(e) => Err(FeedError::Refused(e)),
        }
    }

    async fn open_for(
        &self,
        alert: &Alert,
        target: Targeted,
        owner: Option<RootOwner>,
    ) -> Result<Routed, FeedError> {
        let cluster = self.cluster_of(alert);
        let incident = IncidentId::derive(&cluster, &alert.fingerprint, alert.starts_at);
        let at = self.now();
        let key = owner.as_ref().map(owner_key);
        let fingerprint = fingerprint_key(&cluster, &alert.fingerprint);
        let opening = Opening { incident: incident.clone(), cluster, alert: alert.clone(), target, owner };
        let place = Place { incident: &incident, state: None, at, work: None, aside: false };
        let mut append = place.append(open(opening));
        append.index.extend(key.map(|key| IndexOp::Bind { key }));
        append.index.push(IndexOp::Bind { key: fingerprint });
        match self.ports().store.append(append).await {
            Ok(_) => {
                self.metrics().incidents.inc();
                Ok(Routed::Done)
            }
            Err(AppendError::Moved { .. } | AppendError::Taken { .. }) => Ok(Routed::Again),
            Err(AppendError::Store(e)) => Err(e.into()),
            Err(e) => Err(FeedError::Refused(e)),
        }
    }

    /// What the alert is about and who answers for it, by API reads alone.
    async fn owner_of(
        &self,
        alert: &Alert,
        claimed: &Claimed,
    ) -> Result<(Targeted, Option<RootOwner>), FeedError> {
        let unclear = |why: String| (Targeted::Unclear { why }, None);
        let site = match self.ports().sites.of_alert(alert) {
            Ok(kept) => &kept.site,
            Err(why) => return Ok(unclear(why)),
        };
        let target = intake::target(&site.cluster, alert);
        let Some(named) = target.named() else { return Ok((target, None)) };
        match site.reads.locate(named).await {
            Ok(located) => Ok((target, Some(located.owner))),
            Err(ReadError::NotFound { .. }) => Ok(unclear(format!("{named} does not exist (any more)"))),
            Err(e) => {
                // a cluster that cannot be read is waited for, but somebody must hear in time
                if claimed.attempts < super::loops::GIVE_UP {
                    return Err(e.into());
                }
                Ok(unclear(format!("{named} could not be read: {e}")))
            }
        }
    }
}
