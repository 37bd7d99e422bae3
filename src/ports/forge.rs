//! The forge: where the desired state is kept, as far as one change of one file can be proposed there. There
//! is no way to the branch that people merge into, and none to a repository that is not configured.

use async_trait::async_trait;

use crate::domain::warrant::Proposed;

/// Something was not done or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// The forge said no: nothing was changed.
    #[error("{what}: it answered {code}{}{said}", if .said.is_empty() { "" } else { ": " })]
    Refused {
        /// What was asked.
        what: &'static str,
        /// The HTTP status code.
        code: u16,
        /// Its message: text of others, on one line, bounded.
        said: String,
    },
    /// No answer, one that leaves open what was done, or one that cannot be understood.
    #[error("{what}: {why}")]
    Unclear {
        /// What was asked.
        what: &'static str,
        /// What came instead of an answer.
        why: String,
    },
}

/// The newest commit of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Its id.
    pub commit: String,
    /// What it stands on.
    pub parents: Vec<String>,
    /// What it says of itself.
    pub message: String,
}

/// A file as it is at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its content.
    pub text: String,
    /// The version by which the forge notices that it changed.
    pub version: String,
}

/// One commit of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit<'a> {
    /// On which branch.
    pub branch: &'a str,
    /// Whether the branch is there; it is made otherwise, at `base`.
    pub there: bool,
    /// The commit that it stands on.
    pub base: &'a str,
    /// The file.
    pub path: &'a str,
    /// The version of the file that is replaced.
    pub version: &'a str,
    /// The file as it will be.
    pub text: &'a str,
    /// What the commit says of itself.
    pub message: &'a str,
}

/// What a pull request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft<'a> {
    /// The branch that it comes from.
    pub branch: &'a str,
    /// The branch that it is to be merged into.
    pub into: &'a str,
    /// One line.
    pub title: &'a str,
    /// Markdown, everything of others fenced.
    pub body: &'a str,
}

/// A pull or merge request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub number: u64,
    /// Where it is found and how it stands.
    pub proposed: Proposed,
}

/// One repository of one forge.
#[async_trait]
pub trait Forge: Send + Sync {
    /// The newest commit of a branch; `None`: there is no such branch.
    async fn tip(&self, branch: &str) -> Result<Option<Tip>, ForgeError>;

    /// A plain file at a commit; `None`: there is none.
    async fn file(&self, path: &str, commit: &str) -> Result<Option<File>, ForgeError>;

    /// Commits the change to its branch, unless file or branch are not as they were read.
    async fn commit(&self, change: &Commit<'_>) -> Result<(), ForgeError>;

    /// The pull requests that ever came from this branch of this repository.
    async fn requests(&self, branch: &str) -> Result<Vec<Request>, ForgeError>;

    /// Opens a pull request.
    async fn open(&self, draft: &Draft<'_>) -> Result<Request, ForgeError>;

    /// Closes one without merging it.
    async fn close(&self, number: u64) -> Result<(), ForgeError>;

    /// Takes a branch away.
    async fn remove(&self, branch: &str) -> Result<(), ForgeError>;
}
