//! Weighs one question against a policy set: which grant carries it, and everything that subtracts.
//! What follows from that is for `decide` to say.

use super::brakes;
use super::cel::Verdict;
use super::ladder;
use super::limits::{self, Check};
use super::scope::Home;
use super::set::{Ceiling, Environment, Freeze, Grant, Guard, PolicySet};
use crate::domain::cause::CauseWord;
use crate::domain::decision::{ApprovalRule, Asked, Fact, LOCK, Level, Question, Reason};
use crate::domain::plan::Direction;
use crate::domain::target::Kind;

/// Something that lowers the level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cap {
    pub level: Level,
    pub reason: Reason,
}

/// Where the target is.
#[derive(Debug, Clone)]
pub(super) enum Place<'s> {
    /// In exactly one environment.
    In(&'s Environment),
    /// In none.
    Nowhere,
    /// In more than one.
    Several(Vec<&'s Environment>),
    /// It cannot be told: an environment's expression failed. It counts as nowhere.
    Unknown(String),
}

/// Why a grant does not match.
#[derive(Debug)]
pub(super) enum Miss<'s> {
    Action,
    Alerts,
    Scope(&'s Home),
    Environment(&'s [String]),
    Playbook,
    When(Verdict),
}

/// All that bears on a decision. Taking one thing out of it is how a counterfactual is found.
#[derive(Debug, Clone)]
pub(super) struct Judgement<'s> {
    pub place: Place<'s>,
    /// Every grant that matches, the one that carries first.
    pub matching: Vec<&'s Grant>,
    pub caps: Vec<Cap>,
    pub denials: Vec<Reason>,
    pub checks: Vec<Check>,
    /// Approvals that guards want besides the grant's own.
    pub also: Vec<ApprovalRule>,
    /// What guards propose instead.
    pub offers: Vec<Reason>,
}

/// Weighs the question.
pub(super) fn judge<'s>(set: &'s PolicySet, question: &Question) -> Judgement<'s> {
    judge_at(set, question, place(set, question))
}

/// Weighs the question as if its target were there.
pub(super) fn judge_at<'s>(set: &'s PolicySet, question: &Question, place: Place<'s>) -> Judgement<'s> {
    let matching = matching(set, question, &place);
    let mut judged = Judgement {
        place,
        matching,
        caps: Vec::new(),
        denials: Vec::new(),
        checks: Vec::new(),
        also: Vec::new(),
        offers: Vec::new(),
    };
    let Some(grant) = judged.matching.first().copied() else { return judged };
    judged.caps.extend(place_caps(&judged.place));
    judged.caps.extend(ceilings(set, question, &judged.place));
    judged.caps.extend(own_caps(question));
    judged.caps.extend(ladder::caps(grant, &judged.place, question));
    judged.caps.extend(brakes::caps(set, question));
    judged.denials.extend(own_denials(question));
    for guard in &set.guards {
        judged.guard(guard, question);
    }
    for freeze in &set.freezes {
        if let Some(why) = frozen(freeze, question, &judged.place) {
            judged.caps.push(cap(freeze.max_level, format!("freeze/{}", freeze.name), why));
        }
    }
    if question.undoes.is_none() {
        judged.checks = limits::checks(set, grant, question);
    }
    judged.order();
    judged
}

impl Judgement<'_> {
    fn guard(&mut self, guard: &Guard, question: &Question) {
        let Some(text) = fires(guard, question) else { return };
        self.also.extend(guard.approval.clone());
        self.offers.extend(guard.offer.map(|offer| Reason {
            code: format!("offer/{}", offer.name()),
            text: format!(
                "guard `{}` offers `{}` instead: the change is made where it stays",
                guard.id,
                offer.name()
            ),
        }));
        let reason = Reason { code: ["guard/", &guard.id].concat(), text };
        match (guard.max_level, guard.deny) {
            (Some(level), true) => {
                self.caps.push(Cap { level, reason: reason.clone() });
                self.denials.push(reason);
            }
            (Some(level), false) => self.caps.push(Cap { level, reason }),
            (None, true) => self.denials.push(reason),
            (None, false) => {}
        }
    }

    fn order(&mut self) {
        self.caps.sort_by(|a, b| (a.level, &a.reason.code).cmp(&(b.level, &b.reason.code)));
        self.denials.sort_by(|a, b| a.code.cmp(&b.code));
        self.also.sort_by(|a, b| a.name.cmp(&b.name));
        self.also.dedup();
        self.offers.sort_by(|a, b| (&a.code, &a.text).cmp(&(&b.code, &b.text)));
    }
}

