//! What asking a model costs: tokens, time and money, and how each asking is written down.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::canonical::Hash;

/// Tokens of one answer, or of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens that were sent.
    pub prompt: u64,
    /// Tokens that came back.
    pub completion: u64,
    /// Those among the sent ones that the server had in its prompt cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached: u64,
    /// The server did not count them: this is an estimate that errs high.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Usage {
    /// So many tokens as the server counted them, all of them sent.
    pub fn of(prompt: u64) -> Self {
        Self { prompt, ..Self::default() }
    }

    /// Both ways.
    pub const fn total(&self) -> u64 {
        self.prompt.saturating_add(self.completion)
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            completion: self.completion.saturating_add(other.completion),
            cached: self.cached.saturating_add(other.cached),
            estimated: self.estimated || other.estimated,
        }
    }
}

/// Billionths of the currency that prices and budgets are written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money(u64);

impl Money {
    /// So many billionths.
    pub const fn billionths(n: u64) -> Self {
        Self(n)
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Money {
    /// With four decimals, rounded up: an answer costs hundredths of a cent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.0.div_ceil(100_000);
        write!(f, "{}.{:04}", parts / 10_000, parts % 10_000)
    }
}

/// What a million tokens cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Sent.
    pub prompt: Money,
    /// Sent, and found in the server's prompt cache.
    pub cached: Money,
    /// Come back.
    pub completion: Money,
}

impl Price {
    /// What this costs, rounded up. A server that says it cached more than was sent is not believed.
    pub fn of(&self, usage: &Usage) -> Money {
        let cached = usage.cached.min(usage.prompt);
        let fresh = usage.prompt - cached;
        let parts = [(fresh, self.prompt), (cached, self.cached), (usage.completion, self.completion)];
        let millionths: u128 = parts.iter().map(|(n, price)| u128::from(*n) * u128::from(price.0)).sum();
        Money(u64::try_from(millionths.div_ceil(1_000_000)).unwrap_or(u64::MAX))
    }
}

/// One asking of a model, as the journal keeps it (stream `models`): first with what it may cost at most,
/// then, under the same name, with what it did cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Its name.
    pub call: String,
    /// For whom: the incident, or whatever else asked.
    pub by: String,
    /// Which endpoint.
    pub endpoint: String,
    /// The model's name there.
    pub model: String,
    /// The hash of what was sent; the whole of it stands in the tape of the investigation.
    pub request: Hash,
    /// Tokens.
    pub usage: Usage,
    /// Money, where the endpoint has a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// How long the answer took, or may take.
    pub took: SignedDuration,
    /// What came of it.
    pub became: Became,
}

/// What came of an asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "became", rename_all = "snake_case")]
pub enum Became {
    /// Nothing yet: the rest of the record says what it may cost.
    Underway,
    /// It answered.
    Answered,
    /// It did not.
    Failed {
        /// Why.
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_rounded_up() {
        // 0.15 and 0.60 for a million, half price for what was cached
        let price =
            Price { prompt: Money(150_000_000), cached: Money(75_000_000), completion: Money(600_000_000) };
        let usage = Usage { prompt: 10_000, completion: 1_000, cached: 8_000, estimated: false };
        assert_eq!(price.of(&usage), Money(300_000 + 600_000 + 600_000));
        assert_eq!(price.of(&usage).to_string(), "0.0015");
        assert_eq!(price.of(&Usage::of(1)), Money(150));
        assert_eq!(Money(150).to_string(), "0.0001");
        assert_eq!(Money(12_340_000_001).to_string(), "12.3401");
        let lying = Usage { cached: u64::MAX, ..Usage::of(10) };
        assert_eq!(price.of(&lying), Money(750));
        let most = Usage { prompt: u64::MAX, completion: u64::MAX, ..Usage::default() };
        assert_eq!(price.of(&most), Money(u64::MAX));
    }
}
