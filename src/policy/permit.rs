//! The permit: policy's yes for one plan. Only this file can make one; the executor takes nothing else.

use jiff::{SignedDuration, Timestamp};

use super::decide::decide;
use super::set::PolicySet;
use crate::domain::canonical::Hash;
use crate::domain::decision::{ApprovalFacts, Asked, Decision, Outcome, Person, Question, Reason, Terms};
use crate::domain::ids::IncidentId;
use crate::domain::plan::Plan;

/// How long a yes lasts: long enough to append an intent and send one request with its time limits, and
/// far too short for the facts it rests on to grow old.
const LIFE: SignedDuration = SignedDuration::from_secs(60);

/// May this plan be carried out? Yes. It cannot be copied, stored or made elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    incident: IncidentId,
    plan: Hash,
    uid: String,
    generation: Option<i64>,
    expires_at: Timestamp,
    approved_by: String,
    set: Hash,
    terms: Terms,
}

impl Permit {
    /// The incident it belongs to.
    pub const fn incident(&self) -> &IncidentId {
        &self.incident
    }

    /// The hash of the one plan it is for.
    pub const fn plan(&self) -> Hash {
        self.plan
    }

    /// The uid of the object that may be changed.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// The generation of that object, where it has one.
    pub const fn generation(&self) -> Option<i64> {
        self.generation
    }

    /// From then on it is worth nothing.
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Who said yes: `grant/…`, or the people by name.
    pub fn approved_by(&self) -> &str {
        &self.approved_by
    }

    /// The policy set that said yes.
    pub const fn set(&self) -> Hash {
        self.set
    }

    /// What the yes obliges to.
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }
}

/// Asks for a permit for the question's plan, with the facts of this moment. The decision is given back
/// where it does not permit; an approval that is not good is named first among its reasons.
pub fn permit(set: &PolicySet, question: &Question) -> Result<Permit, Box<Decision>> {
    let asked;
    let question = match question.asked {
        Asked::Write => question,
        Asked::Candidate | Asked::Plan => {
            asked = Question { asked: Asked::Write, ..question.clone() };
            &asked
        }
    };
    let mut decision = decide(set, question);
    let (Some(plan), Some(terms)) = (&question.plan, &decision.terms) else { return Err(Box::new(decision)) };
    let Ok(hash) = plan.hash() else {
        refuse(&mut decision, "plan/hash", "the plan has no canonical form".to_owned());
        return Err(Box::new(decision));
    };
    let approved_by = match decision.outcome {
        Outcome::Act => Ok(format!("grant/{}", terms.grant)),
        Outcome::Ask => approved(terms, plan, hash, question),
        Outcome::Drop | Outcome::Notify | Outcome::Escalate => return Err(Box::new(decision)),
    };
    match (approved_by, plan.expires_at > question.now) {
        (Ok(approved_by), true) => Ok(Permit {
            incident: question.incident.clone(),
            plan: hash,
            uid: plan.preconditions.uid.clone(),
            generation: plan.preconditions.generation,
            expires_at: expiry(plan, question.now),
            approved_by,
            set: decision.set,
            terms: terms.clone(),
        }),
        (Ok(_), false) => {
            refuse(&mut decision, "plan/expired", format!("the plan expired at {}", plan.expires_at));
            decision.outcome = Outcome::Notify;
            Err(Box::new(decision))
        }
        (Err(why), _) => {
            refuse(&mut decision, "approval", why);
            Err(Box::new(decision))
        }
    }
}

fn refuse(decision: &mut Decision, code: &str, text: String) {
    decision.reasons.insert(0, Reason { code: code.to_owned(), text });
}

fn expiry(plan: &Plan, now: Timestamp) -> Timestamp {
    now.checked_add(LIFE).unwrap_or(now).min(plan.expires_at)
}

/// The names of those who approved this very plan, or why that is not enough. The rule is that of now.
fn approved(terms: &Terms, plan: &Plan, hash: Hash, question: &Question) -> Result<String, String> {
    let Some(ApprovalFacts { plan: approved, by, at }) = &question.approval else {
        return Err("nobody has approved it yet".to_owned());
    };
    if *approved != hash {
        return Err("the approval is for another plan".to_owned());
    }
    if *at > question.now || *at < plan.made_at {
        return Err(format!("the approval says {at}, which cannot be"));
    }
    let expires = terms.rules().map(|rule| rule.expires).min().unwrap_or(SignedDuration::ZERO);
    if question.now.duration_since(*at) >= expires {
        return Err(format!("the approval of {at} is older than {expires:#}"));
    }
    if !terms.satisfied_by(by) {
        let rules: Vec<String> =
            terms.rules().map(|rule| format!("{} of `{}`", rule.count, rule.name)).collect();
        return Err(format!("too few entitled people approved it: it takes {}", rules.join(" and ")));
    }
    let mut names: Vec<&str> = by.iter().filter(|person| terms.entitles(person)).map(Person::name).collect();
    names.sort_unstable();
    names.dedup();
    Ok(names.join(", "))
}
