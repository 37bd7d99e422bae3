//! Logs Insights' query language. How a quoted text escapes is said nowhere exactly: so nothing is ever escaped, and
//! only what needs none gets into a query.

use std::fmt::Write as _;

use crate::adapters::logs::{Ask, Names};
use crate::domain::log::Severity;
use crate::domain::log::pattern::Pattern;

/// By which names fields are given, whatever they are called.
pub(super) const TEXT: &str = "belay_text";
pub(super) const SERVICE: &str = "belay_service";
pub(super) const POD: &str = "belay_pod";
pub(super) const CONTAINER: &str = "belay_container";
pub(super) const HOST: &str = "belay_host";
pub(super) const TRACE: &str = "belay_trace";

/// The longest value: that of a name in Kubernetes.
const LONGEST: usize = 253;
/// Pieces of a text that are looked for, the longest ones.
const PIECES: usize = 3;
/// Characters from which on a piece tells anything.
const SHORTEST: usize = 3;
/// What is written besides a level where something went wrong.
const TROUBLE: &str = "exception|traceback|panic|uncaught|unhandled";

/// A value that cannot stand in a query.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be asked for: letters, digits, `.`, `_`, `:`, `/` and `-`")]
pub(super) struct Unfit(String);

/// The query for one page.
pub(super) fn query(names: &Names, ask: &Ask<'_>) -> Result<String, Unfit> {
    let Names { namespace, service, pod, container, host, trace, text, .. } = names;
    let given =
        [(text, TEXT), (service, SERVICE), (pod, POD), (container, CONTAINER), (host, HOST), (trace, TRACE)];
    let mut out = String::from("fields @timestamp, @message");
    for (name, alias) in given {
        let _ = write!(out, ", {} as {alias}", field(name)?);
    }
    let mut conditions = vec![is(namespace, &ask.query.namespace)?];
    if let Some(name) = &ask.query.service {
        conditions.push(is(service, names.service(name))?);
    }
    if let Some(instance) = ask.instance {
        for (name, value) in [(pod, &instance.pod), (container, &instance.container)] {
            if !value.is_empty() {
                conditions.push(is(name, value)?);
            }
        }
    }
    if ask.narrowed {
        conditions.extend(ask.query.least.and_then(grave));
        conditions.extend(ask.query.pattern.iter().flat_map(pieces));
    }
    let order = if ask.newest { "desc" } else { "asc" };
    let _ = write!(out, "\n| filter {}\n| sort @timestamp {order}", conditions.join(" and "));
    Ok(out)
}

fn is(name: &str, value: &str) -> Result<String, Unfit> {
    Ok(format!("{} = \"{}\"", field(name)?, plain(value)?))
}

/// A field; in backticks where it is more than a word.
fn field(name: &str) -> Result<String, Unfit> {
    let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'@');
    let name = plain(name)?;
    Ok(if name.bytes().all(bare) { name.to_owned() } else { format!("`{name}`") })
}

fn plain(value: &str) -> Result<&str, Unfit> {
    let fits = value.bytes().all(fit) && (1..=LONGEST).contains(&value.len());
    if fits { Ok(value) } else { Err(Unfit(crate::domain::redact::line(value, 80))) }
}

const fn fit(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'@' | b':' | b'/' | b'-')
}

/// Records that may be so grave.
fn grave(least: Severity) -> Option<String> {
    // everything that says nothing of itself counts as information
    if least <= Severity::Info {
        return None;
    }
    let graver = Severity::ALL.into_iter().filter(|severity| *severity >= least);
    let words: Vec<&str> = graver.flat_map(|severity| severity.words().iter().copied()).collect();
    // with klog's letters, and the numbers of pino and bunyan; within JSON their quotes are escaped
    Some(format!(
        "@message like /(?i)({}|{TROUBLE}|level[^a-z0-9]+[4-6][0-9]|[wef][0-9]{{4}} )/",
        words.join("|")
    ))
}

/// Records that hold the pieces of a text that need no escapes. An expression is not narrowed by.
fn pieces(pattern: &Pattern) -> Vec<String> {
    let Pattern::Text(text) = pattern else { return Vec::new() };
    let bare = |c: char| {
        u8::try_from(c)
            .is_ok_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b' ' | b'.' | b':' | b'-'))
    };
    let mut found: Vec<&str> =
        text.split(|c| !bare(c)).filter(|piece| (SHORTEST..=LONGEST).contains(&piece.len())).collect();
    found.sort_by_key(|piece| std::cmp::Reverse(piece.len()));
    found.dedup();
    found.into_iter().take(PIECES).map(|piece| format!("@message like \"{piece}\"")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ports::logs::Query;

    fn built(namespace: &str, service: Option<&str>, pattern: Option<Pattern>) -> Result<String, Unfit> {
        let asked = Query {
            namespace: namespace.to_owned(),
            service: service.map(str::to_owned),
            instance: None,
            since: "2026-11-21T02:00:00Z".parse().unwrap(),
            until: "2026-11-21T03:00:00Z".parse().unwrap(),
            least: None,
            pattern,
            context: 0,
            limit: 10,
            newest: true,
        };
        let (since, until) = (asked.since, asked.until);
        let ask =
            Ask { query: &asked, instance: None, since, until, narrowed: true, newest: true, limit: 10 };
        query(&Names::container_insights(), &ask)
    }

    #[test]
    fn a_query_is_what_one_writes_by_hand() {
        let pattern = Pattern::read("order \"17\" failed: no stock").unwrap();
        let text = built("shop", Some("cart"), Some(pattern)).unwrap();
        assert_eq!(
            text,
            "fields @timestamp, @message, log as belay_text, kubernetes.labels.app as belay_service, \
             kubernetes.pod_name as belay_pod, kubernetes.container_name as belay_container, \
             kubernetes.host as belay_host, trace_id as belay_trace\n\
             | filter kubernetes.namespace_name = \"shop\" and kubernetes.labels.app = \"cart\" \
             and @message like \" failed: no stock\" and @message like \"order \"\n| sort @timestamp desc"
        );
        assert_eq!(field("kubernetes.labels.app-name").unwrap(), "`kubernetes.labels.app-name`");
    }

    #[test]
    fn what_would_need_an_escape_is_refused() {
        for wrong in ["", "a\"b", "a\\", "a b", "a`b", "a\n| limit 1", "é", "a|b", &"a".repeat(254)] {
            assert!(
                built(wrong, None, None).is_err() && built("shop", Some(wrong), None).is_err(),
                "{wrong}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_that_a_caller_writes_ends_its_quotes(
            namespace in any::<String>(), service in any::<String>(), text in any::<String>(), hostile in "[\"\\\\|`/ a-z]{0,20}"
        ) {
            let plain = built("shop", Some("cart"), None).unwrap();
            let text = built("shop", Some("cart"), Some(Pattern::Text(format!("{text}{hostile}{text}")))).unwrap();
            // nothing but quoted pieces is added, between the filter and the sort
            let (head, tail) = plain.split_once("\n| sort").unwrap();
            let added = text.strip_prefix(head).unwrap().strip_suffix(&format!("\n| sort{tail}")).unwrap();
            for piece in added.split(" and @message like ").skip(1) {
                let inner = piece.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
                let bare = |b: u8| b.is_ascii_alphanumeric() || b"_ .:-".contains(&b);
                prop_assert!(inner.bytes().all(bare), "{piece}");
            }
            if let Ok(query) = built(&namespace, Some(&service), None) {
                prop_assert!(namespace.bytes().all(fit) && service.bytes().all(fit), "{query}");
            }
        }
    }
}
