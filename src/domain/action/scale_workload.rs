//! `scale_workload`: sets the replicas of a Deployment to an absolute value, and puts back the old one as
//! long as the field still holds what was written.

use jiff::Timestamp;

use super::live::{LiveWorkload, Marking, changed, same};
use super::{Action, ActionKind, Class, Entry, Reversibility, Risk, Verb, expiry, named};
use crate::domain::ids::IntentId;
use crate::domain::plan::{BlastRadius, Direction, FieldChange, Plan, Preconditions, Refusal, Undo};
use crate::domain::target::{Kind, Object};
use crate::domain::warrant::Applied;

/// What it is by its nature.
pub const ENTRY: Entry = Entry {
    name: "scale_workload",
    class: Class { undo: Reversibility::Exact, risk: Risk::Low },
    why: "one number, put back while it still holds what belay wrote",
    raised_by: "medium for going down",
    does: "sets the number of replicas of a Deployment",
    verb: Verb { plain: "scale", doing: "scaling", done: "scaled" },
    transient: false,
};

/// The one field that is touched.
pub const REPLICAS: &str = "/spec/replicas";

/// "Deployment `web` to 5".
pub fn what(workload: &Object, replicas: u32) -> String {
    format!("{} to {replicas}", named(workload))
}

/// The one write, with everything that must still hold when it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetReplicas {
    /// The Deployment, by uid.
    pub workload: Object,
    /// Its generation.
    pub generation: i64,
    /// The replicas it has.
    pub from: u32,
    /// The replicas it gets.
    pub to: u32,
    /// How the intent is put on it.
    pub marking: Marking,
}

/// The plan to give `workload` this many replicas.
pub fn plan(
    live: Option<&LiveWorkload>,
    workload: &Object,
    replicas: u32,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let live = scalable(live, workload)?;
    if replicas == 0 {
        return Err(Refusal::Limit("scaling to 0 takes the whole workload away".to_owned()));
    }
    if live.replicas == replicas {
        return Err(Refusal::NothingToDo(format!("`{workload}` already wants {replicas} replicas")));
    }
    let undo = Undo::Restore { fields: vec![change(replicas, live.replicas)] };
    Ok(draw_up(live, replicas, Direction::Forward, undo, now))
}

/// The plan to put `done`, carried out as `intent`, back: only while it is still ours.
pub fn plan_revert(
    live: Option<&LiveWorkload>,
    done: &Plan,
    intent: &IntentId,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let (workload, wrote, before) = recorded(done)?;
    let live = scalable(live, workload)?;
    if live.replicas != wrote {
        let detail = format!("`{REPLICAS}` holds {} now, and we wrote {wrote}", live.replicas);
        return Err(changed(workload, detail));
    }
    if !live.marking.carries(intent) {
        let now_on_it = live.marking.intent().map_or("none".to_owned(), |other| format!("`{other}`"));
        let detail = format!("it carries the intent {now_on_it} now, and not ours, `{intent}`");
        return Err(changed(workload, detail));
    }
    let undo = Undo::Nothing { why: "this puts an earlier act back".to_owned() };
    Ok(draw_up(live, before, Direction::Revert, undo, now))
}

/// The write that this plan comes down to, if the live object is still as the plan says.
pub fn order(plan: &Plan, live: Option<&LiveWorkload>) -> Result<SetReplicas, Refusal> {
    let (workload, from, to) = planned(plan)?;
    let live = scalable(live, workload)?;
    if live.owner != plan.owner {
        return Err(changed(workload, format!("its owner is `{}` now", live.owner)));
    }
    if live.replicas != from {
        let detail = format!("`{REPLICAS}` holds {} now, and {from} when it was planned", live.replicas);
        return Err(changed(workload, detail));
    }
    if Some(live.generation) != plan.preconditions.generation {
        return Err(changed(workload, moved(plan, live)));
    }
    Ok(SetReplicas {
        workload: workload.clone(),
        generation: live.generation,
        from,
        to,
        marking: live.marking.clone(),
    })
}

