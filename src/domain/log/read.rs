//! Lines as they come from a store, read: bounded, with what each says of itself, and with what it continues.

use jiff::Timestamp;

use super::join::Joiner;
use super::{Instance, Line, Severity, fields};

/// As much of one line as is kept: a stack trace that a collector joined has some 100 frames of 120 bytes.
pub const LONGEST: usize = 16 << 10;
/// As much of one line as is looked at for what it says of itself.
const LOOKED_AT: usize = 256 << 10;

/// A line as a store gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Raw {
    /// When it was written.
    pub at: Option<Timestamp>,
    /// What it goes by there.
    pub id: String,
    /// The service, where the store names it.
    pub service: String,
    /// How grave it is, where the store says so.
    pub severity: Option<Severity>,
    /// Its trace, where the store says so.
    pub trace: Option<String>,
    /// What it says.
    pub text: String,
}

/// The lines of one instance, in order. What continues another is as grave as that, and of the same trace. What stands
/// in a private key that runs over lines is left out: redaction sees one line at a time.
pub fn lines(instance: &Instance, raw: Vec<Raw>) -> Vec<Line> {
    let (mut joiner, mut key) = (Joiner::default(), false);
    let mut lines: Vec<Line> = Vec::with_capacity(raw.len());
    for Raw { at, id, service, severity, trace, text } in raw {
        let within = key;
        key = within_key(within, &text);
        let text = if within { BLANK.to_owned() } else { text };
        let looked_at = head(&text, LOOKED_AT);
        let (said, traced) = fields::marks(looked_at);
        let severity = severity.or(said);
        let continues = joiner.continues(first_line(looked_at), said);
        let before = lines.last().filter(|_| continues);
        let line = Line {
            at,
            id,
            service,
            instance: instance.clone(),
            severity: severity.max(before.and_then(|line| line.severity)),
            trace: trace.or(traced).or_else(|| before.and_then(|line| line.trace.clone())),
            continues,
            matched: false,
            text: bounded(text),
        };
        lines.push(line);
    }
    lines
}

/// What stands where a secret stood.
const BLANK: &str = "[redacted]";

/// Whether the line after this one is part of a private key.
fn within_key(within: bool, text: &str) -> bool {
    let marked = |mark: &str| text.contains(mark) && text.contains("PRIVATE KEY");
    let (begins, ends) = (marked("-----BEGIN "), marked("-----END "));
    (within || begins) && !ends
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// The beginning of the text, of at most so many bytes.
pub fn head(text: &str, most: usize) -> &str {
    let mut at = most.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.get(..at).unwrap_or(text)
}

fn bounded(text: String) -> String {
    if text.len() <= LONGEST {
        return text;
    }
    let kept = head(&text, LONGEST);
    format!("{kept}… ({} more bytes)", text.len() - kept.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(texts: &[&str]) -> Vec<Line> {
        let raw =
            |(n, text): (usize, &&str)| Raw { id: n.to_string(), text: (*text).to_owned(), ..Raw::default() };
        lines(&Instance::default(), texts.iter().enumerate().map(raw).collect())
    }

    #[test]
    fn what_continues_an_error_is_one() {
        let lines = read(&[
            "level=error msg=no trace_id=4bf92f3577b34da6",
            "java.lang.XError: x",
            "\tat a.b(C.java:1)",
            "level=info msg=ok",
        ]);
        let errors: Vec<bool> =
            lines.iter().map(|l| l.is_at_least(Severity::Error) && l.trace.is_some()).collect();
        assert_eq!(errors, [true, true, true, false], "{lines:?}");
    }

    #[test]
    fn a_private_key_over_several_lines_is_left_out() {
        let lines = read(&[
            "-----BEGIN RSA PRIVATE KEY-----",
            "MIIE",
            "c2Vj",
            "-----END RSA PRIVATE KEY-----",
            "after",
        ]);
        let texts: Vec<&str> = lines.iter().map(|l| l.text.as_str()).collect();
        assert_eq!(texts, ["-----BEGIN RSA PRIVATE KEY-----", BLANK, BLANK, BLANK, "after"]);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let long = "é".repeat(5 << 20);
        let [line] = read(&[&long]).try_into().unwrap();
        assert!(line.text.len() < LONGEST + 40 && line.text.ends_with("more bytes)"));
    }
}
