//! What each effect does in the world. No choices are made here: ports are asked, pure stages are given
//! what they answered, and the result comes back as an input of the incident.

use crate::domain::action::{Action, Doable};
use crate::domain::cluster::Snapshot;
use crate::domain::decision::{ApprovalFacts, Asked, Decided, Expectation, Person, Question};
use crate::domain::evidence::Preserved;
use crate::domain::ids::{CandidateId, IncidentId, IntentId};
use crate::domain::plan::Refusal;
use crate::domain::record::{Entry, Intent};
use crate::domain::target::{Kind, Targeted};
use crate::domain::warrant::Applied;
use crate::execute::verify::{self, Seen};
use crate::incident::input::{Check, Held};
use crate::incident::{Effect, Input, State};
use crate::policy::{Permit, PolicySet};
use crate::ports::actions::NoAnswer;
use crate::ports::messenger::Undelivered;
use crate::ports::reads::{Located, ReadError};
use crate::ports::store::{Claimed, StoreError};
use crate::store::Durable;
use crate::{diagnose, execute, policy};

use super::facts::Asking;
use super::gauged::gauged;
use super::incidents::FeedError;
use super::loops::{Ended, GIVE_UP};
use super::measured::measured;
use super::watch::active;
use super::{Daemon, Fed, pages};

impl Daemon {
    /// Carries out one effect of an incident.
    pub(super) async fn effect(
        &self,
        incident: &IncidentId,
        effect: &Effect,
        claimed: &Claimed,
    ) -> Result<Ended, FeedError> {
        let (entries, state) = self.load(incident).await?;
        let input = match effect {
            Effect::Look => self.look(&state).await,
            Effect::Advise => Ok(self.advise(&state)),
            Effect::Investigate => self.investigate(&state).await,
            Effect::Decide { candidate } => self.decide(&state, candidate).await,
            Effect::Plan { candidate } => self.plan(&state, candidate).await,
            Effect::Judge => self.judge(&state).await,
            Effect::Apply { intent } => self.apply(&entries, &state, intent).await,
            Effect::Check { intent } => self.check(&state, intent).await,
            Effect::PlanRevert { intent, by } => self.plan_revert(&state, intent, by.clone()).await,
            Effect::Note { intent } => self.note(&state, intent).await,
            Effect::HandOn => Box::pin(self.hand_on(&state, claimed)).await,
            Effect::Publish => self.publish(&entries, &state, claimed).await,
            Effect::Page { why } => self.page(&entries, &state, why).await,
        };
        match input {
            Ok(Some(input)) => {
                let fed = self.feed(incident, input, Some(&claimed.work.id)).await?;
                if let Fed::Ignored(why) = fed {
                    tracing::debug!(%incident, ?effect, %why, "an effect came to nothing");
                }
                Ok(Ended::Complete)
            }
            Ok(None) => Ok(Ended::Done),
            Err(NotNow(why)) => Ok(Ended::Failed(why)),
        }
    }

    async fn look(&self, state: &State) -> Done {
        // side by side: neither waits for the other
        let (snapshot, pages) = tokio::join!(self.snapshot(state), self.pages(state));
        let (Some(mut snapshot), Some(lead)) = (snapshot?, state.lead()) else {
            return Ok(self.advise(state));
        };
        if state.owner.as_ref() != Some(&snapshot.owner) {
            return Ok(Some(Input::Rehomed(snapshot.owner)));
        }
        let site = self.site(&state.cluster)?;
        if let Some(metrics) = &site.metrics {
            gauged(&**metrics, &mut snapshot).await;
        }
        let mut diagnosis = diagnose::diagnose(&snapshot, &lead.labels, &site.jobs);
        diagnosis.brief = self.brief(site, state, &snapshot, &diagnosis.findings).await;
        // everything that was read is kept before anything is done: an act may remove it
        let whole = serde_json::to_vec(&snapshot).map_err(|e| NotNow(e.to_string()))?;
        let hash = self.ports().store.put_blob(whole).await?;
        diagnosis.evidence.iter_mut().for_each(|evidence| evidence.blob = Some(hash));
        self.bind(&mut diagnosis, pages).await?;
        pages::flag(&mut diagnosis);
        Ok(Some(Input::Diagnosed(Box::new(diagnosis))))
    }

