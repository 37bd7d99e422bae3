//! The standard checklist, looked up at once and within seconds, before any model is asked.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::timeout;

use crate::diagnose::brief;
use crate::diagnose::recall::Ask;
use crate::domain::alert::Alert;
use crate::domain::brief::{About, Brief, Point};
use crate::domain::cluster::Snapshot;
use crate::domain::finding::Finding;
use crate::domain::ids::Fingerprint;
use crate::domain::redact;
use crate::domain::runbook::Runbook;
use crate::domain::service_map::Beside;
use crate::domain::trace::Place;
use crate::incident::State;
use crate::servers::kit::Scope;
use crate::servers::runbooks::{Ground, walk};

use super::Daemon;
use super::sites::Site;
use super::watch::active;

/// How long one look-up may take: people and the model wait for the slowest. As of a request, in the network's time.
const WITHIN: Duration = Duration::from_secs(5);
/// Steps of one runbook that a message has room for.
const STEPS: usize = 12;
/// The name of a file.
const NAME: usize = 160;

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
        let (mut runbooks, books) = self.runbooks().point(lead, &snapshot.owner, findings);
        let walked = self.walked(site, snapshot, &books);
        let (active, similar, walked, beside) = tokio::join!(
            active,
            self.similar(state, snapshot, lead, findings),
            walked,
            beside(site, snapshot)
        );
        let (says, quoted) = walked;
        runbooks.says.extend(says);
        runbooks.quoted.extend(quoted);
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

    /// The steps of these runbooks, each looked at by what its check names: a line each, and the lines of logs that
    /// show it. Nothing is done.
    async fn walked(
        &self,
        site: &Site,
        snapshot: &Snapshot,
        books: &[Arc<Runbook>],
    ) -> (Vec<String>, Vec<String>) {
        let (mut told, mut quoted) = (Vec::new(), Vec::new());
        let Some(listing) = &site.listing else { return (told, quoted) };
        let ground = Ground {
            cluster: site.cluster.clone(),
            listing: Arc::clone(listing),
            metrics: site.metrics.clone(),
            clock: Arc::clone(&self.ports().clock),
        };
        let named = &snapshot.owner.0.named;
        let with_steps: Vec<&Arc<Runbook>> = books.iter().filter(|book| !book.steps.is_empty()).collect();
        let walking = with_steps
            .iter()
            .map(|book| timeout(WITHIN, walk(&ground, &book.steps, &named.namespace, &named.name)));
        for (book, walked) in with_steps.iter().zip(join_all(walking).await) {
            let name = redact::line(&book.name, NAME);
            match walked {
                Ok(walked) => {
                    told.extend(walked.iter().take(STEPS).map(|step| format!("`{name}` {step}")));
                    quoted.extend(walked.into_iter().take(STEPS).filter_map(|step| step.quoted));
                }
                Err(_) => told.push(format!(
                    "the steps of `{name}` were not looked at: no answer within {} seconds",
                    WITHIN.as_secs()
                )),
            }
        }
        (told, quoted)
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
