//! What of a line only a diagnosis asks for: the host that a message about a connection names.

use std::sync::LazyLock;

use regex::Regex;

pub(super) use crate::domain::log::text::texts;

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