    fn advise(&self, state: &State) -> Option<Input> {
        let lead = state.lead()?;
        let unclear = match (&state.target, &state.owner) {
            (Targeted::Unclear { why }, _) => Some(why.as_str()),
            (Targeted::Named { .. }, None) => Some("who answers for it is not known"),
            (Targeted::Named { .. }, Some(_)) => None,
        };
        Some(Input::Advised(policy::advise(&self.policies(), lead, unclear)))
    }

    async fn decide(&self, state: &State, candidate: &CandidateId) -> Done {
        let set = self.policies();
        let asking = Asking { asked: Asked::Candidate, candidate, plan: None, set: &set, but: None };
        let question = self.question(state, asking).await?;
        Ok(Some(decided(&set, question)))
    }

    async fn plan(&self, state: &State, id: &CandidateId) -> Done {
        let Some(candidate) = state.candidate(id) else { return Ok(None) };
        let result = self.site(&state.cluster)?.actions.plan(&candidate.action, &candidate.owner).await?;
        let kept = match &result {
            Ok(plan) if plan.action.removes_pods() => Some(self.preserve(state, &plan.action).await?),
            Ok(_) | Err(_) => None,
        };
        Ok(Some(Input::Planned { candidate: id.clone(), result: result.map(Box::new), kept }))
    }

    /// Keeps what an act takes away: the pods as they are, their events and logs. What cannot be read is
    /// said, and policy then has a person asked.
    async fn preserve(&self, state: &State, action: &Action) -> Result<Preserved, NotNow> {
        let Some(snapshot) = self.snapshot(state).await? else {
            return Ok(Preserved::Not("there was nothing to look at".to_owned()));
        };
        let unread =
            [snapshot.pods.as_ref().err(), snapshot.events.as_ref().err(), snapshot.logs.as_ref().err()];
        if let Some(why) = unread.into_iter().flatten().next() {
            return Ok(Preserved::Not(why.clone()));
        }
        let target = action.target();
        let words = match target.named.kind {
            Kind::Pod => self.site(&state.cluster)?.reads.last_words(target).await,
            _ => Ok(Vec::new()),
        };
        let words = match words {
            Ok(words) => words,
            Err(error) => return Ok(Preserved::Not(error.to_string())),
        };
        let whole = serde_json::to_vec(&(snapshot, words)).map_err(|e| NotNow(e.to_string()))?;
        Ok(Preserved::Blob(self.ports().store.put_blob(whole).await?))
    }

    async fn judge(&self, state: &State) -> Done {
        let (Some(plan), Some(candidate)) = (&state.plan, state.chosen()) else { return Ok(None) };
        let set = self.policies();
        let asking =
            Asking { asked: Asked::Plan, candidate: &candidate, plan: Some(plan), set: &set, but: None };
        let question = self.question(state, asking).await?;
        Ok(Some(decided(&set, question)))
    }

    /// Policy a last time, then the warrant, then the write. On a repeat the object is asked first: what
    /// took effect is never sent again.
    async fn apply(&self, entries: &[Durable<Entry>], state: &State, id: &IntentId) -> Done {
        let intent = entries.iter().filter_map(Durable::intent).find(|i| i.id == *id);
        let (Some(intent), Some(act)) = (intent, state.act(id)) else { return Ok(None) };
        if act.done() {
            return Ok(None);
        }
        let applied = |applied| Ok(Some(Input::Applied { intent: id.clone(), applied }));
        let actions = &*self.site(&state.cluster)?.actions;
        let status = actions.status(&intent.plan, id).await?;
        if matches!(status, Applied::Done { .. }) {
            return applied(status);
        }
        let permit = match self.permit_for(state, &intent).await? {
            Ok(permit) => permit,
            Err(decided) => return Ok(Some(Input::NotSent { intent: id.clone(), decided })),
        };
        self.metrics().acts.inc();
        let outcome = execute::carry_out(actions, &self.inner.signer, permit, &intent, self.now()).await;
        applied(outcome)
    }

