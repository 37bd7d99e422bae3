//! The reads behind the tools: what may be asked for, and what may be seen of what comes.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::SignedDuration;

use super::args::{MOST_TRACES, SearchArgs, SlowArgs, TraceArgs};
use super::views::{Looked, Slowest, TraceView, Traces as TracesView, span};
use crate::domain::redact;
use crate::domain::trace::{Trace, TraceId};
use crate::ports::clock::SharedClock;
use crate::ports::reads::ReadError;
use crate::ports::traces::{Found, TraceQuery, Traces};
use crate::servers::kit::{Extent, Scope, Span, Trouble, quoted};

/// The longest name of a service or an operation.
const NAME: usize = 253;
/// Spans that `slowest_spans` shows.
const SLOWEST: usize = 20;

/// What may be looked at, and with what.
#[derive(Clone)]
pub struct Eyes {
    traces: Arc<dyn Traces>,
    clock: SharedClock,
    pub(super) scope: Scope,
    /// Whether spans say in which namespace they are.
    placed: bool,
}

impl Eyes {
    /// Reads through `traces`, within `scope`; `placed`: spans say in which namespace they are.
    pub fn new(traces: Arc<dyn Traces>, clock: SharedClock, scope: Scope, placed: bool) -> Self {
        Self { traces, clock, scope, placed }
    }

    fn check(&self, namespace: &str) -> Result<(), Trouble> {
        self.scope.check(namespace)?;
        if self.placed || self.scope.is_everywhere() {
            return Ok(());
        }
        Err(Trouble::Argument(
            "`traces.namespaceAttributes` is empty, so no span says in which namespace it is: only who may see every \
             namespace may see traces"
                .to_owned(),
        ))
    }

    /// What may be seen of a trace.
    fn seen(&self, trace: Trace) -> Trace {
        if self.scope.is_everywhere() {
            return trace;
        }
        let allowed =
            |namespace: Option<&str>| namespace.is_some_and(|n| self.scope.allowed().iter().any(|a| a == n));
        trace.seen_by(allowed)
    }

    /// Whether a trace went through this namespace. Where spans do not say theirs, it may have.
    fn through(&self, trace: &Trace, namespace: &str) -> bool {
        !self.placed || trace.spans.iter().any(|span| span.namespace.as_deref() == Some(namespace))
    }

    /// One trace.
    pub async fn trace(&self, args: &TraceArgs) -> Result<TraceView, Trouble> {
        let TraceArgs { namespace, trace_id } = args;
        self.check(namespace)?;
        let id = TraceId::read(trace_id).ok_or_else(|| {
            let given = quoted(trace_id);
            Trouble::Argument(format!("`trace_id` is `{given}`: it has 1 to 32 hexadecimal digits"))
        })?;
        let trace = self.traces.trace(&id).await?;
        if !self.through(&trace, namespace) {
            // the same as of one that is not there: whether it exists elsewhere is not told
            return Err(ReadError::NotFound { what: format!("trace {id}") }.into());
        }
        Ok(Looked::at(self.seen(trace)).view())
    }

    /// Traces that fit.
    pub async fn search(&self, args: &SearchArgs) -> Result<TracesView, Trouble> {
        let SearchArgs { namespace, service, operation, min_duration, errors_only, since, until, limit } =
            args;
        let span = Span::read(since, until.as_deref(), self.clock.now())?;
        let at_least = min_duration.as_deref().map(duration).transpose()?;
        if let Some(operation) = operation {
            named("operation", operation)?;
        }
        let limit = (*limit).clamp(1, MOST_TRACES);
        let query = TraceQuery {
            service: service.clone(),
            namespace: None,
            operation: operation.clone(),
            at_least,
            failed: *errors_only,
            since: span.since,
            until: span.until,
            limit,
        };
        let (found, notes) = self.found(namespace, query).await?;
        let mut looked: Vec<Looked> = found.into_iter().map(Looked::at).collect();
        looked.sort_by_key(|l| (Reverse(l.errors() > 0), Reverse(l.nanos()), l.id.clone()));
        let shown = looked.len() as u64;
        let more = shown >= u64::from(limit);
        let extent = Extent { shown, total: (!more).then_some(shown), at_least: shown };
        Ok(TracesView {
            namespace: namespace.clone(),
            service: quoted(service),
            extent,
            traces: looked.iter().map(Looked::row).collect(),
            notes,
        })
    }

