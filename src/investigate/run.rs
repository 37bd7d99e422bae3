//! The thin shell around the machine: it asks, calls, waits, writes down and hands back; every choice is the
//! machine's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::desk::Call;
use super::endpoints::egress::Place;
use super::endpoints::{Asking, Endpoints};
use super::fence::{self, Fence};
use super::limits::Limits;
use super::machine::{Event, Frame, Investigation, Step};
use super::outcome::{Degraded, End, Gathered, Note};
use super::playbook::playbook;
pub use super::prompts::Case;
use super::prompts::Prompts;
use super::tape::{self, Answer, Recorder, Tape};
use crate::domain::canonical::{Hash, canonical};
use crate::domain::evidence::Evidence;
use crate::domain::record::{Choice, Diagnosis, Investigator, Minutes};
use crate::domain::suspicion::Flag;
use crate::ports::clock::SharedClock;
use crate::ports::model::{ToolError, ToolResult, ToolSpec, Tools};

/// Who investigates, with what and within which bounds. `limits.wall` runs on `clock`.
#[derive(Clone)]
pub struct Mind {
    /// The endpoints, in the order in which they are tried.
    pub endpoints: Arc<Endpoints>,
    /// The read-only tools of the hub.
    pub tools: Arc<dyn Tools>,
    /// Time.
    pub clock: SharedClock,
    /// The prompts in force.
    pub prompts: Arc<Prompts>,
    /// The bounds of one investigation; budgets narrow them.
    pub limits: Limits,
}

/// How an investigation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one of an investigation, and no list of them")]
pub enum Outcome {
    /// With a conclusion that stands for itself.
    Concluded {
        /// The record.
        choice: Choice,
        /// Why it is not what the model said, where it is not.
        note: Option<Note>,
    },
    /// Without the model: the playbook path carries on and says why.
    Degraded {
        /// Why.
        why: Degraded,
    },
}

/// An investigation that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Investigated {
    /// How it ended.
    pub outcome: Outcome,
    /// The tool results that a choice may cite, besides the diagnosis's own evidence.
    pub evidence: Vec<Evidence>,
    /// What tools gave, whole, each to be kept as a blob; evidence names them by hash.
    pub outputs: Vec<String>,
    /// The whole conversation as canonical JSON, to be kept as a blob; its hash stands in the choice.
    pub transcript: Vec<u8>,
    /// Everything that passed, as JSON, to be kept as a blob; its hash stands in the choice's minutes.
    pub tape: Vec<u8>,
    /// What it cost and where it is written down.
    pub minutes: Option<Minutes>,
    /// Tokens used.
    pub tokens: u64,
    /// Turns taken.
    pub turns: u32,
    /// What the text that the model read does that data does not.
    pub flags: BTreeSet<Flag>,
}

impl Investigated {
    /// What goes into the journal: the conclusion, or what the playbook makes of the diagnosis.
    pub fn choice(&self, diagnosis: &Diagnosis) -> Choice {
        match &self.outcome {
            Outcome::Concluded { choice, .. } => choice.clone(),
            Outcome::Degraded { why } => {
                let transcript = (!self.transcript.is_empty()).then(|| Hash::of(&self.transcript));
                let (minutes, flags) = (self.minutes.clone(), self.flags.clone());
                Choice {
                    transcript,
                    tokens: self.tokens,
                    minutes,
                    flags,
                    ..playbook(diagnosis, why.to_string())
                }
            }
        }
    }

    /// Whether it was broken off because there was nothing to investigate any more.
    pub const fn is_cancelled(&self) -> bool {
        matches!(self.outcome, Outcome::Degraded { why: Degraded::Cancelled })
    }
}

