//! The trace that a line belongs to: W3C trace context, and what tracers and loggers call it.

use std::sync::LazyLock;

use regex::Regex;

/// The longest id that is taken for one: 32 digits are W3C's, and some tracers write a UUID.
const LONGEST: usize = 64;

/// `traceparent` (W3C Trace Context, section 3.2): version, trace, parent and flags, in lower-case hex.
static PARENT: LazyLock<Regex> =
    LazyLock::new(|| super::text::compiled(r"\b[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}\b"));

/// `trace_id=…`, `traceID: …`, `"trace.id":"…"`, `dd.trace_id=…` in what is no JSON object.
static NAMED: LazyLock<Regex> = LazyLock::new(|| {
    super::text::compiled(r#"(?i)\btrace[_.-]?id["']?\s*[=:]\s*["']?([0-9a-zA-Z-]{8,64})\b"#)
});

/// Spring Cloud Sleuth: `[application,trace,span]`, with or without a fourth.
static SLEUTH: LazyLock<Regex> = LazyLock::new(|| {
    super::text::compiled(r"\[[A-Za-z0-9_.-]{0,64},([0-9a-f]{16}|[0-9a-f]{32}),[0-9a-f]{16}(?:,[a-z]*)?\]")
});

/// An id as a field holds it: a plain one, a `traceparent`, or Google's path (`projects/…/traces/…`). Zeros mean none.
pub fn id(value: &str) -> Option<String> {
    if let Some(found) = PARENT.captures(value).and_then(|found| found.get(1)) {
        return real(found.as_str());
    }
    let value = value.rsplit_once("/traces/").map_or(value, |(_, id)| id).trim();
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if plain && (8..=LONGEST).contains(&value.len()) { real(value) } else { None }
}

/// The trace that a line of plain text names.
pub fn in_text(line: &str) -> Option<String> {
    let found = NAMED.captures(line).or_else(|| PARENT.captures(line)).or_else(|| SLEUTH.captures(line))?;
    found.get(1).and_then(|found| id(found.as_str()))
}

fn real(id: &str) -> Option<String> {
    id.bytes().any(|b| b != b'0' && b != b'-').then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_found_however_it_is_written() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for line in [
            format!("level=error msg=x trace_id={id} span_id=00f067aa0ba902b7"),
            format!("boom traceID: \"{id}\""),
            format!("headers traceparent=00-{id}-00f067aa0ba902b7-01"),
            format!("2026-11-21 ERROR [checkout,{id},00f067aa0ba902b7] 1 --- [main] c.e.Orders : boom"),
            format!("dd.trace_id={id} boom"),
        ] {
            assert_eq!(in_text(&line).as_deref(), Some(id), "{line}");
        }
        assert_eq!(super::id(&format!("projects/shop/traces/{id}")).as_deref(), Some(id));
    }

    #[test]
    fn what_is_no_trace_is_none() {
        for line in [
            "00-00000000000000000000000000000000-0000000000000000-00",
            "trace_id=0",
            "trace_id=",
            "GET /trace/1234",
            "a stack trace follows",
        ] {
            assert_eq!(in_text(line), None, "{line}");
        }
        assert_eq!(id("a b"), None);
        assert_eq!(id(&"a".repeat(65)), None);
    }
}
