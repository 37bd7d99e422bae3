//! A question: the same machine, tools and bounds as an investigation, ending with an answer that cites what it
//! rests on. It reads, and decides nothing.

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::endpoints::egress::Place;
use super::fence::Fence;
use super::machine::{Frame, Investigation};
use super::outcome::{Degraded, End};
use super::prompts::{PromptError, Query};
use super::run::{Kept, Mind, Run, Told, offered};
use super::tape::{Recorder, Tape};
use crate::domain::evidence::Evidence;
use crate::domain::ids::EvidenceId;
use crate::domain::record::{Minutes, Said};

/// A question that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What was said to it.
    pub said: Said,
    /// What was read for it.
    pub evidence: Vec<Evidence>,
    /// What tools gave, whole, each to be kept as a blob; evidence names them by hash.
    pub outputs: Vec<String>,
    /// Everything that passed, as JSON, to be kept as a blob.
    pub tape: Vec<u8>,
    /// What it cost; nothing where no model was asked.
    pub minutes: Option<Minutes>,
}

/// Asks. `by` is what it is written down under; `nonce` must not be guessable by whoever writes logs. Ends within
/// `limits.wall` of the clock, or at `stop`.
pub async fn ask(
    mind: &Mind,
    query: &Query<'_>,
    (by, nonce): (&str, u128),
    told: Told<'_>,
    stop: &CancellationToken,
) -> Asked {
    let left = match mind.endpoints.left(by).await {
        Ok(left) => left,
        Err(undrawn) => return not_asked(undrawn.to_string()),
    };
    let limits = left.map_or_else(|| mind.limits.clone(), |left| mind.limits.clone().within(&left));
    let frame = match frame(mind, query, nonce).await {
        Ok(frame) => frame,
        Err(error) => return not_asked(Degraded::Prompts(error.to_string()).to_string()),
    };
    let started = mind.clock.now();
    let (nonce_text, bounds) = (format!("{nonce:032x}"), (limits.clone(), frame.reach.clone()));
    let tape = Tape::new(by.to_owned(), nonce_text, mind.prompts.hash(), bounds, started);
    let deadline = started.saturating_add(limits.wall).unwrap_or(Timestamp::MAX);
    let run = Run { mind, cluster: query.cluster.as_str(), by, nonce, deadline, stop, told };
    let machine = Investigation::of_question(frame, known(query), limits, started);
    let span = tracing::info_span!(
        "invoke_agent",
        gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = "belay",
        gen_ai.conversation.id = by,
    );
    let (end, gathered, tape) = run.through(machine, Recorder::new(tape)).instrument(span).await;
    let said = match end {
        End::Said(said) => said,
        End::Degraded(why) => Said::Nothing { why: why.to_string() },
        End::Concluded { note, .. } => Said::Nothing {
            why: note.map_or_else(|| Degraded::OutOfStep.to_string(), |note| note.to_string()),
        },
    };
    let words = if let Said::Nothing { why } = &said { why.clone() } else { String::new() };
    let Kept { tape, minutes, .. } = run.kept(&gathered, tape, words);
    Asked { said, evidence: gathered.evidence, outputs: gathered.outputs, tape, minutes: Some(minutes) }
}

/// The evidence of the incident that it is about may be cited as well.
fn known(query: &Query<'_>) -> Vec<EvidenceId> {
    query.incident.iter().flat_map(|case| &case.diagnosis.evidence).map(|e| e.id.clone()).collect()
}

async fn frame(mind: &Mind, query: &Query<'_>, nonce: u128) -> Result<Frame, PromptError> {
    let fence = Fence::new(nonce);
    let (system, incident) = (mind.prompts.ask(query, &fence)?, mind.prompts.question(query, &fence)?);
    // a question without an incident holds no text of the cluster's
    let place = match (&query.incident, query.namespaces) {
        (Some(case), _) => Place::of(case.namespace),
        (None, Some(only)) => only.first().map_or(Place::Everything, |name| Place::of(name)),
        (None, None) => Place::Everything,
    };
    let reach = mind.endpoints.reach(query.cluster.as_str()).within(query.namespaces.cloned());
    Ok(Frame { system, incident, tools: offered(mind).await, fence, place, reach })
}

const fn not_asked(why: String) -> Asked {
    Asked {
        said: Said::Nothing { why },
        evidence: Vec::new(),
        outputs: Vec::new(),
        tape: Vec::new(),
        minutes: None,
    }
}
