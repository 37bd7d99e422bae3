//! Recorded investigations, had again with other prompts or another model: what `belay eval` compares.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::domain::spend::Money;
use crate::investigate::replay::{RecordedTools, Recording, words};
use crate::investigate::{Endpoint, Endpoints, Limits, Mind, Outcome, Prompts, investigate};
use crate::ports::clock::SharedClock;

/// One recorded case, and how it went now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluated {
    /// The case's name.
    pub case: String,
    /// Which endpoint; nothing: the recorded answers, with the prompts of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// As recorded.
    pub then: Went,
    /// Now.
    pub now: Went,
    /// Whether both end in the same.
    pub same: bool,
    /// What is worth knowing besides, one sentence each.
    pub notes: Vec<String>,
}

/// How an investigation went.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Went {
    /// The conclusion, in a few words.
    pub conclusion: String,
    /// Turns.
    pub turns: u32,
    /// Tokens.
    pub tokens: u64,
    /// Money, in billionths, where there is a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
}

impl Went {
    fn then(recording: &Recording) -> Self {
        let minutes = recording.choice.minutes.as_ref();
        Self {
            conclusion: words(&recording.choice.conclusion),
            turns: minutes.map_or(0, |m| m.turns),
            tokens: recording.choice.tokens,
            cost: minutes.and_then(|m| m.cost),
        }
    }
}

/// The case with its recorded answers and these prompts.
pub fn replayed(case: &str, recording: &Recording, prompts: &Prompts) -> Evaluated {
    let then = Went::then(recording);
    let played = recording.play(prompts);
    let same = played.end.is_some() && !played.differs.iter().any(|d| d.starts_with("it "));
    let now = if same { then.clone() } else { Went { conclusion: "?".to_owned(), ..Went::default() } };
    Evaluated { case: case.to_owned(), endpoint: None, then, now, same, notes: played.differs }
}

/// The case with this endpoint and these prompts; tools answer as they were recorded.
pub async fn live(
    case: &str,
    recording: &Recording,
    endpoint: &Endpoint,
    prompts: &Arc<Prompts>,
    clock: &SharedClock,
) -> Evaluated {
    let mind = Mind {
        endpoints: Arc::new(Endpoints::new(vec![endpoint.clone()], None)),
        tools: Arc::new(RecordedTools::of(recording.clone())),
        clock: Arc::clone(clock),
        prompts: Arc::clone(prompts),
        limits: Limits::default(),
    };
    let nonce = super::entropy();
    let found = investigate(&mind, &recording.case(), nonce, &CancellationToken::new()).await;
    let choice = found.choice(&recording.diagnosis);
    let minutes = found.minutes.as_ref();
    let mut notes: Vec<String> = choice.why.iter().cloned().collect();
    if let Outcome::Degraded { why } = &found.outcome {
        notes.push(format!("the playbook ended it: {why}"));
    }
    if let Some(waited) = minutes.map(|m| m.waited).filter(|waited| *waited > SignedDuration::ZERO) {
        notes.push(format!("it took {:.1} s", Duration::try_from(waited).unwrap_or_default().as_secs_f64()));
    }
    let now = Went {
        conclusion: words(&choice.conclusion),
        turns: found.turns,
        tokens: found.tokens,
        cost: minutes.and_then(|m| m.cost),
    };
    let then = Went::then(recording);
    let same = now.conclusion == then.conclusion;
    Evaluated { case: case.to_owned(), endpoint: Some(endpoint.name.clone()), then, now, same, notes }
}
