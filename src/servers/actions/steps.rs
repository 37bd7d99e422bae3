//! Each action as a sequence of reads and writes by the hand. What to do is decided by the pure functions
//! in `domain::action`; what to make of an answer is decided here.

use jiff::Timestamp;

use super::propose;
use super::repositories::Repositories;
use crate::domain::action::edit::{self, Edit};
use crate::domain::action::job::{self, LiveJob, Templates};
use crate::domain::action::restart_pod::Evict;
use crate::domain::action::{Action, ActionKind, Doable, pull_request, restart_pod};
use crate::domain::ids::IntentId;
use crate::domain::plan::{Direction, Plan, Refusal};
use crate::domain::target::Object;
use crate::domain::warrant::Applied;
use crate::ports::cluster_writes::{Answer, Hand, Mode};
use crate::ports::reads::ReadError;

/// How often a pod is read and marked anew. Somebody may annotate it between the two; to lose against that thrice in a
/// row, within milliseconds each, means something else is wrong.
const MARK_TRIES: u32 = 3;

/// What the action server can reach: the cluster, and the repositories that keep its state.
#[derive(Clone, Copy)]
pub struct Reach<'a> {
    /// The cluster.
    pub hand: &'a dyn Hand,
    /// The repositories.
    pub repositories: &'a Repositories,
    /// The jobs that somebody declared.
    pub jobs: &'a Templates,
}

/// Works the action out against the live object and lets the API server dry-run it.
pub async fn plan(reach: Reach<'_>, action: &Action, now: Timestamp) -> Result<Plan, Refusal> {
    let Reach { hand, repositories, jobs } = reach;
    match action.doable() {
        Doable::Propose(instead_of) => {
            pull_request::supported(instead_of.kind())?;
            propose::plan(hand, repositories, instead_of, now).await
        }
        Doable::Evict(pod) => {
            let live = hand.pod(pod).await.map_err(unreadable)?;
            let plan = restart_pod::plan(live.as_ref(), pod, now)?;
            let order = restart_pod::order(&plan, live.as_ref())?;
            rehearsed(hand.rehearse(&order).await, "making the new pod")?;
            rehearsed(hand.evict(&order, Mode::DryRun).await, "the eviction")?;
            Ok(plan)
        }
        Doable::Edit(_) => {
            let live = hand.object(action).await.map_err(unreadable)?;
            let plan = edit::plan(live.as_ref(), action, now)?;
            rehearse(hand, &edit::order(&plan, live.as_ref())?).await?;
            Ok(plan)
        }
        Doable::Run(about) => {
            let live = hand.about(about).await.map_err(unreadable)?;
            let plan = job::plan(live.as_ref(), action, jobs, now)?;
            let order = job::order(&plan, live.as_ref(), jobs)?;
            rehearsed(hand.create_job(&order, Mode::DryRun).await, "making the Job")?;
            Ok(plan)
        }
    }
}

/// Works out how `done` is put back.
pub async fn plan_revert(
    Reach { hand, repositories, jobs }: Reach<'_>,
    done: &Plan,
    ours: &[IntentId],
    now: Timestamp,
) -> Result<Plan, Refusal> {
    match done.action.doable() {
        Doable::Propose(_) => propose::plan_revert(repositories, done, ours, now).await,
        Doable::Evict(_) => {
            Err(Refusal::NothingToDo("a restart has no undo: hand it over to a person".to_owned()))
        }
        Doable::Edit(_) => {
            let live = hand.object(&done.action).await.map_err(unreadable)?;
            let plan = edit::plan_revert(live.as_ref(), done, ours, now)?;
            rehearse(hand, &edit::order(&plan, live.as_ref())?).await?;
            Ok(plan)
        }
        Doable::Run(about) => {
            let intent =
                ours.first().ok_or_else(|| Refusal::Limit("it does not say what it puts back".to_owned()))?;
            let live = hand.about(about).await.map_err(unreadable)?;
            let (forward, back) = (made(hand, done, intent).await?, undone(hand, done, intent).await?);
            let found = (forward.as_ref(), back.as_ref());
            let plan = job::plan_revert(live.as_ref(), found, (done, intent), jobs, now)?;
            let order = job::order(&plan, live.as_ref(), jobs)?;
            rehearsed(hand.create_job(&order, Mode::DryRun).await, "making the Job")?;
            Ok(plan)
        }
    }
}