    /// Policy's last word, at the write.
    async fn permit_for(
        &self,
        state: &State,
        intent: &Intent,
    ) -> Result<Result<Permit, Box<Decided>>, NotNow> {
        let candidate = state.chosen().ok_or_else(|| NotNow("nothing was chosen".into()))?;
        let set = self.policies();
        let asking = Asking {
            asked: Asked::Write,
            candidate: &candidate,
            plan: Some(&intent.plan),
            set: &set,
            but: Some(&intent.id),
        };
        let mut question = self.question(state, asking).await?;
        question.approval = approved(state, intent);
        question.undoes = intent.reverts.as_ref().map(|_| intent.grant().clone());
        let permit = policy::permit(&set, &question);
        Ok(permit.map_err(|decision| Box::new(Decided { question, decision: *decision })))
    }

    async fn check(&self, state: &State, id: &IntentId) -> Done {
        let (Some(act), Some(lead)) = (state.act(id), state.lead()) else { return Ok(None) };
        let mut intent = act.intent.clone();
        // whatever the grant asks for besides: a cause that comes again is one that was not remedied
        let proposal = intent.plan.proposal.is_some();
        let watched = intent.reverts.is_none() && !proposal;
        if watched && !intent.terms.verify.expect.contains(&Expectation::NoNewRestarts) {
            intent.terms.verify.expect.push(Expectation::NoNewRestarts);
        }
        let besides = match intent.plan.action.doable() {
            Doable::Edit(_) | Doable::Propose(_) => Some(Expectation::StillOurs),
            Doable::Run(_) => Some(Expectation::JobComplete),
            Doable::Evict(_) => None,
        };
        intent.terms.verify.expect.extend(besides);
        let acted = act.done_at.unwrap_or(act.intended_at);
        if !intent.terms.verify.metrics.is_empty() {
            intent.terms.verify.expect.push(Expectation::Measures);
        }
        let owner = intent.plan.owner.clone();
        let located = Located { target: owner.0.clone(), owner };
        let site = self.site(&state.cluster)?;
        let after = match site.reads.snapshot(&located).await {
            Ok(after) => after,
            Err(e) => return Ok(Some(Input::Checked { intent: id.clone(), check: unseen(&e.to_string()) })),
        };
        let before = self.before(state).await?;
        let unread = || Err("no Alertmanager is configured whose list could be read".into());
        let active = active(site).await.unwrap_or_else(unread);
        let applied = if besides.is_some() {
            site.actions.status(&intent.plan, id).await.map_err(|e| e.to_string())
        } else {
            Err("a pod that went has no fields".to_owned())
        };
        let measured = measured(site, &intent, [acted, self.now()]).await;
        let look = verify::Look {
            intent: &intent,
            acted,
            alert: &lead.labels,
            before: before.as_ref().unwrap_or(&after),
            after: &after,
            active: &active,
            applied: &applied,
            measured: &measured,
        };
        let check = check_of(verify::verify(&look));
        Ok(Some(Input::Checked { intent: id.clone(), check }))
    }

