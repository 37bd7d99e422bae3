//! Acts that give fields of one object other values: planned on the object as it is, written in one patch
//! that tests everything it rests on, and put back field by field while they still hold what was written.
//! What each action changes stands in the file of its name.

use jiff::Timestamp;
use serde_json::Value;

use super::live::{LiveObject, Marking, Pods, changed, same};
use super::{
    Action, ActionKind, Class, Risk, cronjob, diff, expiry, hpa_bounds, node, resources, restart_workload,
    restore_config, rollback_workload, rollout, scale_workload,
};
use crate::domain::ids::IntentId;
use crate::domain::plan::{
    BlastRadius, Direction, FieldChange, INTENT_ANNOTATION, Plan, Preconditions, Refusal, Undo,
};
use crate::domain::target::{Kind, Object};
use crate::domain::warrant::Applied;

/// Stands in a plan for the id of the intent that carries it out, which is made only when the plan is.
pub const THE_INTENT: &str = "(the intent)";

/// The most text of changes that a plan holds: a pod template of some hundred lines is half of that, and
/// nobody can approve what nobody can read.
pub const MOST_TEXT: usize = 64 * 1024;

/// What an action comes down to on the object as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The fields.
    pub changes: Vec<FieldChange>,
    /// How much can go wrong, here and now.
    pub risk: Risk,
    /// Replicas that will not be ready right after, those already not ready included.
    pub unavailable_after: u32,
    /// How many replicas more (or fewer) there will be.
    pub replica_delta: i64,
    /// Why it cannot be put back, where it cannot.
    pub no_undo: Option<&'static str>,
}

impl Drawn {
    /// Changes that take no replica away.
    pub fn quiet(live: &LiveObject, risk: Risk, changes: Vec<FieldChange>) -> Self {
        let Pods { desired, ready, .. } = live.pods.unwrap_or_default();
        let unavailable_after = desired.saturating_sub(ready);
        Self { changes, risk, unavailable_after, replica_delta: 0, no_undo: None }
    }

    /// Changes of the pod template: all pods are replaced, as the workload's own strategy has it. Never
    /// less risky than medium where the last ready replica may go or a budget allows no disruption.
    pub fn rolling(live: &LiveObject, risk: Risk, changes: Vec<FieldChange>) -> Self {
        let Pods { desired, ready, max_unavailable, budget_allows } = live.pods.unwrap_or_default();
        let scarce = ready <= max_unavailable || budget_allows == Some(0);
        let missing = desired.saturating_sub(ready).saturating_add(max_unavailable);
        Self {
            changes,
            risk: if scarce { risk.max(Risk::Medium) } else { risk },
            unavailable_after: missing.min(desired),
            replica_delta: 0,
            no_undo: None,
        }
    }
}

/// The one write, with everything that must still hold when it arrives. Only this file makes one, and only
/// of fields that are the action's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    object: Object,
    generation: Option<i64>,
    fields: Vec<Field>,
    marking: Marking,
    template: Option<Value>,
    claims: Vec<String>,
}

/// One field of an edit.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// JSON pointer.
    pub path: String,
    /// What it must hold; `None`: it must not be there.
    pub from: Option<Value>,
    /// What it gets; `None`: it is taken away.
    pub to: Option<Value>,
}

impl Edit {
    /// The object, by uid.
    pub const fn object(&self) -> &Object {
        &self.object
    }

    /// Its generation.
    pub const fn generation(&self) -> Option<i64> {
        self.generation
    }

    /// The fields, for the intent of this id.
    pub fn fields(&self, intent: &str) -> Vec<Field> {
        let with =
            |field: &Field| Field { to: field.to.as_ref().map(|to| named(to, intent)), ..field.clone() };
        self.fields.iter().map(with).collect()
    }

    /// How the intent is put on the object.
    pub const fn marking(&self) -> &Marking {
        &self.marking
    }

    /// The pod template as it will be, where it changes.
    pub const fn template(&self) -> Option<&Value> {
        self.template.as_ref()
    }

    /// The volumes that its controller adds to each pod by itself, by name.
    pub fn claims(&self) -> &[String] {
        &self.claims
    }
}