/// About the length of what a guard says, so that it is written into one piece of memory.
const SENTENCE: usize = 128;

/// Why a guard fires, if it does. What cannot be told fires; what is out of its file's scope does not.
pub(super) fn fires(guard: &Guard, question: &Question) -> Option<String> {
    if !guard.origin.home.reaches(&question.target.object.named) {
        return None;
    }
    match guard.when.ask(question) {
        Verdict::No | Verdict::NotApplicable(_) => None,
        Verdict::Yes => Some(guard.message.clone().unwrap_or_else(|| {
            let mut text = String::with_capacity(SENTENCE);
            text.extend(["guard `", &guard.id, "`: "]);
            guard.when.values_into(&mut text, question);
            text
        })),
        Verdict::Error(why) => Some(format!("guard `{}` holds because {why}", guard.id)),
    }
}

/// Why a freeze applies, if it does.
pub(super) fn frozen(freeze: &Freeze, question: &Question, place: &Place<'_>) -> Option<String> {
    let until = freeze.window.until(question.now)?;
    if !freeze.origin.home.reaches(&question.target.object.named) {
        return None;
    }
    let listed = |environment: &Environment| freeze.environments.contains(&environment.name);
    let here = freeze.environments.is_empty()
        || match place {
            Place::In(environment) => listed(environment),
            Place::Several(environments) => environments.iter().any(|e| listed(e)),
            Place::Nowhere => false,
            Place::Unknown(_) => true,
        };
    let told = freeze.when.as_ref().map_or(Verdict::Yes, |when| when.ask(question));
    match told {
        _ if !here => None,
        Verdict::No | Verdict::NotApplicable(_) => None,
        Verdict::Yes => Some(format!("freeze `{}` until {}", freeze.name, until)),
        Verdict::Error(why) => Some(format!("freeze `{}` applies because {why}", freeze.name)),
    }
}

/// Where the target is. An environment of a file with a scope ends where the scope does.
pub(super) fn place<'s>(set: &'s PolicySet, question: &Question) -> Place<'s> {
    let mut found = Vec::new();
    let named = &question.target.object.named;
    for environment in set.environments.iter().filter(|e| e.origin.home.reaches(named)) {
        match environment.when.ask(question) {
            Verdict::Yes => found.push(environment),
            Verdict::No => {}
            Verdict::NotApplicable(fact) => {
                return Place::Unknown(format!("environment `{}`: {fact} does not apply", environment.name));
            }
            Verdict::Error(why) => {
                return Place::Unknown(format!("environment `{}`: {why}", environment.name));
            }
        }
    }
    match found.as_slice() {
        [] => Place::Nowhere,
        [one] => Place::In(one),
        _ => Place::Several(found),
    }
}

/// The grants that match, the carrying one first: enforced before shadowed (a trial must not change what
/// is in force), then the highest level, then the id, so that order never matters.
pub(super) fn matching<'s>(set: &'s PolicySet, question: &Question, place: &Place<'_>) -> Vec<&'s Grant> {
    if let Some(undoes) = &question.undoes {
        return set.grants.iter().filter(|grant| grant.id == *undoes).collect();
    }
    let alertname = question.alert.labels.get("alertname").map_or("", String::as_str);
    let candidates = set.index.candidates(question.action.kind(), alertname);
    let mut found: Vec<&Grant> = candidates
        .filter_map(|i| set.grants.get(i))
        .filter(|grant| miss(grant, question, place).is_none())
        .collect();
    found.sort_by(|a, b| (a.shadow, b.level, &a.id).cmp(&(b.shadow, a.level, &b.id)));
    found.dedup_by(|a, b| a.id == b.id);
    found
}

