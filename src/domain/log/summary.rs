//! What went wrong in a stretch of a log: errors of one kind counted together, the most frequent first.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::join::{self, Record};
use super::templates::Templates;
use super::{Instance, Line, Severity};
use crate::domain::redact;

/// Trace ids that are named of one kind: two or three are looked at.
const TRACES: usize = 5;
/// As much of an error as decides what kind it is.
const TELLING: usize = 2_000;

/// Errors of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// What they have in common. Redacted.
    pub template: String,
    /// The exception that the newest of them shows, where there is one.
    pub raised: Option<String>,
    /// How many.
    pub count: u64,
    /// How grave the gravest is.
    pub severity: Severity,
    /// When the first was.
    pub first: Option<Timestamp>,
    /// When the last was.
    pub last: Option<Timestamp>,
    /// How many instances wrote them.
    pub instances: usize,
    /// Some of their traces, the newest last.
    pub traces: Vec<String>,
    /// The newest of them that shows most: one with a stack trace, where there is one.
    pub sample: Record,
}

/// What went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// The most frequent kinds.
    pub kinds: Vec<Kind>,
    /// Errors in all.
    pub errors: u64,
    /// Kinds in all.
    pub all_kinds: usize,
    /// Errors that were not told apart, since there were too many kinds.
    pub others: u64,
}

/// What is kept of one kind while errors are counted.
struct Seen {
    raised: Option<String>,
    severity: Severity,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    instances: BTreeSet<Instance>,
    traces: Vec<String>,
    sample: Record,
}

/// Counts the errors among the lines of each instance, in order; `most` kinds are shown.
pub fn summarize(instances: Vec<Vec<Line>>, most: usize) -> Summary {
    let mut templates = Templates::new();
    let mut seen: BTreeMap<usize, Seen> = BTreeMap::new();
    let mut errors = 0;
    let mut records: Vec<Record> = instances.into_iter().flat_map(join::records).collect();
    records.sort_by_key(|record| record.head.at);
    for record in records {
        let Some(severity) = record.head.severity.filter(|s| *s >= Severity::Error) else { continue };
        errors += 1;
        let telling = redact::line(super::read::head(&record.telling(), TELLING), TELLING);
        if let Some(group) = templates.add(&telling) {
            note(&mut seen, group, severity, record);
        }
    }
    let kind = |template: super::templates::Template| {
        let Seen { raised, severity, first, last, instances, traces, sample } =
            seen.remove(&template.group)?;
        let (template, count) = (template.text, template.count);
        let instances = instances.len();
        Some(Kind { template, raised, count, severity, first, last, instances, traces, sample })
    };
    let kinds = templates.top(most).into_iter().filter_map(kind).collect();
    Summary { kinds, errors, all_kinds: templates.len(), others: templates.others() }
}

/// Records come in order of time.
fn note(seen: &mut BTreeMap<usize, Seen>, group: usize, severity: Severity, record: Record) {
    let raised = record.raised();
    let (at, trace) = (record.head.at, record.head.trace.clone());
    let instance = record.head.instance.clone();
    let kept = seen.entry(group).or_insert_with(|| Seen {
        raised: None,
        severity,
        first: at,
        last: at,
        instances: BTreeSet::new(),
        traces: Vec::new(),
        sample: record.clone(),
    });
    kept.severity = kept.severity.max(severity);
    kept.first = kept.first.or(at);
    kept.last = at.or(kept.last);
    // as many as a service has instances at most; a hostile log cannot name others
    kept.instances.insert(instance);
    if let Some(trace) = trace
        && !kept.traces.contains(&trace)
    {
        kept.traces.push(trace);
        if kept.traces.len() > TRACES {
            kept.traces.remove(0);
        }
    }
    if !record.rest.is_empty() || kept.sample.rest.is_empty() {
        kept.sample = record;
    }
    kept.raised = raised.or(kept.raised.take());
}

#[cfg(test)]
mod tests {
    use super::super::read::{self, Raw};
    use super::*;

    fn instance(pod: &str, lines: &[(i64, &str)]) -> Vec<Line> {
        let raw = |(at, text): &(i64, &str)| Raw {
            at: Timestamp::from_second(*at).ok(),
            id: at.to_string(),
            text: (*text).to_owned(),
            ..Raw::default()
        };
        read::lines(&Instance { pod: pod.to_owned(), ..Instance::default() }, lines.iter().map(raw).collect())
    }

    #[test]
    fn errors_of_one_kind_are_counted_together() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let traced = format!("level=error msg=\"order 19 failed\" trace_id={id}");
        let a = instance(
            "a",
            &[
                (1, "level=error msg=\"order 17 failed\""),
                (2, "level=info msg=ok"),
                (3, "2026-11-21 20:00:03 ERROR stock is gone"),
                (3, "java.lang.IllegalStateException: none"),
                (3, "\tat a.b(C.java:1)"),
                (9, &traced),
            ],
        );
        let b = instance("b", &[(4, "level=error msg=\"order 18 failed\""), (5, "level=warn msg=slow")]);
        let summary = summarize(vec![a, b], 10);
        assert_eq!((summary.errors, summary.all_kinds, summary.others), (4, 2, 0));
        let [orders, stock] = summary.kinds.try_into().unwrap();
        assert_eq!((orders.template.as_str(), orders.count, orders.instances), ("order <num> failed", 3, 2));
        let seconds = |at: Option<Timestamp>| at.unwrap().as_second();
        assert_eq!((seconds(orders.first), seconds(orders.last)), (1, 9));
        assert_eq!(orders.traces, [id]);
        assert_eq!(stock.raised.as_deref(), Some("java.lang.IllegalStateException"));
        assert_eq!(stock.sample.rest.len(), 2);
        assert!(stock.sample.text().ends_with("C.java:1)"));
    }

    #[test]
    fn secrets_are_in_no_template() {
        let summary = summarize(vec![instance("a", &[(1, "ERROR login password=hunter2 failed")])], 10);
        assert_eq!(summary.kinds[0].template, "login password=[redacted] failed");
    }

    #[test]
    fn only_so_many_kinds_are_shown() {
        let lines: Vec<(i64, String)> = (0..40)
            .map(|n| {
                (
                    n,
                    format!(
                        "ERROR {} went wrong",
                        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN"
                            .chars()
                            .nth(usize::try_from(n).unwrap())
                            .unwrap()
                    ),
                )
            })
            .collect();
        let lines: Vec<(i64, &str)> = lines.iter().map(|(n, text)| (*n, text.as_str())).collect();
        let summary = summarize(vec![instance("a", &lines)], 10);
        assert_eq!((summary.errors, summary.kinds.len()), (40, 10));
    }
}
