//! Declared jobs: what a template may say, when it is offered, and what it comes down to.
// said so that the lints know these helpers for tests
#![cfg(test)]

mod offers;
mod refused;
mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use belay::config;
use belay::domain::action::Action;
use belay::domain::action::job::{Rules, Template, Templates};
use belay::domain::alert::Labels;
use belay::domain::target::{Object, RootOwner};

/// The shipped template without an undo.
pub const REQUEUE: &str = include_str!("../../../deploy/jobs/requeue-dead-letters.yaml");
/// The shipped one with one.
pub const OFF: &str = include_str!("../../../deploy/jobs/recommendations-off.yaml");

/// Reads templates from these texts, in a world in which belay acts in `shop`.
pub fn read(texts: &[&str]) -> Result<Templates, String> {
    let dir = tempfile::tempdir().unwrap();
    for (i, text) in texts.iter().enumerate() {
        std::fs::write(dir.path().join(format!("{i}.yaml")), text).unwrap();
    }
    loaded(&[dir.path().to_owned()])
}

/// Reads templates from these files and folders.
pub fn loaded(paths: &[PathBuf]) -> Result<Templates, String> {
    let namespaces: BTreeSet<String> = ["shop", "belay", "data"].map(str::to_owned).into();
    let protected: BTreeMap<String, String> = [("data".to_owned(), "the journal is there".to_owned())].into();
    let rules = Rules { namespaces: &namespaces, own_namespace: "belay", protected: &protected };
    let read: Vec<(String, Template)> = config::documents(paths).map_err(|e| e.to_string())?;
    Templates::new(read, rules).map_err(|e| e.to_string())
}

/// Those that are shipped as examples.
pub fn templates() -> Templates {
    loaded(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/jobs")]).unwrap()
}

pub fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The one job that the shipped templates offer for this alert about this object.
pub fn offered(pairs: &[(&str, &str)], target: &Object) -> Action {
    let mut all = templates().offers(&labels(pairs), target, &RootOwner(target.clone()));
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// The shipped job without an undo, for this object.
pub fn requeue(target: &Object) -> Action {
    offered(&[("alertname", "DeadLettersPilingUp"), ("queue", "orders")], target)
}

/// The shipped job with an undo, for this object.
pub fn off(target: &Object) -> Action {
    offered(&[("alertname", "RecommendationsSlow")], target)
}