/// Why a grant does not match, if it does not.
pub(super) fn miss<'s>(grant: &'s Grant, question: &Question, place: &Place<'_>) -> Option<Miss<'s>> {
    if !grant.actions.contains(&question.action.kind()) {
        return Some(Miss::Action);
    }
    if !grant.alerts.iter().any(|matchers| matchers.hold(&question.alert.labels)) {
        return Some(Miss::Alerts);
    }
    if !grant.origin.home.reaches(&question.target.object.named) {
        return Some(Miss::Scope(&grant.origin.home));
    }
    let listed = |environment: &Environment| grant.environments.contains(&environment.name);
    let here = grant.environments.is_empty()
        || match place {
            Place::In(environment) => listed(environment),
            Place::Several(environments) => environments.iter().any(|e| listed(e)),
            Place::Nowhere | Place::Unknown(_) => false,
        };
    if !here {
        return Some(Miss::Environment(&grant.environments));
    }
    if !grant.playbook && !question.chosen_by_model {
        return Some(Miss::Playbook);
    }
    match grant.when.as_ref().map_or(Verdict::Yes, |when| when.ask(question)) {
        Verdict::Yes => None,
        other @ (Verdict::No | Verdict::NotApplicable(_) | Verdict::Error(_)) => Some(Miss::When(other)),
    }
}

/// What the platform allows at most here. Where it cannot be told, every ceiling may be the one.
fn ceilings(set: &PolicySet, question: &Question, place: &Place<'_>) -> Vec<Cap> {
    let kind = question.action.kind();
    let here = |ceiling: &&Ceiling| {
        let listed = |environment: &Environment| ceiling.environments.contains(&environment.name);
        ceiling.environments.is_empty()
            || match place {
                Place::In(environment) => listed(environment),
                Place::Several(environments) => environments.iter().any(|e| listed(e)),
                Place::Nowhere => false,
                Place::Unknown(_) => true,
            }
    };
    let name = match place {
        Place::In(environment) => environment.name.as_str(),
        Place::Nowhere | Place::Several(_) | Place::Unknown(_) => "anywhere",
    };
    let listed = |ceiling: &&Ceiling| ceiling.actions.is_empty() || ceiling.actions.contains(&kind);
    let lowest = set.ceilings.iter().filter(here).filter(listed).min_by_key(|ceiling| ceiling.max_level);
    let cap = |ceiling: &Ceiling| {
        let (owner, level) = (&ceiling.origin.home.owner, ceiling.max_level);
        let text = format!("`{owner}` allows {} level {} here at most", kind.name(), level.number());
        cap(level, format!("ceiling/{name}"), text)
    };
    lowest.map(cap).into_iter().collect()
}

fn place_caps(place: &Place<'_>) -> Vec<Cap> {
    match place {
        Place::In(environment) => {
            let text =
                format!("environment `{}` allows level {}", environment.name, environment.max_level.number());
            vec![cap(environment.max_level, format!("environment/{}", environment.name), text)]
        }
        Place::Nowhere => vec![nowhere("none", "the target is in no environment".to_owned())],
        Place::Several(environments) => {
            let names: Vec<&str> = environments.iter().map(|e| e.name.as_str()).collect();
            vec![nowhere("several", format!("the target is in several environments: {}", names.join(", ")))]
        }
        Place::Unknown(why) => {
            vec![nowhere("unknown", format!("the target's environment cannot be told: {why}"))]
        }
    }
}

fn nowhere(code: &str, text: String) -> Cap {
    cap(Level::Observe, format!("environment/{code}"), text)
}

fn cap(level: Level, code: String, text: String) -> Cap {
    Cap { level, reason: Reason { code, text } }
}

