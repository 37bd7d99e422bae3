//! Investigations under way: begun by an effect, kept whole in the store, and broken off once the incident has
//! moved on without them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::domain::ids::IncidentId;
use crate::domain::record::{Choice, Diagnosis};
use crate::incident::{Input, Phase, State};
use crate::investigate::{self, Investigated};

use super::Daemon;
use super::effects::{Done, NotNow};

/// Which investigations are under way, and how each is broken off.
#[derive(Default)]
pub(super) struct UnderWay(Mutex<HashMap<IncidentId, CancellationToken>>);

impl UnderWay {
    fn all(&self) -> MutexGuard<'_, HashMap<IncidentId, CancellationToken>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, incident: &IncidentId) -> CancellationToken {
        let stop = CancellationToken::new();
        self.all().insert(incident.clone(), stop.clone());
        stop
    }

    fn end(&self, incident: &IncidentId) {
        self.all().remove(incident);
    }

    /// The incident is in this state now: where that is no longer one in which anybody chooses, an
    /// investigation of it is broken off.
    pub(super) fn moved_on(&self, state: &State) {
        if state.phase != Phase::Choosing
            && let Some(stop) = self.all().get(&state.id)
        {
            stop.cancel();
        }
    }
}

impl Daemon {
    /// Has the incident investigated. One that was broken off leaves what it cost, and nothing else.
    pub(super) async fn investigate(&self, state: &State) -> Done {
        let Some(diagnosis) = &state.diagnosis else { return Ok(None) };
        Ok(self.choice(state, diagnosis).await?.map(Input::Chosen))
    }

    async fn choice(&self, state: &State, diagnosis: &Diagnosis) -> Result<Option<Choice>, NotNow> {
        let Some(mind) = &self.site(&state.cluster)?.mind else {
            return Ok(Some(investigate::playbook(diagnosis, "no model is configured")));
        };
        let (Some(lead), Some(named)) = (state.lead(), state.target.named()) else {
            return Ok(Some(investigate::playbook(diagnosis, "there is nothing to investigate")));
        };
        let case = investigate::Case {
            incident: &state.id,
            cluster: &state.cluster,
            namespace: &named.namespace,
            alert: lead,
            diagnosis,
        };
        let stop = self.under_way().begin(&state.id);
        // what happened before it could be broken off
        if let Ok(now) = self.incident(&state.id).await {
            self.under_way().moved_on(&now);
        }
        let found = investigate::investigate(mind, &case, super::entropy(), &stop).await;
        self.under_way().end(&state.id);
        self.shelve(&found).await?;
        if found.is_cancelled() {
            tracing::info!(incident = %state.id, tokens = found.tokens, "an investigation was broken off");
            return Ok(None);
        }
        Ok(Some(found.choice(diagnosis)))
    }

    /// Keeps everything that passed: the choice names it by hash.
    async fn shelve(&self, found: &Investigated) -> Result<(), NotNow> {
        let store = &self.ports().store;
        for output in &found.outputs {
            store.put_blob(output.clone().into_bytes()).await?;
        }
        for bytes in [&found.transcript, &found.tape] {
            if !bytes.is_empty() {
                store.put_blob(bytes.clone()).await?;
            }
        }
        Ok(())
    }
}
