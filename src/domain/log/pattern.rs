//! What lines are looked for by: a plain text, or a regular expression between slashes (`/time(d )?out/`).

use regex::{Regex, RegexBuilder};

use super::Line;
use crate::domain::redact;

/// The longest pattern: three lines of a terminal.
pub const LONGEST: usize = 256;
/// What a compiled expression may take: a tenth of the library's own bound, for what a person writes by hand.
const SIZE: usize = 1 << 20;
/// How deep groups may lie in one another.
const DEEPEST: u32 = 20;

/// A pattern that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPattern {
    /// There is nothing in it.
    #[error("`pattern` is empty: leave it out, or write what the lines have to hold")]
    Empty,
    /// It is too long.
    #[error("`pattern` has more than {LONGEST} bytes")]
    TooLong,
    /// It is no expression, or one that is too large.
    #[error(
        "`pattern` is no regular expression that can be used: {0}; without slashes it is looked for as it is"
    )]
    Regex(String),
}

/// A text or an expression; the latter runs in linear time.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Lines that hold this text, upper and lower case as they are.
    Text(String),
    /// Lines that the expression matches.
    Regex(Regex),
}

impl Pattern {
    /// Reads what a caller wrote.
    pub fn read(written: &str) -> Result<Self, NoPattern> {
        if written.len() > LONGEST {
            return Err(NoPattern::TooLong);
        }
        let between = written.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        match between {
            Some("") => Err(NoPattern::Empty),
            None if written.trim().is_empty() => Err(NoPattern::Empty),
            None => Ok(Self::Text(written.to_owned())),
            Some(expression) => {
                let built = RegexBuilder::new(expression)
                    .size_limit(SIZE)
                    .dfa_size_limit(SIZE)
                    .nest_limit(DEEPEST)
                    .build();
                let why = |e: regex::Error| e.to_string().lines().last().unwrap_or_default().to_owned();
                built.map(Self::Regex).map_err(|e| NoPattern::Regex(redact::line(&why(e), 120)))
            }
        }
    }

    /// Whether this text matches.
    pub fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Text(plain) => text.contains(plain.as_str()),
            Self::Regex(expression) => expression.is_match(text),
        }
    }

    /// Whether a line matches as it will be shown: a pattern must not find out letter by letter what redaction hides.
    pub fn finds(&self, line: &Line) -> bool {
        self.is_in(&line.text) && self.is_in(&redact::safe(&line.text, usize::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_text_or_an_expression_between_slashes() {
        assert!(Pattern::read("a.c").unwrap().is_in("xa.cx") && !Pattern::read("a.c").unwrap().is_in("abc"));
        assert!(
            Pattern::read("/A.c/").unwrap().is_in("xAbcx")
                && Pattern::read("/(?i)ABC/").unwrap().is_in("abc")
        );
        assert!(Pattern::read("/").unwrap().is_in("GET /cart"));
        for wrong in [
            "",
            "  ",
            "//",
            "/(/",
            "/(?:a{1000}){1000}/",
            &"(".repeat(300),
            &format!("/{}a{}/", "(".repeat(60), ")".repeat(60)),
        ] {
            assert!(Pattern::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_redacted_cannot_be_found() {
        let line = super::super::read::lines(
            &super::super::Instance::default(),
            vec![super::super::read::Raw {
                text: "login password=hunter2 failed".into(),
                ..Default::default()
            }],
        );
        assert!(Pattern::read("failed").unwrap().finds(&line[0]));
        for guess in ["hunter2", "password=h", "/password=h.*/"] {
            assert!(!Pattern::read(guess).unwrap().finds(&line[0]), "{guess}");
        }
    }
}
