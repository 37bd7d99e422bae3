//! The repositories that the action server may propose changes to, from its limits.

use std::sync::Arc;

use crate::adapters::github::GitHub;
use crate::adapters::gitlab::GitLab;
use crate::config::{self, ConfigError, FileConfig, ForgeName, LimitsConfig, RepositoryConfig};
use crate::domain::action::pull_request::{BRANCHES, FileRule};
use crate::domain::plan::{Forge, Place};
use crate::domain::target::Kind;
use crate::ports::clock::SharedClock;
use crate::ports::forge;
use crate::servers::actions::{Repositories, Repository};

/// All of them; what is wrong with one ends the start.
pub fn repositories(limits: &LimitsConfig, clock: &SharedClock) -> Result<Repositories, ConfigError> {
    let all = limits.repositories.iter().map(|config| repository(config, clock));
    all.collect::<Result<Vec<_>, _>>().map(Repositories::new)
}

fn repository(config: &RepositoryConfig, clock: &SharedClock) -> Result<Repository, ConfigError> {
    let RepositoryConfig { forge, url, repository, branch, token_file, files } = config;
    let wrong = |why: String| ConfigError::Conflict(format!("`limits.repositories`: {why}"));
    let segments = repository.split('/').count();
    let fits = match forge {
        ForgeName::GitHub => segments == 2,
        ForgeName::GitLab => segments >= 2,
    };
    if !fits || !repository.split('/').all(plain) {
        return Err(wrong(format!("`{repository}` is no repository: give it as `owner/name`")));
    }
    if !branch.split('/').all(plain) || branch.starts_with(BRANCHES) {
        return Err(wrong(format!("`{branch}` is no branch that people merge into")));
    }
    if files.is_empty() {
        return Err(wrong(format!("`files` of `{repository}` names no file")));
    }
    let files = files.iter().map(rule).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let kind = match forge {
        ForgeName::GitHub => Forge::Github,
        ForgeName::GitLab => Forge::Gitlab,
    };
    let place = Place { forge: kind, url: url.clone(), repository: repository.clone(), into: branch.clone() };
    let (token, clock) = (config::secret(token_file)?, Arc::clone(clock));
    let forge: Result<Arc<dyn forge::Forge>, _> = match forge {
        ForgeName::GitHub => GitHub::new(&place, token, clock).map(|it| Arc::new(it) as _),
        ForgeName::GitLab => GitLab::new(&place, token, clock).map(|it| Arc::new(it) as _),
    };
    Ok(Repository { forge: forge.map_err(|e| wrong(e.to_string()))?, place, files })
}

fn rule(config: &FileConfig) -> Result<FileRule, String> {
    let FileConfig { namespace, kind, name, path } = config;
    if let Some(kind) = kind.as_ref().filter(|kind| Kind::from_name(kind) == Kind::Other) {
        return Err(format!("belay knows no kind `{kind}`"));
    }
    FileRule::new([namespace.clone(), kind.clone(), name.clone()], path)
}

/// What git lets no part of a branch end with.
const LOCK: &str = ".lock";

/// A part of a name, as both forges and git take it.
fn plain(part: &str) -> bool {
    let fit = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !part.is_empty()
        && part.len() <= 255
        && part.bytes().all(fit)
        && !part.starts_with(['.', '-'])
        && !part.ends_with('.')
        && !part.contains("..")
        && !part.to_ascii_lowercase().ends_with(LOCK)
}
