//! Which definitions of third-party tools people have accepted. A pin is a hash over the whole definition of a tool;
//! the definition itself stands beside it, for people to read what changed, and for belay to offer while a server is
//! down. The file is written by `belay mcp pin --accept`, kept with the configuration, and never by the daemon.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use rmcp::model::Tool;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::canonical::Hash;
use crate::domain::redact;

/// What the file says of itself.
const ABOUT: &str = "Accepted definitions of third-party MCP tools. Written by `belay mcp pin --accept`.";

/// The version of the file's format.
const VERSION: u32 = 1;

/// The longest value of a difference that is shown: a description is a page at most.
const SHOWN: usize = 4000;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PinsError {
    /// It is no such file.
    #[error("the pins cannot be read: {0}; `belay mcp pin --accept SERVER` writes them")]
    Unreadable(String),
    /// Of another version of belay.
    #[error("the pins are of version {0}, and this belay reads version {VERSION}")]
    Version(u32),
    /// Hash and definition differ: somebody edited one of them.
    #[error(
        "the pin of `{0}` does not fit the definition beside it: it was edited by hand; accept the tool anew with \
         `belay mcp pin --accept {0}`"
    )]
    Edited(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    sha256: Hash,
    definition: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    about: String,
    version: u32,
    servers: BTreeMap<String, BTreeMap<String, Pin>>,
}

/// The accepted definitions of all servers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pins(BTreeMap<String, BTreeMap<String, Pin>>);

/// How a tool that is allowed stands to its pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is what was accepted.
    Pinned,
    /// Nobody has accepted it yet.
    New,
    /// It is not what was accepted.
    Changed,
    /// The server lists it more than once: which one a call would reach cannot be told.
    Twice,
    /// The server has no such tool.
    Missing,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pinned => "pinned",
            Self::New => "new",
            Self::Changed => "changed",
            Self::Twice => "listed twice",
            Self::Missing => "missing",
        })
    }
}

impl Pins {
    /// Reads the file's text; each hash must be that of the definition beside it.
    pub fn parse(text: &str) -> Result<Self, PinsError> {
        let unreadable = |e: serde_json::Error| PinsError::Unreadable(e.to_string());
        let File { about: _, version, servers } = serde_json::from_str(text).map_err(unreadable)?;
        if version != VERSION {
            return Err(PinsError::Version(version));
        }
        for (server, tools) in &servers {
            for (tool, pin) in tools {
                let named = pin.definition.get("name").and_then(Value::as_str) == Some(tool);
                if pin.sha256 != hash(&pin.definition) || !named {
                    return Err(PinsError::Edited(format!("{server}/{tool}")));
                }
            }
        }
        Ok(Self(servers))
    }

    /// The file's text.
    pub fn text(&self) -> String {
        let file = File { about: ABOUT.to_owned(), version: VERSION, servers: self.0.clone() };
        // maps of text and JSON always have a form
        serde_json::to_string_pretty(&file).map(|text| text + "\n").unwrap_or_default()
    }

    /// How the tool of this name stands, given all that its server lists.
    pub fn judge(&self, server: &str, name: &str, listed: &[Tool]) -> Standing {
        let mut found = listed.iter().filter(|tool| tool.name == name);
        let Some(tool) = found.next() else { return Standing::Missing };
        if found.next().is_some() {
            return Standing::Twice;
        }
        match self.pin(server, name) {
            None => Standing::New,
            Some(pin) if pin.sha256 == hash(&definition(tool)) => Standing::Pinned,
            Some(_) => Standing::Changed,
        }
    }

    /// Accepts a tool as it is described now.
    pub fn accept(&mut self, server: &str, tool: &Tool) {
        let definition = definition(tool);
        let pin = Pin { sha256: hash(&definition), definition };
        self.0.entry(server.to_owned()).or_default().insert(tool.name.to_string(), pin);
    }

    /// The tool as it was accepted.
    pub fn accepted(&self, server: &str, name: &str) -> Option<Tool> {
        serde_json::from_value(self.pin(server, name)?.definition.clone()).ok()
    }

    /// What differs from what was accepted, a line each, as people read it: everything where nothing was.
    pub fn difference(&self, server: &str, tool: &Tool) -> Vec<String> {
        let before = self.pin(server, &tool.name).map(|pin| leaves(&pin.definition)).unwrap_or_default();
        let after = leaves(&definition(tool));
        let mut lines = Vec::new();
        for (place, value) in &before {
            if after.get(place) != Some(value) {
                lines.push(shown('-', place, value));
            }
            if let Some(now) = after.get(place).filter(|now| *now != value) {
                lines.push(shown('+', place, now));
            }
        }
        let added = after.iter().filter(|(place, _)| !before.contains_key(*place));
        lines.extend(added.map(|(place, value)| shown('+', place, value)));
        lines
    }

    fn pin(&self, server: &str, tool: &str) -> Option<&Pin> {
        self.0.get(server)?.get(tool)
    }
}

/// The whole definition as the client reads it: name, title, description, schemas, annotations, icons and metadata.
/// What the client does not read of a listing reaches nobody here, neither the model nor a call.
fn definition(tool: &Tool) -> Value {
    serde_json::to_value(tool).unwrap_or_default()
}

/// What a definition is known by: SHA-256 over its JSON without spaces and with its names in order. Not RFC 8785,
/// which writes all numbers as doubles, so that two large ones could be one.
fn hash(definition: &Value) -> Hash {
    let mut text = String::new();
    exact(definition, &mut text);
    Hash::of_parts(&[b"mcp-tool", text.as_bytes()])
}

fn exact(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, &Value> = map.iter().collect();
            out.push('{');
            for (name, value) in ordered {
                out.push_str(&Value::String(name.clone()).to_string());
                out.push(':');
                exact(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                exact(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            let _ = write!(out, "{value}"); // text takes anything
        }
    }
}

fn shown(sign: char, place: &str, value: &str) -> String {
    format!("{sign} {}: {}", redact::clean(place, 200).replace('\n', " "), redact::clean(value, SHOWN))
}

/// Each value by the way to it.
fn leaves(definition: &Value) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let top = Map::new();
    for (name, value) in definition.as_object().unwrap_or(&top) {
        walk(name.clone(), value, &mut out);
    }
    out
}

fn walk(place: String, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.iter().for_each(|(name, value)| walk(format!("{place}.{name}"), value, out));
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().enumerate().for_each(|(i, value)| walk(format!("{place}[{i}]"), value, out));
        }
        Value::Object(_)
        | Value::Array(_)
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_) => {
            out.insert(place, value.to_string());
        }
    }
}
