//! The life of an incident, without any world: inputs in, records and effects out.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod later;
mod paths;
mod proposals;
mod props;
mod share;

use belay::domain::canonical::Hash;
use belay::domain::decision::{Asked, Decided, Decision, Outcome};
use belay::domain::ids::{CandidateId, IntentId, QuestionId};
use belay::domain::record::{Answer, Entry, Record};
use belay::domain::warrant::Applied;
use belay::incident::input::{Check, Held};
use belay::incident::{Effect, Ignored, Input, Moment, State, Step, TimerName, open, step};
use jiff::Timestamp;

use super::given;

/// An incident that is driven by hand.
#[derive(Clone)]
pub struct Life {
    pub entries: Vec<Entry>,
    pub state: State,
    pub now: Timestamp,
    pub last: Step,
    asked: u128,
}

impl Life {
    /// Opened by the story's alert.
    pub fn opened() -> Self {
        let step = open(given::opening());
        let mut entries = Vec::new();
        write(&mut entries, &step, given::t0());
        let state = State::fold(&entries).unwrap().unwrap();
        Self { entries, state, now: given::t0(), last: step, asked: 0 }
    }

    pub fn give(&mut self, input: Input) -> Result<&Step, Ignored> {
        self.asked += 1;
        let moment = Moment { at: self.now, entropy: self.asked };
        let step = step(&self.state, input, moment)?;
        let known = self.entries.len();
        write(&mut self.entries, &step, self.now);
        for entry in &self.entries[known..] {
            self.state = self.state.next(entry).expect("a record that its own step wrote can follow");
        }
        self.last = step;
        Ok(&self.last)
    }

    pub fn at(&mut self, seconds: i64) -> &mut Self {
        self.now = given::after(seconds);
        self
    }

    /// From the opening to a plan that policy was asked about, with this outcome.
    pub fn planned(action: belay::domain::action::Action, outcome: Outcome) -> Self {
        Self::planned_by(action, &given::decision(outcome))
    }

    /// The same with this decision.
    pub fn planned_by(action: belay::domain::action::Action, decision: &Decision) -> Self {
        let mut life = Self::opened();
        let plan = given::plan(action.clone(), life.now);
        life.give(Input::Diagnosed(Box::new(given::diagnosis(action.clone())))).unwrap();
        life.give(Input::Chosen(given::choice())).unwrap();
        let decided = |asked, plan| Input::Decided {
            decided: Box::new(Decided {
                question: given::question(asked, action.clone(), plan, given::t0()),
                decision: decision.clone(),
            }),
            cleared: decision.outcome == Outcome::Act,
        };
        life.give(decided(Asked::Candidate, None)).unwrap();
        let candidate = CandidateId::new("c1");
        life.give(Input::Planned { candidate, result: Ok(Box::new(plan.clone())), kept: None }).unwrap();
        life.give(decided(Asked::Plan, Some(plan))).unwrap();
        life
    }

    /// As far as the act being done.
    pub fn acted(action: belay::domain::action::Action) -> Self {
        let mut life = Self::planned(action, Outcome::Act);
        life.give(life.applied()).unwrap();
        life
    }

    pub fn intent(&self) -> IntentId {
        self.state.acts.last().unwrap().intent.id.clone()
    }

    pub fn applied(&self) -> Input {
        Input::Applied { intent: self.intent(), applied: Applied::done("done") }
    }

    pub fn checked(&self, held: Held) -> Input {
        let check = Check { held, seen: vec!["seen".into()] };
        Input::Checked { intent: self.intent(), check }
    }

    /// One look at the act, so many seconds into the story.
    pub fn look(&mut self, seconds: i64, held: Held) {
        self.at(seconds);
        self.give(self.checked(held)).unwrap();
    }

    pub fn question(&self) -> QuestionId {
        self.state.question.as_ref().expect("an open question").question.id.clone()
    }

    pub fn answer(&self, answer: Answer) -> Input {
        Input::Answered { question: self.question(), answer, by: given::operator() }
    }

    pub fn records(&self) -> Vec<&Record> {
        self.entries.iter().map(|e| &e.record).collect()
    }

    pub fn effects(&self) -> Vec<&Effect> {
        self.last.effects.iter().map(|(e, _)| e).collect()
    }

    pub fn set_timers(&self) -> Vec<TimerName> {
        self.last.timers.iter().filter(|(_, due)| due.is_some()).map(|(name, _)| *name).collect()
    }
}

fn write(entries: &mut Vec<Entry>, step: &Step, at: Timestamp) {
    for record in &step.records {
        let seq = entries.len() as u64 + 1;
        let stream = given::opening().incident.stream();
        entries.push(Entry { stream, seq, at, record: record.clone(), hash: Hash::ZERO });
    }
}
