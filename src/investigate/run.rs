//! The thin shell around the machine: it asks, calls, waits and hands back; every choice is the machine's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::desk::Call;
use super::fence::Fence;
use super::limits::Limits;
use super::machine::{Event, Frame, Investigation, Step};
use super::outcome::{Degraded, End, Gathered, Note};
use super::playbook::playbook;
pub use super::prompts::Case;
use super::prompts::{PromptError, Prompts};
use crate::domain::canonical::{Hash, canonical};
use crate::domain::evidence::Evidence;
use crate::domain::record::{Choice, Diagnosis, Investigator};
use crate::domain::suspicion::Flag;
use crate::ports::clock::SharedClock;
use crate::ports::model::{Model, ToolError, ToolResult, ToolSpec, Tools};

/// Who investigates, with what and within which bounds. `limits.wall` runs on `clock`.
#[derive(Clone)]
pub struct Mind {
    /// The model.
    pub model: Arc<dyn Model>,
    /// The read-only tools of the hub.
    pub tools: Arc<dyn Tools>,
    /// Time.
    pub clock: SharedClock,
    /// The prompts in force.
    pub prompts: Arc<Prompts>,
    /// The bounds.
    pub limits: Limits,
}

/// How an investigation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one of it an investigation, and it is moved twice")]
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
    /// The whole conversation as canonical JSON, to be kept as a blob; its hash stands in the choice.
    pub transcript: Vec<u8>,
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
                let flags = self.flags.clone();
                Choice { transcript, tokens: self.tokens, flags, ..playbook(diagnosis, why.to_string()) }
            }
        }
    }
}

/// Investigates one incident. `nonce` must not be guessable by whoever writes logs. Always ends within
/// `limits.wall` of the clock.
pub async fn investigate(mind: &Mind, case: &Case<'_>, nonce: u128) -> Investigated {
    let started = mind.clock.now();
    let deadline = started.saturating_add(mind.limits.wall).unwrap_or(Timestamp::MAX);
    let fence = Fence::new(nonce);
    let frame = match frame(mind, case, fence).await {
        Ok(frame) => frame,
        Err(error) => return degraded_from_start(&error),
    };
    let mut machine = Investigation::new(frame, case.diagnosis, mind.limits.clone(), started);
    let mut step = machine.next(Event::Start, mind.clock.now());
    loop {
        let event = match step {
            Step::End(end) => {
                let mut gathered = machine.gathered();
                gathered.flags.extend(case.flags());
                return conclude(mind, end, gathered);
            }
            other => tokio::select! {
                event = perform(mind, other) => event,
                () = mind.clock.sleep_until(deadline) => Event::Late,
            },
        };
        step = machine.next(event, mind.clock.now());
    }
}

/// Carries out one step. The end is no step to carry out, and counts as late.
async fn perform(mind: &Mind, step: Step) -> Event {
    match step {
        Step::Ask { chat, within } => Event::Replied(mind.model.chat(&chat, within).await),
        Step::CallTools { calls, within } => {
            let answers = calls.into_iter().map(|call| async move {
                let result = read(mind, &call, within).await;
                (call.id, result)
            });
            Event::Answered(join_all(answers).await)
        }
        Step::End(_) => Event::Late,
    }
}

/// Calls one tool; one that does not keep to its time is not waited for.
async fn read(mind: &Mind, call: &Call, within: Duration) -> Result<ToolResult, ToolError> {
    let patience = SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX);
    tokio::select! {
        result = mind.tools.call(&call.tool, &call.arguments, within) => result,
        () = mind.clock.sleep(patience) => Err(ToolError::NoAnswer(format!("not within {within:?}"))),
    }
}

async fn frame(mind: &Mind, case: &Case<'_>, fence: Fence) -> Result<Frame, PromptError> {
    let system = mind.prompts.system(case, &fence)?;
    let incident = mind.prompts.incident(case, &fence)?;
    Ok(Frame { system, incident, tools: offered(mind).await, fence })
}

/// The tools of the hub. Without an answer there are none: the diagnosis alone may be enough to choose.
async fn offered(mind: &Mind) -> Vec<ToolSpec> {
    let limit: SignedDuration = mind.limits.tool;
    tokio::select! {
        listed = mind.tools.list() => listed.unwrap_or_default(),
        () = mind.clock.sleep(limit) => Vec::new(),
    }
}

fn degraded_from_start(error: &PromptError) -> Investigated {
    let why = Degraded::Prompts(error.to_string());
    let outcome = Outcome::Degraded { why };
    let (evidence, transcript, flags) = (Vec::new(), Vec::new(), BTreeSet::new());
    Investigated { outcome, evidence, transcript, tokens: 0, turns: 0, flags }
}

fn conclude(mind: &Mind, end: End, gathered: Gathered) -> Investigated {
    let Gathered { evidence, said, transcript, tokens, turns, flags } = gathered;
    // text, lists and objects always have a canonical form; an empty transcript would only lose the link
    let transcript = canonical(&transcript).unwrap_or_default();
    let outcome = match end {
        End::Degraded(why) => Outcome::Degraded { why },
        End::Concluded { conclusion, note } => {
            let by =
                Investigator::Model { model: mind.model.name().to_owned(), prompts: mind.prompts.hash() };
            let transcript = Some(Hash::of(&transcript));
            let why = note.as_ref().map(ToString::to_string);
            let flags = flags.clone();
            Outcome::Concluded {
                choice: Choice { by, conclusion, why, said, transcript, tokens, flags },
                note,
            }
        }
    };
    Investigated { outcome, evidence, transcript, tokens, turns, flags }
}