    /// The spans of a service that took the longest themselves.
    pub async fn slowest(&self, args: &SlowArgs) -> Result<Slowest, Trouble> {
        let SlowArgs { namespace, service, since } = args;
        let stretch = Span::read(since, None, self.clock.now())?;
        let query = TraceQuery {
            service: service.clone(),
            namespace: None,
            operation: None,
            at_least: None,
            failed: false,
            since: stretch.since,
            until: stretch.until,
            limit: MOST_TRACES,
        };
        let (found, mut notes) = self.found(namespace, query).await?;
        let traces = found.len() as u64;
        let mut rows = Vec::new();
        for trace in found {
            let looked = Looked::at(trace);
            let of_it = (looked.tree.nodes().iter().zip(&looked.times))
                .filter(|(node, _)| node.span.service == *service)
                .filter(|(node, _)| !self.placed || node.span.namespace.as_deref() == Some(namespace))
                .map(|(node, times)| (times.own, span(&looked.id, node, times.own)));
            rows.extend(of_it);
            rows.sort_by_key(|(own, _)| Reverse(*own));
            rows.truncate(SLOWEST);
        }
        if traces >= u64::from(MOST_TRACES) {
            notes.push(format!("{MOST_TRACES} traces were looked at, and there may be slower ones: search with `min_duration`"));
        }
        let spans = rows.into_iter().map(|(_, view)| view).collect();
        Ok(Slowest { namespace: namespace.clone(), service: quoted(service), traces, spans, notes })
    }

    /// What is found of a service in this namespace, as far as it may be seen, and what is not.
    async fn found(&self, namespace: &str, query: TraceQuery) -> Result<(Vec<Trace>, Vec<String>), Trouble> {
        self.check(namespace)?;
        named("service", &query.service)?;
        let query = TraceQuery { namespace: self.placed.then(|| namespace.to_owned()), ..query };
        let Found { traces, unread } = self.traces.search(&query).await?;
        let mut notes = Vec::new();
        if unread > 0 {
            notes.push(format!("{unread} more were found and could not be read"));
        }
        let all = traces.len();
        let of_it = |trace: &Trace| {
            let here = |span: &crate::domain::trace::Span| {
                span.service == query.service
                    && (!self.placed || span.namespace.as_deref() == Some(namespace))
            };
            trace.spans.iter().any(here)
        };
        // backends search as they see fit
        let kept: Vec<Trace> = traces.into_iter().filter(of_it).map(|trace| self.seen(trace)).collect();
        if kept.len() < all {
            notes.push(format!(
                "{} more have a service of that name, but not in this namespace",
                all - kept.len()
            ));
        }
        Ok((kept, notes))
    }
}

fn named(argument: &str, name: &str) -> Result<(), Trouble> {
    if (1..=NAME).contains(&name.len()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Trouble::Argument(format!(
        "`{argument}` is `{}`: it has 1 to {NAME} characters and no control characters",
        redact::line(name, 80)
    )))
}

/// A duration as people write it: `250ms`, `1.5s`, `2m`.
fn duration(text: &str) -> Result<SignedDuration, Trouble> {
    let read = text.trim().parse::<SignedDuration>().ok().filter(SignedDuration::is_positive);
    // longer than a day is no request
    let read = read.filter(|d| *d <= SignedDuration::from_hours(24));
    read.ok_or_else(|| {
        Trouble::Argument(format!(
            "`min_duration` is `{}`: write as in `250ms`, `2s`, `1m`, at most a day",
            quoted(text)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_positive_and_less_than_a_day() {
        for (text, millis) in [("250ms", 250), ("2s", 2_000), ("1m", 60_000), (" 1m30s ", 90_000)] {
            assert_eq!(duration(text), Ok(SignedDuration::from_millis(millis)), "{text}");
        }
        for text in ["", "0s", "-2s", "250", "fast", "25h", "1d", "1ms ms", "99999999999999999999s"] {
            let told = duration(text).unwrap_err().to_string();
            assert!(told.contains("`min_duration`"), "{text}: {told}");
        }
    }
}