    /// The cluster as it was diagnosed, from what was kept then.
    async fn before(&self, state: &State) -> Result<Option<Snapshot>, NotNow> {
        let kept = state.diagnosis.iter().flat_map(|d| &d.evidence).find_map(|e| e.blob);
        let Some(hash) = kept else { return Ok(None) };
        let bytes = self.ports().store.blob(hash).await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    async fn plan_revert(&self, state: &State, id: &IntentId, by: Option<Person>) -> Done {
        let Some(act) = state.act(id) else { return Ok(None) };
        let undos = self.undos_since(&act.intent, act.intended_at).await?;
        let planned =
            self.site(&state.cluster)?.actions.plan_revert_after(&act.intent.plan, id, &undos).await?;
        let result: Result<_, Refusal> = planned.map(Box::new);
        Ok(Some(Input::RevertPlanned { intent: id.clone(), by, result }))
    }

    async fn publish(&self, entries: &[Durable<Entry>], state: &State, claimed: &Claimed) -> Done {
        if !state.has_news() {
            return Ok(None);
        }
        let view = self.view(entries, state).await;
        let carries = view.question.as_ref().map(|q| q.question.clone());
        match self.ports().messenger.publish(&view, state.message.as_ref()).await {
            Ok(message) => Ok(Some(Input::Published { message, version: view.version, carries })),
            Err(Undelivered::Later { why, .. }) if claimed.attempts < GIVE_UP => Err(NotNow(why)),
            Err(e @ (Undelivered::Later { .. } | Undelivered::Never(_))) => {
                tracing::error!(incident = %state.id, error = %e, "the message was not accepted");
                Ok(Some(Input::Undelivered { why: e.to_string() }))
            }
        }
    }

    async fn page(&self, entries: &[Durable<Entry>], state: &State, why: &str) -> Done {
        let pager = &self.ports().pager;
        let headline = self.view(entries, state).await.headline;
        match pager.page(&state.id, &headline, why).await {
            Ok(()) => Ok(Some(Input::Paged { through: pager.name().into() })),
            Err(e) => {
                // a page is tried for as long as the incident lives: somebody must hear
                tracing::error!(incident = %state.id, error = %e, why, "nobody could be called");
                Err(NotNow(e.to_string()))
            }
        }
    }
}

fn decided(set: &PolicySet, question: Question) -> Input {
    let decision = policy::decide(set, &question);
    let cleared = policy::permit(set, &question).is_ok();
    Input::Decided { decided: Box::new(Decided { question, decision }), cleared }
}

/// One look, summed up: the strictest counts.
fn check_of(seen: Vec<(Expectation, Seen)>) -> Check {
    let rank = |s: &Seen| match s {
        Seen::Declined(_) => 5,
        Seen::Pending(_) => 4,
        Seen::Again(_) => 3,
        Seen::Not(_) => 2,
        Seen::CannotTell(_) => 1,
        Seen::Held(_) => 0,
    };
    let held = match seen.iter().map(|(_, s)| rank(s)).max() {
        Some(5) => Held::Declined,
        Some(4) => Held::Pending,
        Some(3) => Held::Again,
        Some(2) => Held::NotYet,
        Some(1) => Held::CannotTell,
        Some(_) | None => Held::Yes,
    };
    let words = |(_, s): (Expectation, Seen)| match s {
        Seen::Declined(w)
        | Seen::Pending(w)
        | Seen::Again(w)
        | Seen::Not(w)
        | Seen::CannotTell(w)
        | Seen::Held(w) => w,
    };
    Check { held, seen: seen.into_iter().map(words).collect() }
}

fn unseen(why: &str) -> Check {
    Check { held: Held::CannotTell, seen: vec![why.to_owned()] }
}

/// The approval on which the intent was written: the one that the decision before it was made on.
fn approved(state: &State, intent: &Intent) -> Option<ApprovalFacts> {
    if let Some(by) = intent.reverts.as_ref().and(state.reverting.as_ref()) {
        // whoever pressed Revert approved exactly the undo that the message promised
        return Some(ApprovalFacts { plan: intent.plan_hash, by: vec![by.clone()], at: intent.plan.made_at });
    }
    let decided = state.decided.as_ref()?;
    decided.question.approval.clone().filter(|a| a.plan == intent.plan_hash)
}

/// How an effect ends: an input, nothing, or not now.
pub(super) type Done = Result<Option<Input>, NotNow>;

/// It could not be done now; worth another try.
pub(super) struct NotNow(pub(super) String);

impl From<ReadError> for NotNow {
    fn from(e: ReadError) -> Self {
        Self(e.to_string())
    }
}

impl From<NoAnswer> for NotNow {
    fn from(e: NoAnswer) -> Self {
        Self(e.to_string())
    }
}

impl From<StoreError> for NotNow {
    fn from(e: StoreError) -> Self {
        Self(e.to_string())
    }
}
