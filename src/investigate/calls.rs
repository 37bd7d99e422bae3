//! Tool calls as the model wrote them, made fit to be kept, sent back and carried out: ids that are unique,
//! names and arguments that every server accepts, and for each call either a reading or a refusal.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::endpoints::egress::Place;
use crate::domain::redact;
use crate::ports::model::ToolCall;

/// What makes two calls the same: the tool, and its arguments whatever their order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// Arguments that are a JSON object, without a name given twice.
#[derive(Debug, Default)]
struct Arguments(BTreeMap<String, Box<RawValue>>);

impl<'de> Deserialize<'de> for Arguments {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(ArgumentsVisitor)
    }
}

struct ArgumentsVisitor;

impl<'de> Visitor<'de> for ArgumentsVisitor {
    type Value = Arguments;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Arguments, A::Error> {
        let mut out = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            if out.insert(name, value).is_some() {
                return Err(A::Error::custom("an argument is given twice"));
            }
        }
        Ok(Arguments(out))
    }
}

/// Reads arguments; none at all (some servers send nothing for a tool without arguments) is an empty
/// object. Gives them in one canonical order.
pub fn arguments(text: &str, max: usize) -> Result<String, &'static str> {
    let text = text.trim();
    if text.len() > max {
        return Err("the arguments are too long");
    }
    let Arguments(map) = match text {
        "" | "null" => Arguments::default(),
        text => serde_json::from_str(text)
            .map_err(|_| "the arguments are not a JSON object in which each name stands once")?,
    };
    if depth(text) > DEPTH {
        return Err("the arguments are nested too deeply");
    }
    serde_json::to_string(&map).map_err(|_| "the arguments cannot be written as JSON")
}

/// Where a call with these arguments reads: the one namespace that it names, else nobody knows.
pub fn place(arguments: &str) -> Place {
    let Ok(Arguments(map)) = serde_json::from_str(arguments) else { return Place::Everything };
    let named = map.get("namespace").and_then(|value| serde_json::from_str::<String>(value.get()).ok());
    named.map_or(Place::Everything, |namespace| Place::of(&namespace))
}

/// Arguments as they are kept and sent back: one that holds a secret is blanked as a whole, so that what
/// is left is still an object.
pub fn blanked(arguments: &str) -> String {
    let Ok(Arguments(map)) = serde_json::from_str(arguments) else { return "{}".to_owned() };
    let kept = |name: &str, value: &str| {
        let text = format!("\"{name}\":{value}");
        redact::redact(&text) == text
    };
    let members: Vec<String> = map
        .iter()
        .filter_map(|(name, value)| {
            let value = if kept(name, value.get()) { value.get() } else { r#""[redacted]""# };
            // a name is the model's text, too
            Some(format!("{}:{value}", serde_json::to_string(&redact::redact(name)).ok()?))
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

/// How deep arguments may nest. Real ones have two or three levels; readers elsewhere recurse.
const DEPTH: usize = 16;

/// How deep a well-formed JSON text nests.
fn depth(text: &str) -> usize {
    let (mut now, mut most, mut in_text, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !in_text => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

/// The key of a call whose arguments are in canonical order.
pub fn key(name: &str, arguments: &str) -> Key {
    Key(format!("{name}\n{arguments}"))
}

/// A name that every server accepts.
pub fn is_tool_name(name: &str) -> bool {
    // OpenAI's own rule for function names
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

/// The ids of the calls of one conversation.
#[derive(Debug, Clone, Default)]
pub struct Ids {
    used: BTreeSet<String>,
    made: u32,
}

impl Ids {
    /// The given id if it is usable and new, else one that is made up. Nine letters and digits: some
    /// servers accept nothing else.
    pub fn admit(&mut self, given: &str) -> String {
        let usable = is_tool_name(given) && !self.used.contains(given);
        let id = if usable { given.to_owned() } else { self.make() };
        self.used.insert(id.clone());
        id
    }

    fn make(&mut self) -> String {
        loop {
            self.made += 1;
            let id = format!("call{:05}", self.made);
            if !self.used.contains(&id) {
                return id;
            }
        }
    }
}

/// A call as it stands in the transcript, and whether its arguments could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// As it is sent back: unique id, acceptable name, arguments that are an object.
    pub call: ToolCall,
    /// Why it cannot be carried out, in words for the model.
    pub fault: Option<&'static str>,
}

/// Makes one call fit for the transcript.
pub fn admit(ids: &mut Ids, call: &ToolCall, max: usize) -> Admitted {
    let id = ids.admit(&call.id);
    if !is_tool_name(&call.name) {
        let call = ToolCall { id, name: "unknown".into(), arguments: "{}".into() };
        return Admitted { call, fault: Some("there is no such tool") };
    }
    let (arguments, fault) = match arguments(&call.arguments, max) {
        Ok(arguments) => (arguments, None),
        Err(fault) => ("{}".into(), Some(fault)),
    };
    Admitted { call: ToolCall { id, name: call.name.clone(), arguments }, fault }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_an_object_with_each_name_once() {
        let read = |text: &str| arguments(text, 64);
        assert_eq!(read(""), Ok("{}".into()));
        assert_eq!(read(r#"{"b":1, "a":[2]}"#), Ok(r#"{"a":[2],"b":1}"#.into()));
        for wrong in [r#"{"a":1,"a":2}"#, "[]", "1", r#"{"a":"#, r#"{"a":NaN}"#, "{} {}", "\"{}\""] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read(&format!("{{\"a\":\"{}\"}}", "x".repeat(64))).is_err());
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        assert_eq!(arguments(&deep, 4096), Err("the arguments are nested too deeply"));
        let brackets = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(40));
        assert!(read(&brackets).is_ok(), "brackets in text are no nesting");
    }

    #[test]
    fn arguments_with_secrets_are_blanked_and_stay_an_object() {
        for (given, expected) in [
            (r#"{"namespace":"shop","tail":5}"#, r#"{"namespace":"shop","tail":5}"#),
            (r#"{"a":["x AKIAIOSFODNN7EXAMPLE"],"b":1}"#, r#"{"a":"[redacted]","b":1}"#),
            (r#"{"password":"hunter2"}"#, r#"{"password":"[redacted]"}"#),
            (r#"{"q":"{\"token\":\"abc\"}"}"#, r#"{"q":"[redacted]"}"#),
            (r#"{"jo@example.org":1}"#, r#"{"[e-mail]":"[redacted]"}"#),
            ("{}", "{}"),
        ] {
            assert_eq!(blanked(given), expected);
            assert_eq!(blanked(&blanked(given)), expected, "{given}");
        }
    }

    #[test]
    fn the_order_of_arguments_makes_no_other_call() {
        let one = arguments(r#"{"a":1,"b":2}"#, 64).unwrap();
        let two = arguments(r#"{"b":2,"a":1}"#, 64).unwrap();
        assert_eq!(key("x", &one), key("x", &two));
    }

    #[test]
    fn ids_are_unique_and_acceptable() {
        let mut ids = Ids::default();
        let got: Vec<String> =
            ["a", "a", "", "call00001", "x y", "call00004"].iter().map(|given| ids.admit(given)).collect();
        let distinct: BTreeSet<&String> = got.iter().collect();
        assert_eq!(distinct.len(), got.len(), "{got:?}");
        assert_eq!(got[0], "a");
        assert!(got.iter().all(|id| is_tool_name(id)));
    }
}
