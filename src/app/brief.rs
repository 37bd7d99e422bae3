//! The standard checklist, looked up at once and within seconds, before any model is asked.

use std::time::Duration;

use tokio::time::timeout;

use crate::diagnose::brief;
use crate::diagnose::recall::Ask;
use crate::domain::alert::Alert;
use crate::domain::brief::{About, Brief, Point};
use crate::domain::cluster::Snapshot;
use crate::domain::finding::Finding;
use crate::domain::ids::Fingerprint;
use crate::domain::service_map::Beside;
use crate::domain::trace::Place;
use crate::incident::State;
use crate::servers::kit::Scope;

use super::Daemon;
use super::sites::Site;
use super::watch::active;

/// How long one look-up may take: people and the model wait for the slowest. As of a request, in the network's time.
const WITHIN: Duration = Duration::from_secs(5);

/// What the service map tells of the owner, where there is one. Policy and candidates know nothing of it.
async fn beside(site: &Site, snapshot: &Snapshot) -> Option<Beside> {
    let map = site.map.as_ref()?;
    let named = &snapshot.owner.0.named;
    let place = Place { namespace: Some(named.namespace.clone()), service: named.name.clone() };
    // for people: what is of other namespaces is kept from the model
    let told = async { map.around(&place, &Scope::new(Vec::new())).await.beside(&place) };
    let late = |_| Beside {
        gaps: vec![format!("no answer of the service map within {} seconds", WITHIN.as_secs())],
        ..Beside::default()
    };
    Some(timeout(WITHIN, told).await.unwrap_or_else(late))
}

impl Daemon {
    /// The brief about an incident: what is known by now, with gaps where something does not answer in time.
    pub(super) async fn brief(
        &self,
        site: &Site,
        state: &State,
        snapshot: &Snapshot,
        findings: &[Finding],
    ) -> Brief {
        let Some(lead) = state.lead() else { return Brief::default() };
        let own: Vec<Fingerprint> = state.alerts.keys().cloned().collect();
        let late = || Err(format!("no answer within {} seconds", WITHIN.as_secs()));
        let active = async { timeout(WITHIN, active(site)).await.unwrap_or_else(|_| Some(late())) };
        let (active, similar, beside) =
            tokio::join!(active, self.similar(state, snapshot, lead, findings), beside(site, snapshot));
        let runbooks = self.runbooks().point(lead, &snapshot.owner, findings);
        let points = vec![
            brief::alerts(snapshot, active.as_ref(), &own),
            brief::changes(snapshot),
            brief::errors(snapshot),
            brief::dependencies(snapshot, beside.as_ref()),
            similar,
            runbooks,
        ];
        Brief { points }
    }

    async fn similar(
        &self,
        state: &State,
        snapshot: &Snapshot,
        alert: &Alert,
        findings: &[Finding],
    ) -> Point {
        let ask = Ask { incident: &state.id, alert, owner: &snapshot.owner, findings };
        match self.remembered().await {
            Ok(kept) => kept.recall().point(&ask),
            Err(error) => Point::unknown(About::Similar, error.to_string()),
        }
    }
}
