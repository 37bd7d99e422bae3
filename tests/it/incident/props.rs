//! Whatever happens in whatever order, the promises hold.
// said so that the lints know these helpers for tests
#![cfg(test)]

use belay::domain::decision::{Asked, Decided, Outcome};
use belay::domain::ids::{CandidateId, IncidentId, QuestionId};
use belay::domain::plan::Refusal;
use belay::domain::record::{Answer, Conclusion, Record};
use belay::domain::warrant::Applied;
use belay::incident::input::{Check, Held};
use belay::incident::{Effect, Input, State, TimerName};
use proptest::prelude::*;

use super::{Life, given};

/// One thing that may happen next; what it speaks of is taken from the state of that moment.
#[derive(Debug, Clone)]
enum Event {
    Alert { firing: bool, starts: i64 },
    Diagnosed { scale: bool },
    Chosen(u8),
    Decided { asked: bool, outcome: u8, cleared: bool },
    Planned(u8),
    RevertPlanned(bool),
    Applied(u8),
    NotSent,
    Checked(u8),
    Answered { right: bool, answer: u8 },
    Timer(usize),
    Blocked { lock: bool },
    Rehomed(bool),
    Merge,
    Failed,
    Undelivered,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (any::<bool>(), 0..500i64).prop_map(|(firing, starts)| Event::Alert { firing, starts }),
        any::<bool>().prop_map(|scale| Event::Diagnosed { scale }),
        (0..3u8).prop_map(Event::Chosen),
        (any::<bool>(), 0..5u8, any::<bool>()).prop_map(|(asked, outcome, cleared)| Event::Decided {
            asked,
            outcome,
            cleared
        }),
        (0..3u8).prop_map(Event::Planned),
        any::<bool>().prop_map(Event::RevertPlanned),
        (0..3u8).prop_map(Event::Applied),
        Just(Event::NotSent),
        (0..6u8).prop_map(Event::Checked),
        (any::<bool>(), 0..5u8).prop_map(|(right, answer)| Event::Answered { right, answer }),
        (0..TimerName::ALL.len()).prop_map(Event::Timer),
        any::<bool>().prop_map(|lock| Event::Blocked { lock }),
        any::<bool>().prop_map(Event::Rehomed),
        Just(Event::Merge),
        Just(Event::Failed),
        Just(Event::Undelivered),
    ]
}

fn outcome(n: u8) -> Outcome {
    [Outcome::Drop, Outcome::Notify, Outcome::Ask, Outcome::Act, Outcome::Escalate][n as usize]
}

/// The input that an event is in this state; `None` where it has nothing to speak of.
fn input(life: &Life, event: &Event) -> Option<Input> {
    let intent = || life.state.acts.last().map(|a| a.intent.id.clone());
    let action = || life.state.candidate(&CandidateId::new("c1")).map_or_else(given::restart, |c| c.action);
    Some(match event {
        Event::Alert { firing: true, starts } => Input::Alert(given::firing(*starts)),
        Event::Alert { firing: false, starts } => Input::Alert(given::resolved(*starts, starts + 20)),
        Event::Diagnosed { scale } => {
            let action = if *scale { given::scale(5) } else { given::restart() };
            Input::Diagnosed(Box::new(given::diagnosis(action)))
        }
        Event::Chosen(n) => {
            let mut choice = given::choice();
            choice.conclusion = match n {
                0 => choice.conclusion,
                1 => Conclusion::NoAction,
                _ => Conclusion::Choose { candidate: CandidateId::new("c999"), evidence: vec![] },
            };
            Input::Chosen(choice)
        }
        Event::Decided { asked, outcome: n, cleared } => {
            let asked = if *asked { Asked::Plan } else { Asked::Candidate };
            let plan = life.state.plan.clone().filter(|_| asked == Asked::Plan);
            let question = given::question(asked, action(), plan, life.now);
            let decided = Decided { question, decision: given::decision(outcome(*n)) };
            Input::Decided { decided: Box::new(decided), cleared: *cleared }
        }
        Event::Planned(how) => Input::Planned {
            candidate: CandidateId::new("c1"),
            result: match how {
                0 => Ok(Box::new(given::plan(action(), life.now))),
                1 => Err(Refusal::Api("no".into())),
                _ => Err(Refusal::Managed("Argo CD manages it".into())),
            },
            kept: None,
        },
        Event::RevertPlanned(fine) => Input::RevertPlanned {
            intent: intent()?,
            by: Some(given::operator()),
            result: if *fine {
                Ok(Box::new(given::plan(given::scale(3), life.now)))
            } else {
                Err(Refusal::Changed { object: "web".into(), detail: "replicas is 7".into() })
            },
        },
        Event::Applied(n) => Input::Applied {
            intent: intent()?,
            applied: match n {
                0 => Applied::done(""),
                1 => Applied::Refused { refusal: Refusal::Api("no".into()) },
                _ => Applied::Unknown { detail: String::new() },
            },
        },
        Event::NotSent => {
            let question = given::question(Asked::Write, action(), life.state.plan.clone(), life.now);
            let decided = Decided { question, decision: given::decision(Outcome::Notify) };
            Input::NotSent { intent: intent()?, decided: Box::new(decided) }
        }
        Event::Checked(n) => {
            let all = [Held::Yes, Held::NotYet, Held::Again, Held::CannotTell, Held::Pending, Held::Declined];
            let held = all[*n as usize];
            Input::Checked { intent: intent()?, check: Check { held, seen: vec![] } }
        }
        Event::Answered { right, answer } => {
            let open = life.state.question.as_ref().filter(|_| *right).map(|q| q.question.id.clone());
            let answer = match answer {
                0 => Answer::Approve,
                1 => Answer::Reject { reason: String::new() },
                2 => Answer::Confirm,
                3 => Answer::Revert,
                _ => Answer::HandOver,
            };
            let question = open.unwrap_or_else(|| QuestionId::new("forged"));
            Input::Answered { question, answer, by: given::operator() }
        }
        Event::Timer(n) => Input::Timer(TimerName::ALL[*n]),
        Event::Blocked { lock } => {
            let code = if *lock { "lock" } else { "limit/perTarget" };
            Input::Blocked { code: code.into(), why: "1 of 1 taken".into() }
        }
        Event::Rehomed(same) => {
            let mut owner = life.state.owner.clone()?;
            if !same {
                owner.0.uid.push('x');
            }
            Input::Rehomed(owner)
        }
        Event::Merge => Input::Merge { into: IncidentId::new("older") },
        Event::Failed => Input::Failed { effect: Effect::Look, why: "down".into() },
        Event::Undelivered => Input::Undelivered { why: "down".into() },
    })
}

