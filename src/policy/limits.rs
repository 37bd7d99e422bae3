//! Limits and blast radius: what is counted, under which keys, and whether one more fits.

use jiff::{SignedDuration, Timestamp};

use super::brakes::{Global, HoldOff, OnTarget};
use super::set::{Blast, Grant, Per, PolicySet};
use crate::domain::action::ActionKind;
use crate::domain::decision::{Draw, Fact, LOCK, Question, Reason};
use crate::domain::plan::BlastRadius;
use crate::domain::track::Became;

const GLOBAL: &str = "global";
/// The limit that every act draws upon until its outcome is known.
pub const IN_FLIGHT: &str = "in-flight";

/// One thing that was counted or measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// `limit/perTarget` or `blast/keepReady`, and what was found.
    pub reason: Reason,
    /// One more does not fit.
    pub exceeded: bool,
    /// When it would fit again by the mere passing of time.
    pub frees_at: Option<Timestamp>,
}

/// Everything that limits this grant for this question.
pub(super) fn checks(set: &PolicySet, grant: &Grant, question: &Question) -> Vec<Check> {
    let mut checks: Vec<Check> =
        windowed(set, grant, question).iter().map(|draw| windowed_check(draw, question)).collect();
    checks.push(in_flight(set, question));
    checks.extend(hold_offs(set, question));
    checks.extend(put_back(set, question));
    checks.extend(blast(&grant.blast, question));
    checks
}

/// What an act by this grant draws upon.
pub(super) fn draws(set: &PolicySet, grant: &Grant, question: &Question) -> Vec<Draw> {
    let mut draws = windowed(set, grant, question);
    draws.push(Draw {
        key: IN_FLIGHT.to_owned(),
        code: "limit/inFlight".to_owned(),
        max: max_in_flight(&set.brakes.global, question),
        window: None,
    });
    draws.push(lock(question));
    draws
}

/// One act at a time on one owner.
pub(super) fn lock(question: &Question) -> Draw {
    Draw { key: format!("lock/{}", question.owner.owner.key()), code: LOCK.to_owned(), max: 1, window: None }
}

/// Whether another act on this owner is under way.
pub(super) fn locked(question: &Question) -> bool {
    question.history.taken.get(&lock(question).key).is_some_and(|moments| !moments.is_empty())
}

