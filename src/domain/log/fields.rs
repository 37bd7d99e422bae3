//! Structured lines: the fields by which JSON loggers and logfmt say message, error, severity and trace.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Severity, text, trace};

/// The longest line that is read as an object: what is larger is a dump, and its fields are not what is looked for.
const LONGEST: usize = 256 << 10;

/// What a structured line says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// Its message.
    pub message: Option<Cow<'a, str>>,
    /// Its error, or the beginning of a stack trace.
    pub error: Option<Cow<'a, str>>,
    /// How grave it is.
    pub severity: Option<Severity>,
    /// Its trace.
    pub trace: Option<String>,
    /// Its stack trace.
    pub stack: Option<Cow<'a, str>>,
}

/// The fields of a line that is a JSON object; `None`: it is none.
pub fn json(line: &str) -> Option<Fields<'_>> {
    let line = line.trim();
    if !line.starts_with('{') || line.len() > LONGEST {
        return None;
    }
    let Loose::Object(pairs) = serde_json::from_str(line).ok()? else { return None };
    let mut fields = Fields::default();
    for (key, value) in pairs {
        fields.take("", &key, value);
    }
    Some(fields)
}

/// How grave a line is, and the trace that it belongs to, in whatever form it is written.
pub fn marks(line: &str) -> (Option<Severity>, Option<String>) {
    if let Some(fields) = json(line) {
        let said = || fields.message.as_deref().and_then(text::severity);
        return (fields.severity.or_else(said), fields.trace);
    }
    let level = logfmt(line, &["level", "lvl", "severity"]).and_then(Severity::of_word);
    (level.or_else(|| text::severity(line)), trace::in_text(line))
}

/// The value of the first of these keys in a logfmt line. Keys stand at the beginning or after white space.
fn logfmt<'a>(line: &'a str, keys: &[&str]) -> Option<&'a str> {
    let mut words = line.split_ascii_whitespace().take(MOST_PAIRS);
    words.find_map(|word| {
        let (key, value) = word.split_once('=')?;
        keys.iter().any(|k| k.eq_ignore_ascii_case(key)).then(|| value.trim_matches(['"', ',']))
    })
}

/// Words that are looked at for a level, which stands near the beginning.
const MOST_PAIRS: usize = 40;

impl<'a> Fields<'a> {
    /// Takes what is known by this key; one level of objects within (`log: { level }`, `trace: { id }`) is known too.
    fn take(&mut self, above: &str, key: &str, value: Loose<'a>) {
        if let Loose::Object(inner) = value {
            if above.is_empty() {
                for (inner_key, value) in inner {
                    self.take(key, &inner_key, value);
                }
            }
            return;
        }
        let key = if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") };
        match key.as_str() {
            "msg" | "message" | "MESSAGE" | "@message" | "event" | "short_message" => {
                keep(&mut self.message, value.text());
            }
            "error" | "err" | "exception" | "error.message" | "err.message" | "err.msg" | "exc_info" => {
                keep(&mut self.error, value.text());
            }
            "stack"
            | "stack_trace"
            | "stacktrace"
            | "error.stack"
            | "err.stack"
            | "error.stack_trace"
            | "exception.stacktrace" => keep(&mut self.stack, value.text()),
            "level" | "severity" | "lvl" | "loglevel" | "levelname" | "log.level" | "@level" | "LEVEL"
            | "level_name" | "severity_text" => self.severity = self.severity.or_else(|| value.severity()),
            "trace_id"
            | "traceId"
            | "traceID"
            | "TraceId"
            | "trace.id"
            | "dd.trace_id"
            | "otelTraceID"
            | "traceparent"
            | "logging.googleapis.com/trace" => {
                let found = value.text().and_then(|text| trace::id(&text));
                self.trace = self.trace.take().or(found);
            }
            _ => {}
        }
        if self.error.is_none() {
            let first = |stack: &Cow<'_, str>| stack.lines().next().map(|line| Cow::Owned(line.to_owned()));
            self.error = self.stack.as_ref().and_then(first);
        }
    }
}

fn keep<'a>(place: &mut Option<Cow<'a, str>>, value: Option<Cow<'a, str>>) {
    if place.is_none() {
        *place = value.filter(|text| !text.is_empty());
    }
}

/// A value of which only texts, whole numbers and objects are kept.
enum Loose<'a> {
    Text(Cow<'a, str>),
    Number(i64),
    Object(Vec<(Cow<'a, str>, Loose<'a>)>),
    Other,
}

impl<'a> Loose<'a> {
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(number) => Some(Cow::Owned(number.to_string())),
            Self::Object(_) | Self::Other => None,
        }
    }

    fn severity(&self) -> Option<Severity> {
        match self {
            Self::Text(word) => Severity::of_word(word),
            Self::Number(number) => Severity::of_number(*number),
            Self::Object(_) | Self::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Any)
    }
}

/// Reads whatever stands there.
struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Loose<'de>, E> {
        Ok(Loose::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Loose<'de>, E> {
        Ok(Loose::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Loose<'de>, E> {
        Ok(i64::try_from(number).map_or(Loose::Other, Loose::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_unit<E>(self) -> Result<Loose<'de>, E> {
        Ok(Loose::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose<'de>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            pairs.push((key, map.next_value()?));
        }
        Ok(Loose::Object(pairs))
    }
}

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn each_loggers_fields_are_known() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (line, severity, traced) in [
            (format!(r#"{{"level":"error","msg":"x","trace_id":"{id}"}}"#), Severity::Error, true),
            (format!(r#"{{"level":50,"msg":"x","traceId":"{id}"}}"#), Severity::Error, true),
            (
                format!(r#"{{"log":{{"level":"WARN"}},"message":"x","trace":{{"id":"{id}"}}}}"#),
                Severity::Warn,
                true,
            ),
            (format!(r#"{{"log.level":"Warning","trace.id":"{id}"}}"#), Severity::Warn, true),
            (
                format!(
                    r#"{{"severity":"CRITICAL","logging.googleapis.com/trace":"projects/p/traces/{id}"}}"#
                ),
                Severity::Fatal,
                true,
            ),
            (format!("level=error msg=\"x\" traceID={id}"), Severity::Error, true),
            ("ts=1 level=WARN msg=x".to_owned(), Severity::Warn, false),
            (r#"{"msg":"2026-11-21 ERROR x"}"#.to_owned(), Severity::Error, false),
        ] {
            assert_eq!(marks(&line), (Some(severity), traced.then(|| id.to_owned())), "{line}");
        }
        assert_eq!(marks("plain"), (None, None));
    }

    #[test]
    fn a_stack_within_an_object_is_its_error_where_there_is_no_other() {
        let fields =
            json(r#"{"message":"no","error":{"stack_trace":"java.lang.X: boom\n\tat a.b(C.java:1)"}}"#);
        let fields = fields.unwrap();
        assert_eq!(fields.error.as_deref(), Some("java.lang.X: boom"));
        assert!(fields.stack.unwrap().contains("at a.b"));
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_line_holds_it_is_read(line in "\\PC{0,80}|[{}\\[\\]\":,a-z0-9 ]{0,80}") {
            let _ = marks(&line);
            let _ = text::says(&line);
            let _ = text::texts(&line);
        }
    }
}
