//! Logs, wherever they are kept: searched by what a line says of itself, bounded, and with what was left out.

use async_trait::async_trait;
use jiff::Timestamp;

use super::reads::ReadError;
use crate::domain::log::pattern::Pattern;
use crate::domain::log::{Instance, Line, Severity};

/// What is looked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// In this namespace.
    pub namespace: String,
    /// Of this service, by the name that people give it; `None`: of any.
    pub service: Option<String>,
    /// Of this instance alone, as a line that was found names it.
    pub instance: Option<Instance>,
    /// Not before this moment.
    pub since: Timestamp,
    /// Not after this moment.
    pub until: Timestamp,
    /// At least so grave; what says nothing of itself counts as information.
    pub least: Option<Severity>,
    /// With this in it.
    pub pattern: Option<Pattern>,
    /// Lines before and after each that is found, of the same instance.
    pub context: usize,
    /// Lines that are found, at most.
    pub limit: usize,
    /// The last of them; the first otherwise.
    pub newest: bool,
}

impl Query {
    /// Whether a line is what is looked for.
    pub fn wants(&self, line: &Line) -> bool {
        let in_time = line.at.is_none_or(|at| at >= self.since && at <= self.until);
        let grave = self.least.is_none_or(|least| line.is_at_least(least));
        in_time && grave && self.pattern.as_ref().is_none_or(|pattern| pattern.finds(line))
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Lines that belong together, in order of time. Without context there is one block.
    pub blocks: Vec<Vec<Line>>,
    /// Whether there may be more that were not looked at or are not given.
    pub more: bool,
    /// What was left out and why, a sentence each.
    pub left_out: Vec<String>,
}

impl Found {
    /// Each line.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.blocks.iter().flatten()
    }

    /// How many lines are what was looked for.
    pub fn matched(&self) -> usize {
        self.lines().filter(|line| line.matched).count()
    }
}

/// A store of logs. Text in the lines is neither cleaned nor redacted.
#[async_trait]
pub trait Logs: Send + Sync {
    /// What it goes by, for people.
    fn name(&self) -> &'static str;

    /// Whether a search for grave lines sees only those that say so themselves, and not the stack trace below them.
    fn sees_heads_only(&self) -> bool {
        false
    }

    /// Looks for lines. What can be had in part is given, and what is missing is said; an error only where there is
    /// nothing.
    async fn search(&self, query: &Query) -> Result<Found, ReadError>;
}
