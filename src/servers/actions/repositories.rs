//! Where the desired state of objects is kept, as it is configured: nothing is guessed from the cluster.

use std::sync::Arc;

use crate::domain::action::pull_request::FileRule;
use crate::domain::plan::{Place, Proposal, Refusal};
use crate::domain::target::Named;
use crate::ports::forge::Forge;

/// A repository that changes may be proposed to.
#[derive(Clone)]
pub struct Repository {
    /// Where.
    pub place: Place,
    /// Which of its files hold which objects; the first that fits counts.
    pub files: Vec<FileRule>,
    /// How it is reached.
    pub forge: Arc<dyn Forge>,
}

/// All of them.
#[derive(Clone, Default)]
pub struct Repositories(Vec<Repository>);

impl Repositories {
    /// These; the first that holds an object counts.
    pub const fn new(repositories: Vec<Repository>) -> Self {
        Self(repositories)
    }

    /// The repository and the file that hold this object.
    pub(super) fn of(&self, object: &Named) -> Result<(&Repository, String), Refusal> {
        let file = |repository: &Repository| repository.files.iter().find_map(|rule| rule.path(object));
        let found = self.0.iter().find_map(|repository| Some((repository, file(repository)?)));
        found.ok_or_else(|| {
            let why = "no repository is configured that holds";
            Refusal::Limit(format!("{why} `{object}`: name it in `limits.repositories`"))
        })
    }

    /// The repository of a proposal that was made before.
    pub(super) fn again(&self, proposal: &Proposal) -> Result<&Repository, Refusal> {
        let found = self.0.iter().find(|repository| repository.place == proposal.place);
        found.ok_or_else(|| {
            let name = &proposal.place.repository;
            Refusal::Limit(format!("the repository `{name}` is not configured any more"))
        })
    }
}
