//! What the four tools do: verify, check the hard limits, write the use down, act, read back. One write at
//! a time, so that whoever asks for the status of a write waits until it has ended.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};
use tokio_util::sync::CancellationToken;

use super::ledger::{Ledger, Use};
use super::limits::HardLimits;
use super::repositories::Repositories;
use super::steps::{self, Reach};
use super::warrant::{Authentic, SKEW, VerifyingKeys, Warrant};
use crate::domain::action::{Action, Doable, PLAN_LIFE};
use crate::domain::canonical::Hash;
use crate::domain::ids::IntentId;
use crate::domain::plan::{Plan, Refusal};
use crate::domain::target::RootOwner;
use crate::domain::warrant::{Applied, SignedWarrant};
use crate::ports::clock::SharedClock;
use crate::ports::cluster_writes::Hand;

/// Everything that the action server is made of.
pub struct Engine {
    hand: Arc<dyn Hand>,
    repositories: Repositories,
    keys: VerifyingKeys,
    limits: HardLimits,
    clock: SharedClock,
    ledger: Mutex<Ledger>,
}

/// What an order comes down to once the ledger was asked.
enum Before {
    /// It was carried out, or tried, before: this became of it.
    Told(Applied),
    /// It may be carried out (again: only what its preconditions still allow can happen).
    Free,
}

impl Engine {
    /// A server that reaches the cluster by `hand` and takes warrants signed by one of `keys`.
    pub fn new(
        hand: Arc<dyn Hand>,
        keys: VerifyingKeys,
        limits: HardLimits,
        clock: SharedClock,
        ledger: Ledger,
    ) -> Self {
        let repositories = Repositories::default();
        Self { hand, repositories, keys, limits, clock, ledger: Mutex::new(ledger) }
    }

    /// The same, which may propose changes to these repositories.
    #[must_use]
    pub fn proposing(self, repositories: Repositories) -> Self {
        Self { repositories, ..self }
    }