/// The value with the intent's id in the place that is kept for it.
fn named(value: &Value, intent: &str) -> Value {
    match value {
        Value::String(text) if text == THE_INTENT => Value::from(intent),
        Value::Object(fields) => match fields.get(INTENT_ANNOTATION) {
            Some(Value::String(text)) if text == THE_INTENT => {
                let mut fields = fields.clone();
                fields.insert(INTENT_ANNOTATION.to_owned(), Value::from(intent));
                Value::Object(fields)
            }
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}

/// The plan to carry out this action.
pub fn plan(live: Option<&LiveObject>, action: &Action, now: Timestamp) -> Result<Plan, Refusal> {
    let live = same(live, |l| &l.object, action.target())?;
    draw_up(live, action.clone(), Direction::Forward, draw(live, action)?, now)
}

/// The plan to put `done` back: only while it is still ours. `ours` is the intent that carried it out, and
/// the undos of what was done to the object after it.
pub fn plan_revert(
    live: Option<&LiveObject>,
    done: &Plan,
    ours: &[IntentId],
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let object = done.action.target();
    let live = same(live, |l| &l.object, object)?;
    let fields = match &done.undo {
        Undo::Restore { fields } if *fields == diff::reversed(&done.changes) => fields,
        Undo::Restore { .. } | Undo::Job { .. } => {
            return Err(Refusal::Limit("the recorded undo does not fit the plan".to_owned()));
        }
        Undo::Nothing { why } => return Err(Refusal::NothingToDo(format!("there is no undo: {why}"))),
    };
    still(live, fields, |before| format!("we wrote {before}"))?;
    if !ours.iter().any(|intent| live.marking.carries(intent)) {
        let now_on_it = live.marking.intent().map_or("none".to_owned(), |other| format!("`{other}`"));
        let wanted = ours.first().map_or("", IntentId::as_str);
        let detail = format!("it carries the intent {now_on_it} now, and not ours, `{wanted}`");
        return Err(changed(object, detail));
    }
    let action = done.action.inverse(&done.changes);
    let delta = done.blast.replica_delta.checked_neg().unwrap_or(0);
    let drawn = back(live, done.action.class().risk, delta, fields.clone())?;
    draw_up(live, action, Direction::Revert, drawn, now)
}

/// The write that this plan comes down to, if the live object is still as the plan says.
pub fn order(plan: &Plan, live: Option<&LiveObject>) -> Result<Edit, Refusal> {
    let object = plan.action.target();
    if plan.preconditions.uid != object.uid {
        return Err(Refusal::Limit("the plan does not fit its own target".to_owned()));
    }
    let live = same(live, |l| &l.object, object)?;
    if live.owner != plan.owner {
        return Err(changed(object, format!("its owner is `{}` now", live.owner)));
    }
    still(live, &plan.changes, planned)?;
    if live.generation != plan.preconditions.generation {
        return Err(changed(object, moved(plan, live)));
    }
    let drawn = match plan.direction {
        Direction::Forward => draw(live, &plan.action)?,
        Direction::Revert => {
            back(live, plan.action.class().risk, plan.blast.replica_delta, plan.changes.clone())?
        }
    };
    if drawn.changes != plan.changes {
        return Err(changed(object, "the action comes down to another change now"));
    }
    // an undo that a pod less could forbid would be no undo
    if plan.direction == Direction::Forward && drawn.risk > plan.class.risk {
        let detail = format!("its risk is {} now, and was {}", drawn.risk.name(), plan.class.risk.name());
        return Err(changed(object, detail));
    }
    let fields = fields(plan)?;
    Ok(Edit {
        object: object.clone(),
        generation: live.generation,
        template: template(live, &fields),
        claims: live.claims(),
        fields,
        marking: live.marking.clone(),
    })
}

/// What became of the intent, as the object shows it.
pub fn status(live: Option<&LiveObject>, plan: &Plan, intent: &IntentId) -> Applied {
    let object = plan.action.target();
    let live = match same(live, |l| &l.object, object) {
        Ok(live) => live,
        Err(refusal) => return Applied::Refused { refusal },
    };
    if live.marking.carries(intent) {
        let wrote = diff::reversed(&plan.changes);
        let changed = still(live, &wrote, |wrote| format!("we wrote {wrote}")).err();
        return Applied::Done {
            detail: format!("`{object}` carries the intent; {}", holds(live, plan)),
            changed: changed.map(|refusal| refusal.to_string()),
            progress: None,
            proposed: None,
        };
    }
    let untouched = match plan.preconditions.generation {
        Some(_) => live.generation == plan.preconditions.generation,
        None => still(live, &plan.changes, planned).is_ok(),
    };
    let refusal = if untouched {
        Refusal::NotApplied(format!("`{object}` is as it was; {}", holds(live, plan)))
    } else {
        changed(object, format!("{}, and it does not carry the intent `{intent}`", moved(plan, live)))
    };
    Applied::Refused { refusal }
}

/// What this action changes on this object.
pub(super) fn draw(live: &LiveObject, action: &Action) -> Result<Drawn, Refusal> {
    let target = &action.target().named;
    if live.object.named != *target {
        return Err(Refusal::Limit(format!("`{}` was read in place of `{target}`", live.object)));
    }
    match action {
        Action::ScaleWorkload { replicas, .. } => scale_workload::draw(live, *replicas),
        Action::RestartWorkload { .. } => restart_workload::draw(live),
        Action::RollbackWorkload { template, .. } => rollback_workload::draw(live, template),
        Action::PauseRollout { .. } => rollout::draw(live, true),
        Action::ResumeRollout { .. } => rollout::draw(live, false),
        Action::SuspendCronjob { .. } => cronjob::draw(live, true),
        Action::ResumeCronjob { .. } => cronjob::draw(live, false),
        Action::SetHpaBounds { bounds, .. } => hpa_bounds::draw(live, *bounds),
        Action::SetResources { container, step, .. } => resources::draw(live, container, *step),
        Action::CordonNode { .. } => node::draw(live, true),
        Action::UncordonNode { .. } => node::draw(live, false),
        Action::RestoreConfig { restore, .. } => restore_config::draw(live, restore),
        Action::RestartPod { .. } | Action::OpenPullRequest { .. } | Action::RunJob { .. } => {
            Err(Refusal::Limit(format!("`{}` changes no fields", action.kind().name())))
        }
    }
}

/// What putting fields back comes down to.
fn back(live: &LiveObject, risk: Risk, delta: i64, fields: Vec<FieldChange>) -> Result<Drawn, Refusal> {
    if fields.iter().any(|field| field.path.starts_with(TEMPLATE)) {
        live.rolls_by_itself()?;
        return Ok(Drawn::rolling(live, risk, fields));
    }
    if live.object.named.kind == Kind::Deployment && delta != 0 {
        scale_workload::not_autoscaled(live)?;
        return Ok(scale_workload::resized(live, delta, fields));
    }
    Ok(Drawn { replica_delta: delta, ..Drawn::quiet(live, risk, fields) })
}

fn draw_up(
    live: &LiveObject,
    action: Action,
    direction: Direction,
    drawn: Drawn,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let Drawn { changes, risk, unavailable_after, replica_delta, no_undo } = drawn;
    let undo = match (direction, no_undo) {
        (Direction::Forward, None) => Undo::Restore { fields: diff::reversed(&changes) },
        (Direction::Forward, Some(why)) => Undo::Nothing { why: why.to_owned() },
        (Direction::Revert, _) => Undo::Nothing { why: "this puts an earlier act back".to_owned() },
    };
    if changes.is_empty() {
        return Err(Refusal::NothingToDo(format!("`{}` is already so", live.object)));
    }
    let text: usize = changes.iter().flat_map(|c| [&c.from, &c.to]).flatten().map(String::len).sum();
    if text > MOST_TEXT {
        return Err(Refusal::Limit(format!("a change of {text} bytes is more than a person can read")));
    }
    if direction == Direction::Forward {
        live.managers.admit(&live.object, action.kind(), changes.iter().map(|c| c.path.as_str()))?;
    }
    let Pods { desired, ready, budget_allows, .. } = live.pods.unwrap_or_default();
    let class = Class { risk, ..action.class() };
    let plan = Plan {
        direction,
        owner: live.owner.clone(),
        preconditions: Preconditions { uid: live.object.uid.clone(), generation: live.generation },
        blast: BlastRadius { desired, ready, unavailable_after, replica_delta, budget_allows },
        class,
        undo,
        note: note(live, &action, &changes),
        proposal: None,
        changes,
        made_at: now,
        expires_at: expiry(now),
        action,
    };
    fields(&plan)?;
    Ok(plan)
}

/// What the person who reads the plan has to know besides.
fn note(live: &LiveObject, action: &Action, changes: &[FieldChange]) -> Option<String> {
    let waits =
        changes.iter().any(|change| change.path.starts_with(TEMPLATE)).then(|| live.waits()).flatten();
    let mut notes: Vec<String> = live.managers.note().into_iter().chain(waits.map(str::to_owned)).collect();
    if let Action::RestoreConfig { restore, .. } = action {
        notes.extend(restore_config::notes(live, restore));
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Where pod templates stand.
pub const TEMPLATE: &str = "/spec/template";

/// The fields of the plan as values. Those that are not the action's own are refused, whoever wrote them.
fn fields(plan: &Plan) -> Result<Vec<Field>, Refusal> {
    let kind = plan.action.kind();
    let unfit = || Refusal::Limit(format!("the plan is not one of `{}`", kind.name()));
    let value = |text: &Option<String>| match text {
        Some(text) => serde_json::from_str::<Value>(text).map(Some).map_err(|_| unfit()),
        None => Ok(None),
    };
    let field = |change: &FieldChange| {
        if !own_field(kind, &change.path) || (change.from.is_none() && change.to.is_none()) {
            return Err(unfit());
        }
        Ok(Field { path: change.path.clone(), from: value(&change.from)?, to: value(&change.to)? })
    };
    let fields = plan.changes.iter().map(field).collect::<Result<Vec<_>, _>>()?;
    if fields.is_empty() { Err(unfit()) } else { Ok(fields) }
}

/// Whether an action of this kind may change the field at this path.
pub fn own_field(kind: ActionKind, path: &str) -> bool {
    let below = |prefix: &str| path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
    match kind {
        ActionKind::ScaleWorkload => path == scale_workload::REPLICAS,
        ActionKind::RestartWorkload => {
            path == restart_workload::annotation() || path == restart_workload::ANNOTATIONS
        }
        ActionKind::RollbackWorkload => below(TEMPLATE),
        ActionKind::PauseRollout | ActionKind::ResumeRollout => path == rollout::PAUSED,
        ActionKind::SuspendCronjob | ActionKind::ResumeCronjob => path == cronjob::SUSPENDED,
        ActionKind::SetHpaBounds => [hpa_bounds::MIN, hpa_bounds::MAX].contains(&path),
        ActionKind::SetResources => resources::is_limit(path),
        ActionKind::CordonNode | ActionKind::UncordonNode => path == node::UNSCHEDULABLE,
        ActionKind::RestoreConfig => restore_config::own(path),
        ActionKind::RestartPod | ActionKind::OpenPullRequest | ActionKind::RunJob => false,
    }
}

/// Whether every field still holds what the change says it held.
fn still(live: &LiveObject, changes: &[FieldChange], said: fn(String) -> String) -> Result<(), Refusal> {
    for FieldChange { path, from, .. } in changes {
        let held = live.content.pointer(path);
        let wanted = from.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let marked = wanted.as_ref().map(|wanted| named(wanted, live.marking.intent().unwrap_or_default()));
        if held != marked.as_ref() {
            let (held, before) = (told(held), said(told(wanted.as_ref())));
            let detail = format!("`{path}` holds {held} now, and {before}");
            return Err(changed(&live.object, detail));
        }
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `still` takes")]
fn planned(before: String) -> String {
    format!("{before} when it was planned")
}

/// The pod template once these fields are changed, where they change it.
fn template(live: &LiveObject, fields: &[Field]) -> Option<Value> {
    if !fields.iter().any(|field| field.path.starts_with(TEMPLATE)) {
        return None;
    }
    let mut content = live.content.clone();
    for field in fields {
        diff::put(&mut content, &field.path, field.to.clone());
    }
    content.pointer(TEMPLATE).cloned()
}

fn holds(live: &LiveObject, plan: &Plan) -> String {
    let told = plan.changes.iter().take(3).map(|change| {
        let name = change.path.rsplit('/').next().unwrap_or_default();
        format!("its {name} is {}", told(live.content.pointer(&change.path)))
    });
    told.collect::<Vec<_>>().join(", ")
}

/// A value for people: short, and said so where there is none.
fn told(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = value.to_string();
    if text.len() <= 120 { text } else { format!("{}…", text.chars().take(119).collect::<String>()) }
}

fn moved(plan: &Plan, live: &LiveObject) -> String {
    match (plan.preconditions.generation, live.generation) {
        (Some(before), Some(now)) => {
            format!("its generation is {now} now, and was {before} when it was planned")
        }
        _ => "its fields are not those that were planned upon".to_owned(),
    }
}
