//! How much one investigation may cost.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::ports::model::Left;

/// The bounds of one investigation. Every one of them ends or narrows it; none widens what it can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Turns of the model. Twelve: agents of this kind that solve an incident do so in 3 to 8; the rest
    /// is room for one correction and a forced end.
    pub turns: u32,
    /// Prompt and completion tokens over all turns. Each turn sends the whole conversation again, so that
    /// 100,000 is about eight turns: 6,000 for the tools of all servers, 3,000 for frame and brief, and a few results.
    /// A server that caches prompts reads most of it once.
    pub tokens: u64,
    /// From the first moment to the end. Two minutes: an alert that had `for: 5m` loses little, and a
    /// person must hear within the hour even if everything is tried twice.
    pub wall: SignedDuration,
    /// For one turn of the model. Half of `wall`, so that one slow answer leaves time for another.
    pub turn: SignedDuration,
    /// For one tool. A read that takes longer than 15 s would not be waited for by a person either.
    pub tool: SignedDuration,
    /// Tool calls that are carried out in one turn; they run side by side.
    pub calls_per_turn: usize,
    /// Tool calls that are carried out in all.
    pub calls: usize,
    /// Bytes of one tool result that the model sees: about 1,500 tokens.
    pub result_bytes: usize,
    /// Bytes of the arguments of one call; the longest sensible ones are a few hundred.
    pub argument_bytes: usize,
    /// Bytes of the model's own words that are kept for people: about one screen.
    pub said_bytes: usize,
    /// Tokens of one answer; models that reason aloud need a few thousand.
    pub answer_tokens: u32,
    /// Malformed turns that are forgiven. One: models that err twice were seen to repeat it 14 times.
    pub repairs: u32,
    /// Calls of tools that do not exist or may not read there, after which the model's part is over. Three: the
    /// first two are answered with what is allowed.
    pub denials: u32,
    /// Bytes of tool results that are sent again with every turn; beyond, the oldest are replaced by a line
    /// each. Six full results: what a person would keep on the desk.
    pub history: usize,
}

impl Limits {
    /// These, and no more than a budget leaves.
    #[must_use]
    pub fn within(mut self, left: &Left) -> Self {
        self.turns = self.turns.min(u32::try_from(left.turns).unwrap_or(u32::MAX));
        self.tokens = self.tokens.min(left.tokens);
        self.wall = self.wall.min(SignedDuration::try_from(left.waited).unwrap_or(SignedDuration::MAX));
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turns: 12,
            tokens: 100_000,
            wall: SignedDuration::from_secs(120),
            turn: SignedDuration::from_secs(60),
            tool: SignedDuration::from_secs(15),
            calls_per_turn: 6,
            calls: 24,
            result_bytes: 6 * 1024,
            argument_bytes: 4 * 1024,
            said_bytes: 4 * 1024,
            answer_tokens: 4096,
            repairs: 1,
            denials: 3,
            history: 36 * 1024,
        }
    }
}

/// Calls in one answer beyond which it is no answer: each would cost a result in the transcript.
pub const CALLS_IN_ANSWER: usize = 32;

/// Tools of the hub that are offered: more crowd the prompt out.
pub const TOOLS: usize = 64;
