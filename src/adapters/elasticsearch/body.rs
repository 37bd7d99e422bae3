//! The body of a search: what callers write stands in values of JSON, and never in a language of queries.

use serde_json::{Value, json};

use crate::adapters::logs::{Ask, Names};
use crate::domain::log::Severity;
use crate::domain::log::pattern::Pattern;

/// A stack trace, by the Elastic Common Schema.
pub(super) const STACK: &str = "error.stack_trace";
/// A little below what the client waits, so that the server gives what it has by then.
const TIMEOUT: &str = "8s";
/// Words of a text that are looked for: each is a search of its own, and three tell most messages apart.
const WORDS: usize = 3;
/// Letters from which on a word tells anything.
const SHORTEST: usize = 3;
/// The longest word: beyond this the standard analyser cuts one in two.
const LONGEST: usize = 200;

/// The search for one page.
pub(super) fn search(names: &Names, ask: &Ask<'_>) -> Value {
    let Names { namespace, service, pod, container, host, severity, trace, text, time, .. } = names;
    let is = |field: &str, value: &str| json!({ "term": { field: { "value": value } } });
    let range = json!({ "gte": ask.since.to_string(), "lte": ask.until.to_string(), "format": "strict_date_optional_time_nanos" });
    let mut filter = vec![json!({ "range": { time: range } }), is(namespace, &ask.query.namespace)];
    if let Some(name) = &ask.query.service {
        filter.push(is(service, names.service(name)));
    }
    if let Some(instance) = ask.instance {
        let known = [(pod, &instance.pod), (container, &instance.container), (host, &instance.host)];
        filter.extend(known.into_iter().filter(|(_, v)| !v.is_empty()).map(|(field, v)| is(field, v)));
    }
    if ask.narrowed {
        filter
            .extend(ask.query.least.zip(severity.as_deref()).and_then(|(least, field)| grave(least, field)));
        filter.extend(ask.query.pattern.iter().flat_map(|pattern| words(pattern, text)));
    }
    let order = if ask.newest { "desc" } else { "asc" };
    let mut fields = vec![json!({ "field": time, "format": "strict_date_optional_time_nanos" })];
    let others = [service, pod, container, host, trace, text].into_iter().map(String::as_str);
    fields.extend(others.chain(severity.as_deref()).chain([STACK]).map(|name| json!(name)));
    json!({
        "size": ask.limit,
        "timeout": TIMEOUT,
        "track_total_hits": false,
        "query": { "bool": { "filter": filter } },
        "sort": [{ time: { "order": order } }],
        "_source": false,
        "fields": fields,
    })
}

/// Documents that are so grave, or do not say how grave they are.
fn grave(least: Severity, field: &str) -> Option<Value> {
    // everything that says nothing of itself counts as information
    if least <= Severity::Info {
        return None;
    }
    let graver = Severity::ALL.into_iter().filter(|severity| *severity >= least);
    let words: Vec<String> =
        graver.flat_map(crate::domain::log::Severity::words).flat_map(|word| spelled(word)).collect();
    Some(json!({ "bool": { "minimum_should_match": 1, "should": [
        { "terms": { field: words } },
        { "bool": { "must_not": { "exists": { "field": field } } } },
    ] } }))
}

/// As loggers spell a level: `error`, `ERROR`, `Error`.
fn spelled(word: &str) -> [String; 3] {
    let mut letters = word.chars();
    let title = letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect();
    [word.to_owned(), word.to_ascii_uppercase(), title]
}

/// Documents whose text has words in which those of the pattern stand. An analysed text cannot be searched by
/// characters, so that this admits more than the pattern does; an expression is not narrowed by at all.
fn words(pattern: &Pattern, text: &str) -> Vec<Value> {
    let Pattern::Text(plain) = pattern else { return Vec::new() };
    let mut found: Vec<&str> = plain
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| (SHORTEST..=LONGEST).contains(&word.len()))
        .collect();
    found.sort_by_key(|word| std::cmp::Reverse(word.len()));
    found.dedup();
    // letters and digits alone: no `*` and no `?` of a caller's
    let word = |word: &str| json!({ "wildcard": { text: { "value": format!("*{word}*"), "case_insensitive": true } } });
    found.into_iter().take(WORDS).map(word).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ports::logs::Query;

    fn query(namespace: &str, service: &str, pattern: Option<Pattern>) -> Query {
        Query {
            namespace: namespace.to_owned(),
            service: Some(service.to_owned()),
            instance: None,
            since: "2026-11-21T02:00:00Z".parse().unwrap(),
            until: "2026-11-21T03:00:00Z".parse().unwrap(),
            least: Some(Severity::Fatal),
            pattern,
            context: 0,
            limit: 10,
            newest: true,
        }
    }

    fn body(query: &Query) -> Value {
        let ask = Ask {
            query,
            instance: None,
            since: query.since,
            until: query.until,
            narrowed: true,
            newest: true,
            limit: 10,
        };
        search(&Names::ecs(), &ask)
    }

    #[test]
    fn a_search_is_what_the_manual_says() {
        let body = body(&query("shop", "cart", Some(Pattern::read("no \"stock\" of item*").unwrap())));
        let filter = &body["query"]["bool"]["filter"];
        assert_eq!(filter[1], json!({ "term": { "kubernetes.namespace": { "value": "shop" } } }));
        assert_eq!(filter[2], json!({ "term": { "service.name": { "value": "cart" } } }));
        let levels = &filter[3]["bool"]["should"][0]["terms"]["log.level"];
        assert!(levels.as_array().unwrap().contains(&json!("FATAL")));
        assert_eq!(
            filter[4],
            json!({ "wildcard": { "message": { "value": "*stock*", "case_insensitive": true } } })
        );
        assert_eq!(filter[5]["wildcard"]["message"]["value"], "*item*");
        assert_eq!(body["sort"], json!([{ "@timestamp": { "order": "desc" } }]));
    }

    proptest::proptest! {
        #[test]
        fn no_value_is_anything_but_a_value(namespace in any::<String>(), service in any::<String>(), text in any::<String>()) {
            let built = body(&query(&namespace, &service, Some(Pattern::Text(text))));
            let read: Value = serde_json::from_str(&built.to_string()).unwrap();
            let filter = read["query"]["bool"]["filter"].as_array().unwrap();
            prop_assert_eq!(&filter[1]["term"]["kubernetes.namespace"]["value"], &json!(namespace));
            prop_assert_eq!(&filter[2]["term"]["service.name"]["value"], &json!(service));
            prop_assert!(filter.len() <= 4 + WORDS);
            for wild in &filter[4..] {
                let value = wild["wildcard"]["message"]["value"].as_str().unwrap();
                let inner = &value[1..value.len() - 1];
                prop_assert!(inner.bytes().all(|b| b.is_ascii_alphanumeric()));
            }
        }
    }
}
