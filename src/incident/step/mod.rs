//! What follows from an input: records to keep, effects to carry out, timers to set. Pure, and total
//! over phases and inputs: what does not apply is ignored with a reason that a person can be told.

mod act;
mod alerts;
mod answer;
mod decide;
mod note;
mod share;
mod suggest;
mod timer;

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::{IncidentId, IntentId};
use crate::domain::record::{Intent, Opening, Outcome, Record};
use crate::domain::target::RootOwner;
use crate::domain::warrant::Applied;

use super::effect::{Effect, TimerName};
use super::input::Input;
use super::phase::Phase;
use super::state::{State, says_nothing_new};

/// The moment of a step: what would otherwise be impure.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// Now.
    pub at: Timestamp,
    /// 128 fresh random bits, for the name of a question.
    pub entropy: u128,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// To be written, in order.
    pub records: Vec<Record>,
    /// To be done once it is written, each not before its moment (`None`: at once).
    pub effects: Vec<(Effect, Option<Timestamp>)>,
    /// Timers to set (`Some`) or clear (`None`).
    pub timers: Vec<(TimerName, Option<Timestamp>)>,
    /// The intent that draws upon limits; the step is refused when one is reached or a hold is in force.
    pub draws: Option<Box<Intent>>,
    /// Intents that no longer hold locks or count as in flight.
    pub release: Vec<IntentId>,
    /// Whether the incident is open from now on (`Some(true)`: its owner's name leads here) or no longer.
    pub open: Option<bool>,
    /// Whose name leads here from now on, in place of the owner's before.
    pub owner: Option<RootOwner>,
}

/// The input changes nothing, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ignored {
    /// It was seen before.
    #[error("it was seen before")]
    Duplicate,
    /// It speaks of a time before what is known.
    #[error("something newer is known")]
    Stale,
    /// It does not apply (any more).
    #[error("{0}")]
    TooLate(String),
    /// The person is not entitled.
    #[error("{0}")]
    NotEntitled(String),
}

/// How long a channel has to accept a question before a person is called by another way (promise 3:
/// within 60 seconds).
pub(super) const DELIVERY: SignedDuration = SignedDuration::from_secs(60);

/// How often the cluster is looked at anew for one incident (the target went or changed between look
/// and plan) before a person is called: a world that moves this fast is no place for automation.
pub(super) const MAX_LOOKS: u32 = 3;

/// What opening an incident leads to.
pub fn open(opening: Opening) -> Step {
    let clear = opening.owner.is_some();
    let mut step = Step { open: Some(true), ..Step::default() };
    step.records.push(Record::Opened(Box::new(opening)));
    step.effects.push((if clear { Effect::Look } else { Effect::Advise }, None));
    step
}

/// What `input` leads to.
pub fn step(state: &State, input: Input, moment: Moment) -> Result<Step, Ignored> {
    let mut w = Writer { state, moment, step: Step::default(), hush: state.hushed };
    match input {
        Input::Alert(alert) => w.alert(alert)?,
        Input::Vanished { fingerprint, why } => w.vanished(fingerprint, &why)?,
        Input::Diagnosed(diagnosis) => w.diagnosed(*diagnosis)?,
        Input::Rehomed(owner) => w.rehomed(owner)?,
        Input::Merge { into } => w.merge(&into)?,
        Input::Advised(decision) => w.advised(&decision)?,
        Input::Chosen(choice) => w.chosen(choice)?,
        Input::Suggested(suggestion) => w.suggested(suggestion)?,
        Input::Decided { decided, cleared } => w.decided(*decided, cleared)?,
        Input::Planned { candidate, result, kept } => w.planned(candidate, result, kept)?,
        Input::RevertPlanned { intent, by, result } => w.revert_planned(&intent, by.as_ref(), result)?,
        Input::Applied { intent, applied } => w.applied(&intent, applied)?,
        Input::NotSent { intent, decided } => w.not_sent(&intent, *decided)?,
        Input::Checked { intent, check } => w.checked(&intent, check)?,
        Input::AgainElsewhere { intent, seen, other } => w.again_elsewhere(&intent, seen, other.as_ref())?,
        Input::Answered { question, answer, by } => w.answered(&question, answer, by)?,
        Input::Timer(name) => w.timer(name),
        Input::Published { message, version, carries } => w.published(message, version, carries),
        Input::Undelivered { why } => w.undelivered(&why),
        Input::Paged { through } => w.record(Record::Paged { through }),
        Input::Blocked { code, why } => w.blocked(&code, &why)?,
        Input::Failed { effect, why } => w.failed(&effect, &why)?,
    }
    Ok(w.finish())
}