/// The Job that stands for this plan and intent.
async fn made(hand: &dyn Hand, plan: &Plan, intent: &IntentId) -> Result<Option<LiveJob>, Refusal> {
    let (namespace, name) = job::seen_as(plan, intent)?;
    hand.job(&namespace, &name).await.map_err(unreadable)
}

/// The Job that put this plan back, if one did.
async fn undone(hand: &dyn Hand, plan: &Plan, intent: &IntentId) -> Result<Option<LiveJob>, Refusal> {
    let (namespace, _) = job::seen_as(plan, intent)?;
    let Some(name) = job::undo_name(plan, intent) else { return Ok(None) };
    hand.job(&namespace, &name).await.map_err(unreadable)
}

/// Carries the plan out: live state once more, then the one write. `told` is who allowed it, for people.
pub async fn apply(reach: Reach<'_>, plan: &Plan, intent: &IntentId, told: &str) -> Applied {
    let Reach { hand, repositories, jobs } = reach;
    let sent = match plan.action.doable() {
        Doable::Propose(_) => return propose::apply(hand, repositories, plan, intent, told).await,
        Doable::Evict(_) => restart(hand, plan, intent).await,
        Doable::Edit(_) => change(hand, plan, intent).await,
        Doable::Run(about) => {
            let live = hand.about(about).await.map_err(unreadable);
            match live.and_then(|live| job::order(plan, live.as_ref(), jobs)) {
                Ok(order) => Ok(hand.create_job(&order, Mode::Act(intent)).await),
                Err(refusal) => Err(refusal),
            }
        }
    };
    match sent {
        Ok(answer) => conclude(reach, plan, intent, answer).await,
        Err(refusal) => Applied::Refused { refusal },
    }
}

/// What became of the intent, read from the object.
pub async fn look(Reach { hand, repositories, .. }: Reach<'_>, plan: &Plan, intent: &IntentId) -> Applied {
    let seen = match plan.action.doable() {
        Doable::Propose(_) => return propose::look(repositories, plan, intent).await,
        Doable::Evict(pod) => {
            hand.pod(pod).await.map(|live| restart_pod::status(live.as_ref(), plan, intent))
        }
        Doable::Edit(_) => {
            hand.object(&plan.action).await.map(|live| edit::status(live.as_ref(), plan, intent))
        }
        Doable::Run(about) => return look_at_job(hand, about, plan, intent).await,
    };
    seen.unwrap_or_else(|error| Applied::Unknown { detail: error.to_string() })
}

/// The Job tells; what it is about is looked at only where there is none.
async fn look_at_job(hand: &dyn Hand, about: &Object, plan: &Plan, intent: &IntentId) -> Applied {
    let found = match made(hand, plan, intent).await {
        Ok(found) => found,
        Err(Refusal::Unreadable(detail)) => return Applied::Unknown { detail },
        Err(refusal) => return Applied::Refused { refusal },
    };
    let live = match &found {
        Some(_) => Ok(None),
        None => hand.about(about).await,
    };
    match live {
        Ok(live) => job::status(live.as_ref(), found.as_ref(), plan, intent),
        Err(error) => Applied::Unknown { detail: error.to_string() },
    }
}

async fn change(hand: &dyn Hand, plan: &Plan, intent: &IntentId) -> Result<Answer, Refusal> {
    let live = hand.object(&plan.action).await.map_err(unreadable)?;
    let order = edit::order(plan, live.as_ref())?;
    if order.template().is_some() {
        rehearsed(hand.rehearse_template(&order).await, "making the new pods")?;
    }
    Ok(hand.edit(&order, Mode::Act(intent)).await)
}

