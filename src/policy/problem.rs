//! What is wrong with a policy file, as a compiler would say it: file, line, column, the text with a
//! caret under it, what was expected, and what was probably meant.

use std::fmt;

use super::raw::Pos;
use crate::domain::redact;

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
    /// Where the manual explains it.
    pub link: &'static str,
}

/// The part of the manual that explains what is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Files,
    Scopes,
    Environments,
    Approvals,
    Grants,
    Advice,
    Guards,
    Freezes,
    Brakes,
    Expressions,
    Golden,
}

impl Section {
    /// File and heading.
    pub const fn link(self) -> &'static str {
        match self {
            Self::Files => "policies/README.md#files",
            Self::Scopes => "policies/README.md#owners-scopes-and-ceilings",
            Self::Environments => "policies/README.md#environments",
            Self::Approvals => "policies/README.md#approvals",
            Self::Grants => "policies/README.md#grants",
            Self::Advice => "policies/README.md#advice",
            Self::Guards => "policies/README.md#guards",
            Self::Freezes => "policies/README.md#freezes",
            Self::Brakes => "policies/README.md#brakes",
            Self::Expressions => "policies/README.md#expressions",
            Self::Golden => "policies/README.md#golden-inputs",
        }
    }
}

impl Problem {
    /// What is wrong and what to do about it, where there is no file to point into.
    pub(super) fn plainly(&self) -> String {
        let help = self.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}{help}", self.message)
    }
}

/// The lines of a text as YAML counts them: a carriage return alone ends one, too.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('\r'))
}

/// That line of a text (from 0) as it may be shown: secrets are blanked, also those of several lines.
pub(super) fn fit_to_show(text: &str, line: usize) -> String {
    let Some(found) = lines(text).nth(line) else { return String::new() };
    let shown = redact::redact(found);
    let within_a_secret = text.contains("-----BEGIN")
        && shown == found
        && !redact::redact(text).lines().any(|line| line == found);
    if within_a_secret { "[redacted]".to_owned() } else { shown }
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
        if let Some(help) = &self.help {
            write!(f, "\n{gutter} = {help}")?;
        }
        write!(f, "\n{gutter} = see {}", self.link)
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
pub fn meant(word: &str, known: &[&str]) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_leads_somewhere() {
        let manual = include_str!("../../policies/README.md");
        let anchors: Vec<String> = manual
            .lines()
            .filter_map(|line| line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")))
            .map(|heading| {
                let words = heading.to_lowercase().replace(' ', "-");
                words.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
            })
            .collect();
        let all = [
            Section::Files,
            Section::Scopes,
            Section::Environments,
            Section::Approvals,
            Section::Grants,
            Section::Advice,
            Section::Guards,
            Section::Freezes,
            Section::Brakes,
            Section::Expressions,
            Section::Golden,
        ];
        for section in all {
            let (file, anchor) = section.link().split_once('#').unwrap();
            assert_eq!(file, "policies/README.md");
            assert!(anchors.iter().any(|known| known == anchor), "{anchor} of {anchors:?}");
        }
    }

    #[test]
    fn a_line_is_shown_without_its_secrets() {
        let key = "a: 1\n-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----\nb: 2\n";
        let shown: Vec<String> = (0..6).map(|line| fit_to_show(key, line)).collect();
        assert_eq!(shown, ["a: 1", "[redacted]", "[redacted]", "[redacted]", "b: 2", ""]);
        assert_eq!(fit_to_show("  password: hunter2", 0), "  password: [redacted]");
    }
}
