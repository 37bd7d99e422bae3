//! From what was weighed to an outcome: authority is a minimum, loudness a maximum.

use super::facts;
use super::judge::{Cap, Judgement, judge};
use super::ladder::OVERRIDE;
use super::limits;
use super::people::resolved;
use super::scope::Whereabouts;
use super::set::{Advice, Grant, PolicySet};
use super::table;
use crate::domain::alert::{Alert, Labels, Severity};
use crate::domain::decision::{
    ApprovalRule, ConfirmRule, Decision, Level, OnFailure, OnSilence, Outcome, Question, Reason, Terms,
};
use crate::domain::ids::GrantId;
use crate::domain::redact;

/// What is told of why a target is unclear: an API server's refusal fits, a label's text is cut.
const WHY: usize = 300;

/// Answers the question. A function of its arguments and nothing else.
pub fn decide(set: &PolicySet, question: &Question) -> Decision {
    conclude(set, question, judge(set, question))
}

/// What is said about an alert where nothing can be done. One whose target is `unclear`, for this reason,
/// goes to a person, unless the policy has advice for it and no grant: where something could be done if it were clear what
/// to, advice must not play it down.
pub fn advise(set: &PolicySet, alert: &Alert, unclear: Option<&str>) -> Decision {
    // The cluster is found later: advice that is bounded by it cannot be told to hold yet.
    let place = Whereabouts { cluster: None, namespace: alert.label("namespace") };
    let mut decision = ungranted(set, &alert.labels, alert.severity(), place);
    let covered = set.grants.iter().any(|grant| grant.alerts.iter().any(|m| m.hold(&alert.labels)));
    let advised = !covered && decision.reasons.iter().any(|reason| reason.code == "advice");
    if let Some(why) = unclear.filter(|_| !advised) {
        decision.outcome = Outcome::Escalate;
        let text = format!("it is not clear what the alert is about: {}", redact::line(why, WHY));
        decision.reasons.insert(0, Reason { code: "unclear-target".to_owned(), text });
    }
    decision
}

/// What follows from a judgement.
pub(super) fn conclude(set: &PolicySet, question: &Question, judged: Judgement<'_>) -> Decision {
    match (judged.matching.first().copied(), &question.undoes) {
        (Some(grant), Some(_)) => undo(set, question, judged, grant),
        (None, Some(gone)) => orphan(set, question, gone),
        (Some(grant), None) => {
            let enforced = act(set, question, judged, grant);
            if grant.shadow { shadow(set, question, grant, enforced) } else { enforced }
        }
        (None, None) => ungranted_here(set, question),
    }
}

/// The lowest of everything.
fn effective(judged: &Judgement<'_>, grant: &Grant) -> Level {
    judged.caps.iter().map(|cap| cap.level).fold(grant.level, Level::min)
}

/// The caps that lower the level, the lowest first.
fn binding(caps: Vec<Cap>, grant: &Grant) -> impl Iterator<Item = Reason> {
    let binds = |cap: &Cap| cap.level < grant.level || cap.reason.code == OVERRIDE;
    caps.into_iter().filter(binds).map(|cap| cap.reason)
}

fn act(set: &PolicySet, question: &Question, mut judged: Judgement<'_>, grant: &Grant) -> Decision {
    let level = effective(&judged, grant);
    let broken: Vec<Reason> = judged
        .denials
        .iter()
        .chain(judged.checks.iter().filter(|check| check.exceeded).map(|check| &check.reason))
        .cloned()
        .collect();
    let loud = !broken.is_empty() && grant.level >= Level::InTheLoop;
    let class = facts::class(question);
    let by_level = table::outcome(level, class, grant.act_from);
    let outcome = if loud { Outcome::Escalate } else { by_level };

    let granted = Reason {
        code: format!("grant/{}", grant.id),
        text: format!("grant `{}` gives level {}", grant.id, grant.level.number()),
    };
    let careful = (!loud && by_level == Outcome::Ask && level >= Level::OnTheLoop)
        .then(|| asked(question, grant, level));
    let mut reasons = Vec::new();
    if loud {
        reasons.extend(broken.iter().cloned());
    }
    reasons.extend(careful);
    reasons.extend(binding(std::mem::take(&mut judged.caps), grant));
    reasons.push(granted);
    if !loud {
        reasons.extend(broken);
    }
    reasons.append(&mut judged.offers);
    reasons.extend(shadowed(&judged));
    let terms =
        Some(terms(set, question, &judged, grant, outcome == Outcome::Act && level == Level::OnTheLoop));
    Decision { outcome, level: Some(level), reasons, terms, page: critical(question), set: set.hash }
}

