//! The log of every mutating request that the API server saw: what a kill harness counts by.

use std::fmt;
use std::fs::File;
use std::io::{self, Write as _};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::text;
use super::route::Verb;

/// The annotation by which an effect names its intent.
pub const INTENT: &str = "belay.dev/intent";
/// The same as a part of a JSON pointer.
const INTENT_ESCAPED: &str = "belay.dev~1intent";

/// One mutating request and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WriteSeen {
    /// When it took effect or was refused.
    pub at: Timestamp,
    /// What it does.
    pub verb: Verb,
    /// Its path without the query.
    pub path: String,
    /// The client's name for itself.
    pub user_agent: String,
    /// Whether it asked for no effect.
    pub dry_run: bool,
    /// Its body; null when that is no JSON.
    pub body: Value,
    /// The status code of the answer, whether or not the answer arrived.
    pub status: u16,
    /// Whether any object changed by it.
    pub changed: bool,
    /// Whether that was an act: anything but marking a pod, which prepares one.
    pub effect: bool,
    /// The intent that it names, or, for an eviction, that the pod names.
    pub intent: Option<String>,
}

/// A mutating request at the moment of its arrival, before it takes effect.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// What it does.
    pub verb: Verb,
    /// Its path without the query.
    pub path: String,
    /// The client's name for itself.
    pub user_agent: String,
    /// Whether it asks for no effect.
    pub dry_run: bool,
    /// Its body; null when that is no JSON.
    pub body: Value,
    /// The intent that it names, or, for an eviction, that the pod names.
    pub intent: Option<String>,
}

pub(crate) type OnArrival = Box<dyn Fn(&Arrival) + Send>;

/// The log and who reads along.
#[derive(Default)]
pub(crate) struct WriteLog {
    pub seen: Vec<WriteSeen>,
    pub file: Option<File>,
    pub on_arrival: Option<OnArrival>,
}

impl fmt::Debug for WriteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteLog").field("seen", &self.seen.len()).finish_non_exhaustive()
    }
}

impl WriteLog {
    /// Adds an entry; it is in the file before this returns.
    pub(crate) fn append(&mut self, seen: WriteSeen) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            let mut line = serde_json::to_vec(&seen)?;
            line.push(b'\n');
            file.write_all(&line)?;
            file.flush()?;
        }
        self.seen.push(seen);
        Ok(())
    }
}

/// The intent that a body sets: a key in any object, or the path of a JSON Patch operation other than
/// `test`, which only compares.
pub(crate) fn intent_in(body: &Value) -> Option<String> {
    match body {
        Value::Object(fields) => {
            if text(body, "/op") == "test" {
                return None;
            }
            if text(body, "/path").ends_with(INTENT_ESCAPED) {
                return body.get("value").and_then(Value::as_str).map(str::to_owned);
            }
            let here = fields.get(INTENT).and_then(Value::as_str).map(str::to_owned);
            here.or_else(|| fields.values().find_map(intent_in))
        }
        Value::Array(list) => list.iter().find_map(intent_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}