    fn reach(&self) -> Reach<'_> {
        Reach { hand: &*self.hand, repositories: &self.repositories, jobs: &self.limits.jobs }
    }

    /// The plan for this action on this owner.
    pub async fn plan(&self, action: &Action, owner: &RootOwner) -> Result<Plan, Refusal> {
        self.limits.admit(action)?;
        let plan = steps::plan(self.reach(), action, self.clock.now()).await?;
        if plan.owner != *owner {
            return Err(Refusal::Changed {
                object: action.target().to_string(),
                detail: format!("its owner is `{}` and not `{owner}`", plan.owner),
            });
        }
        self.limits.admit_plan(&plan)?;
        Ok(plan)
    }

    /// The plan to put `done` back, which one of these intents of ours stands for on the object.
    pub async fn plan_revert(&self, done: &Plan, ours: &[IntentId]) -> Result<Plan, Refusal> {
        self.limits.admit_place(done)?;
        let plan = steps::plan_revert(self.reach(), done, ours, self.clock.now()).await?;
        self.limits.admit_plan(&plan)?;
        Ok(plan)
    }

    /// Carries out the plan, once. An order that is cancelled before its turn comes does nothing.
    pub async fn apply(&self, plan: &Plan, signed: &SignedWarrant, cancelled: &CancellationToken) -> Applied {
        match self.applied(plan, signed, cancelled).await {
            Ok(applied) => applied,
            Err(refusal) => Applied::Refused { refusal },
        }
    }

    /// What became of the intent: from the ledger where the outcome is sure, otherwise from the object.
    pub async fn status(&self, plan: &Plan, intent: &IntentId) -> Applied {
        if let Err(refusal) = self.limits.admit_place(plan) {
            return Applied::Refused { refusal };
        }
        let ledger = self.ledger.lock().await;
        // several uses for one intent: a yes outweighs the refusals before it
        let outcomes: Vec<_> = ledger.of_intent(intent).filter_map(settled).collect();
        let done = outcomes.iter().find(|o| matches!(o, Applied::Done { .. })).cloned();
        let open = ledger.of_intent(intent).any(|used| settled(used).is_none());
        let recorded = done.or_else(|| outcomes.into_iter().next_back().filter(|_| !open));
        let begun = ledger.of_intent(intent).next().is_some();
        match (self.told(plan, intent, recorded).await, plan.action.doable()) {
            (Applied::Done { detail, changed: None, progress, proposed }, Doable::Edit(_)) => {
                let changed = self.changed_since(plan, intent).await;
                Applied::Done { detail, changed, progress, proposed }
            }
            // what was opened once may be merged or closed by now
            (Applied::Done { detail, .. }, Doable::Propose(_)) => {
                self.now(plan, intent, detail, "how it stands").await
            }
            // it goes on by itself: what was kept is how far it was then
            (Applied::Done { detail, .. }, Doable::Run(_)) => {
                self.now(plan, intent, detail, "how far its Job is").await
            }
            // that a pod is gone says nothing of who removed it: what was never begun was not our doing
            (Applied::Done { detail, .. }, Doable::Evict(pod)) if !begun => {
                Applied::Refused { refusal: Refusal::Gone { object: pod.to_string(), detail } }
            }
            (told, Doable::Evict(_) | Doable::Edit(_) | Doable::Run(_) | Doable::Propose(_)) => told,
        }
    }

    /// What somebody changed of a change that is known to be done, as far as the object shows.
    async fn changed_since(&self, plan: &Plan, intent: &IntentId) -> Option<String> {
        match steps::look(self.reach(), plan, intent).await {
            Applied::Done { changed, .. } => changed,
            Applied::Refused { refusal } => Some(refusal.to_string()),
            Applied::Unknown { detail } => {
                Some(format!("whether it is as it was written is unknown: {detail}"))
            }
        }
    }

    /// How far a Job is, or how a proposal stands, that is known to have been made: what was recorded of that says
    /// nothing any more.
    async fn now(&self, plan: &Plan, intent: &IntentId, detail: String, what: &str) -> Applied {
        let changed = match steps::look(self.reach(), plan, intent).await {
            done @ Applied::Done { .. } => return done,
            Applied::Refused { refusal } => format!("it is not there any more: {refusal}"),
            Applied::Unknown { detail } => format!("{what} is unknown: {detail}"),
        };
        Applied::Done { detail, changed: Some(changed), progress: None, proposed: None }
    }

    async fn applied(
        &self,
        plan: &Plan,
        signed: &SignedWarrant,
        cancelled: &CancellationToken,
    ) -> Result<Applied, Refusal> {
        let authentic = Authentic::of(signed, &self.keys)?;
        let hash = plan.hash().map_err(|e| Refusal::Warrant(e.to_string()))?;
        self.limits.admit_place(plan)?;
        let mut ledger = self.turn(cancelled).await?;
        // asked before the times are: what was done stays done, also when its warrant has expired since
        match self.before(&ledger, plan, hash, &authentic).await? {
            Before::Told(applied) => return Ok(applied),
            Before::Free => {}
        }
        let now = self.clock.now();
        let warrant = authentic.good_for(hash, now)?;
        in_date(plan, now)?;
        self.limits.admit_plan(plan)?;
        ledger.start(&warrant).await.map_err(|e| Refusal::Warrant(e.to_string()))?;
        Ok(self.act(&mut ledger, plan, &warrant).await)
    }

    async fn act(&self, ledger: &mut Ledger, plan: &Plan, warrant: &Warrant) -> Applied {
        let applied = steps::apply(self.reach(), plan, warrant.intent(), warrant.approved_by()).await;
        // the write is over: if its outcome cannot be kept, the ledger refuses the next one by itself
        let _ = ledger.end(warrant, &applied).await;
        applied
    }

    async fn turn(&self, cancelled: &CancellationToken) -> Result<MutexGuard<'_, Ledger>, Refusal> {
        let late = || Refusal::NotApplied("it was called off before its turn came".to_owned());
        let guard = tokio::select! {
            biased;
            () = cancelled.cancelled() => return Err(late()),
            guard = self.ledger.lock() => guard,
        };
        Ok(guard)
    }

    async fn before(
        &self,
        ledger: &Ledger,
        plan: &Plan,
        hash: Hash,
        warrant: &Authentic,
    ) -> Result<Before, Refusal> {
        let foreign = |why: &str| Err(Refusal::Warrant(why.to_owned()));
        let intent = warrant.intent();
        if warrant.plan() != hash {
            return foreign("it is for another plan");
        }
        if let Some(used) = ledger.of_warrant(warrant.id()) {
            if used.intent != *intent || used.plan != hash {
                return foreign("it was used before, for something else");
            }
            return Ok(Before::Told(self.told(plan, intent, settled(used)).await));
        }
        let mut earlier = ledger.of_intent(intent).peekable();
        if earlier.peek().is_none() {
            return Ok(Before::Free);
        }
        let (mut done, mut other) = (None, false);
        for used in earlier {
            other |= used.plan != hash;
            done = done.or_else(|| settled(used).filter(|a| matches!(a, Applied::Done { .. })));
        }
        if other {
            return foreign("its intent was used before, for another plan");
        }
        Ok(match self.told(plan, intent, done).await {
            Applied::Refused { refusal: Refusal::NotApplied(_) } => Before::Free,
            told => Before::Told(told),
        })
    }

    /// The outcome that was recorded, if it is one that later sight of the object cannot better; otherwise
    /// what the object shows now.
    async fn told(&self, plan: &Plan, intent: &IntentId, recorded: Option<Applied>) -> Applied {
        match recorded {
            Some(outcome) => outcome,
            None => steps::look(self.reach(), plan, intent).await,
        }
    }
}

/// The outcome of a use, if it is sure: the API server's own yes or no, or an order that was never sent.
/// What was only seen in reading back after a lost answer may have changed since.
fn settled(used: &Use) -> Option<Applied> {
    match &used.outcome {
        Some(Applied::Done { .. }) => used.outcome.clone(),
        Some(Applied::Refused { refusal }) if !matches!(refusal, Refusal::NotApplied(_)) => {
            used.outcome.clone()
        }
        Some(Applied::Refused { .. } | Applied::Unknown { .. }) | None => None,
    }
}

/// The plan is neither too old nor from the future.
fn in_date(plan: &Plan, now: Timestamp) -> Result<(), Refusal> {
    if now >= plan.expires_at {
        return Err(Refusal::Expired(plan.expires_at));
    }
    if plan.made_at.duration_since(now) > SKEW || plan.expires_at.duration_since(plan.made_at) > PLAN_LIFE {
        return Err(Refusal::Warrant("its plan's times are not those of a plan made here".to_owned()));
    }
    Ok(())
}