/// Why a level that acts on other things asks here.
fn asked(question: &Question, grant: &Grant, level: Level) -> Reason {
    match grant.act_from {
        Some(from) if level < from => Reason {
            code: "act-from".to_owned(),
            text: format!("grant `{}` asks below level {}", grant.id, from.number()),
        },
        Some(_) | None => {
            let class = facts::class(question);
            let (risk, undo) = (facts::risk_name(class.risk), facts::undo_name(class.undo));
            let text = format!("{risk} risk with undo `{undo}` is asked first at level {}", level.number());
            Reason { code: "class".to_owned(), text }
        }
    }
}

/// Grants on trial that would have matched too.
fn shadowed(judged: &Judgement<'_>) -> Vec<Reason> {
    let trials = judged.matching.iter().skip(1).filter(|grant| grant.shadow);
    trials
        .map(|grant| Reason {
            code: format!("shadow/{}", grant.id),
            text: format!(
                "grant `{}` is in shadow mode: it would give level {}",
                grant.id,
                grant.level.number()
            ),
        })
        .collect()
}

/// Putting an act of ours back. People may always do that (unless belay is stopped); by itself belay
/// does it where the grant says so, at the levels that act. Limits and blast radius were judged when
/// the act was: an undo that they could forbid would be no undo.
fn undo(set: &PolicySet, question: &Question, mut judged: Judgement<'_>, grant: &Grant) -> Decision {
    let level = effective(&judged, grant);
    let code_denies: Vec<Reason> =
        judged.denials.iter().filter(|reason| !reason.code.starts_with("guard/")).cloned().collect();
    let stopped: Vec<Reason> = judged
        .caps
        .iter()
        .filter(|cap| ["hold", "plan/expired"].contains(&cap.reason.code.as_str()))
        .map(|cap| cap.reason.clone())
        .collect();
    let promised = grant.verify.on_failure == OnFailure::Revert
        || grant.confirm.on_silence == OnSilence::Revert
        || grant.expires.is_some();
    let guarded = code_denies.len() < judged.denials.len();
    let by_itself = promised && !guarded && !grant.shadow && level >= Level::OnTheLoop;
    let outcome = match (code_denies.is_empty(), stopped.is_empty()) {
        (false, _) => Outcome::Escalate,
        (true, false) => Outcome::Notify,
        (true, true) if by_itself => Outcome::Act,
        (true, true) => Outcome::Ask,
    };
    let mut reasons = code_denies;
    reasons.extend(stopped);
    let text = format!("this puts back an act of grant `{}`", grant.id);
    reasons.push(Reason { code: format!("undo/{}", grant.id), text });
    reasons.extend(judged.denials.iter().filter(|reason| reason.code.starts_with("guard/")).cloned());
    let lowered = binding(std::mem::take(&mut judged.caps), grant);
    reasons.extend(lowered.filter(|r| r.code != "hold" && r.code != "plan/expired"));
    let mut terms = terms(set, question, &judged, grant, false);
    terms.approval = ApprovalRule { count: 1, each_group: 0, step_up: false, ..terms.approval }; // one click undoes
    terms.also = Vec::new();
    terms.draws = vec![limits::lock(question)];
    terms.expires = None;
    Decision {
        outcome,
        level: Some(level),
        reasons,
        terms: Some(terms),
        page: critical(question),
        set: set.hash,
    }
}

