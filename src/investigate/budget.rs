//! What may be spent on models: on one incident, and on a day. Pure: spending is folded from the journal's
//! records, and a budget is asked before each turn with what that turn may cost at most.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::spend::{Invocation, Money};
use crate::ports::model::Left;

/// Budgets and spending reach back a day: the last 24 hours, so that no midnight doubles them.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What may be spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Turns.
    pub turns: u64,
    /// Tokens.
    pub tokens: u64,
    /// Time spent waiting for models.
    pub waited: SignedDuration,
    /// Money, where every endpoint has a price.
    pub money: Option<Money>,
}

/// What was spent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Turns.
    pub turns: u64,
    /// Tokens.
    pub tokens: u64,
    /// Time spent waiting.
    pub waited: SignedDuration,
    /// Money.
    pub money: Money,
}

/// A budget that is used up, or would be. The text is shown to people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the models' budget for {of} is used up: {spent} of {limit} {what} in 24 hours")]
pub struct Over {
    /// `this incident` or `all incidents together`.
    pub of: &'static str,
    /// What of.
    pub what: &'static str,
    /// What would be spent.
    pub spent: String,
    /// What may be.
    pub limit: String,
}

impl Spent {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            turns: self.turns.saturating_add(other.turns),
            tokens: self.tokens.saturating_add(other.tokens),
            waited: self.waited.saturating_add(other.waited),
            money: self.money.and(other.money),
        }
    }

    /// What one asking cost, or may cost.
    pub fn of(invocation: &Invocation) -> Self {
        let Invocation { usage, cost, took, .. } = invocation;
        Self { turns: 1, tokens: usage.total(), waited: *took, money: cost.unwrap_or_default() }
    }
}

impl Budget {
    /// Whether this may be spent on top of that. A turn's time is not held against it beforehand: it is rarely
    /// used up, and the turn after it is refused.
    pub fn allows(&self, of: &'static str, spent: &Spent, more: &Spent) -> Result<(), Over> {
        let then = spent.and(*more);
        let over = |what, spent: String, limit: String| Err(Over { of, what, spent, limit });
        if then.turns > self.turns {
            return over("turns", spent.turns.to_string(), self.turns.to_string());
        }
        if then.tokens > self.tokens {
            return over("tokens", spent.tokens.to_string(), self.tokens.to_string());
        }
        if spent.waited >= self.waited {
            return over("seconds", spent.waited.as_secs().to_string(), self.waited.as_secs().to_string());
        }
        match self.money {
            Some(money) if then.money > money => over("of money", spent.money.to_string(), money.to_string()),
            Some(_) | None => Ok(()),
        }
    }

    /// What is left.
    pub fn left(&self, spent: &Spent) -> Left {
        let waited = self.waited.saturating_sub(spent.waited).max(SignedDuration::ZERO);
        Left {
            turns: self.turns.saturating_sub(spent.turns),
            tokens: self.tokens.saturating_sub(spent.tokens),
            waited: Duration::try_from(waited).unwrap_or_default(),
        }
    }
}

/// Both budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// For one incident.
    pub incident: Budget,
    /// For all together.
    pub day: Budget,
}

/// What was spent within a day, by asking: of two records of one asking the later holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Book {
    lines: BTreeMap<String, Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    at: Timestamp,
    by: String,
    spent: Spent,
}

impl Book {
    /// Takes a record in.
    pub fn take(&mut self, at: Timestamp, invocation: &Invocation) {
        let spent = Spent::of(invocation);
        let at = self.lines.get(&invocation.call).map_or(at, |line| line.at.max(at));
        self.lines.insert(invocation.call.clone(), Line { at, by: invocation.by.clone(), spent });
    }

    /// Forgets what is too long ago to matter, also to a clock that jumps back by a day.
    pub fn forget(&mut self, now: Timestamp) {
        self.lines.retain(|_, line| now.duration_since(line.at) <= DAY.saturating_add(DAY));
    }

    /// What was spent in the last day: by this caller alone, or by all. What lies in the future counts, too.
    pub fn spent(&self, by: Option<&str>, now: Timestamp) -> Spent {
        let recent = |line: &&Line| now.duration_since(line.at) < DAY && by.is_none_or(|by| by == line.by);
        self.lines.values().filter(recent).fold(Spent::default(), |sum, line| sum.and(line.spent))
    }

    /// Whether this may be asked now.
    pub fn allows(&self, budgets: &Budgets, most: &Invocation, now: Timestamp) -> Result<(), Over> {
        let more = Spent::of(most);
        budgets.incident.allows("this incident", &self.spent(Some(&most.by), now), &more)?;
        budgets.day.allows("all incidents together", &self.spent(None, now), &more)
    }

