//! What the tools take. Whatever is not named here is refused; a number that is too large is made the largest, and the
//! answer says what it left out.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::log::Severity;
use crate::servers::kit::{Trouble, quoted};

/// Most lines: at 120 bytes each, the usual length, as much as a client of a model passes on of one answer (24 KiB).
pub const MOST_LINES: u32 = 200;
/// Most lines before and after each: half a screen.
pub const MOST_CONTEXT: u32 = 10;
/// The longest name of a service: that of a name in Kubernetes.
const NAME: usize = 253;

/// What `search_logs` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchArgs {
    /// The namespace to look in.
    pub namespace: String,
    /// Only of this service.
    #[serde(default)]
    pub service: Option<String>,
    /// At least so grave.
    #[serde(default)]
    pub severity: Option<Level>,
    /// `15m`, `2h`, or a time.
    #[serde(default = "hour")]
    pub since: String,
    /// As `since`; now.
    #[serde(default)]
    pub until: Option<String>,
    /// Plain text, or `/a regular expression/`.
    #[serde(default)]
    pub pattern: Option<String>,
    /// Lines before and after each.
    #[serde(default)]
    #[schemars(range(max = MOST_CONTEXT))]
    pub context: u32,
    /// Lines at most.
    #[serde(default = "lines")]
    #[schemars(range(min = 1, max = MOST_LINES))]
    pub limit: u32,
}

/// What `get_error_summary` takes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorArgs {
    /// The namespace to look in.
    pub namespace: String,
    /// Only of this service.
    #[serde(default)]
    pub service: Option<String>,
    /// `15m`, `2h`, or a time.
    #[serde(default = "hour")]
    pub since: String,
}

/// How grave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
            Level::Fatal => Self::Fatal,
        }
    }
}

/// Whether the text can name a service: more than Kubernetes allows, since other stores have names of their own.
pub fn service(name: Option<&String>) -> Result<(), Trouble> {
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
    match name {
        Some(name) if !(1..=NAME).contains(&name.len()) || !name.bytes().all(fit) => {
            let why =
                format!("`{}` cannot be the name of a service: letters, digits and `-_.:/`", quoted(name));
            Err(Trouble::Argument(why))
        }
        Some(_) | None => Ok(()),
    }
}

/// A quarter of the most: a screen.
const fn lines() -> u32 {
    MOST_LINES / 4
}

/// What happened before most alerts is within it.
fn hour() -> String {
    "1h".to_owned()
}
