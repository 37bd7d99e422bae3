//! The brief: the standard checklist, looked up before any model is asked. For people and the model; policy is told
//! nothing of it.

use serde::{Deserialize, Serialize};

/// What one point of the checklist is about, in reading order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Other alerts that fire about the same owner or namespace.
    Alerts,
    /// What was changed lately.
    Changes,
    /// What the logs say.
    Errors,
    /// What the service depends on.
    Dependencies,
    /// What was seen before, and what helped.
    Similar,
    /// What is written about it.
    Runbooks,
}

impl About {
    /// The whole checklist.
    pub const ALL: [Self; 6] =
        [Self::Alerts, Self::Changes, Self::Errors, Self::Dependencies, Self::Similar, Self::Runbooks];

    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alerts => "other alerts",
            Self::Changes => "recent changes",
            Self::Errors => "errors in the logs",
            Self::Dependencies => "dependencies",
            Self::Similar => "seen before",
            Self::Runbooks => "runbooks",
        }
    }
}

/// One point of the checklist, answered as far as it could be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// What about.
    pub about: About,
    /// belay's own sentences; names of others in them are cleaned and bounded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<String>,
    /// The same of other namespaces: for people. A model may be asked about one namespace and be elsewhere, so it never
    /// reaches one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
    /// Text of others, shown verbatim and never as markup.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quoted: Vec<String>,
    /// Why it is not answered, or not wholly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl Point {
    /// What was found.
    pub const fn found(about: About, says: Vec<String>) -> Self {
        Self { about, says, elsewhere: Vec::new(), quoted: Vec::new(), missing: None }
    }

    /// Nothing, and why.
    pub fn unknown(about: About, why: impl Into<String>) -> Self {
        Self { missing: Some(why.into()), ..Self::found(about, Vec::new()) }
    }
}

/// All points, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Brief {
    /// The points.
    pub points: Vec<Point>,
}

impl Brief {
    /// Whether nothing was looked up: as in records that are older than the brief.
    pub const fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// What could not be looked up, one sentence each.
    pub fn missing(&self) -> impl Iterator<Item = String> {
        let gaps = self.points.iter().filter_map(|point| Some((point.about, point.missing.as_ref()?)));
        gaps.map(|(about, why)| format!("{} could not be looked up: {why}", about.name()))
    }
}