    /// What is left for this caller, or which budget is used up.
    pub fn left(&self, budgets: &Budgets, by: &str, now: Timestamp) -> Result<Left, Over> {
        let (own, all) = (self.spent(Some(by), now), self.spent(None, now));
        let turn = Spent { turns: 1, ..Spent::default() };
        budgets.incident.allows("this incident", &own, &turn)?;
        budgets.day.allows("all incidents together", &all, &turn)?;
        let (own, all) = (budgets.incident.left(&own), budgets.day.left(&all));
        Ok(Left {
            turns: own.turns.min(all.turns),
            tokens: own.tokens.min(all.tokens),
            waited: own.waited.min(all.waited),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::canonical::Hash;
    use crate::domain::spend::{Became, Usage};

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap()
    }

    fn asked(call: &str, by: &str, tokens: u64) -> Invocation {
        Invocation {
            call: call.into(),
            by: by.into(),
            endpoint: "e".into(),
            model: "m".into(),
            request: Hash::ZERO,
            usage: Usage::of(tokens),
            cost: Some(Money::billionths(tokens)),
            took: SignedDuration::from_secs(10),
            became: Became::Underway,
        }
    }

    fn budget(turns: u64, tokens: u64, seconds: i64, money: Option<u64>) -> Budget {
        Budget {
            turns,
            tokens,
            waited: SignedDuration::from_secs(seconds),
            money: money.map(Money::billionths),
        }
    }

    const WIDE: u64 = u64::MAX;

    #[test]
    fn a_later_record_of_the_same_asking_holds() {
        let mut book = Book::default();
        book.take(at(0), &asked("1", "a", 1000));
        book.take(at(0), &asked("1", "a", 400));
        book.take(at(1), &asked("2", "b", 50));
        assert_eq!(book.spent(None, at(2)).tokens, 450);
        assert_eq!(book.spent(Some("a"), at(2)).turns, 1);
        assert_eq!(book.spent(None, at(24)).tokens, 50, "a day later the first is forgiven");
        assert_eq!(book.spent(None, at(-30)).tokens, 450, "a clock that jumped back forgives nothing");
        book.forget(at(48));
        assert_eq!(book.spent(None, at(2)).tokens, 450);
        book.forget(at(200));
        assert_eq!(book, Book::default());
    }

    #[test]
    fn each_bound_of_each_budget_is_kept() {
        let mut book = Book::default();
        book.take(at(0), &asked("1", "a", 1000));
        book.take(at(0), &asked("2", "b", 1000));
        let wide = budget(WIDE, WIDE, i64::MAX, None);
        let next = asked("3", "a", 500);
        for (incident, day, said) in [
            (wide, wide, None),
            (budget(2, 1500, 11, Some(1500)), budget(3, 2500, 21, Some(2500)), None),
            (budget(1, WIDE, 11, None), wide, Some("this incident is used up: 1 of 1 turns")),
            (budget(2, 1499, 11, None), wide, Some("this incident is used up: 1000 of 1499 tokens")),
            (budget(2, 1500, 10, None), wide, Some("this incident is used up: 10 of 10 seconds")),
            (budget(2, 1500, 11, Some(1499)), wide, Some("of money")),
            (wide, budget(2, WIDE, 99, None), Some("all incidents together is used up: 2 of 2 turns")),
            (wide, budget(3, 2499, 99, None), Some("2000 of 2499 tokens")),
            (wide, budget(3, 2500, 20, None), Some("20 of 20 seconds")),
            (wide, budget(3, 2500, 99, Some(2499)), Some("of money")),
        ] {
            let answer =
                book.allows(&Budgets { incident, day }, &next, at(1)).map_err(|over| over.to_string());
            match said {
                None => assert_eq!(answer, Ok(())),
                Some(said) => {
                    assert!(answer.as_ref().is_err_and(|why| why.contains(said)), "{answer:?} {said}");
                }
            }
        }
    }

    #[test]
    fn what_is_left_is_the_smaller_of_both() {
        let mut book = Book::default();
        book.take(at(0), &asked("1", "a", 1000));
        book.take(at(0), &asked("2", "b", 5000));
        let budgets = Budgets { incident: budget(10, 4000, 60, None), day: budget(11, 7000, 50, None) };
        let left = book.left(&budgets, "a", at(1)).unwrap();
        assert_eq!(left, Left { turns: 9, tokens: 1000, waited: Duration::from_secs(30) });
        let spent = Budgets { day: budget(2, WIDE, 99, None), ..budgets };
        assert!(book.left(&spent, "a", at(1)).is_err());
    }
}
