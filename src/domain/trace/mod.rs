//! Traces as a tracing backend tells of them: spans of many services, each sent by a program that nobody vouches for.
//! Parents may be missing, ids may repeat, times may run backwards; whatever comes is taken as it is, and bounded.

mod hops;
mod timing;
mod tree;

use std::fmt;

use jiff::Timestamp;

pub use hops::{Hop, Place, hops};
pub use timing::{Share, Times, critical_path, times};
pub use tree::{Node, Oddities, Tree};

/// Spans of one trace that are looked at: more than any page of a tracing backend draws, and some 30 MB of memory.
pub const MOST_SPANS: usize = 100_000;
/// Characters that are kept of one text of a span: a line, before anything is shown of it.
const TEXT: usize = 500;

/// A trace's id: 1 to 32 hexadecimal digits, in lower case and without leading zeros (backends leave them out or not).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(String);

impl TraceId {
    /// Reads an id; `None`: it is none.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let fit = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        let digits = text.trim_start_matches('0').to_ascii_lowercase();
        (fit && !digits.is_empty()).then_some(Self(digits))
    }

    /// With all 32 digits, or 16 where these are enough: as backends take it.
    pub fn padded(&self) -> String {
        let width = if self.0.len() > 16 { 32 } else { 16 };
        format!("{:0>width$}", self.0)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.padded())
    }
}

/// Which side of a call a span saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SpanKind {
    /// The caller's, of a request.
    Client,
    /// The sender's, of a message.
    Producer,
    /// The called one's, of a request.
    Server,
    /// The receiver's, of a message.
    Consumer,
    /// Neither: work within a program, or it was not said.
    Internal,
}

/// One timed piece of work. Its texts are the sender's own, neither cleaned nor redacted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// When it began.
    pub start: Timestamp,
    /// How long it took, in nanoseconds.
    pub nanos: u64,
    /// Which side it saw.
    pub kind: SpanKind,
    /// Its id within the trace.
    pub id: String,
    /// The id of the span that it is part of, if it says so.
    pub parent: Option<String>,
    /// Whose it is.
    pub service: String,
    /// The namespace that this service said it is in.
    pub namespace: Option<String>,
    /// What was done.
    pub operation: String,
    /// That it failed, and what was said of that.
    pub error: Option<String>,
    /// What it says that it called, where that sends no spans of its own (a database).
    pub peer: Option<String>,
    /// That it says it ended before it began.
    pub backwards: bool,
}

impl Span {
    /// When it began, in nanoseconds since 1970.
    pub fn begins(&self) -> i128 {
        self.start.as_nanosecond()
    }

    /// When it ended.
    pub fn ends(&self) -> i128 {
        self.begins() + i128::from(self.nanos)
    }

    /// Where it ran.
    pub fn place(&self) -> Place {
        Place { namespace: self.namespace.clone(), service: self.service.clone() }
    }
}

/// At most as much of a sender's text as is ever needed.
pub fn bounded(text: &str) -> String {
    text.chars().take(TEXT).collect()
}

/// All that is known of one request's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Its id.
    pub id: TraceId,
    /// Its spans, in no order.
    pub spans: Vec<Span>,
    /// Spans that are not among them: they could not be read, or were too many.
    pub left_out: u64,
}

/// What stands where the service of another namespace stood.
pub const ELSEWHERE: &str = "another namespace";

impl Trace {
    /// The trace with what others may see of it: of a service in a namespace that `may` not be seen, no more than that
    /// there was one, when, and whether it failed.
    #[must_use]
    pub fn seen_by(mut self, may: impl Fn(Option<&str>) -> bool) -> Self {
        for span in &mut self.spans {
            if !may(span.namespace.as_deref()) {
                ELSEWHERE.clone_into(&mut span.service);
                span.operation.clear();
                span.namespace = None;
                span.peer = None;
                if let Some(error) = &mut span.error {
                    error.clear();
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hexadecimal_and_leading_zeros_mean_nothing() {
        let id = TraceId::read("4BF92F3577B34DA6A3CE929D0E0E4736").unwrap();
        assert_eq!(id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(TraceId::read("0000000000000000d6e9329d67b6146a"), TraceId::read("d6e9329d67b6146a"));
        assert_eq!(TraceId::read("6e9329d67b6146a").unwrap().to_string(), "06e9329d67b6146a");
        for wrong in ["", "0", "../services", "4bf9 2f35", "4bf92f3577b34da6a3ce929d0e0e47360", "xyz", "é"] {
            assert_eq!(TraceId::read(wrong), None, "{wrong}");
        }
    }
}