/// Caps that no policy can lift.
fn own_caps(question: &Question) -> Vec<Cap> {
    let mut caps: Vec<Cap> = question
        .cluster
        .holds
        .iter()
        .map(|hold| cap(Level::Observe, "hold".to_owned(), format!("belay is paused: {hold}")))
        .collect();
    if question.cluster.strange_intents {
        let text =
            "objects carry intents that the journal does not know: it was lost, or somebody else runs here";
        caps.push(cap(Level::InTheLoop, "strange-intents".to_owned(), text.to_owned()));
    }
    if question.outside && question.undoes.is_none() {
        let text = "somebody outside of belay proposed it: a person decides".to_owned();
        caps.push(cap(Level::InTheLoop, "proposed/outside".to_owned(), text));
    }
    if let Fact::Unknown(why) = &question.target.kept
        && !question.target.kept.is_not_recorded()
        && question.undoes.is_none()
    {
        let text = format!("logs and events of the pods that would go could not be kept: {why}");
        caps.push(cap(Level::InTheLoop, "evidence/not-kept".to_owned(), text));
    }
    caps.extend(steered(question));
    if let Some(plan) = &question.plan
        && plan.expires_at <= question.now
    {
        caps.push(cap(
            Level::Observe,
            "plan/expired".to_owned(),
            format!("the plan expired at {}", plan.expires_at),
        ));
    }
    // people may always put back what belay did; that belay does not do it by itself is all that this changes
    if question.undoes.is_some() && !question.finding.beside.is_empty() {
        let text = "data may be damaged, or this may be an attack: a person decides what is put back";
        caps.push(cap(Level::InTheLoop, "cause/always-a-person".to_owned(), text.to_owned()));
    }
    if question.undoes.is_none() && limits::locked(question) {
        let text = "another act on this owner is under way".to_owned();
        caps.push(cap(Level::Observe, LOCK.to_owned(), text));
    }
    caps
}

/// What a model chose after it had read text that speaks to it is for a person to approve. The playbook reads no text,
/// and an undo was not chosen by anybody's words.
fn steered(question: &Question) -> Option<Cap> {
    if !question.chosen_by_model || question.undoes.is_some() {
        return None;
    }
    let flagged = &question.incident_facts.flagged;
    let text = match flagged {
        Fact::Known(true) => "the model read text that speaks to it instead of about the system".to_owned(),
        // records that are older than the fact stay as they were
        Fact::Unknown(_) if flagged.is_not_recorded() => return None,
        Fact::Unknown(why) => format!("whether the model read text that speaks to it cannot be told: {why}"),
        Fact::Known(false) | Fact::NotApplicable => return None,
    };
    Some(cap(Level::InTheLoop, "evidence/flagged".to_owned(), text))
}

/// Whether a cause was seen at more than one root owner, or may have been. Records that are older than the
/// fact were about one.
fn spans(services: &Fact<u32>) -> bool {
    match services {
        Fact::Known(n) => *n > 1,
        Fact::Unknown(_) => !services.is_not_recorded(),
        Fact::NotApplicable => false,
    }
}

/// What code refuses, whatever a policy says.
fn own_denials(question: &Question) -> Vec<Reason> {
    let plan = question.plan.as_ref();
    let direction = plan.map(|plan| plan.direction);
    let undo = question.undoes.is_some();
    let wrong_way = match direction {
        Some(Direction::Forward) => undo,
        Some(Direction::Revert) => !undo,
        None => false,
    };
    let other = plan.is_some_and(|p| p.action != question.action || p.owner != question.owner.owner);
    let denials = [
        (!question.target.grounded, "not-grounded", "the target was named only by text that was read"),
        (
            *question.action.target() != question.target.object,
            "target/mismatch",
            "the action is for another object than the one that was looked at",
        ),
        (
            question.owner.owner.0.named.kind == Kind::Other,
            "owner/unknown-kind",
            "the target belongs to a controller that belay does not know",
        ),
        (
            CauseWord::from_name(&question.finding.cause).is_some_and(CauseWord::always_a_person),
            "cause/always-a-person",
            "data may be damaged, or this may be an attack: that is never mended by reflex",
        ),
        (
            !undo && !question.finding.beside.is_empty(),
            "cause/always-a-person",
            "beside the cause, data may be damaged, or this may be an attack: that is never mended by reflex",
        ),
        (
            spans(&question.finding.services),
            "cause/spans-services",
            "the cause is at work in several services, or it cannot be told: mending one of them is not enough",
        ),
        (plan.is_none() && question.asked != Asked::Candidate, "plan/missing", "there is no plan"),
        (other, "plan/mismatch", "the plan is for another action or another owner"),
        (wrong_way, "plan/direction", "an undo was asked about with the plan of an act, or the reverse"),
    ];
    denials
        .into_iter()
        .filter(|(is, _, _)| *is)
        .map(|(_, code, text)| Reason { code: code.to_owned(), text: text.to_owned() })
        .collect()
}
