//! Tells people, purely: the story of an incident so far becomes the view that every channel shows.

mod headline;
mod sections;
mod words;

use jiff::Timestamp;

use crate::domain::alert::Alert;
use crate::domain::decision::{Decision, Person};
use crate::domain::evidence::Preserved;
use crate::domain::ids::{Cluster, IncidentId};
use crate::domain::message::{Button, Buttons, Standing, View};
use crate::domain::plan::{Plan, Refusal};
use crate::domain::record::{Answer, Ask, Choice, Diagnosis, Intent, Outcome, Question, Suggestion, Verdict};
use crate::domain::target::{RootOwner, Targeted};
use crate::domain::warrant::Applied;

/// An incident as far as it has come: all that a message is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Its name.
    pub incident: IncidentId,
    /// How many records it has.
    pub version: u64,
    /// Where.
    pub cluster: Cluster,
    /// Its alerts, the opening one first.
    pub alerts: Vec<Alert>,
    /// What they are about.
    pub target: Targeted,
    /// Who answers for the target.
    pub owner: Option<RootOwner>,
    /// What was found.
    pub diagnosis: Option<Diagnosis>,
    /// What the investigation chose.
    pub choice: Option<Choice>,
    /// What others proposed.
    pub suggestions: Vec<Suggestion>,
    /// What policy said, in order; the last is in force.
    pub decisions: Vec<Decision>,
    /// The last plan.
    pub plan: Option<Plan>,
    /// What was kept of what it takes away.
    pub kept: Option<Preserved>,
    /// Why no plan could be made.
    pub not_planned: Option<Refusal>,
    /// What was begun, in order; undoing counts as an act of its own.
    pub acts: Vec<Act>,
    /// What people are asked now.
    pub open: Option<Open>,
    /// What people said, in order.
    pub answers: Vec<(Person, Answer)>,
    /// Who was called and why, in order.
    pub escalations: Vec<Escalation>,
    /// How it ended.
    pub closed: Option<Closed>,
    /// Named holds that pause belay here.
    pub holds: Vec<String>,
    /// The moment.
    pub now: Timestamp,
}

/// One intended write and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// What was meant.
    pub intent: Intent,
    /// What became of it.
    pub applied: Option<Applied>,
    /// Whether it helped.
    pub verdict: Option<Verdict>,
    /// What was seen when its cause came again after it had helped.
    pub came_again: Option<Vec<String>>,
}

/// A question that waits for answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What is asked.
    pub question: Question,
    /// Until when; `None` while no channel has accepted it and its window has not begun.
    pub until: Option<Timestamp>,
}

/// A call to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// Why.
    pub why: String,
    /// Automation stands down.
    pub hands_off: bool,
}

/// The end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// How.
    pub outcome: Outcome,
    /// For people.
    pub summary: String,
}

/// The message about this story.
pub fn view(story: &Story) -> View {
    View {
        incident: story.incident.clone(),
        version: story.version,
        state: standing(story),
        headline: headline::headline(story),
        sections: sections::sections(story),
        question: story.asked().map(buttons),
    }
}

fn standing(story: &Story) -> Standing {
    match (&story.closed, story.asked()) {
        (Some(Closed { outcome: Outcome::HandedOver, .. }), _) => Standing::Escalated,
        (Some(_), _) => Standing::Closed,
        (None, Some(_)) => Standing::Asking,
        (None, None) if story.escalations.is_empty() => Standing::Working,
        (None, None) => Standing::Escalated,
    }
}

impl Story {
    /// The open question; none once the incident is over or a person has it.
    fn asked(&self) -> Option<&Open> {
        let over = self.closed.is_some() || self.handed_over().is_some();
        self.open.as_ref().filter(|_| !over)
    }

    /// Why automation stands down, if it does.
    fn handed_over(&self) -> Option<&str> {
        self.escalations.iter().rev().find(|e| e.hands_off).map(|e| e.why.as_str())
    }

    /// The remedy: the last act that does not undo another.
    fn remedy(&self) -> Option<&Act> {
        self.acts.iter().rev().find(|act| act.intent.reverts.is_none())
    }

    /// The undo of the remedy.
    fn undoing(&self) -> Option<&Act> {
        let remedy = self.remedy()?;
        self.acts.iter().rev().find(|act| act.intent.reverts.as_ref() == Some(&remedy.intent.id))
    }
}

fn buttons(open: &Open) -> Buttons {
    let Open { question, until } = open;
    let buttons = match question.ask {
        Ask::Approve => vec![Button::Approve, Button::Reject],
        Ask::ConfirmOrRevert => vec![Button::Confirm, Button::Revert],
        Ask::ConfirmOrHandOver => vec![Button::Confirm, Button::HandOver],
    };
    Buttons { question: question.id.clone(), buttons, who: words::who(&question.rule), until: *until }
}
