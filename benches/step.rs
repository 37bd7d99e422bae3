//! A step of an incident, and the fold that comes before it: an incident from the alert to the question
//! whether a restart may stand, driven the way the daemon drives it.
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up fails")]

#[expect(dead_code, reason = "the story is shared with the tests, which use more of it")]
#[path = "../tests/it/given.rs"]
mod given;

use belay::domain::canonical::Hash;
use belay::domain::decision::{Asked, Decided, Outcome};
use belay::domain::ids::CandidateId;
use belay::domain::record::Entry;
use belay::domain::warrant::Applied;
use belay::incident::input::{Check, Held};
use belay::incident::{Input, Moment, State, Step, open, step};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

const fn moment() -> Moment {
    Moment { at: jiff::Timestamp::UNIX_EPOCH, entropy: 7 }
}

/// What the daemon's journal holds of it.
struct Story {
    entries: Vec<Entry>,
    state: Option<State>,
}

impl Story {
    fn told() -> Self {
        let mut story = Self { entries: Vec::new(), state: None };
        story.write(&open(given::opening()));
        let action = given::restart();
        story.give(Input::Diagnosed(Box::new(given::diagnosis(action.clone()))));
        story.give(Input::Chosen(given::choice()));
        story.give(decided(Asked::Candidate, None));
        let plan = given::plan(action, given::t0());
        let candidate = CandidateId::new("c1");
        story.give(Input::Planned { candidate, result: Ok(Box::new(plan.clone())), kept: None });
        story.give(decided(Asked::Plan, Some(plan)));
        let intent = story.state().acts.last().unwrap().intent.id.clone();
        let applied = Applied::done("done");
        story.give(Input::Applied { intent, applied });
        let held = Held::NotYet;
        story.give(story.checked(held));
        story
    }

    fn state(&self) -> &State {
        self.state.as_ref().unwrap()
    }

    fn checked(&self, held: Held) -> Input {
        let intent = self.state().acts.last().unwrap().intent.id.clone();
        Input::Checked { intent, check: Check { held, seen: vec!["seen".into()] } }
    }

    fn give(&mut self, input: Input) {
        let next = step(self.state(), input, Moment { at: given::t0(), ..moment() }).unwrap();
        self.write(&next);
    }

    fn write(&mut self, step: &Step) {
        for record in &step.records {
            let (stream, seq) = (given::opening().incident.stream(), self.entries.len() as u64 + 1);
            let entry = Entry {
                stream,
                seq,
                at: given::t0(),
                record: record.clone(),
                hash: Hash::of(&seq.to_be_bytes()),
            };
            self.entries.push(entry);
        }
        self.state = State::fold(&self.entries).unwrap();
    }
}

fn decided(asked: Asked, plan: Option<belay::domain::plan::Plan>) -> Input {
    let question = given::question(asked, given::restart(), plan, given::t0());
    let decided = Box::new(Decided { question, decision: given::decision(Outcome::Act) });
    Input::Decided { decided, cleared: true }
}

/// Every look at an incident begins with this.
#[divan::bench]
fn folded(bencher: Bencher<'_, '_>) {
    let story = Story::told();
    bencher.bench(|| State::fold(black_box(&story.entries)));
}

/// An alert that is told again: by far the most frequent input.
#[divan::bench]
fn stepped_by_a_repeated_alert(bencher: Bencher<'_, '_>) {
    let story = Story::told();
    bencher
        .with_inputs(|| Input::Alert(given::firing(0)))
        .bench_values(|input| step(black_box(story.state()), input, moment()));
}

/// A check that ends the wait and puts the question.
#[divan::bench]
fn stepped_by_a_check(bencher: Bencher<'_, '_>) {
    let story = Story::told();
    bencher
        .with_inputs(|| story.checked(Held::Yes))
        .bench_values(|input| step(black_box(story.state()), input, Moment { at: given::t0(), ..moment() }));
}