/// Collects a step.
struct Writer<'a> {
    state: &'a State,
    moment: Moment,
    step: Step,
    /// People were told the same within the last day.
    hush: bool,
}

impl Writer<'_> {
    fn record(&mut self, record: Record) {
        self.step.records.push(record);
    }

    fn effect(&mut self, effect: Effect) {
        self.step.effects.push((effect, None));
    }

    fn later(&mut self, effect: Effect, after: SignedDuration) {
        let due = self.after(after);
        self.step.effects.push((effect, Some(due)));
    }

    fn set(&mut self, timer: TimerName, after: SignedDuration) {
        let due = self.after(after);
        self.step.timers.push((timer, Some(due)));
    }

    fn clear(&mut self, timer: TimerName) {
        self.step.timers.push((timer, None));
    }

    fn after(&self, span: SignedDuration) -> Timestamp {
        self.moment.at.saturating_add(span).unwrap_or(Timestamp::MAX)
    }

    /// Hands the incident to a person: whatever is pending stands down, and somebody is called.
    fn escalate(&mut self, why: impl Into<String>) {
        let why = why.into();
        self.withdraw("a person was called");
        self.record(Record::Escalated { why: why.clone(), hands_off: false });
        self.stand_down();
        // a person has it already: what an outside agent proposes calls nobody
        if !self.state.deciding_for_outside() {
            self.effect(Effect::Page { why });
        }
    }

    /// Nothing is watched any more, and nothing counts as in flight whose outcome is known.
    fn stand_down(&mut self) {
        self.clear(TimerName::Check);
        self.clear(TimerName::Deadline);
        let known = self
            .state
            .acts
            .iter()
            .filter(|act| matches!(act.applied, Some(Applied::Done { .. } | Applied::Refused { .. })));
        self.step.release.extend(known.map(|act| act.intent.id.clone()));
    }

    /// Ends the incident; everything it held is given back.
    fn close(&mut self, outcome: Outcome, summary: impl Into<String>) {
        self.end(outcome, summary.into(), false);
    }

    /// Ends the incident: nothing had to be done.
    fn nothing_to_do(&mut self, summary: impl Into<String>) {
        self.end(Outcome::Notified, summary.into(), true);
    }

    fn end(&mut self, outcome: Outcome, summary: String, nothing_to_do: bool) {
        self.withdraw("the incident is over");
        self.record(Record::Closed { outcome, summary, nothing_to_do });
        self.step.timers.extend(TimerName::ALL.map(|timer| (timer, None)));
        if outcome == Outcome::Remedied {
            self.set(TimerName::Check, act::WATCH_EVERY);
        }
        // a temporary measure outlives its incident
        if let Some(act) = self.state.temporary()
            && let (Some(expires), Some(done)) = (act.intent.terms.expires, act.done_at)
        {
            let ends = done.saturating_add(expires).unwrap_or(done);
            self.step.timers.push((TimerName::Expires, Some(ends.max(self.moment.at))));
        }
        self.step.release.extend(self.state.acts.iter().map(|act| act.intent.id.clone()));
        self.step.open = Some(false);
    }

    /// Takes back the open question, if there is one.
    fn withdraw(&mut self, why: &str) {
        if let Some(open) = &self.state.question {
            let already = |r: &Record| {
                matches!(r, Record::Answered { question, .. } | Record::Lapsed { question, .. }
                    if *question == open.question.id)
            };
            if !self.step.records.iter().any(already) {
                self.record(Record::Lapsed { question: open.question.id.clone(), why: why.into() });
            }
            self.clear(TimerName::Approval);
            self.clear(TimerName::Confirm);
            self.clear(TimerName::Delivery);
        }
    }

    fn phase(&self) -> &Phase {
        &self.state.phase
    }

    fn incident(&self) -> &IncidentId {
        &self.state.id
    }

    /// Whatever people should hear of makes the message stale.
    fn finish(mut self) -> Step {
        let heard = |r: &Record| !matches!(r, Record::Published { .. } | Record::Paged { .. });
        let dropped = |r: &Record| matches!(r, Record::Closed { outcome: Outcome::Dropped, .. });
        let unsaid = self.state.message.is_none() && self.step.records.iter().any(dropped);
        let hushed = self.hush && self.step.records.iter().all(says_nothing_new);
        self.note();
        if self.step.records.iter().any(heard) && !unsaid && !hushed {
            self.effect(Effect::Publish);
        }
        self.step
    }
}
