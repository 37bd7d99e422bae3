//! OTLP traces as JSON, in the shapes in which Tempo gives them.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::domain::trace::{MOST_SPANS, Span, SpanKind, Trace, TraceId, bounded};

/// A trace: `batches` in the first version of Tempo's API, `trace.resourceSpans` in the second, `resourceSpans` in OTLP.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(default, alias = "resourceSpans")]
    batches: Vec<ResourceSpans>,
    #[serde(default)]
    trace: Option<Box<Document>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans {
    #[serde(default)]
    resource: Resource,
    /// As versions before 0.15 of OTLP called them.
    #[serde(default, alias = "instrumentationLibrarySpans")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Default, Deserialize)]
struct Resource {
    #[serde(default)]
    attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
struct ScopeSpans {
    #[serde(default)]
    spans: Vec<WireSpan>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireSpan {
    #[serde(default)]
    span_id: String,
    #[serde(default)]
    parent_span_id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    kind: Enum,
    start_time_unix_nano: Nanos,
    end_time_unix_nano: Nanos,
    #[serde(default)]
    attributes: Vec<Attribute>,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: Enum,
    #[serde(default)]
    message: String,
}

/// A value of an enumeration, by its name or its number.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Enum {
    Name(String),
    Number(i64),
    #[default]
    Missing,
}

/// 64 bits, which protobuf's JSON writes as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Nanos {
    Text(String),
    Number(i64),
    Other(IgnoredAny),
}

impl Nanos {
    fn read(&self) -> Option<i64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Number(number) => Some(*number),
            Self::Other(_) => None,
        }
    }
}

#[derive(Deserialize)]
struct Attribute {
    key: String,
    #[serde(default)]
    value: AnyValue,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyValue {
    #[serde(default)]
    string_value: Option<String>,
}

fn text<'a>(attributes: &'a [Attribute], key: &str) -> Option<&'a str> {
    attributes.iter().find(|a| a.key == key)?.value.string_value.as_deref()
}

/// An id in hexadecimal, from that or from base64; what is neither stays as it is.
fn id(text: &str) -> String {
    let hexadecimal = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if hexadecimal {
        return text.to_ascii_lowercase();
    }
    match STANDARD.decode(text) {
        Ok(bytes) if bytes.len() == 8 => bytes.iter().fold(String::new(), |mut id, byte| {
            let _ = write!(id, "{byte:02x}");
            id
        }),
        Ok(_) | Err(_) => bounded(text),
    }
}

impl Document {
    /// The trace, whose spans say their namespace in these attributes.
    pub(super) fn trace(self, of: &TraceId, namespace: &[String]) -> Trace {
        let mut trace = Trace { id: of.clone(), spans: Vec::new(), left_out: 0 };
        let inner = self.trace.map(|inner| inner.batches).unwrap_or_default();
        for batch in self.batches.into_iter().chain(inner) {
            let whose = &batch.resource.attributes;
            let service = bounded(text(whose, "service.name").unwrap_or("unknown_service"));
            let namespace = namespace.iter().find_map(|key| text(whose, key)).map(bounded);
            for span in batch.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                match span.read(&service, namespace.as_ref()) {
                    Some(span) if trace.spans.len() < MOST_SPANS => trace.spans.push(span),
                    Some(_) | None => trace.left_out += 1,
                }
            }
        }
        trace
    }
}

impl WireSpan {
    fn read(self, service: &str, namespace: Option<&String>) -> Option<Span> {
        let (begins, ends) = (self.start_time_unix_nano.read()?, self.end_time_unix_nano.read()?);
        let start = Timestamp::from_nanosecond(i128::from(begins)).ok()?;
        let nanos = i128::from(ends) - i128::from(begins);
        let failed = match &self.status.code {
            Enum::Name(name) => name == "STATUS_CODE_ERROR",
            Enum::Number(number) => *number == 2,
            Enum::Missing => false,
        };
        let own = |key: &str| text(&self.attributes, key);
        let why = Some(self.status.message.as_str()).filter(|message| !message.is_empty());
        let why = why.or_else(|| own("error.type")).unwrap_or_default();
        let peer = ["peer.service", "db.system", "db.system.name", "messaging.system"];
        Some(Span {
            start,
            nanos: u64::try_from(nanos).unwrap_or(0),
            kind: kind(&self.kind),
            id: id(&self.span_id),
            parent: Some(id(&self.parent_span_id)).filter(|id| !id.is_empty()),
            service: service.to_owned(),
            namespace: namespace.cloned(),
            operation: bounded(&self.name),
            error: failed.then(|| bounded(why)),
            peer: peer.into_iter().find_map(own).map(bounded),
            backwards: nanos < 0,
        })
    }
}

fn kind(of: &Enum) -> SpanKind {
    match of {
        Enum::Name(name) => match name.as_str() {
            "SPAN_KIND_SERVER" => SpanKind::Server,
            "SPAN_KIND_CLIENT" => SpanKind::Client,
            "SPAN_KIND_PRODUCER" => SpanKind::Producer,
            "SPAN_KIND_CONSUMER" => SpanKind::Consumer,
            _ => SpanKind::Internal,
        },
        Enum::Number(2) => SpanKind::Server,
        Enum::Number(3) => SpanKind::Client,
        Enum::Number(4) => SpanKind::Producer,
        Enum::Number(5) => SpanKind::Consumer,
        Enum::Number(_) | Enum::Missing => SpanKind::Internal,
    }
}
