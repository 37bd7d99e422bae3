//! What the tools answer, as structure. Every text of a span is cleaned, redacted and cut here, and nowhere else.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::redact;
use crate::domain::trace::{self, Hop, Node, Oddities, Place, Span, Trace, Tree};
use crate::servers::kit::Extent;

/// A service's name: as long as Kubernetes' longest.
const NAME: usize = 253;
/// An operation: a path with its method.
const OPERATION: usize = 160;
/// What was said of a failure: two lines of a screen.
const MESSAGE: usize = 240;
/// Rows of one list of a trace: a screen of them.
const ROWS: usize = 25;

/// A trace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TraceView {
    /// Its id.
    pub trace_id: String,
    /// When it began.
    pub start: Option<String>,
    /// How long its main part took, in milliseconds.
    pub duration_ms: f64,
    /// How many spans it has.
    pub spans: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Where the time went: the spans that nothing could have been shorter without.
    pub critical_path: Vec<StepView>,
    /// From which service to which.
    pub hops: Vec<HopView>,
    /// The services by the time that they themselves took.
    pub services: Vec<ServiceView>,
    /// The spans that failed, the deepest first: where it began.
    pub failed: Vec<SpanView>,
    /// What was wrong with the spans, and what is not shown.
    pub notes: Vec<String>,
}

/// A step of the critical path.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepView {
    /// Whose it was.
    pub service: String,
    /// What was done.
    pub operation: String,
    /// Its own milliseconds on the path.
    pub own_ms: f64,
    /// The share of the whole, 0 to 1.
    pub share: f64,
}

/// Calls from one service to another.
#[derive(Debug, Serialize, JsonSchema)]
pub struct HopView {
    /// Who called.
    pub from: String,
    /// Who was called.
    pub to: String,
    /// How often.
    pub calls: u64,
    /// How often that failed.
    pub errors: u64,
    /// Milliseconds, added up.
    pub total_ms: f64,
}

/// A service of a trace.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ServiceView {
    /// Its name, after its namespace.
    pub service: String,
    /// How many spans.
    pub spans: u64,
    /// How many failed.
    pub errors: u64,
    /// Milliseconds that it took itself.
    pub own_ms: f64,
}

/// A span.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct SpanView {
    /// In which trace.
    pub trace_id: String,
    /// Whose it is.
    pub service: String,
    /// What was done.
    pub operation: String,
    /// When it began.
    pub start: String,
    /// How long it took.
    pub duration_ms: f64,
    /// While none of its parts ran.
    pub own_ms: f64,
    /// What was said of its failure; absent: it did not fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Traces that were found.
#[derive(Debug, Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
pub struct Traces {
    /// The service's namespace.
    pub namespace: String,
    /// The service.
    pub service: String,
    /// How many are shown; there may be others.
    pub extent: Extent,
    /// The traces, those that failed first, then the slowest.
    pub traces: Vec<TraceRow>,
    /// What is not shown.
    pub notes: Vec<String>,
}

/// A trace as a row.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TraceRow {
    /// Its id.
    pub trace_id: String,
    /// When it began.
    pub start: String,
    /// How long its main part took.
    pub duration_ms: f64,
    /// The service that began it.
    pub root: String,
    /// What was asked of that.
    pub operation: String,
    /// How many spans.
    pub spans: u64,
    /// How many failed.
    pub errors: u64,
    /// The largest step of its critical path.
    pub slowest: Option<String>,
    /// The deepest failure.
    pub failure: Option<String>,
}

/// The slowest spans of a service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Slowest {
    /// The service's namespace.
    pub namespace: String,
    /// The service.
    pub service: String,
    /// How many traces were looked at.
    pub traces: u64,
    /// The spans, by what they took themselves.
    pub spans: Vec<SpanView>,
    /// What is not shown.
    pub notes: Vec<String>,
}

/// A service as it is written: after its namespace, where that is known.
pub fn place(place: &Place) -> String {
    let service = redact::line(&place.service, NAME);
    match &place.namespace {
        Some(namespace) => format!("{}/{service}", redact::line(namespace, NAME)),
        None => service,
    }
}

/// Milliseconds, to the microsecond.
#[expect(clippy::cast_precision_loss, reason = "a span of 285 years is off by a microsecond")]
pub fn ms(nanos: u64) -> f64 {
    (nanos / 1_000) as f64 / 1_000.0
}

/// A part of the whole, 0 to 1, to the thousandth.
#[expect(clippy::cast_precision_loss, reason = "a share is read to the thousandth")]
fn share_of(part: u64, whole: u64) -> f64 {
    (part as f64 / whole as f64 * 1_000.0).round() / 1_000.0
}

fn operation(span: &Span) -> String {
    redact::line(&span.operation, OPERATION)
}

/// A span's row.
pub fn span(id: &trace::TraceId, node: &Node, own: u64) -> SpanView {
    SpanView {
        trace_id: id.to_string(),
        service: place(&node.span.place()),
        operation: operation(&node.span),
        start: node.span.start.to_string(),
        duration_ms: ms(node.span.nanos),
        own_ms: ms(own),
        error: node.span.error.as_ref().map(|error| redact::line(error, MESSAGE)),
    }
}

