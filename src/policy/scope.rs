//! Whose a file is, and how far its rules reach.

use std::fmt;

use crate::domain::target::Named;

/// Where a file's rules come from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Home {
    /// The owner as the file's metadata names it.
    pub owner: String,
    /// How far its rules reach; `None`: everywhere, as only the platform's do.
    pub scope: Option<Scope>,
}

/// Clusters and namespaces. An empty list: all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scope {
    pub clusters: Vec<Pattern>,
    pub namespaces: Vec<Pattern>,
}

/// A name, or the beginning of names: `stg-*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    Exact(String),
    Prefix(String),
}

/// As much of a place as is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whereabouts<'a> {
    pub cluster: Option<&'a str>,
    pub namespace: Option<&'a str>,
}

impl<'a> From<&'a Named> for Whereabouts<'a> {
    fn from(named: &'a Named) -> Self {
        Self { cluster: Some(named.cluster.as_str()), namespace: Some(&named.namespace) }
    }
}

impl Home {
    /// Whether the file's rules reach this object.
    pub fn reaches(&self, named: &Named) -> bool {
        self.reaches_there(named.into()) == Some(true)
    }

    /// Whether the file's rules reach this place, if that can be told.
    pub fn reaches_there(&self, place: Whereabouts<'_>) -> Option<bool> {
        let Some(Scope { clusters, namespaces }) = &self.scope else { return Some(true) };
        match (among(clusters, place.cluster), among(namespaces, place.namespace)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            (None, _) | (_, None) => None,
        }
    }
}

fn among(patterns: &[Pattern], name: Option<&str>) -> Option<bool> {
    if patterns.is_empty() {
        return Some(true);
    }
    name.map(|name| patterns.iter().any(|pattern| pattern.matches(name)))
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => name == exact,
            Self::Prefix(prefix) => name.starts_with(prefix),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(clusters: &[&str], prefix: &str) -> Home {
        let clusters = clusters.iter().map(|name| Pattern::Exact((*name).to_owned())).collect();
        let namespaces = vec![Pattern::Exact("shop".to_owned()), Pattern::Prefix(prefix.to_owned())];
        Home { owner: "us".to_owned(), scope: Some(Scope { clusters, namespaces }) }
    }

    #[test]
    fn a_scope_is_exact_names_and_prefixes() {
        let place = |cluster, namespace| Whereabouts { cluster, namespace };
        let cases = [
            (Some("eu"), Some("shop"), Some(true)),
            (Some("eu"), Some("stg-1"), Some(true)),
            (Some("eu"), Some("stg"), Some(false)),
            (Some("eu"), Some("shop2"), Some(false)),
            (Some("us"), Some("shop"), Some(false)),
            (None, Some("shop"), None),
            (None, Some("other"), Some(false)),
            (Some("eu"), None, None),
        ];
        for (cluster, namespace, expected) in cases {
            let found = home(&["eu"], "stg-").reaches_there(place(cluster, namespace));
            assert_eq!(found, expected, "{cluster:?} {namespace:?}");
        }
        assert_eq!(home(&[], "stg-").reaches_there(place(None, Some("shop"))), Some(true));
        assert_eq!(Home::default().reaches_there(place(None, None)), Some(true));
    }

    #[test]
    fn a_pattern_reads_as_it_is_written() {
        assert_eq!(Pattern::Exact("shop".to_owned()).to_string(), "shop");
        assert_eq!(Pattern::Prefix("stg-".to_owned()).to_string(), "stg-*");
    }
}
