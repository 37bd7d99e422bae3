//! Deploys as they are told: by the cluster's own revisions, by Argo CD, by a forge. What, when, by whom, of which
//! commit, and what came of it. Text of others in them is cleaned and bounded.

mod changes;
mod pieces;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::redact;
use super::target::Object;

pub use changes::changes;
pub use pieces::{ContainerPieces, Pieces, pieces};

/// The longest name of anything: an image with its digest, a branch.
const NAME: usize = 253;
/// A message of two lines on a screen: its beginning says what it is.
const MESSAGE: usize = 240;
/// The shortest commit that is told apart from another, and the longest id there is (SHA-256).
const COMMIT: std::ops::RangeInclusive<usize> = 7..=64;

/// Who told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The cluster's own revisions.
    Kubernetes,
    /// An application of Argo CD.
    ArgoCd,
    /// Deployments of a repository on GitHub.
    Github,
    /// Deployments of a project on GitLab.
    Gitlab,
}

impl Source {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kubernetes => "Kubernetes",
            Self::ArgoCd => "Argo CD",
            Self::Github => "GitHub",
            Self::Gitlab => "GitLab",
        }
    }
}

/// What came of a deploy, or of a part of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It ended well.
    Succeeded,
    /// It did not.
    Failed,
    /// It is under way.
    Running,
    /// It waits for somebody.
    Waiting,
    /// Somebody stopped it, or it was left out.
    Cancelled,
    /// Another took its place, and nobody says whether it had worked.
    Replaced,
    /// Its source does not say, or in a word that belay does not know.
    Unknown,
}

impl Outcome {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Cancelled => "cancelled",
            Self::Replaced => "replaced",
            Self::Unknown => "unknown",
        }
    }
}

/// A deploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// Who told of it.
    pub source: Source,
    /// What it goes by there: `revision 7`, `deployment 41`.
    pub name: String,
    /// When it was made.
    pub at: Option<Timestamp>,
    /// Who made it.
    pub by: Option<String>,
    /// What was deployed: images, a branch or tag, a chart.
    pub what: Vec<String>,
    /// The commit.
    pub commit: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// What is said of it besides.
    pub note: Option<String>,
    /// How it differs from the one before, as far as its source shows that.
    pub changes: Vec<String>,
}

/// A run of a pipeline, or the operation of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Who told of it.
    pub source: Source,
    /// What it goes by there.
    pub name: String,
    /// When it began.
    pub at: Option<Timestamp>,
    /// Who started it.
    pub by: Option<String>,
    /// The branch or tag.
    pub reference: Option<String>,
    /// The commit.
    pub commit: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// Its jobs, or what it did last; of the newest only.
    pub stages: Vec<Stage>,
    /// Its tests, where the source counts them; of the newest only.
    pub tests: Option<Tests>,
    /// Who or what it waits for.
    pub waits_for: Vec<String>,
    /// What is said of it besides.
    pub note: Option<String>,
}

/// A part of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// Counted tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tests {
    /// All of them.
    pub total: u64,
    /// Those that failed, or could not be run.
    pub failed: u64,
    /// Those that were left out.
    pub skipped: u64,
}

/// What lies between two commits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Commits.
    pub commits: u64,
    /// Files that differ.
    pub files: u64,
    /// Whether there may be more files than were counted.
    pub more: bool,
}

impl Compared {
    /// `3 commits, 12 files`.
    pub fn words(self) -> String {
        let Self { commits, files, more } = self;
        let more = if more { " or more" } else { "" };
        let (s, t) = (if commits == 1 { "" } else { "s" }, if files == 1 { "" } else { "s" });
        format!("{commits} commit{s}, {files}{more} file{t}")
    }
}

/// A change of a ConfigMap or Service, as it was recorded: which fields, never what stood in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigChange {
    /// Which one.
    pub object: Object,
    /// When it was seen.
    pub at: Timestamp,
    /// Whether that is when it happened; otherwise it happened earlier, while nobody watched.
    pub watched: bool,
    /// The fields that changed, as JSON pointers.
    pub fields: Vec<String>,
    /// It was deleted.
    pub gone: bool,
}

/// A name of others, on one line.
pub fn name(text: &str) -> String {
    redact::line(text, NAME)
}

/// A message of others, on one line; `None` where nothing is said.
pub fn message(text: &str) -> Option<String> {
    Some(redact::line(text, MESSAGE)).filter(|text| !text.is_empty())
}

/// The id of a commit, if it is one: what is asked for at a forge is made from it.
pub fn commit(text: &str) -> Option<String> {
    let hex = |c: char| c.is_ascii_hexdigit();
    (COMMIT.contains(&text.len()) && text.chars().all(hex)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hexadecimal_is_a_commit() {
        assert_eq!(commit("99D03678b90d").as_deref(), Some("99d03678b90d"));
        for text in ["", "main", "../..", "99d036", "99d03678...a91957a8", "g9d03678", &"a".repeat(65)] {
            assert_eq!(commit(text), None, "{text}");
        }
    }

    #[test]
    fn what_lies_between_is_told_in_figures() {
        assert_eq!(Compared { commits: 1, files: 1, more: false }.words(), "1 commit, 1 file");
        assert_eq!(
            Compared { commits: 250, files: 300, more: true }.words(),
            "250 commits, 300 or more files"
        );
    }
}