/// The API server's own word on the change, and on the pods that it leads to.
async fn rehearse(hand: &dyn Hand, order: &Edit) -> Result<(), Refusal> {
    rehearsed(hand.edit(order, Mode::DryRun).await, "the change")?;
    if order.template().is_some() {
        rehearsed(hand.rehearse_template(order).await, "making the new pods")?;
    }
    Ok(())
}

/// The eviction's answer. Up to then nothing was changed but a mark, so whatever goes wrong refuses.
async fn restart(hand: &dyn Hand, plan: &Plan, intent: &IntentId) -> Result<Answer, Refusal> {
    let mut order = order_of(hand, plan).await?;
    rehearsed(hand.rehearse(&order).await, "making the new pod")?;
    let mut tried = 1;
    loop {
        match mark(hand, &order, intent).await? {
            Answer::Done => return Ok(hand.evict(&order, Mode::Act(intent)).await),
            Answer::Refused { code: 409 | 422, .. } if tried < MARK_TRIES => {
                order = order_of(hand, plan).await?;
                tried += 1;
            }
            no => return Ok(no),
        }
    }
}

/// The plan against the pod as it is right now.
async fn order_of(hand: &dyn Hand, plan: &Plan) -> Result<Evict, Refusal> {
    let live = hand.pod(plan.action.target()).await.map_err(unreadable)?;
    restart_pod::order(plan, live.as_ref())
}

/// Puts the intent on the pod, unless it is there.
async fn mark(hand: &dyn Hand, order: &Evict, intent: &IntentId) -> Result<Answer, Refusal> {
    if order.marking.carries(intent) {
        return Ok(Answer::Done);
    }
    match hand.mark(order, intent).await {
        Answer::Unknown(detail) => {
            let why = format!("no answer came when the pod was marked, so it was not evicted: {detail}");
            Err(Refusal::NotApplied(why))
        }
        answer => Ok(answer),
    }
}

/// What an answer means. A lost one is read back and never sent again; a refused one is explained by the
/// object, since a failed `test` says nothing useful.
async fn conclude(reach: Reach<'_>, plan: &Plan, intent: &IntentId, answer: Answer) -> Applied {
    match answer {
        Answer::Done => Applied::done(done_words(plan)),
        Answer::Unknown(detail) => match look(reach, plan, intent).await {
            Applied::Unknown { detail: also } => {
                Applied::Unknown { detail: format!("{detail}; then {also}") }
            }
            seen => seen,
        },
        Answer::Refused { code, reason, message } => {
            let said = Applied::Refused { refusal: Refusal::Api(words(code, &reason, &message)) };
            if !matches!(code, 404 | 409 | 422) {
                return said;
            }
            match look(reach, plan, intent).await {
                Applied::Unknown { .. } | Applied::Refused { refusal: Refusal::NotApplied(_) } => said,
                seen => seen,
            }
        }
    }
}

fn done_words(plan: &Plan) -> String {
    match plan.direction {
        Direction::Forward => plan.action.done_words(),
        Direction::Revert if plan.action.kind() == ActionKind::RunJob => {
            format!("started the undo of {}", plan.action.what())
        }
        Direction::Revert => format!("{}, as it was before", plan.action.done_words()),
    }
}

/// A dry run that was not accepted refuses the plan.
fn rehearsed(answer: Answer, what: &str) -> Result<(), Refusal> {
    match answer {
        Answer::Done => Ok(()),
        Answer::Refused { code, reason, message } => {
            Err(Refusal::Api(format!("{what} would fail: {}", words(code, &reason, &message))))
        }
        Answer::Unknown(detail) => {
            Err(Refusal::Unreadable(format!("the dry run of {what} failed: {detail}")))
        }
    }
}

fn words(code: u16, reason: &str, message: &str) -> String {
    format!("{code} {reason}: {message}")
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` takes")]
pub(super) fn unreadable(error: ReadError) -> Refusal {
    Refusal::Unreadable(error.to_string())
}