/// An undo of an act whose grant is gone from the policy: nobody is known who could answer for it.
fn orphan(set: &PolicySet, question: &Question, gone: &GrantId) -> Decision {
    let text =
        format!("grant `{gone}`, which carried the act, is gone from the policy: a person must put it back");
    Decision {
        outcome: Outcome::Escalate,
        level: None,
        reasons: vec![Reason { code: "undo/no-grant".to_owned(), text }],
        terms: None,
        page: critical(question),
        set: set.hash,
    }
}

fn terms(
    set: &PolicySet,
    question: &Question,
    judged: &Judgement<'_>,
    grant: &Grant,
    confirm: bool,
) -> Terms {
    let approval = resolved(&grant.confirm.approval, question);
    let also = judged.also.iter().map(|rule| resolved(rule, question));
    let also = also.filter(|rule| *rule != approval).collect();
    let confirm = confirm.then(|| ConfirmRule { approval: approval.clone(), ..grant.confirm.clone() });
    Terms {
        grant: grant.id.clone(),
        draws: limits::draws(set, grant, question),
        approval,
        also,
        verify: grant.verify.clone(),
        confirm,
        expires: grant.expires,
    }
}

/// A grant on trial: what would have been is written down, and what is said is what would be said
/// without it.
fn shadow(set: &PolicySet, question: &Question, grant: &Grant, would: Decision) -> Decision {
    let without = ungranted_here(set, question);
    let outcome = match without.outcome {
        Outcome::Drop | Outcome::Notify | Outcome::Ask | Outcome::Act => Outcome::Notify,
        Outcome::Escalate => Outcome::Escalate,
    };
    let at = would.level.map(|level| format!(" at level {}", level.number())).unwrap_or_default();
    let text = format!(
        "grant `{}` is in shadow mode: it would have been `{}`{at} ({})",
        grant.id,
        would.outcome.name(),
        would.because()
    );
    let mut reasons = vec![Reason { code: format!("shadow/{}", grant.id), text }];
    reasons.extend(would.reasons);
    Decision { outcome, reasons, ..would }
}

/// What is said about the question's alert where nothing may be done.
fn ungranted_here(set: &PolicySet, question: &Question) -> Decision {
    let place = Whereabouts::from(&question.target.object.named);
    ungranted(set, &question.alert.labels, question.alert.severity, place)
}

/// Where nothing may be done: the loudest advice, or else the default. Where it cannot be told whether
/// advice reaches, it may be loud and may not silence.
fn ungranted(set: &PolicySet, labels: &Labels, severity: Severity, place: Whereabouts<'_>) -> Decision {
    let matching: Vec<&Advice> = set
        .advice
        .iter()
        .filter(|advice| advice.alerts.iter().any(|matchers| matchers.hold(labels)))
        .filter(|advice| advice.home.reaches_there(place).unwrap_or(advice.outcome != Outcome::Drop))
        .collect();
    let critical = severity == Severity::Critical;
    let decision = |outcome, code: &str, text: String| Decision {
        outcome,
        level: None,
        reasons: vec![Reason { code: code.to_owned(), text }],
        terms: None,
        page: critical && outcome != Outcome::Drop,
        set: set.hash,
    };
    let Some(loudest) = matching.iter().map(|advice| advice.outcome).max_by_key(|outcome| loudness(*outcome))
    else {
        let outcome = if critical { Outcome::Escalate } else { Outcome::Notify };
        return decision(outcome, "no-grant", "no grant covers this".to_owned());
    };
    let mut look: Vec<&str> = matching
        .iter()
        .filter(|advice| advice.outcome == loudest)
        .flat_map(|advice| advice.look.iter().map(String::as_str))
        .collect();
    look.sort_unstable();
    look.dedup();
    let text = if look.is_empty() {
        format!("no grant covers this; the policy's advice is to {}", loudest.name())
    } else {
        format!("no grant covers this; look at: {}", look.join(", "))
    };
    decision(loudest, "advice", text)
}

const fn loudness(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Drop => 0,
        Outcome::Notify | Outcome::Act => 1,
        Outcome::Ask => 2,
        Outcome::Escalate => 3,
    }
}

fn critical(question: &Question) -> bool {
    question.alert.severity == Severity::Critical
}