/// Investigates one incident, until it ends or `stop`. `nonce` must not be guessable by whoever writes logs.
/// Always ends within `limits.wall` of the clock.
pub async fn investigate(
    mind: &Mind,
    case: &Case<'_>,
    nonce: u128,
    stop: &CancellationToken,
) -> Investigated {
    let by = case.incident.as_str();
    let left = match mind.endpoints.left(by).await {
        Ok(left) => left,
        Err(undrawn) => return degraded_from_start(Degraded::Budget(undrawn.to_string())),
    };
    let limits = left.map_or_else(|| mind.limits.clone(), |left| mind.limits.clone().within(&left));
    let started = mind.clock.now();
    let frame = match frame(mind, case, nonce).await {
        Ok(frame) => frame,
        Err(why) => return degraded_from_start(why),
    };
    let tape = Tape::new(
        by.to_owned(),
        format!("{nonce:032x}"),
        mind.prompts.hash(),
        (limits.clone(), frame.reach.clone()),
        started,
    );
    let deadline = started.saturating_add(limits.wall).unwrap_or(Timestamp::MAX);
    let machine = Investigation::new(frame, case.diagnosis, limits, started);
    let run = Run { mind, cluster: case.cluster.as_str(), by, nonce, deadline, stop, told: &|_| () };
    let span = tracing::info_span!(
        "invoke_agent",
        gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = "belay",
        gen_ai.conversation.id = by,
    );
    let (end, mut gathered, tape) = run.through(machine, Recorder::new(tape)).instrument(span).await;
    gathered.flags.extend(case.flags());
    run.conclude(end, gathered, tape)
}

/// Hears what is being done, a line each.
pub(super) type Told<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// One conversation under way.
pub(super) struct Run<'a> {
    pub mind: &'a Mind,
    pub cluster: &'a str,
    /// What it is written down under.
    pub by: &'a str,
    pub nonce: u128,
    pub deadline: Timestamp,
    pub stop: &'a CancellationToken,
    pub told: Told<'a>,
}

impl Run<'_> {
    /// To its end.
    pub async fn through(&self, mut machine: Investigation, mut tape: Recorder) -> (End, Gathered, Recorder) {
        let mut step = machine.next(Event::Start, self.mind.clock.now());
        loop {
            let event = match step {
                Step::End(end) => return (end, machine.gathered(), tape),
                Step::Ask { chat, places, within } => {
                    let turn = format!("{}/{:016x}/{}", self.by, self.nonce >> 64, tape.turns());
                    let at = self.mind.clock.now();
                    let asking = Asking {
                        by: self.by,
                        turn: &turn,
                        cluster: self.cluster,
                        places: &places,
                        chat: &chat,
                        within,
                        clock: &*self.mind.clock,
                    };
                    let had = self.until(self.mind.endpoints.ask(asking)).await;
                    let until = self.mind.clock.now();
                    match had {
                        Ok(turn) => {
                            tape.turn(chat, (at, until), &turn);
                            Event::Replied(turn.result)
                        }
                        Err(event) => {
                            tape.broken_off(chat, (at, until), answer(&event));
                            event
                        }
                    }
                }
                Step::CallTools { calls, within } => match self.until(self.call(&calls, within)).await {
                    Ok(results) => {
                        let mut answers = Vec::with_capacity(results.len());
                        for (call, (at, took, result)) in calls.into_iter().zip(results) {
                            tape.called(tape::called(&call, at, took, &result));
                            answers.push((call.id, result));
                        }
                        Event::Answered(answers)
                    }
                    Err(event) => event,
                },
            };
            step = machine.next(event, self.mind.clock.now());
        }
    }

    /// What comes of it, unless time is up or there is nothing to investigate any more.
    async fn until<T>(&self, work: impl Future<Output = T>) -> Result<T, Event> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Event::Cancelled),
            done = work => Ok(done),
            () = self.mind.clock.sleep_until(self.deadline) => Err(Event::Late),
        }
    }

    async fn call(&self, calls: &[Call], within: Duration) -> Vec<Timed> {
        join_all(calls.iter().map(|call| async move {
            (self.told)(&fence::one_line(&format!("{} {}", call.tool, call.arguments), 120));
            let at = self.mind.clock.now();
            let span = tracing::info_span!(
                "execute_tool",
                gen_ai.operation.name = "execute_tool",
                gen_ai.tool.name = call.tool,
                gen_ai.tool.call.id = call.id,
            );
            let result = read(self.mind, call, within).instrument(span).await;
            (at, self.mind.clock.now().duration_since(at).max(SignedDuration::ZERO), result)
        }))
        .await
    }

    /// What is kept of it: the conversation and the tape as bytes, and the minutes that name them.
    pub fn kept(&self, gathered: &Gathered, tape: Recorder, end: String) -> Kept {
        // text, lists and objects always have a canonical form; an empty transcript would only lose the link
        let transcript = canonical(&gathered.transcript).unwrap_or_default();
        let tape = tape.end(self.mind.clock.now(), end);
        let totals = tape.totals();
        let tape = serde_json::to_vec(&tape).unwrap_or_default();
        let minutes = Minutes {
            tape: Hash::of(&tape),
            endpoints: totals.endpoints,
            turns: gathered.turns,
            usage: totals.usage,
            cost: totals.cost,
            waited: totals.waited,
            evidence: gathered.evidence.clone(),
        };
        Kept { transcript, tape, minutes }
    }

    fn conclude(&self, end: End, gathered: Gathered, tape: Recorder) -> Investigated {
        let words = match &end {
            End::Degraded(why) => why.to_string(),
            End::Concluded { note: Some(note), .. } => note.to_string(),
            End::Concluded { note: None, .. } | End::Said(_) => String::new(),
        };
        let Kept { transcript, tape, minutes } = self.kept(&gathered, tape, words);
        let Gathered { evidence, said, outputs, endpoint, tokens, turns, flags, .. } = gathered;
        let mind = self.mind;
        let outcome = match end {
            End::Degraded(why) => Outcome::Degraded { why },
            // an investigation has no such endings
            End::Said(_) => Outcome::Degraded { why: Degraded::OutOfStep },
            End::Concluded { conclusion, note } => {
                let model = endpoint.map_or("?", |endpoint| mind.endpoints.model(endpoint)).to_owned();
                let by = Investigator::Model { model, prompts: mind.prompts.hash() };
                let transcript = Some(Hash::of(&transcript));
                let why = note.as_ref().map(ToString::to_string);
                let minutes = Some(minutes.clone());
                let flags = flags.clone();
                let choice = Choice { by, conclusion, why, said, transcript, tokens, flags, minutes };
                Outcome::Concluded { choice, note }
            }
        };
        let minutes = Some(minutes);
        Investigated { outcome, evidence, outputs, transcript, tape, minutes, tokens, turns, flags }
    }
}

