//! LogQL, built from values that anybody may have written: each stands in quotes that it cannot leave.

use std::fmt::Write as _;

use crate::domain::log::Severity;
use crate::domain::log::pattern::Pattern;

/// What loggers and runtimes write besides a level where something went wrong.
const TROUBLE: &str = "exception|traceback|panic|uncaught|unhandled";

/// A selector of streams with what its lines are filtered by.
#[derive(Debug, Default)]
pub(super) struct LogQl {
    selector: Vec<String>,
    filters: String,
}

impl LogQl {
    /// Streams whose label has this value.
    pub(super) fn with(mut self, label: &str, value: &str) -> Self {
        self.selector.push(format!("{label}={}", quoted(value)));
        self
    }

    /// Lines with this in them.
    pub(super) fn holding(mut self, pattern: &Pattern) -> Self {
        let (operator, value) = match pattern {
            Pattern::Text(text) => ("|=", text.as_str()),
            Pattern::Regex(expression) => ("|~", expression.as_str()),
        };
        let _ = write!(self.filters, " {operator} {}", quoted(value));
        self
    }

    /// Lines that may be so grave: by their label, or by what stands in them.
    pub(super) fn at_least(mut self, least: Severity, label: Option<&str>) -> Self {
        // everything that says nothing of itself counts as information
        if least <= Severity::Info {
            return self;
        }
        let grave = Severity::ALL.into_iter().filter(|severity| *severity >= least);
        let words: Vec<&str> = grave.flat_map(|severity| severity.words().iter().copied()).collect();
        let words = words.join("|");
        let filter = match label {
            Some(label) => format!(" | {label}=~{}", quoted(&format!("(?i)({words})"))),
            // with klog's letters, and the numbers of pino and bunyan
            None => format!(
                " |~ {}",
                quoted(&format!("(?i)({words}|{TROUBLE})|^[WEF][0-9]{{4}} |[\"']level[\"'] ?: ?[4-6][0-9]"))
            ),
        };
        self.filters.push_str(&filter);
        self
    }

    /// As Loki reads it.
    pub(super) fn text(&self) -> String {
        format!("{{{}}}{}", self.selector.join(","), self.filters)
    }
}

/// A string of LogQL, which are Go's: in double quotes, with backslash, quote and whatever is no visible character
/// escaped.
fn quoted(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{FEFF}') => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads one of Go's double-quoted strings: its value, and what comes after it.
    fn unquoted(text: &str) -> Option<(String, &str)> {
        let mut chars = text.strip_prefix('"')?.char_indices();
        let mut value = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return Some((value, &text[at + 2..])),
                '\n' => return None,
                '\\' => match chars.next()?.1 {
                    'n' => value.push('\n'),
                    'u' => {
                        let hex: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                        value.push(char::from_u32(u32::from_str_radix(&hex, 16).ok()?)?);
                    }
                    c @ ('"' | '\\') => value.push(c),
                    _ => return None,
                },
                c => value.push(c),
            }
        }
        None
    }

    #[test]
    fn a_query_is_read_as_it_is_written_by_hand() {
        let query = LogQl::default().with("namespace", "shop").with("app", "cart");
        let query = query.holding(&Pattern::read("a \"b\" \\n").unwrap());
        assert_eq!(query.text(), r#"{namespace="shop",app="cart"} |= "a \"b\" \\n""#);
        let query = LogQl::default().with("a", "b").holding(&Pattern::read(r#"/\d+"/"#).unwrap());
        assert_eq!(query.text(), r#"{a="b"} |~ "\\d+\"""#);
        let query = LogQl::default().with("a", "b").at_least(Severity::Fatal, Some("level"));
        assert_eq!(
            query.text(),
            r#"{a="b"} | level=~"(?i)(fatal|critical|crit|alert|emerg|emergency|panic|dpanic)""#
        );
        let all = LogQl::default().with("a", "b").at_least(Severity::Info, None);
        assert_eq!(all.text(), r#"{a="b"}"#);
    }

    #[test]
    fn what_is_narrowed_by_severity_admits_every_form_of_an_error() {
        let query = LogQl::default().with("a", "b").at_least(Severity::Error, None);
        let text = query.text();
        let (expression, rest) = unquoted(text.split_once("|~ ").unwrap().1).unwrap();
        assert_eq!(rest, "");
        let expression = regex::Regex::new(&expression).unwrap();
        for line in [
            "level=error msg=x",
            "{\"level\":50,\"msg\":\"x\"}",
            "{\"level\": 60}",
            "E1121 20:00:00.000000       1 main.go:7] x",
            "Traceback (most recent call last):",
            "panic: x",
            "2026-11-21 SEVERE x",
            "thread 'main' panicked at src/main.rs:1:2:",
            "TypeError: x",
        ] {
            assert!(expression.is_match(line), "{line}");
        }
        assert!(!expression.is_match("level=info msg=ok"));
    }

    proptest::proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn no_value_leaves_its_quotes(value in any::<String>(), other in "[\"\\\\}|{=~`\\n]{0,12}") {
            for value in [value.clone(), other.clone(), format!("{other}{value}"), format!("{value}{other}")] {
                let text = quoted(&value);
                prop_assert_eq!(unquoted(&text), Some((value.clone(), "")));
                // the text of a whole query falls into its parts again
                let query = LogQl::default().with("namespace", &value).with("app", &other);
                let query = query.holding(&Pattern::Text(value.clone())).text();
                let rest = query.strip_prefix("{namespace=").unwrap();
                let (namespace, rest) = unquoted(rest).unwrap();
                let (app, rest) = unquoted(rest.strip_prefix(",app=").unwrap()).unwrap();
                let (held, rest) = unquoted(rest.strip_prefix("} |= ").unwrap()).unwrap();
                prop_assert_eq!((namespace, app, held, rest), (value.clone(), other.clone(), value, ""));
            }
        }
    }
}
