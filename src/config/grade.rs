//! How well belay has to see before it acts.

use serde::Deserialize;

/// How well every cluster must be seen, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "grades as in school")]
pub enum MinimumGrade {
    A,
    B,
    C,
    D,
    F,
}