/// What is kept of a conversation.
pub(super) struct Kept {
    pub transcript: Vec<u8>,
    pub tape: Vec<u8>,
    pub minutes: Minutes,
}

/// When a tool was called, how long it took and what it gave.
type Timed = (Timestamp, SignedDuration, Result<ToolResult, ToolError>);

const fn answer(event: &Event) -> Answer {
    match event {
        Event::Cancelled => Answer::Cancelled,
        Event::Late | Event::Start | Event::Replied(_) | Event::Answered(_) => Answer::Late,
    }
}

/// Calls one tool; one that does not keep to its time is not waited for.
async fn read(mind: &Mind, call: &Call, within: Duration) -> Result<ToolResult, ToolError> {
    let patience = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
    tokio::select! {
        result = mind.tools.call(&call.tool, &call.arguments, within) => {
            // what is kept is what is shown: clean
            result.map(|ToolResult { text, failed }| ToolResult { text: fence::clean(&text), failed })
        }
        () = mind.clock.sleep(patience) => Err(ToolError::NoAnswer(format!("not within {within:?}"))),
    }
}

async fn frame(mind: &Mind, case: &Case<'_>, nonce: u128) -> Result<Frame, Degraded> {
    let fence = Fence::new(nonce);
    let unusable = |e: super::prompts::PromptError| Degraded::Prompts(e.to_string());
    let system = mind.prompts.system(case, &fence).map_err(unusable)?;
    let incident = mind.prompts.incident(case, &fence).map_err(unusable)?;
    let (place, reach) = (Place::of(case.namespace), mind.endpoints.reach(case.cluster.as_str()));
    Ok(Frame { system, incident, tools: offered(mind).await, fence, place, reach })
}

/// The tools of the hub. Without an answer there are none: the diagnosis alone may be enough to choose.
pub(super) async fn offered(mind: &Mind) -> Vec<ToolSpec> {
    let limit: SignedDuration = mind.limits.tool;
    tokio::select! {
        listed = mind.tools.list() => listed.unwrap_or_default(),
        () = mind.clock.sleep(limit) => Vec::new(),
    }
}

fn degraded_from_start(why: Degraded) -> Investigated {
    Investigated {
        outcome: Outcome::Degraded { why },
        evidence: Vec::new(),
        outputs: Vec::new(),
        transcript: Vec::new(),
        tape: Vec::new(),
        minutes: None,
        tokens: 0,
        turns: 0,
        flags: BTreeSet::new(),
    }
}
