//! What of a line is the program's own message, so that a pattern can be bound to its beginning and lines of one kind
//! can be counted together. What a stranger can put into a line (a path, a user's name) seldom stands there.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::fields::{self, Fields};

/// Times, levels, bracketed tokens, source positions and names of loggers that stand before a message.
static LEAD: LazyLock<Regex> = LazyLock::new(|| {
    compiled(concat!(
        r"^(?:\s+|[|:>-]+\s",
        // 2026-11-21T20:00:00.123Z, 2026/11/21 20:00:00 UTC, 20:00:00,123, an epoch
        r"|\d[\dT:.,+/Z-]{5,}|(?:UTC|GMT)\b",
        // klog: I1121 20:00:00.000000       1 main.go:7]; Redis: 1:M 21 Nov 2026; a process's id
        r"|[IWEF]\d{4}\b|\d+:[A-Z]\b|\d{1,2} [A-Z][a-z]{2} \d{4}\b|\d{1,7}\b[\]:]?",
        r"|[\[(<][^\])>]*[\])>]:?",
        r"|(?i:trace|debug|info|notice|warn|warning|error|err|crit|critical|fatal|severe|alert|emerg|log)\b[\]:]?",
        r"|[A-Za-z0-9_./$-]+\.(?:go|py|rs|cc?|cpp|js|ts|java):\d+[\]:]?",
        // a logger by its whole name: com.example.Orders, and what stands before it in Spring's lines
        r"|---|(?:[A-Za-z0-9_$]+\.){2,8}[A-Za-z0-9_$]+\s)+",
    ))
});

/// `msg="…"` and `err=…` of logfmt.
static LOGFMT: LazyLock<Regex> =
    LazyLock::new(|| compiled(r#"(?:^|\s)(?:msg|message|err|error)=(?:"((?:[^"\\]|\\.)*)"|(\S+))"#));

/// A level as loggers write it before their message.
static LEVEL: LazyLock<Regex> = LazyLock::new(|| {
    compiled(concat!(
        r"(?i)(?:^|[\s\[(<|])(trace|debug|info|notice|warn|warning|error|err|crit|critical|fatal|severe|alert|emerg)",
        r"(?:[\]):>|\s]|$)",
    ))
});

/// klog's: a letter, month and day.
static KLOG: LazyLock<Regex> = LazyLock::new(|| compiled(r"^([IWEF])\d{4} \d{2}:\d{2}"));

/// How runtimes begin what they say when a program goes down without a logger.
static LAST_WORDS: LazyLock<Regex> = LazyLock::new(|| {
    compiled(concat!(
        r#"^(?:panic: |fatal error: |thread '[^']*'(?: \(\d+\))? panicked at |Traceback \(most recent call last\)"#,
        r#"|Exception in thread |Unhandled exception|Uncaught |(?:[A-Za-z_$][\w$]*\.)*[A-Z]\w*(?:Error|Exception)(?::|$))"#,
    ))
});

/// A regular expression of the program itself.
#[expect(clippy::expect_used, reason = "the patterns are constants, and the tests below compile each one")]
pub(super) fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}

/// What patterns are held against: the line, and what of it is a message. Of a structured line only its message and
/// its error: its other fields hold what others sent.
pub fn texts(line: &str) -> Vec<Cow<'_, str>> {
    if let Some(Fields { message, error, .. }) = fields::json(line) {
        let fields = [message, error].into_iter().flatten();
        return fields.flat_map(|field| [Cow::Owned(self::message(&field).to_owned()), field]).collect();
    }
    let mut texts = vec![Cow::Borrowed(line), Cow::Borrowed(message(line))];
    for field in LOGFMT.captures_iter(line).take(2) {
        let value = field.get(1).or_else(|| field.get(2)).map_or("", |value| value.as_str());
        texts.push(Cow::Borrowed(value));
    }
    texts
}

/// The line without what stands before its message.
pub fn message(line: &str) -> &str {
    LEAD.find(line).and_then(|lead| line.get(lead.end()..)).unwrap_or(line)
}

