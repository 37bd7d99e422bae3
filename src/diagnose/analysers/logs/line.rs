//! One line of a log: what of it is the program's own message, so that a pattern can be bound to its beginning. What
//! a stranger can put into a line (a path, a user's name) seldom stands there.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;

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

/// A host that a message about a connection names, with its port or in quotes after `server at`, `lookup`, ….
static HOST: LazyLock<Regex> = LazyLock::new(|| {
    compiled(concat!(
        r#"(?i)(?:server at "|resolve host:? ['"]?|lookup |enotfound |eai_again |unknownhostexception: "#,
        r#"|translate host name "|amqp://(?:[^@\s]*@)?|https?://)([a-z0-9](?:[a-z0-9.-]{0,78}[a-z0-9])?)"#,
        r"|\b([a-z0-9](?:[a-z0-9.-]{0,78}[a-z0-9])?):\d{2,5}\b",
    ))
});

static LOOPBACK: LazyLock<Regex> =
    LazyLock::new(|| compiled(r"(?i)\b127\.\d+\.\d+\.\d+|\blocalhost\b|\[::1\]|(?:^|\s)::1\b"));

#[expect(clippy::expect_used, reason = "the patterns are constants, and the tests below compile each one")]
fn compiled(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant pattern")
}

/// The fields in which structured loggers put a message or an error.
#[derive(Deserialize)]
struct Structured<'a> {
    #[serde(borrow, default, alias = "message", alias = "MESSAGE", alias = "@message")]
    msg: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "err", alias = "exception", alias = "stack_trace")]
    error: Option<Cow<'a, str>>,
}

/// What patterns are held against: the line, and what of it is a message. Of a structured line only its message and
/// its error: its other fields hold what others sent.
pub(super) fn texts(line: &str) -> Vec<Cow<'_, str>> {
    let trimmed = line.trim();
    if trimmed.starts_with('{')
        && let Ok(Structured { msg, error }) = serde_json::from_str(trimmed)
    {
        let fields = [msg, error].into_iter().flatten();
        return fields.flat_map(|field| [Cow::Owned(message(&field).to_owned()), field]).collect();
    }
    let mut texts = vec![Cow::Borrowed(line), Cow::Borrowed(message(line))];
    for field in LOGFMT.captures_iter(line).take(2) {
        let value = field.get(1).or_else(|| field.get(2)).map_or("", |value| value.as_str());
        texts.push(Cow::Borrowed(value));
    }
    texts
}

/// The line without what stands before its message.
fn message(line: &str) -> &str {
    LEAD.find(line).and_then(|lead| line.get(lead.end()..)).unwrap_or(line)
}

/// The host that the line names; letters, digits, dots and hyphens, and no name of this machine.
pub(super) fn host(line: &str) -> Option<String> {
    let found = HOST.captures_iter(line).filter_map(|found| found.get(1).or_else(|| found.get(2)));
    let names = found.map(|name| name.as_str()).filter(|name| name.chars().any(|c| c.is_ascii_alphabetic()));
    // 12:00:00 and main.go:17 are no hosts
    let file =
        |name: &str| [".go", ".py", ".js", ".ts", ".rs", ".java"].iter().any(|end| name.ends_with(end));
    names.filter(|name| !file(name)).map(str::to_owned).next()
}

/// Whether the line speaks of the program's own machine.
pub(super) fn is_loopback(line: &str) -> bool {
    LOOPBACK.is_match(line)
}

#[cfg(test)]
mod tests {
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
    fn hosts_are_names_and_nothing_else() {
        let named = |line| host(line).unwrap_or_default();
        assert_eq!(named("dial tcp: lookup db.shop.svc on 10.0.0.10:53: no such host"), "db.shop.svc");
        assert_eq!(named("dial db:5432: connect: connection refused"), "db");
        assert_eq!(named("20:00:01 main.go:17 connection refused"), "");
        assert_eq!(named("dial tcp 10.0.0.7:5432: connect: connection refused"), "");
        assert!(is_loopback("dial tcp 127.0.0.1:8080: connect: connection refused"));
        assert!(is_loopback("dial tcp [::1]:8080: connection refused") && !is_loopback("db:5432 refused"));
    }
}
