//! The runbooks that people wrote: all of them, and those that are meant for something.

use std::sync::Arc;

use super::reads::ReadError;
use crate::domain::alert::Labels;
use crate::domain::runbook::Runbook;

/// All runbooks of one moment.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    /// By name.
    pub books: Vec<Arc<Runbook>>,
    /// The commit that they were checked out at, where that can be told.
    pub version: Option<String>,
}

/// What a runbook is looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// The labels of an alert; `alertname` among them.
    pub labels: Labels,
    /// The namespace of the workload.
    pub namespace: String,
    /// The workload.
    pub service: Option<String>,
    /// Words.
    pub text: String,
}

/// A runbook that fits.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Which.
    pub book: Arc<Runbook>,
    /// Why, as a clause: "is for this alert".
    pub why: &'static str,
    /// The heading of the section that fits best; empty for what stands before the first one.
    pub heading: String,
    /// The beginning of that section.
    pub section: String,
}

/// The runbooks in force.
pub trait Runbooks: Send + Sync {
    /// All of them.
    fn all(&self) -> Result<Shelf, ReadError>;

    /// Those that fit, the surest first, at most so many.
    fn find(&self, sought: &Sought, most: usize) -> Result<Vec<Fit>, ReadError>;
}
