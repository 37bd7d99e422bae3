//! What a server may look at, and why there is no answer.

use std::sync::Arc;

use crate::domain::redact;
use crate::domain::target::{is_dns_label, is_dns_name};
use crate::ports::reads::ReadError;

/// How alike a name must be to be suggested (Jaro-Winkler): one letter in five may differ, and a pod is found
/// by the name of its workload.
const ALIKE: f64 = 0.8;
/// Names that are suggested, or listed as allowed, at most.
const NAMES: usize = 5;

/// Why there is no answer, in words for people and models.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// A namespace outside the list.
    #[error("namespace `{namespace}` is not allowed; the allowed ones are {allowed}")]
    NotAllowed {
        /// What was asked for.
        namespace: String,
        /// What may be.
        allowed: String,
    },
    /// Text that cannot name an object.
    #[error("`{0}` cannot be the name of {1}: lower-case letters, digits, `-` and `.`")]
    NoName(String, &'static str),
    /// No such object.
    #[error("{what} not found in namespace `{namespace}`{hint}")]
    NotFound {
        /// What was asked for, with its kind.
        what: String,
        /// Where.
        namespace: String,
        /// `; did you mean …?`, or nothing.
        hint: String,
    },
    /// An argument that cannot be used, in a whole sentence that says what can be.
    #[error("{0}")]
    Argument(String),
    /// It could not be read.
    #[error("{0}")]
    Read(#[from] ReadError),
}

/// The namespaces that a server may look into.
#[derive(Debug, Clone)]
pub struct Scope {
    everywhere: bool,
    allowed: Arc<[String]>,
}

/// A server that can be had for somebody who may see less than it may: what it shows may be of more namespaces than the
/// one that it is asked about.
pub trait Narrowed: Clone {
    /// What it may look at.
    fn scope(&self) -> &Scope;

    /// The same server within this scope.
    #[must_use]
    fn within(&self, scope: Scope) -> Self;
}

/// That a server keeps its scope in this field: `narrows!(LogServer, scope)`.
macro_rules! narrows {
    ($server:ty, $($scope:ident).+) => {
        impl $crate::servers::kit::Narrowed for $server {
            fn scope(&self) -> &$crate::servers::kit::Scope {
                &self.$($scope).+
            }

            fn within(&self, scope: $crate::servers::kit::Scope) -> Self {
                let mut narrow = self.clone();
                narrow.$($scope).+ = scope;
                narrow
            }
        }
    };
}
pub(crate) use narrows;

impl Scope {
    /// These namespaces only; an empty list allows all.
    pub fn new(allowed: Vec<String>) -> Self {
        Self { everywhere: allowed.is_empty(), allowed: allowed.into() }
    }

    /// What of it is among these names. That may be nothing; it is never everything.
    #[must_use]
    pub fn among<'a>(&self, names: impl Iterator<Item = &'a str>) -> Self {
        let both = names.filter(|name| self.everywhere || self.allowed.iter().any(|a| a == name));
        Self { everywhere: false, allowed: both.map(str::to_owned).collect() }
    }

    /// The namespaces that may be read, where those are not all.
    pub fn allowed(&self) -> &[String] {
        &self.allowed
    }

    /// Whether every namespace may be read: what is not of one namespace may be read only then.
    pub fn is_everywhere(&self) -> bool {
        self.everywhere
    }

    /// Whether this namespace may be read.
    pub fn check(&self, namespace: &str) -> Result<(), Trouble> {
        if !is_dns_label(namespace) {
            return Err(Trouble::NoName(quoted(namespace), "a namespace"));
        }
        if self.is_everywhere() || self.allowed.iter().any(|a| a == namespace) {
            return Ok(());
        }
        let allowed = if self.allowed.is_empty() {
            "none".to_owned()
        } else {
            list(self.allowed.iter().map(String::as_str))
        };
        Err(Trouble::NotAllowed { namespace: quoted(namespace), allowed })
    }
}

/// Whether the text can name an object of Kubernetes.
pub fn object_name(name: &str, what: &'static str) -> Result<(), Trouble> {
    if is_dns_name(name) { Ok(()) } else { Err(Trouble::NoName(quoted(name), what)) }
}

/// What somebody wrote, fit to stand in an answer.
pub fn quoted(text: &str) -> String {
    redact::line(text, 80)
}

/// The name that is most alike, as a question.
pub fn did_you_mean<'a>(name: &str, there: impl Iterator<Item = &'a str>) -> String {
    let mut alike: Vec<(f64, &str)> =
        there.map(|n| (strsim::jaro_winkler(name, n), n)).filter(|(score, _)| *score >= ALIKE).collect();
    alike.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    match alike.first() {
        Some((_, best)) => format!("; did you mean `{best}`?"),
        None => String::new(),
    }
}

/// The first names, and how many more there are.
pub fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.map(|n| format!("`{}`", quoted(n))).collect();
    let more = quoted.len().saturating_sub(NAMES);
    let shown: Vec<&str> = quoted.iter().take(NAMES).map(String::as_str).collect();
    match more {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(names: &[&str]) -> Scope {
        Scope::new(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn what_is_narrowed_to_nothing_is_not_everything() {
        let nothing = scope(&["shop"]).among(["till"].into_iter());
        assert!(!nothing.is_everywhere());
        assert!(nothing.check("shop").is_err() && nothing.check("till").is_err());
        let of_all = scope(&[]).among(["till"].into_iter());
        assert!(of_all.check("till").is_ok() && of_all.check("shop").is_err());
        let none = scope(&[]).among(std::iter::empty());
        assert!(none.check("till").unwrap_err().to_string().ends_with("the allowed ones are none"));
    }
}
