//! Running a declared job: planned from the template and the live object that it is about, made once under a
//! name that follows from the intent, told from the Job of that name, and put back by the declared undo.

use jiff::Timestamp;
use serde_json::Value;

use super::super::live::{changed, same};
use super::super::{Action, expiry};
use super::build::{self, CreateJob, build, is_undo_name, name_of, shown, told, undo_name_of};
use super::pod::JobSpec;
use super::template::Template;
use super::templates::Templates;
use crate::domain::action::live::LiveAbout;
use crate::domain::ids::IntentId;
use crate::domain::plan::{BlastRadius, Direction, FieldChange, Plan, Preconditions, Refusal, Undo};
use crate::domain::warrant::{Applied, Progress};

/// Says of a Job that belay made it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Says of a Job from which template.
pub const TEMPLATE_LABEL: &str = "belay.dev/job-template";

/// Where an undo's plan says its Job's name.
pub(super) const NAME: &str = "/metadata/name";

/// Why there is no undo, for people.
const NO_UNDO: &str = "its template declares no undo";

/// A Job as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveJob {
    /// Its name.
    pub name: String,
    /// The intent that stands on it.
    pub intent: Option<String>,
    /// How far it is.
    pub progress: Progress,
}

/// The plan to run this action's job.
pub fn plan(
    live: Option<&LiveAbout>,
    action: &Action,
    templates: &Templates,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let live = same(live, |l| &l.object, action.target())?;
    let template = templates.find(action)?;
    let undo = match &template.spec.undo {
        Some(undo) => Undo::Job { runs: told(undo) },
        None => Undo::Nothing { why: NO_UNDO.to_owned() },
    };
    let order = made(template, &template.spec.job, action, None)?;
    let changes = shown(&order, &template.spec.job);
    Ok(draw_up(live, (action, Direction::Forward), template, (changes, undo), now))
}

/// The plan to put `done` back, which `intent` carried out: once that Job has ended, and once only.
pub fn plan_revert(
    live: Option<&LiveAbout>,
    jobs: (Option<&LiveJob>, Option<&LiveJob>),
    (done, intent): (&Plan, &IntentId),
    templates: &Templates,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let object = done.action.target();
    if let Undo::Nothing { why } = &done.undo {
        return Err(Refusal::NothingToDo(format!("there is no undo: {why}")));
    }
    let live = same(live, |l| &l.object, object)?;
    let template = templates.find(&done.action)?;
    let undo = undo_of(template)?;
    let (forward, back) = jobs;
    let Some(forward) = forward else {
        let detail = "its Job is not there any more, so nothing shows what there is to put back";
        return Err(changed(object, detail));
    };
    if forward.intent.as_deref() != Some(intent.as_str()) {
        return Err(changed(
            object,
            format!("its Job `{}` does not carry the intent `{intent}`", forward.name),
        ));
    }
    if forward.progress == Progress::Running {
        return Err(changed(object, format!("its Job `{}` still runs", forward.name)));
    }
    if let Some(back) = back {
        let by = back.intent.as_deref().unwrap_or("nobody");
        return Err(changed(object, format!("its undo was run before: Job `{}`, for `{by}`", back.name)));
    }
    let name = undo_name_of(template.name(), intent);
    let order = made(template, undo, &done.action, Some(name))?;
    let no_undo = Undo::Nothing { why: "this puts an earlier act back".to_owned() };
    let changes = shown(&order, undo);
    Ok(draw_up(live, (&done.action, Direction::Revert), template, (changes, no_undo), now))
}

/// The Job that this plan comes down to, if what it is about and the template are still as the plan says.
pub fn order(plan: &Plan, live: Option<&LiveAbout>, templates: &Templates) -> Result<CreateJob, Refusal> {
    let object = plan.action.target();
    if plan.preconditions.uid != object.uid {
        return Err(Refusal::Limit("the plan does not fit its own target".to_owned()));
    }
    let live = same(live, |l| &l.object, object)?;
    if live.owner != plan.owner {
        return Err(changed(object, format!("its owner is `{}` now", live.owner)));
    }
    let template = templates.find(&plan.action)?;
    let (job, name) = match plan.direction {
        Direction::Forward => (&template.spec.job, None),
        Direction::Revert => (undo_of(template)?, Some(name(plan, template)?)),
    };
    let order = made(template, job, &plan.action, name)?;
    if shown(&order, job) != plan.changes || plan.class != template.class() {
        return Err(Refusal::Limit("the plan is not what its template comes down to".to_owned()));
    }
    Ok(order)
}

