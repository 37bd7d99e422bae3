//! Reads typed values out of the YAML tree and gathers every problem on the way, so that a file is
//! wrong once and not once per attempt.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::cel::Rule;
use super::problem::{Problem, Section, fit_to_show, lines, meant};
use super::raw::{Key, Node, Pos, Yaml};
use super::scope::Home;
use crate::domain::decision::Level;
use crate::domain::matchers::Matchers;
use crate::domain::redact;

/// One file and what is wrong with it so far.
pub(super) struct Reader<'f> {
    pub file: &'f str,
    pub text: &'f str,
    /// Whose the file is.
    pub home: Arc<Home>,
    /// The part of the manual that is about what is being read.
    pub section: Section,
    pub problems: Vec<Problem>,
}

impl<'f> Reader<'f> {
    /// Begins a file.
    pub fn new(file: &'f str, text: &'f str) -> Self {
        Self { file, text, home: Arc::default(), section: Section::Files, problems: Vec::new() }
    }
}

/// The entries of a map, and which of its keys there may be.
pub(super) struct Fields<'n> {
    at: Pos,
    what: &'static str,
    entries: Vec<(&'n Key, &'n Node)>,
}

impl<'n> Fields<'n> {
    /// The value under this key.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| *node)
    }

    /// The value under this key; it is an error if there is none.
    pub fn need(&self, reader: &mut Reader<'_>, key: &str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            reader.wrong(self.at, format!("{} has no `{key}`", self.what), None);
        }
        found
    }

    /// All entries.
    pub fn entries(&self) -> &[(&'n Key, &'n Node)] {
        &self.entries
    }
}