/// What may have been decided just before an intent: yes by itself, or yes by people.
fn allowed(before: &[&Record], cleared: bool) -> bool {
    let decided = before.iter().rev().find_map(|r| match r {
        Record::Decided(d) => Some(d),
        _ => None,
    });
    decided.is_some_and(|d| {
        d.question.asked == Asked::Plan
            && (d.decision.outcome == Outcome::Act || (d.decision.outcome == Outcome::Ask && cleared))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(500), ..ProptestConfig::default() })]

    /// Promises 7, 14, 22 and the order of 1: no sequence of events breaks the state machine, replaying
    /// any prefix gives the same state, no timer or failure starts an act, and every act follows a yes.
    #[test]
    fn prop_no_sequence_of_events_breaks_an_incident(events in prop::collection::vec((event(), 0..200i64), 0..60)) {
        let mut life = Life::opened();
        let mut seconds = 0;
        for (event, passes) in &events {
            seconds += passes;
            life.at(seconds);
            let before = life.clone();
            let Some(input) = input(&life, event) else { continue };
            let taken = life.give(input.clone()).is_ok();
            let intended = life.state.acts.len() > before.state.acts.len();
            if intended {
                let clear = matches!(input, Input::Decided { cleared: true, .. });
                let undo = matches!(input, Input::RevertPlanned { .. });
                prop_assert!(undo || allowed(&life.records(), clear), "an act without a yes");
                prop_assert!(life.last.draws.is_some(), "an act that draws upon nothing");
                let open = before.state.acts.iter().any(|a| a.applied.is_none());
                prop_assert!(!open, "two acts at once");
            }
            if !matches!(event, Event::Decided { .. } | Event::RevertPlanned(_)) {
                prop_assert!(!intended, "silence is never consent");
            }
            if matches!(event, Event::Merge) && taken {
                prop_assert!(!before.state.under_way(), "an act ends where it began");
            }
            if !taken {
                prop_assert_eq!(&before.state, &life.state);
            }
        }
        for n in 1..=life.entries.len() {
            let prefix = State::fold(&life.entries[..n]).unwrap().unwrap();
            prop_assert_eq!(prefix.version, n as u64);
        }
        prop_assert_eq!(State::fold(&life.entries).unwrap().unwrap(), life.state);
    }

    /// Promise 7: any order and any number of copies of the same deliveries leaves the same alerts.
    #[test]
    fn prop_order_and_copies_of_deliveries_do_not_matter(
        order in prop::collection::vec(0..6usize, 6..40),
    ) {
        let episodes = [
            given::firing(10), given::resolved(10, 30), given::firing(50),
            given::resolved(50, 70), given::firing(90), given::resolved(90, 120),
        ];
        let mut life = Life::opened();
        life.at(200);
        for n in order.iter().copied().chain(0..6) {
            let _ = life.give(Input::Alert(episodes[n].clone()));
        }
        let alert = life.state.lead().unwrap();
        prop_assert_eq!(alert.starts_at, given::after(90));
        prop_assert_eq!(alert.ends_at, Some(given::after(120)));
        prop_assert!(life.state.acts.is_empty());
    }
}

/// How many cases: `PROPTEST_CASES` (as in `tests/run long`) overrides what is usual here.
fn cases(usual: u32) -> u32 {
    const UNSET: u32 = 256; // what proptest takes where nothing is set
    match ProptestConfig::default().cases {
        UNSET => usual,
        set => set,
    }
}