/// The keys under which earlier acts must be looked up before the question can be asked: those of every
/// grant that lists the action, because which of them will carry is not known yet.
pub fn history_keys(set: &PolicySet, question: &Question) -> Vec<String> {
    let kind = question.action.kind();
    let mut keys: Vec<String> = set
        .grants
        .iter()
        .filter(|grant| grant.actions.contains(&kind))
        .flat_map(|grant| grant.limits.iter().map(|limit| key(limit.per, grant, question)))
        .chain([GLOBAL.to_owned(), cooldown_key(question), lock(question).key])
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The key of a grant's limit.
pub(super) fn key(per: Per, grant: &Grant, question: &Question) -> String {
    let (name, id, named) = (per.name(), &grant.id, &question.target.object.named);
    match per {
        Per::Target => format!("{name}/{id}/{}", question.owner.owner.key()),
        Per::Grant => format!("{name}/{id}"),
        Per::Namespace => format!("{name}/{id}/{}/{}", named.cluster, named.namespace),
        Per::Cluster => format!("{name}/{id}/{}", named.cluster),
    }
}

fn windowed(set: &PolicySet, grant: &Grant, question: &Question) -> Vec<Draw> {
    let own = grant.limits.iter().map(|limit| Draw {
        key: key(limit.per, grant, question),
        code: format!("limit/{}", limit.per.name()),
        max: limit.max,
        window: Some(limit.window),
    });
    let global = Draw {
        key: GLOBAL.to_owned(),
        code: "limit/global".to_owned(),
        max: set.brakes.global.max_actions,
        window: Some(set.brakes.global.window),
    };
    let cooldown = Draw {
        key: cooldown_key(question),
        code: "limit/cooldown".to_owned(),
        max: 1,
        window: Some(set.brakes.target.same_action_cooldown),
    };
    own.chain([cooldown, global]).collect()
}

/// The key of the pause between two acts of one kind on one owner, whichever grant carries them.
pub(super) fn cooldown_key(question: &Question) -> String {
    format!("cooldown/{}/{}", question.action.kind().name(), question.owner.owner.key())
}

/// How many acts may be under way: the further up the ramp, the more acts in the window were verified since
/// the last one that was not seen to help.
fn max_in_flight(global: &Global, question: &Question) -> u32 {
    let since = question.now.saturating_sub(global.window).unwrap_or(Timestamp::MIN);
    let verdicts = question.history.verdicts.known().map(Vec::as_slice).unwrap_or_default();
    let verified = verdicts.iter().take_while(|verdict| verdict.helped && verdict.at > since).count();
    // at its end all is allowed that is allowed at all
    let ramp = global.ramp.get(verified);
    ramp.map_or(global.max_in_flight, |ramp| global.max_in_flight.min(*ramp))
}

/// Rests on this owner after calls that failed, and after acts that did not help; counted apart.
fn hold_offs(set: &PolicySet, question: &Question) -> [Check; 2] {
    let OnTarget { failures, ineffective, .. } = &set.brakes.target;
    [
        hold_off("limit/failures", Became::Failed, failures, question),
        hold_off("limit/ineffective", Became::Ineffective, ineffective, question),
    ]
}

/// What was put back on this owner is not done again for the same cause, for as long as what did not help rests: who
/// put it back knew why, and belay does not.
fn put_back(set: &PolicySet, question: &Question) -> Option<Check> {
    let acts = question.history.acts.known()?;
    let done = |became: Became| match became {
        Became::Open | Became::Withdrawn | Became::Failed => false,
        Became::Helped | Became::Unseen | Became::Ineffective => true,
    };
    let same = acts.iter().find(|act| {
        act.action == question.action.kind() && act.cause == question.finding.cause && done(act.became)
    });
    let act = same.filter(|act| act.reverted)?;
    let since = act.became_at.unwrap_or(act.at);
    let until = since.saturating_add(set.brakes.target.ineffective.hold).unwrap_or(Timestamp::MAX);
    (question.now < until).then(|| Check {
        reason: Reason {
            code: "limit/putBack".to_owned(),
            text: format!(
                "`{}` for this cause was put back on this owner (`{}`), at rest until {until}",
                act.action.name(),
                act.intent
            ),
        },
        exceeded: true,
        frees_at: Some(until),
    })
}

fn hold_off(code: &str, bad: Became, rule: &HoldOff, question: &Question) -> Check {
    let check = |exceeded, frees_at, text| Check {
        reason: Reason { code: code.to_owned(), text },
        exceeded,
        frees_at,
    };
    let acts = match &question.history.acts {
        Fact::Known(acts) => acts.as_slice(),
        Fact::Unknown(why) => {
            return check(true, None, format!("what became of earlier acts is unknown: {why}"));
        }
        Fact::NotApplicable => &[],
    };
    // calls that failed say nothing about whether acts help; the reverse does not hold
    let counted = acts.iter().filter(|act| match act.became {
        Became::Open | Became::Withdrawn => false,
        Became::Failed => bad == Became::Failed,
        Became::Helped | Became::Unseen | Became::Ineffective => true,
    });
    let run: Vec<Timestamp> =
        counted.take_while(|act| act.became == bad).map(|act| act.became_at.unwrap_or(act.at)).collect();
    let many = run.len() >= usize::try_from(rule.count.max(1)).unwrap_or(usize::MAX);
    let until = run.iter().max().map(|at| at.saturating_add(rule.hold).unwrap_or(Timestamp::MAX));
    let holds = many && until.is_some_and(|until| question.now < until);
    let rests = if holds { until.map(|until| format!(", at rest until {until}")) } else { None };
    let word = if bad == Became::Failed { "failed" } else { "did not help" };
    let text = format!(
        "{} of {} acts on this owner in a row {word}{}",
        run.len(),
        rule.count,
        rests.unwrap_or_default()
    );
    check(holds, until.filter(|_| holds), text)
}

fn windowed_check(draw: &Draw, question: &Question) -> Check {
    let window = draw.window.unwrap_or(SignedDuration::MAX);
    let since = question.now.saturating_sub(window).unwrap_or(Timestamp::MIN);
    // Moments in the future count: a clock that jumped back must not hide them.
    let mut taken: Vec<Timestamp> = question
        .history
        .taken
        .get(&draw.key)
        .into_iter()
        .flatten()
        .copied()
        .filter(|at| *at > since)
        .collect();
    taken.sort_unstable_by(|a, b| b.cmp(a));
    let max = usize::try_from(draw.max).unwrap_or(usize::MAX);
    let exceeded = taken.len() >= max;
    let last = taken.first().map(|at| the_last(*at, question)).unwrap_or_default();
    let text = format!("{} of {} {} in the last {window:#}{last}", taken.len(), draw.max, what(&draw.code));
    let oldest_in_the_way = max.checked_sub(1).and_then(|i| taken.get(i));
    let frees_at = oldest_in_the_way.and_then(|at| at.checked_add(window).ok());
    Check { reason: Reason { code: draw.code.clone(), text }, exceeded, frees_at }
}

/// When the last act was, and as far as it was on this owner, which one and what became of it.
fn the_last(at: Timestamp, question: &Question) -> String {
    let seconds = Timestamp::from_second(at.as_second()).unwrap_or(at);
    let acts = question.history.acts.known().map(Vec::as_slice).unwrap_or_default();
    let which = acts.iter().find(|act| act.at == at);
    let which = which.map(|act| format!(" (`{}`: {})", act.intent, came_to(act.became)));
    format!(", the last at {seconds}{}", which.unwrap_or_default())
}

/// What became of an act, for people.
const fn came_to(became: Became) -> &'static str {
    match became {
        Became::Open => "not yet known whether it helped",
        Became::Withdrawn => "withdrawn",
        Became::Failed => "the call failed",
        Became::Helped => "it helped",
        Became::Ineffective => "it did not help",
        Became::Unseen => "whether it helped could not be seen",
    }
}

