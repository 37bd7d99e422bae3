//! Undoing what was done since a moment: which acts are still in force, in which order they are put back, and
//! what each undo would change. Each is put back as one press of Revert would.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::action::PLAN_LIFE;
use crate::domain::ids::{IncidentId, IntentId};
use crate::domain::plan::FieldChange;
use crate::domain::record::Intent;
use crate::incident::{Phase, State};

use super::Daemon;
use super::effects::NotNow;

/// Which acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Those that took effect from then on.
    pub since: Timestamp,
    /// Those in this namespace (`shop`), or on this owner (`shop/web`); everywhere otherwise.
    pub scope: Option<String>,
}

/// An act that is still in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    /// Its incident.
    pub incident: IncidentId,
    /// Its intent.
    pub intent: IntentId,
    /// When it took effect.
    pub at: Timestamp,
    /// What it did.
    pub did: String,
    /// What it did it to.
    pub object: String,
    /// A later act on the same object, which has to be put back before it.
    pub after: Option<IntentId>,
}

/// How far putting an act back has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "undo", content = "with", rename_all = "snake_case")]
pub enum Progress {
    /// It is in force; putting it back would change these fields.
    InForce(Vec<FieldChange>),
    /// It is being put back.
    Pending,
    /// It is put back.
    Done,
    /// It cannot be put back, and why.
    Refused(String),
}

impl Wanted {
    fn fits(&self, state: &State, at: Timestamp) -> bool {
        let Some(owner) = &state.owner else { return false };
        let named = &owner.0.named;
        let here = match self.scope.as_deref().map(|scope| scope.split_once('/').unwrap_or((scope, ""))) {
            None => true,
            Some((namespace, "")) => named.namespace == namespace,
            Some((namespace, name)) => named.namespace == namespace && named.name == name,
        };
        here && at >= self.since
    }
}

impl Daemon {
    /// Every act since then that is still in force, the newest first.
    pub async fn in_force(&self, wanted: &Wanted) -> Result<Vec<InForce>, String> {
        // an intent may be some minutes older than its effect
        let since = wanted.since.saturating_sub(PLAN_LIFE).unwrap_or(Timestamp::MIN);
        let mut incidents = self.book().await.map_err(|e| e.to_string())?.incidents_since(since);
        incidents.extend(self.open_incidents().await.map_err(|e| e.to_string())?);
        let mut found = Vec::new();
        for incident in incidents {
            let state = self.incident(&incident).await.map_err(|e| e.to_string())?;
            let acts = state.in_force().filter_map(|act| Some((act.intent.clone(), act.done_at?)));
            found.extend(acts.filter(|(_, at)| wanted.fits(&state, *at)));
        }
        found.sort_by(|(a, a_at), (b, b_at)| (b_at, &b.id).cmp(&(a_at, &a.id)));
        let mut told: Vec<InForce> = Vec::new();
        for (intent, at) in found {
            let object = intent.plan.action.target().to_string();
            let after = told.iter().rev().find(|newer| newer.object == object);
            let after = after.map(|newer| newer.intent.clone());
            let did = intent.plan.action.done_words();
            told.push(InForce {
                incident: intent.incident.clone(),
                intent: intent.id,
                at,
                did,
                object,
                after,
            });
        }
        Ok(told)
    }

    /// How far putting this act back has come; where nobody has begun, what it would change.
    pub async fn undo(&self, intent: &IntentId) -> Result<Progress, String> {
        let incident = intent.incident().ok_or_else(|| format!("`{intent}` names no act"))?;
        let state = self.incident(&incident).await.map_err(|e| e.to_string())?;
        let act = state.act(intent).ok_or_else(|| format!("there is no act `{intent}`"))?;
        if act.put_back.is_some() {
            return Ok(Progress::Done);
        }
        let going = match &state.phase {
            Phase::PlanningRevert(_) => true,
            Phase::Acting(under_way) => {
                state.act(under_way).is_some_and(|act| act.intent.reverts.as_ref() == Some(intent))
            }
            _ => false,
        };
        if going {
            return Ok(Progress::Pending);
        }
        if !state.in_force().any(|act| act.intent.id == *intent) {
            return Ok(Progress::Refused("it is not in force".to_owned()));
        }
        let at = act.done_at.unwrap_or(act.intended_at);
        let undos = self.undos_since(&act.intent, at).await.map_err(|NotNow(why)| why)?;
        let site = self.site(&state.cluster).map_err(|NotNow(why)| why)?;
        let planned = site.actions.plan_revert_after(&act.intent.plan, intent, &undos).await;
        Ok(match planned {
            Ok(Ok(plan)) => Progress::InForce(plan.changes),
            Ok(Err(refusal)) => Progress::Refused(refusal.to_string()),
            Err(no_answer) => Progress::Refused(no_answer.to_string()),
        })
    }

    /// The undos, done since then, of other acts on the same object: their mark stands on it.
    pub(super) async fn undos_since(&self, intent: &Intent, at: Timestamp) -> Result<Vec<IntentId>, NotNow> {
        let owner = &intent.plan.owner;
        let past = self.book().await?.on(owner);
        // that they were put back may not be noted yet: their own records say
        let later = past.iter().filter(|act| act.at >= at);
        let mut incidents: Vec<IncidentId> = later.filter_map(|act| act.intent.incident()).collect();
        incidents.push(intent.incident.clone());
        incidents.sort();
        incidents.dedup();
        let mut undos = Vec::new();
        for incident in incidents {
            let state = self.incident(&incident).await.map_err(|e| NotNow(e.to_string()))?;
            let of_it = state.acts.iter().filter(|act| {
                act.done()
                    && act.intent.reverts.is_some()
                    && act.intended_at >= at
                    && act.intent.plan.action.target() == intent.plan.action.target()
            });
            undos.extend(of_it.map(|act| act.intent.id.clone()));
        }
        Ok(undos)
    }
}