/// Namespace and name of the Job that this plan's intent stands on, as the plan says them.
pub fn seen_as(plan: &Plan, intent: &IntentId) -> Result<(String, String), Refusal> {
    let Action::RunJob { template, .. } = &plan.action else {
        return Err(Refusal::Limit("the plan is not one of `run_job`".to_owned()));
    };
    let unfit = || Refusal::Limit("the plan does not say where its Job is".to_owned());
    let namespace = text(&plan.changes, "/metadata/namespace").ok_or_else(unfit)?;
    let name = match plan.direction {
        Direction::Forward => name_of(template, intent.as_str()),
        Direction::Revert => text(&plan.changes, NAME).ok_or_else(unfit)?,
    };
    Ok((namespace, name))
}

/// The name of the Job that puts this plan back, in the same namespace.
pub fn undo_name(plan: &Plan, intent: &IntentId) -> Option<String> {
    match &plan.action {
        Action::RunJob { template, .. } => Some(build::undo_name_of(template, intent)),
        _ => None,
    }
}

/// What became of the intent, as the Job of that name shows it.
pub fn status(live: Option<&LiveAbout>, job: Option<&LiveJob>, plan: &Plan, intent: &IntentId) -> Applied {
    let object = plan.action.target();
    let refused = |refusal: Refusal| Applied::Refused { refusal };
    match job {
        Some(job) if job.intent.as_deref() == Some(intent.as_str()) => Applied::Done {
            detail: format!("Job `{}` {}", job.name, job.progress.words()),
            changed: None,
            progress: Some(job.progress.clone()),
            proposed: None,
        },
        Some(job) => {
            let other =
                job.intent.as_deref().map_or("no intent".to_owned(), |other| format!("the intent `{other}`"));
            refused(changed(
                object,
                format!("its Job `{}` carries {other} now, and not `{intent}`", job.name),
            ))
        }
        None => match same(live, |l| &l.object, object) {
            Ok(_) => refused(Refusal::NotApplied(format!("there is no Job of it in the name of `{intent}`"))),
            Err(gone) => refused(gone),
        },
    }
}

fn undo_of(template: &Template) -> Result<&JobSpec, Refusal> {
    let none = || Refusal::NothingToDo(format!("there is no undo: {NO_UNDO}"));
    template.spec.undo.as_ref().ok_or_else(none)
}

fn made(
    template: &Template,
    job: &JobSpec,
    action: &Action,
    name: Option<String>,
) -> Result<CreateJob, Refusal> {
    let Action::RunJob { about, parameters, .. } = action else {
        return Err(Refusal::Limit("the plan is not one of `run_job`".to_owned()));
    };
    build(template, job, (about, parameters), name)
}

/// The name of an undo's Job, if it is one that an undo of this template can have.
fn name(plan: &Plan, template: &Template) -> Result<String, Refusal> {
    let said = text(&plan.changes, NAME).filter(|name| is_undo_name(template.name(), name));
    said.ok_or_else(|| Refusal::Limit("the plan gives the Job a name that no undo has".to_owned()))
}

fn text(changes: &[FieldChange], path: &str) -> Option<String> {
    let to = changes.iter().find(|change| change.path == path)?.to.as_ref()?;
    serde_json::from_str::<Value>(to).ok()?.as_str().map(str::to_owned)
}

fn draw_up(
    live: &LiveAbout,
    (action, direction): (&Action, Direction),
    template: &Template,
    (changes, undo): (Vec<FieldChange>, Undo),
    now: Timestamp,
) -> Plan {
    Plan {
        action: action.clone(),
        direction,
        owner: live.owner.clone(),
        // what a job does to it is the template's affair: only that it is still this one can be held to
        preconditions: Preconditions { uid: live.object.uid.clone(), generation: None },
        changes,
        blast: BlastRadius {
            desired: 0,
            ready: 0,
            unavailable_after: 0,
            replica_delta: 0,
            budget_allows: None,
        },
        class: template.class(),
        undo,
        note: Some(format!("the template says: {}", template.spec.description)),
        proposal: None,
        made_at: now,
        expires_at: expiry(now),
    }
}