/// What a limit counts, for people.
fn what(code: &str) -> &'static str {
    match code {
        "limit/perTarget" => "acts on this owner",
        "limit/cooldown" => "acts of this kind on this owner",
        "limit/perGrant" => "acts by this grant",
        "limit/perNamespace" => "acts by this grant in this namespace",
        "limit/perCluster" => "acts by this grant in this cluster",
        _ => "acts in all",
    }
}

fn in_flight(set: &PolicySet, question: &Question) -> Check {
    let running = question.cluster.actions_in_flight;
    let max = max_in_flight(&set.brakes.global, question);
    let text = format!("{running} of {max} acts under way");
    Check {
        reason: Reason { code: "limit/inFlight".to_owned(), text },
        exceeded: running >= max,
        frees_at: None,
    }
}

fn blast(blast: &Blast, question: &Question) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut check = |name: &str, exceeded: bool, text: String| {
        checks.push(Check {
            reason: Reason { code: format!("blast/{name}"), text },
            exceeded,
            frees_at: None,
        });
    };
    if let Some(replicas) = question.action.replicas()
        && let Some(max) = blast.max_replicas
    {
        check("maxReplicas", replicas > max, format!("{replicas} replicas, at most {max}"));
    }
    if let Some(max) = blast.max_replica_delta
        && let Some(delta) = replica_delta(question)
    {
        check(
            "maxReplicaDelta",
            delta.unsigned_abs() > max.into(),
            format!("{delta:+} replicas, at most ±{max}"),
        );
    }
    let Some(plan) = &question.plan else { return checks };
    let BlastRadius { desired, unavailable_after, budget_allows, .. } = plan.blast;
    if let Some(percent) = blast.max_unavailable {
        // Rounded down, and never below one pod: 25 % of 2 is one pod, not none.
        let allowed = (u64::from(desired) * u64::from(percent) / 100).max(1);
        let text = format!("{unavailable_after} of {desired} unavailable, {percent} % allow {allowed}");
        check("maxUnavailable", u64::from(unavailable_after) > allowed, text);
    }
    if let Some(keep) = blast.keep_ready {
        let ready = desired.saturating_sub(unavailable_after);
        check("keepReady", ready < keep, format!("{ready} of {desired} stay ready, at least {keep} must"));
    }
    if blast.respect_budgets
        && let Some(allows) = budget_allows
        && [ActionKind::RestartPod, ActionKind::RestartWorkload].contains(&question.action.kind())
    {
        check("respectBudgets", allows == 0, format!("the disruption budget allows {allows}"));
    }
    checks
}

/// From the plan; before there is one, from the facts, if they are known.
fn replica_delta(question: &Question) -> Option<i64> {
    match (&question.plan, question.action.replicas()) {
        (Some(plan), _) => Some(plan.blast.replica_delta),
        (None, Some(replicas)) => {
            question.owner.replicas.known().map(|now| i64::from(replicas) - i64::from(*now))
        }
        (None, None) => Some(0),
    }
}