/// What became of the intent, as the object shows it.
pub fn status(live: Option<&LiveWorkload>, plan: &Plan, intent: &IntentId) -> Applied {
    let workload = plan.action.target();
    let live = match same(live, |l| &l.object, workload) {
        Ok(live) => live,
        Err(refusal) => return Applied::Refused { refusal },
    };
    if live.marking.carries(intent) {
        return Applied::Done {
            detail: format!("`{workload}` carries the intent and wants {} replicas", live.replicas),
        };
    }
    let refusal = if Some(live.generation) == plan.preconditions.generation {
        Refusal::NotApplied(format!("`{workload}` is as it was: it wants {} replicas", live.replicas))
    } else {
        changed(workload, format!("{}, and it does not carry the intent `{intent}`", moved(plan, live)))
    };
    Applied::Refused { refusal }
}

/// The live Deployment, if it is the one that is meant and nobody else sets its replicas.
fn scalable<'a>(live: Option<&'a LiveWorkload>, workload: &Object) -> Result<&'a LiveWorkload, Refusal> {
    if workload.named.kind != Kind::Deployment {
        return Err(Refusal::Limit(format!("only Deployments are scaled, and `{workload}` is none")));
    }
    let live = same(live, |l| &l.object, workload)?;
    match &live.autoscaler {
        Some(name) => Err(Refusal::Limit(format!(
            "an autoscaler sets the replicas of `{workload}`: change the bounds of `{name}` instead"
        ))),
        None => Ok(live),
    }
}

fn draw_up(live: &LiveWorkload, replicas: u32, direction: Direction, undo: Undo, now: Timestamp) -> Plan {
    let risk = if replicas < live.replicas { Risk::Medium } else { Risk::Low };
    Plan {
        action: Action::ScaleWorkload { workload: live.object.clone(), replicas },
        direction,
        owner: live.owner.clone(),
        preconditions: Preconditions { uid: live.object.uid.clone(), generation: Some(live.generation) },
        changes: vec![change(live.replicas, replicas)],
        blast: blast(live, replicas),
        class: Class { risk, ..ActionKind::ScaleWorkload.class() },
        undo,
        made_at: now,
        expires_at: expiry(now),
    }
}

/// Unavailable is counted among the replicas that are wanted both before and after: new ones that still
/// start take nothing away, and a controller removes those that are not ready first.
fn blast(live: &LiveWorkload, replicas: u32) -> BlastRadius {
    BlastRadius {
        desired: live.replicas,
        ready: live.ready,
        unavailable_after: live.replicas.min(replicas).saturating_sub(live.ready),
        replica_delta: i64::from(replicas) - i64::from(live.replicas),
        budget_allows: live.budget_allows,
    }
}

fn change(from: u32, to: u32) -> FieldChange {
    FieldChange { path: REPLICAS.to_owned(), from: Some(from.to_string()), to: Some(to.to_string()) }
}

/// The workload and the two values of a plan of this kind.
fn planned(plan: &Plan) -> Result<(&Object, u32, u32), Refusal> {
    let unfit = || Refusal::Limit("the plan is not one of `scale_workload`".to_owned());
    let Action::ScaleWorkload { workload, replicas } = &plan.action else { return Err(unfit()) };
    let [FieldChange { path, from, to }] = plan.changes.as_slice() else { return Err(unfit()) };
    let number = |text: &Option<String>| text.as_deref().and_then(|t| t.parse::<u32>().ok());
    match (number(from), number(to)) {
        (Some(from), Some(to))
            if path == REPLICAS && to == *replicas && plan.preconditions.uid == workload.uid =>
        {
            Ok((workload, from, to))
        }
        _ => Err(unfit()),
    }
}

/// The workload, what was written, and what was there before, of a plan that can be put back.
fn recorded(done: &Plan) -> Result<(&Object, u32, u32), Refusal> {
    let (workload, before, wrote) = planned(done)?;
    match &done.undo {
        Undo::Restore { fields } if *fields == [change(wrote, before)] => Ok((workload, wrote, before)),
        Undo::Restore { .. } => Err(Refusal::Limit("the recorded undo does not fit the plan".to_owned())),
        Undo::Nothing { why } => Err(Refusal::NothingToDo(format!("there is no undo: {why}"))),
    }
}

fn moved(plan: &Plan, live: &LiveWorkload) -> String {
    let before = plan.preconditions.generation.map_or("unknown".to_owned(), |g| g.to_string());
    format!("its generation is {} now, and was {before} when it was planned", live.generation)
}