/// A trace, looked at.
pub struct Looked {
    /// Its id.
    pub id: trace::TraceId,
    /// Its spans in their places.
    pub tree: Tree,
    /// The times of each.
    pub times: Vec<trace::Times>,
}

impl Looked {
    /// Looks at a trace.
    pub fn at(trace: Trace) -> Self {
        let id = trace.id.clone();
        let tree = Tree::of(trace);
        let times = trace::times(&tree);
        Self { id, tree, times }
    }

    fn main(&self) -> Option<&Node> {
        self.tree.main().and_then(|at| self.tree.get(at))
    }

    /// What its main part took.
    pub fn nanos(&self) -> u64 {
        self.main().map_or(0, |node| node.span.nanos)
    }

    /// How many spans failed.
    pub fn errors(&self) -> u64 {
        self.tree.nodes().iter().filter(|node| node.span.error.is_some()).count() as u64
    }

    /// The spans that failed, the deepest first.
    fn failed(&self) -> Vec<SpanView> {
        let mut failed: Vec<_> = (self.tree.nodes().iter().zip(&self.times))
            .filter(|(node, _)| node.span.error.is_some())
            .collect();
        failed.sort_by_key(|(node, _)| std::cmp::Reverse(node.depth));
        failed.into_iter().take(ROWS).map(|(node, times)| span(&self.id, node, times.own)).collect()
    }

    /// The steps of its critical path, the largest first.
    fn path(&self) -> Vec<StepView> {
        let whole = self.nanos().max(1);
        let mut shares = trace::critical_path(&self.tree);
        shares.sort_by_key(|share| std::cmp::Reverse(share.nanos));
        let step = |share: &trace::Share| {
            let span = &self.tree.get(share.at)?.span;
            Some(StepView {
                service: place(&span.place()),
                operation: operation(span),
                own_ms: ms(share.nanos),
                share: share_of(share.nanos, whole),
            })
        };
        shares.iter().take(ROWS).filter_map(step).collect()
    }

    fn services(&self) -> Vec<ServiceView> {
        let mut all: BTreeMap<Place, (u64, u64, u64)> = BTreeMap::new();
        for (node, times) in self.tree.nodes().iter().zip(&self.times) {
            let (spans, errors, own) = all.entry(node.span.place()).or_default();
            *spans += 1;
            *errors += u64::from(node.span.error.is_some());
            *own = own.saturating_add(times.own);
        }
        let mut rows: Vec<_> = all.into_iter().collect();
        rows.sort_by_key(|(_, (_, _, own))| std::cmp::Reverse(*own));
        let row = |(of, (spans, errors, own)): (Place, _)| ServiceView {
            service: place(&of),
            spans,
            errors,
            own_ms: ms(own),
        };
        rows.into_iter().take(ROWS).map(row).collect()
    }

    /// The whole of it.
    pub fn view(&self) -> TraceView {
        let hops = trace::hops(&self.tree);
        let mut notes = notes(&self.tree.odd);
        if hops.len() > ROWS {
            notes.push(format!("{} of {} hops are shown", ROWS, hops.len()));
        }
        if self.tree.roots() > 1 {
            notes.push(format!(
                "{} spans have nothing above them; the critical path is that of the longest of them",
                self.tree.roots()
            ));
        }
        TraceView {
            trace_id: self.id.to_string(),
            start: self.main().map(|node| node.span.start.to_string()),
            duration_ms: ms(self.nanos()),
            spans: self.tree.nodes().len() as u64,
            errors: self.errors(),
            critical_path: self.path(),
            hops: hops.iter().take(ROWS).map(HopView::from).collect(),
            services: self.services(),
            failed: self.failed(),
            notes,
        }
    }

    /// One row of it.
    pub fn row(&self) -> TraceRow {
        let main = self.main();
        let step = self.path().into_iter().next();
        TraceRow {
            trace_id: self.id.to_string(),
            start: main.map_or_else(String::new, |node| node.span.start.to_string()),
            duration_ms: ms(self.nanos()),
            root: main.map_or_else(String::new, |node| place(&node.span.place())),
            operation: main.map_or_else(String::new, |node| operation(&node.span)),
            spans: self.tree.nodes().len() as u64,
            errors: self.errors(),
            slowest: step.map(|s| format!("{} {} ({} ms)", s.service, s.operation, s.own_ms)),
            failure: self.failed().into_iter().next().map(|f| {
                let why = f.error.filter(|e| !e.is_empty()).map_or_else(String::new, |e| format!(": {e}"));
                format!("{} {}{why}", f.service, f.operation)
            }),
        }
    }
}

impl From<&Hop> for HopView {
    fn from(hop: &Hop) -> Self {
        Self {
            from: place(&hop.from),
            to: place(&hop.to),
            calls: hop.calls,
            errors: hop.errors,
            total_ms: ms(hop.nanos),
        }
    }
}

fn notes(odd: &Oddities) -> Vec<String> {
    let Oddities { orphans, rings, twice, backwards, left_out } = *odd;
    let said = [
        (orphans, "name a span above them that is not there: it was not sent, or not kept"),
        (rings, "rings of spans that are above each other were cut open"),
        (twice, "were there twice"),
        (backwards, "end before they begin and count as taking no time"),
        (left_out, "could not be read, or were too many"),
    ];
    said.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
}