/// What a line says, as one text: of a structured one its message and its error.
pub fn says(line: &str) -> Cow<'_, str> {
    if let Some(Fields { message: said, error, .. }) = fields::json(line) {
        match (said, error) {
            (Some(said), Some(error)) if said != error => return Cow::Owned(format!("{said}: {error}")),
            (Some(one), _) | (None, Some(one)) => return one,
            (None, None) => {}
        }
    }
    let fields: Vec<&str> = LOGFMT
        .captures_iter(line)
        .take(2)
        .filter_map(|field| Some(field.get(1).or_else(|| field.get(2))?.as_str()))
        .collect();
    match fields.as_slice() {
        [] => Cow::Borrowed(message(line)),
        [one] => Cow::Borrowed(one),
        many => Cow::Owned(many.join(": ")),
    }
}

/// How grave a line of plain text says that it is: by its level, or by how a runtime begins its last words. Only what
/// stands before the message counts: an error that a message speaks of is not one.
pub fn severity(line: &str) -> Option<super::Severity> {
    use super::Severity;
    if let Some(letter) = KLOG.captures(line).and_then(|found| found.get(1)) {
        return match letter.as_str() {
            "I" => Some(Severity::Info),
            "W" => Some(Severity::Warn),
            "E" => Some(Severity::Error),
            _ => Some(Severity::Fatal),
        };
    }
    let lead = LEAD.find(line).map_or("", |lead| lead.as_str());
    let level = LEVEL.captures_iter(lead).last().and_then(|found| found.get(1));
    let level = level.and_then(|word| Severity::of_word(word.as_str()));
    level.or_else(|| LAST_WORDS.is_match(message(line)).then_some(Severity::Error))
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    #[test]
    fn what_stands_before_a_message_is_taken_off() {
        for line in [
            "2026-11-21T20:00:00.123Z ERROR panic: it",
            "2026-11-21 20:00:00.123 UTC [77] FATAL:  panic: it",
            "E1121 20:00:00.000000       1 main.go:7] panic: it",
            "1:M 21 Nov 2026 20:00:00.000 # panic: it",
            "[2026-11-21 20:00:00 +0000] [7] [ERROR] panic: it",
            "2026-11-21 20:00:00.123 ERROR 1 --- [main] com.example.shop.Orders : panic: it",
            "panic: it",
        ] {
            let message = message(line);
            assert!(message.trim_start_matches("# ").starts_with("panic: it"), "{line}: {message}");
        }
    }

    #[test]
    fn of_a_structured_line_only_message_and_error_count() {
        let line = r#"{"level":"info","msg":"GET","path":"panic: no","error":"boom"}"#;
        let texts = texts(line);
        assert!(texts.iter().any(|t| t == "boom") && texts.iter().all(|t| !t.contains("panic")), "{texts:?}");
    }

    #[test]
    fn a_line_says_how_grave_it_is_before_its_message() {
        for (line, severity) in [
            ("2026-11-21T20:00:00.123Z ERROR boom", Some(Severity::Error)),
            ("2026-11-21 20:00:00.123 UTC [77] FATAL:  no", Some(Severity::Fatal)),
            ("E1121 20:00:00.000000       1 main.go:7] boom", Some(Severity::Error)),
            ("[2026-11-21 20:00:00 +0000] [7] [WARNING] slow", Some(Severity::Warn)),
            ("INFO: no ERROR here", Some(Severity::Info)),
            ("panic: runtime error: index out of range", Some(Severity::Error)),
            ("Traceback (most recent call last):", Some(Severity::Error)),
            ("thread 'main' panicked at src/main.rs:1:2:", Some(Severity::Error)),
            ("TypeError: x is not a function", Some(Severity::Error)),
            ("GET /error 200", None),
            ("", None),
        ] {
            assert_eq!(super::severity(line), severity, "{line}");
        }
    }

    #[test]
    fn a_line_says_its_message_and_its_error() {
        assert_eq!(says(r#"{"level":"error","msg":"no","err":"boom","n":1}"#), "no: boom");
        assert_eq!(says(r#"level=error msg="not \"found\"" err=EOF"#), r#"not \"found\": EOF"#);
        assert_eq!(says("2026-11-21T20:00:00Z ERROR boom"), "boom");
    }
}
