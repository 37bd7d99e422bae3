//! A repository: commits of files, branches that point to them, pull requests between branches.

use std::collections::BTreeMap;

use crate::domain::canonical::Hash;

/// `owner/name`, and the path of the project.
pub const NAME: &str = "shop/deploy";

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// What it stands on.
    pub parents: Vec<String>,
    /// What it says.
    pub message: String,
    /// All files as they are with it.
    pub files: BTreeMap<String, String>,
}

/// How a pull request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum State {
    Open,
    Merged,
    Closed,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: u64,
    /// The branch that it comes from.
    pub from: String,
    /// The branch that it is to be merged into.
    pub into: String,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// How it stands.
    pub state: State,
    /// It comes from somebody's fork.
    pub fork: bool,
}

/// The repository.
#[derive(Debug, Clone, Default)]
pub struct Repo {
    /// By id.
    pub commits: BTreeMap<String, Commit>,
    /// Where each branch points.
    pub branches: BTreeMap<String, String>,
    /// In their order.
    pub pulls: Vec<Pull>,
}

/// An id as git has them.
fn id(parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    let mut id = Hash::of_parts(&parts).to_string();
    id.truncate(40);
    id
}

/// The id of a file's content.
pub fn blob(text: &str) -> String {
    id(&["blob", text])
}

impl Repo {
    /// With these files on `main`.
    pub fn new(files: &[(&str, &str)]) -> Self {
        let mut repo = Self::default();
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
        repo.add("main", vec![], "first", files);
        repo
    }

    fn add(&mut self, branch: &str, parents: Vec<String>, message: &str, files: BTreeMap<String, String>) {
        let count = self.commits.len().to_string();
        let id = id(&["commit", branch, message, &count]);
        let commit = Commit { id: id.clone(), parents, message: message.to_owned(), files };
        self.commits.insert(id.clone(), commit);
        self.branches.insert(branch.to_owned(), id);
    }

    /// The newest commit of a branch.
    pub fn tip(&self, branch: &str) -> Option<&Commit> {
        self.commits.get(self.branches.get(branch)?)
    }

    /// A file on a branch.
    pub fn file(&self, branch: &str, path: &str) -> Option<&str> {
        self.tip(branch)?.files.get(path).map(String::as_str)
    }

    /// The commit that this id or branch names.
    pub fn at(&self, name: &str) -> Option<&Commit> {
        self.commits.get(name).or_else(|| self.tip(name))
    }

    /// One more commit on a branch, which is made where it is missing.
    pub fn push(&mut self, branch: &str, path: &str, text: &str, message: &str) {
        let tip = self.tip(branch).or_else(|| self.tip("main"));
        let parents = tip.iter().map(|tip| tip.id.clone()).collect();
        let mut files = tip.map(|tip| tip.files.clone()).unwrap_or_default();
        files.insert(path.to_owned(), text.to_owned());
        self.add(branch, parents, message, files);
    }

    /// The newest commit of a branch in which the file's content became what it is.
    pub fn last_change(&self, at: &Commit, path: &str) -> String {
        let mut commit = at;
        loop {
            let parent = commit.parents.first().and_then(|parent| self.commits.get(parent));
            match parent {
                Some(parent) if parent.files.get(path) == at.files.get(path) => commit = parent,
                Some(_) | None => return commit.id.clone(),
            }
        }
    }

    /// People merge a pull request.
    pub fn merge(&mut self, number: u64) {
        let Some(pull) = self.pulls.iter_mut().find(|pull| pull.number == number) else { return };
        pull.state = State::Merged;
        let (from, into) = (pull.from.clone(), pull.into.clone());
        if let Some(commit) = self.branches.remove(&from) {
            self.branches.insert(into, commit);
        }
    }

    /// People close a pull request.
    pub fn close(&mut self, number: u64) {
        if let Some(pull) = self.pulls.iter_mut().find(|pull| pull.number == number) {
            pull.state = State::Closed;
        }
    }

    /// Opens one; `None` where an open one comes from that branch already.
    pub fn open(&mut self, from: &str, into: &str, (title, body): (&str, &str)) -> Option<&Pull> {
        if self.pulls.iter().any(|pull| pull.from == from && !pull.fork && pull.state == State::Open) {
            return None;
        }
        let number = self.pulls.len() as u64 + 1;
        self.pulls.push(Pull {
            number,
            from: from.to_owned(),
            into: into.to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
            state: State::Open,
            fork: false,
        });
        self.pulls.last()
    }
}
