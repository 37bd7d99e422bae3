//! The same answers as text for people and models.

use crate::servers::kit::{Readable, or_dash, page, table};

use super::views::{Slowest, SpanView, TraceRow, TraceView, Traces};

impl Readable for TraceView {
    fn text(&self) -> String {
        let Self { trace_id, duration_ms, spans, errors, .. } = self;
        let mut parts = vec![format!(
            "trace {trace_id}: {duration_ms} ms, {spans} spans, {errors} of them failed; it began at {}",
            or_dash(self.start.as_ref())
        )];
        let mut list = |name: &str, heading: &[&str], rows: Vec<Vec<String>>| {
            if !rows.is_empty() {
                parts.push(format!("{name}\n{}", table(heading, &rows)));
            }
        };
        let failed = self.failed.iter().map(failed_row).collect();
        list("what failed, the deepest first:", &["SERVICE", "OPERATION", "MS", "ERROR"], failed);
        let path = self.critical_path.iter().map(|s| {
            let percent = format!("{:.1}", s.share * 100.0);
            vec![s.service.clone(), s.operation.clone(), s.own_ms.to_string(), percent]
        });
        list(
            "critical path, the largest step first:",
            &["SERVICE", "OPERATION", "OWN MS", "%"],
            path.collect(),
        );
        let services = self.services.iter().map(|s| {
            vec![s.service.clone(), s.spans.to_string(), s.errors.to_string(), s.own_ms.to_string()]
        });
        list("services by their own time:", &["SERVICE", "SPANS", "FAILED", "OWN MS"], services.collect());
        let hops = self.hops.iter().map(|h| {
            let (calls, errors, total) = (h.calls.to_string(), h.errors.to_string(), h.total_ms.to_string());
            vec![h.from.clone(), h.to.clone(), calls, errors, total]
        });
        list("hops:", &["FROM", "TO", "CALLS", "FAILED", "MS"], hops.collect());
        parts.extend(self.notes.iter().map(|note| format!("note: {note}")));
        parts.join("\n\n")
    }
}

fn failed_row(span: &SpanView) -> Vec<String> {
    let error = span.error.clone().unwrap_or_default();
    vec![span.service.clone(), span.operation.clone(), span.duration_ms.to_string(), error]
}

impl Readable for Traces {
    fn text(&self) -> String {
        let what =
            format!("traces of service `{}` in namespace `{}`, failed first", self.service, self.namespace);
        let heading = ["TRACE", "START", "MS", "ROOT", "SPANS", "FAILED", "LARGEST STEP", "FAILURE"];
        let rows: Vec<Vec<String>> = self.traces.iter().map(trace_row).collect();
        noted(page(&self.extent.words(&what), &heading, &rows), &self.notes)
    }
}

fn trace_row(row: &TraceRow) -> Vec<String> {
    vec![
        row.trace_id.clone(),
        row.start.clone(),
        row.duration_ms.to_string(),
        format!("{} {}", row.root, row.operation),
        row.spans.to_string(),
        row.errors.to_string(),
        or_dash(row.slowest.as_ref()),
        or_dash(row.failure.as_ref()),
    ]
}

impl Readable for Slowest {
    fn text(&self) -> String {
        let sentence = format!(
            "the {} slowest spans of service `{}` in namespace `{}`, by their own time, of {} traces",
            self.spans.len(),
            self.service,
            self.namespace,
            self.traces
        );
        let row = |s: &SpanView| {
            let (own, whole) = (s.own_ms.to_string(), s.duration_ms.to_string());
            vec![
                own,
                whole,
                s.operation.clone(),
                s.trace_id.clone(),
                s.start.clone(),
                or_dash(s.error.as_ref()),
            ]
        };
        let rows: Vec<Vec<String>> = self.spans.iter().map(row).collect();
        let heading = ["OWN MS", "MS", "OPERATION", "TRACE", "START", "ERROR"];
        noted(page(&sentence, &heading, &rows), &self.notes)
    }
}

fn noted(page: String, notes: &[String]) -> String {
    notes.iter().fold(page, |page, note| format!("{page}\n\nnote: {note}"))
}