impl Reader<'_> {
    /// Notes a problem.
    pub fn wrong(&mut self, at: Pos, message: impl Display, help: Option<String>) {
        let line = usize::try_from(at.line.saturating_sub(1)).unwrap_or_default();
        self.problems.push(Problem {
            file: self.file.to_owned(),
            at,
            excerpt: fit_to_show(self.text, line),
            message: redact::redact(&message.to_string()),
            help: help.map(|help| redact::redact(&help)),
            link: self.section.link(),
        });
    }

    /// A map with these keys and no others; `later` are keys that a later version will know.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        known: &[&str],
        later: &[&str],
    ) -> Option<Fields<'n>> {
        let Fields { at, entries, .. } = self.map(node, what)?;
        for (key, _) in &entries {
            if later.contains(&key.text.as_str()) {
                let help =
                    "this version does not know it, and nothing is ever ignored: leave it out".to_owned();
                self.wrong(key.at, format!("`{}` is not supported yet", key.text), Some(help));
            } else if !known.contains(&key.text.as_str()) {
                self.wrong(
                    key.at,
                    format!("unknown key `{}` in {what}", key.text),
                    Some(meant(&key.text, known)),
                );
            }
        }
        Some(Fields { at, what, entries })
    }

    /// A map with keys of the user's own choice, each once.
    pub fn map<'n>(&mut self, node: &'n Node, what: &'static str) -> Option<Fields<'n>> {
        let Yaml::Map(entries) = &node.value else {
            self.expected(node, "a map");
            return None;
        };
        let mut seen = BTreeSet::new();
        for (key, _) in entries {
            if !seen.insert(&key.text) {
                self.wrong(key.at, format!("`{}` stands here twice", key.text), None);
            }
        }
        Some(Fields { at: node.at, what, entries: entries.iter().map(|(k, n)| (k, n)).collect() })
    }

    fn expected(&mut self, node: &Node, what: &str) {
        self.wrong(node.at, format!("expected {what}, found {}", node.value.kind()), None);
    }

    /// The name of something that is defined elsewhere: one of those that are known.
    pub fn defined<'k>(
        &mut self,
        node: &Node,
        what: &str,
        known: impl Iterator<Item = &'k str>,
    ) -> Option<&'k str> {
        let name = self.text(node)?;
        let mut known: Vec<&str> = known.collect();
        known.sort_unstable();
        let found = known.iter().find(|known| **known == name).copied();
        if found.is_none() {
            self.wrong(node.at, format!("there is no {what} `{name}`"), Some(meant(&name, &known)));
        }
        found
    }

    /// Every item of a list, read by `item`; those that could not be read are left out.
    pub fn list<T>(
        &mut self,
        node: Option<&Node>,
        mut item: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Vec<T> {
        match node.map(|node| (node, &node.value)) {
            None => Vec::new(),
            Some((_, Yaml::List(items))) => items.iter().filter_map(|node| item(self, node)).collect(),
            Some((node, _)) => {
                self.expected(node, "a list");
                Vec::new()
            }
        }
    }

    /// Text. A number or a bare word counts as its text.
    pub fn text(&mut self, node: &Node) -> Option<String> {
        let text = node.value.scalar().filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.expected(node, "text");
        }
        text
    }

    /// A name: what rules are called by in reasons, keys and commands.
    pub fn name(&mut self, node: &Node) -> Option<String> {
        let text = self.text(node)?;
        let fine = text.len() <= 63 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        if !fine {
            let help = "letters, digits, `-`, `_` and `.`; at most 63 of them".to_owned();
            self.wrong(node.at, format!("`{text}` is not a name"), Some(help));
        }
        fine.then_some(text)
    }

    /// True or false.
    pub fn boolean(&mut self, node: &Node) -> Option<bool> {
        if let Yaml::Bool(value) = node.value {
            return Some(value);
        }
        self.expected(node, "`true` or `false`");
        None
    }

    /// A count within these bounds.
    pub fn count(&mut self, node: &Node, bounds: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let number = match node.value {
            Yaml::Int(n) => u32::try_from(n).ok().filter(|n| bounds.contains(n)),
            _ => None,
        };
        if number.is_none() {
            let (low, high) = bounds.into_inner();
            let range = if high == u32::MAX { format!("{low} or more") } else { format!("{low} to {high}") };
            self.expected_value(node, &format!("a whole number, {range}"));
        }
        number
    }

    fn expected_value(&mut self, node: &Node, what: &str) {
        match node.value.scalar() {
            Some(text) => self.wrong(node.at, format!("expected {what}, found `{text}`"), None),
            None => self.expected(node, what),
        }
    }

    /// A level, 1 to 5.
    pub fn level(&mut self, node: &Node) -> Option<Level> {
        let number = self.count(node, 1..=5)?;
        Level::ALL.into_iter().find(|level| u32::from(level.number()) == number)
    }

    /// `25%`.
    pub fn percent(&mut self, node: &Node) -> Option<u32> {
        let number = node.value.scalar().and_then(|text| text.strip_suffix('%')?.parse().ok());
        let number = number.filter(|n| (1..=100).contains(n));
        if number.is_none() {
            self.expected_value(node, "a percentage, `1%` to `100%`");
        }
        number
    }

    /// A fraction of all, from 0 to below 1, in thousandths.
    pub fn permille(&mut self, node: &Node) -> Option<u32> {
        let found = match node.value {
            Yaml::Int(0) => Some(0),
            Yaml::Float(n) => permille(n),
            _ => None,
        };
        if found.is_none() {
            self.expected_value(node, "a fraction from 0 to below 1, in thousandths at the finest");
        }
        found
    }

    /// A duration within these bounds.
    pub fn duration_in(
        &mut self,
        node: &Node,
        bounds: std::ops::RangeInclusive<SignedDuration>,
    ) -> Option<SignedDuration> {
        let duration = self.duration(node)?;
        if !bounds.contains(&duration) {
            let what = format!("`{duration:#}` is out of bounds: {:#} to {:#}", bounds.start(), bounds.end());
            self.wrong(node.at, what, None);
            return None;
        }
        Some(duration)
    }

    /// `90s`, `15m`, `1h30m`, `2d`.
    pub fn duration(&mut self, node: &Node) -> Option<SignedDuration> {
        let duration =
            node.value.scalar().and_then(|text| duration(&text)).filter(SignedDuration::is_positive);
        if duration.is_none() {
            self.expected_value(node, "a duration like `90s`, `15m` or `1h30m`");
        }
        duration
    }

    /// A moment in RFC 3339, with its offset.
    pub fn moment(&mut self, node: &Node) -> Option<Timestamp> {
        let moment = node.value.scalar().and_then(|text| text.parse().ok());
        if moment.is_none() {
            self.expected_value(node, "a moment like `2026-11-27T00:00:00Z`");
        }
        moment
    }

    /// One of a closed set of words.
    pub fn word<T: Copy>(&mut self, node: &Node, what: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(node.at, format!("`{text}` is not {what}"), Some(meant(&text, &known)));
        }
        found
    }

    /// Alertmanager matchers.
    pub fn matchers(&mut self, node: &Node) -> Option<Matchers> {
        let text = self.text(node)?;
        Matchers::parse(&text)
            .map_err(|why| {
                let help = "Alertmanager matchers, as in 'alertname=\"KubePodCrashLooping\"'".to_owned();
                self.wrong(node.at, why, Some(help));
            })
            .ok()
    }

    /// An expression.
    pub fn rule(&mut self, node: &Node) -> Option<Rule> {
        let text = self.text(node)?;
        let section = std::mem::replace(&mut self.section, Section::Expressions);
        let rule = Rule::compile(&text).map_err(|wrongs| {
            for wrong in wrongs {
                let at = self.within(node.at, &text, wrong.offset, wrong.len);
                self.wrong(at, wrong.message, wrong.help);
            }
        });
        self.section = section;
        rule.ok()
    }

    /// The place `offset` characters into a scalar. Where the file does not spell the text as it is (an
    /// escape, a folded block), the scalar's beginning.
    fn within(&self, scalar: Pos, text: &str, offset: usize, len: usize) -> Pos {
        let line = usize::try_from(scalar.line.saturating_sub(1)).unwrap_or_default();
        let before = usize::try_from(scalar.column.saturating_sub(1)).unwrap_or_default();
        let line: String = lines(self.text).nth(line).unwrap_or_default().chars().skip(before).collect();
        let Some(byte) = line.find(text) else { return scalar };
        let start = line.get(..byte).map_or(0, |s| s.chars().count()) + offset.min(text.chars().count());
        let column = scalar.column.saturating_add(u32::try_from(start).unwrap_or_default());
        Pos { column, len: u32::try_from(len).unwrap_or(1).max(1), ..scalar }
    }
}

/// Exactly so many thousandths, below a thousand.
fn permille(fraction: f64) -> Option<u32> {
    (0..1000u32).find(|n| (f64::from(*n) / 1000.0 - fraction).abs() < 1e-9)
}

/// Digits with a unit, one or several times: `1h30m`.
fn duration(text: &str) -> Option<SignedDuration> {
    let (mut total, mut rest) = (SignedDuration::ZERO, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(digits);
        let units = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(units);
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        let seconds = number.parse::<i64>().ok()?.checked_mul(seconds)?;
        total = total.checked_add(SignedDuration::from_secs(seconds))?;
        rest = tail;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_digits_with_units() {
        let seconds = |text| duration(text).map(|d| d.as_secs());
        assert_eq!(seconds("90s"), Some(90));
        assert_eq!(seconds("1h30m"), Some(5_400));
        assert_eq!(seconds("2d"), Some(172_800));
        for wrong in ["15", "m", "1w", "1.5h", "-1m", "9223372036854775807d"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
