//! Logs as belay reads them: lines with their time, instance, severity and trace, joined to records where a stack
//! trace runs over several, and counted by template. Pure, bounded, and whatever is in the text, it is data.

pub mod fields;
pub mod join;
pub mod mask;
pub mod pattern;
pub mod read;
pub mod summary;
pub mod templates;
pub mod text;
pub mod trace;
pub mod windows;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How grave a line is, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words say it")]
pub enum Severity {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Severity {
    /// All of them, the gravest last.
    pub const ALL: [Self; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// The words by which loggers and stores write it, in lower case.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Trace => &["trace", "finest", "finer", "verbose"],
            Self::Debug => &["debug", "fine", "dbg"],
            Self::Info => &["info", "information", "informational", "notice", "log", "config"],
            Self::Warn => &["warn", "warning", "wrn"],
            Self::Error => &["error", "err", "eror", "severe", "failure"],
            Self::Fatal => &["fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "dpanic"],
        }
    }

    /// The severity that a word names.
    pub fn of_word(word: &str) -> Option<Self> {
        // no word is longer than `informational`
        if word.len() > 16 {
            return None;
        }
        let word = word.trim().to_ascii_lowercase();
        Self::ALL.into_iter().find(|severity| severity.words().contains(&word.as_str()))
    }

    /// The severity that a number of pino's or bunyan's stands for: tens from 10 to 60.
    pub const fn of_number(number: i64) -> Option<Self> {
        match number {
            10..=19 => Some(Self::Trace),
            20..=29 => Some(Self::Debug),
            30..=39 => Some(Self::Info),
            40..=49 => Some(Self::Warn),
            50..=59 => Some(Self::Error),
            60..=69 => Some(Self::Fatal),
            _ => None,
        }
    }
}

/// What wrote a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Instance {
    /// Its pod; empty where that is not known.
    pub pod: String,
    /// The container of it; empty where that is not known.
    pub container: String,
    /// Its host; empty where that is not known.
    pub host: String,
    /// Whether of the instance of the container before the present one.
    pub previous: bool,
}

/// One line of a log; of a store that joins lines, one record with its line breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When it was written, as the platform says; absent where that is not known.
    pub at: Option<Timestamp>,
    /// What it goes by where it is kept, so that it can be told from another one like it.
    pub id: String,
    /// The service, as the source names it; empty where it does not.
    pub service: String,
    /// What wrote it.
    pub instance: Instance,
    /// How grave it is, where it says so or continues one that does.
    pub severity: Option<Severity>,
    /// The trace that it belongs to.
    pub trace: Option<String>,
    /// Whether it continues the line before it of the same instance, as the lines of a stack trace do.
    pub continues: bool,
    /// Whether it is what was looked for, and not only near it.
    pub matched: bool,
    /// What it says: text of others, bounded, neither cleaned nor redacted.
    pub text: String,
}

impl Line {
    /// Whether it is at least so grave; what says nothing of itself counts as information.
    pub fn is_at_least(&self, least: Severity) -> bool {
        self.severity.unwrap_or(Severity::Info) >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_known_by_every_word_that_is_in_use() {
        for (word, severity) in [
            ("ERROR", Severity::Error),
            ("Warning", Severity::Warn),
            ("crit", Severity::Fatal),
            ("notice", Severity::Info),
            ("verbose", Severity::Trace),
        ] {
            assert_eq!(Severity::of_word(word), Some(severity), "{word}");
        }
        assert_eq!(Severity::of_word("errorful"), None);
        assert_eq!(Severity::of_number(50), Some(Severity::Error));
        assert_eq!(Severity::of_number(5), None);
        for severity in Severity::ALL {
            assert_eq!(Severity::of_word(severity.name()), Some(severity));
        }
    }
}
