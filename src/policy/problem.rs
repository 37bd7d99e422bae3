//! What is wrong with a policy file, as a compiler would say it: file, line, column, the text with a
//! caret under it, what was expected, and what was probably meant.

use std::fmt;

use super::raw::Pos;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name as it was given.
    pub file: String,
    /// Where.
    pub at: Pos,
    /// That line of the file.
    pub excerpt: String,
    /// What is wrong.
    pub message: String,
    /// What was expected, or meant.
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Pos { line, column, len } = self.at;
        let gutter = " ".repeat(line.to_string().len());
        // Tabs stay tabs, so that the caret stands under its text whatever their width is.
        let column = usize::try_from(column.saturating_sub(1)).unwrap_or_default();
        let pad: String =
            self.excerpt.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let room = self.excerpt.chars().count().saturating_sub(column).max(1);
        let carets = "^".repeat(usize::try_from(len).unwrap_or(1).clamp(1, room));
        writeln!(f, "error: {}", self.message)?;
        writeln!(f, "{gutter}--> {}:{line}:{}", self.file, self.at.column)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {}", self.excerpt)?;
        write!(f, "{gutter} | {pad}{carets}")?;
        match &self.help {
            Some(help) => write!(f, "\n{gutter} = {help}"),
            None => Ok(()),
        }
    }
}

/// Everything that is wrong with a set of files. None of them is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(pub Vec<Problem>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.0 {
            writeln!(f, "{problem}\n")?;
        }
        match self.0.len() {
            1 => write!(f, "1 error: the policy is not used"),
            n => write!(f, "{n} errors: the policy is not used"),
        }
    }
}

impl std::error::Error for Errors {}

/// `did you mean …` for the nearest of the known names; otherwise what is known.
pub(super) fn meant(word: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none".to_owned(),
        None => format!("expected one of {}", quoted(known)),
    }
}

fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    // 0.75 joins `OOMkilled` with `OOMKilled` and `envrionments` with `environments`, and keeps words of
    // the same length apart.
    known
        .iter()
        .map(|k| (strsim::jaro_winkler(&word.to_lowercase(), &k.to_lowercase()), *k))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}
