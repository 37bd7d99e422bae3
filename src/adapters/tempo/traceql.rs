//! TraceQL, built from values that cannot leave their quotes.

use std::fmt::Write as _;

use crate::ports::traces::TraceQuery;

/// A string of TraceQL: in double quotes, as Go reads them (`strconv.Unquote`), so that a backslash, a quote and whatever
/// is no printable ASCII is written by its number or with a backslash.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            c if u32::from(c) <= 0xFFFF => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// An attribute of a resource. Of its name, which the configuration gives, no more is taken than an attribute's name has.
fn attribute(name: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "._-/".contains(*c);
    format!("resource.{}", name.chars().filter(plain).collect::<String>())
}

/// The query for traces with a span that fits.
pub(super) fn search(query: &TraceQuery, namespace: &[String]) -> String {
    let mut all = vec![format!("resource.service.name = {}", quoted(&query.service))];
    if let Some(asked) = &query.namespace {
        let any: Vec<String> =
            namespace.iter().map(|name| format!("{} = {}", attribute(name), quoted(asked))).collect();
        if !any.is_empty() {
            all.push(format!("({})", any.join(" || ")));
        }
    }
    if let Some(operation) = &query.operation {
        all.push(format!("name = {}", quoted(operation)));
    }
    if let Some(at_least) = query.at_least {
        all.push(format!("duration >= {}us", at_least.as_micros().max(0)));
    }
    if query.failed {
        all.push("status = error".to_owned());
    }
    format!("{{ {} }}", all.join(" && "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As Go's `strconv.Unquote` reads it, as far as it is written here: what is inside, and what stands after.
    fn unquoted(text: &str) -> Option<(String, &str)> {
        let mut rest = text.strip_prefix('"')?;
        let mut out = String::new();
        loop {
            let c = rest.chars().next()?;
            rest = &rest[c.len_utf8()..];
            match c {
                '"' => return Some((out, rest)),
                '\n' => return None,
                '\\' => {
                    let escape = rest.chars().next()?;
                    rest = &rest[escape.len_utf8()..];
                    let digits = match escape {
                        '"' | '\\' => {
                            out.push(escape);
                            continue;
                        }
                        'u' => 4,
                        'U' => 8,
                        _ => return None,
                    };
                    out.push(char::from_u32(u32::from_str_radix(rest.get(..digits)?, 16).ok()?)?);
                    rest = &rest[digits..];
                }
                c => out.push(c),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn a_value_never_leaves_its_quotes(text in "[\\x00-\\u{2100}\"\\\\{}|&= \\U0001F600]{0,24}", after in "[ -~]{0,8}") {
            let written = quoted(&text);
            prop_assert!(written.bytes().all(|b| (b' '..=b'~').contains(&b)));
            let with = format!("{written}{after}");
            prop_assert_eq!(unquoted(&with), Some((text, after.as_str())));
        }
    }

    #[test]
    fn a_query_says_each_thing_once() {
        let query = TraceQuery {
            service: "web\" || true }".into(),
            namespace: Some("shop".into()),
            operation: Some("GET /\\".into()),
            at_least: Some(jiff::SignedDuration::from_millis(250)),
            failed: true,
            since: jiff::Timestamp::UNIX_EPOCH,
            until: jiff::Timestamp::UNIX_EPOCH,
            limit: 20,
        };
        let names = ["k8s.namespace.name".to_owned(), "odd\" } name".to_owned()];
        assert_eq!(
            search(&query, &names),
            r#"{ resource.service.name = "web\" || true }" && (resource.k8s.namespace.name = "shop" || resource.oddname = "shop") && name = "GET /\\" && duration >= 250000us && status = error }"#
        );
        let plain = TraceQuery { namespace: None, operation: None, at_least: None, failed: false, ..query };
        assert_eq!(search(&plain, &names), r#"{ resource.service.name = "web\" || true }" }"#);
    }
}
