//! Which namespaces' text may leave for which endpoint. What is not known to be allowed is not.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Where text was read, within one cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// One namespace.
    Namespace(String),
    /// More than one namespace, or none: nodes, or a tool that does not say what it reads.
    Everything,
}

impl Place {
    /// This namespace; for what has none, everything.
    pub fn of(namespace: &str) -> Self {
        if namespace.is_empty() { Self::Everything } else { Self::Namespace(namespace.to_owned()) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace(name) => write!(f, "namespace `{}`", super::super::fence::one_line(name, 63)),
            Self::Everything => f.write_str("no one namespace"),
        }
    }
}

/// One of the places whose text may leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Allowed {
    Everything,
    Cluster(String),
    Namespace { cluster: Option<String>, namespace: String },
}

/// The places whose text may leave for an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress(Vec<Allowed>);

/// Not a place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a namespace: write `shop`, `eu-1/shop`, `eu-1/*` or `*`")]
pub struct NoPlace(String);

impl Egress {
    /// Everything may.
    pub fn everything() -> Self {
        Self(vec![Allowed::Everything])
    }

    /// Nothing may.
    pub const fn nothing() -> Self {
        Self(Vec::new())
    }

    /// `namespace`, `cluster/namespace`, `cluster/*` or `*`, each.
    pub fn parse(texts: &[String]) -> Result<Self, NoPlace> {
        texts
            .iter()
            .map(|text| allowed(text).ok_or_else(|| NoPlace(text.clone())))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether text of this place may leave.
    pub fn allows(&self, cluster: &str, place: &Place) -> bool {
        self.0.iter().any(|allowed| match (allowed, place) {
            (Allowed::Everything, _) => true,
            (Allowed::Cluster(name), _) => name == cluster,
            (Allowed::Namespace { cluster: of, namespace }, Place::Namespace(name)) => {
                namespace == name && of.as_ref().is_none_or(|of| of == cluster)
            }
            (Allowed::Namespace { .. }, Place::Everything) => false,
        })
    }

    /// The namespaces of a cluster that may be named in a call, for the model.
    fn namespaces(&self, cluster: &str) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for allowed in &self.0 {
            if let Allowed::Namespace { cluster: of, namespace } = allowed
                && of.as_ref().is_none_or(|of| of == cluster)
            {
                names.insert(namespace.as_str());
            }
        }
        names
    }
}

fn allowed(text: &str) -> Option<Allowed> {
    let name = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        ((1..=63).contains(&text.len()) && text.chars().all(fits)).then(|| text.to_owned())
    };
    match text.split_once('/') {
        None if text == "*" => Some(Allowed::Everything),
        None => Some(Allowed::Namespace { cluster: None, namespace: name(text)? }),
        Some((cluster, "*")) => Some(Allowed::Cluster(name(cluster)?)),
        Some((cluster, namespace)) => {
            Some(Allowed::Namespace { cluster: Some(name(cluster)?), namespace: name(namespace)? })
        }
    }
}

/// What may leave for each endpoint, for one conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    cluster: String,
    endpoints: Vec<Egress>,
    /// The namespaces that whoever asks may see; nothing: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    only: Option<BTreeSet<String>>,
}

impl Reach {
    /// For a conversation about this cluster with these endpoints.
    pub const fn new(cluster: String, endpoints: Vec<Egress>) -> Self {
        Self { cluster, endpoints, only: None }
    }

    /// The same, for somebody who may see only these namespaces.
    #[must_use]
    pub fn within(self, only: Option<BTreeSet<String>>) -> Self {
        Self { only, ..self }
    }

    /// One endpoint that may see everything.
    pub fn unbounded() -> Self {
        Self::new(String::new(), vec![Egress::everything()])
    }

    /// Whether this endpoint may see this.
    pub fn allows(&self, endpoint: usize, place: &Place) -> bool {
        let seen = self.only.as_ref().is_none_or(|only| match place {
            Place::Namespace(name) => only.contains(name),
            Place::Everything => false,
        });
        seen && self.endpoints.get(endpoint).is_some_and(|egress| egress.allows(&self.cluster, place))
    }

    /// Whether this endpoint may see all of this.
    pub fn allows_all<'a>(&self, endpoint: usize, places: impl IntoIterator<Item = &'a Place>) -> bool {
        places.into_iter().all(|place| self.allows(endpoint, place))
    }

    /// What a call may ask for instead, in words for the model.
    pub fn instead(&self, endpoint: usize) -> String {
        let egress = self.endpoints.get(endpoint);
        let names = match &self.only {
            Some(only) => only.iter().map(String::as_str).collect(),
            None => egress.map(|egress| egress.namespaces(&self.cluster)).unwrap_or_default(),
        };
        // forty are more than a prompt should hold
        let names: Vec<&str> = names.into_iter().take(40).collect();
        format!(
            "not allowed: what you read must be of one `namespace`, and of one of these: {}",
            names.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn egress(texts: &[&str]) -> Egress {
        Egress::parse(&texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn what_is_not_known_to_be_allowed_is_not() {
        let shop = Place::of("shop");
        for (texts, cluster, place, expected) in [
            (&[][..], "eu", &shop, false),
            (&["shop"], "eu", &shop, true),
            (&["sho", "shop2", "SHOP"], "eu", &shop, false),
            (&["eu/shop"], "eu", &shop, true),
            (&["us/shop"], "eu", &shop, false),
            (&["eu/*"], "eu", &shop, true),
            (&["us/*"], "eu", &shop, false),
            (&["*"], "eu", &shop, true),
            (&["shop", "eu/shop"], "eu", &Place::Everything, false),
            (&["eu/*"], "eu", &Place::Everything, true),
            (&["*"], "eu", &Place::of(""), true),
        ] {
            assert_eq!(egress(texts).allows(cluster, place), expected, "{texts:?} {cluster} {place:?}");
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in ["", "/", "a/", "/a", "a/b/c", "sh*p", "*/shop", "a b", "**"] {
            assert_eq!(Egress::parse(&[text.to_owned()]), Err(NoPlace(text.to_owned())));
        }
    }

    #[test]
    fn a_conversation_is_held_to_the_endpoint_that_speaks() {
        let reach = Reach::new("eu".into(), vec![Egress::everything(), egress(&["shop", "us/x"])]);
        let places = [Place::of("shop"), Place::of("pay")];
        assert!(
            reach.allows_all(0, &places) && !reach.allows_all(1, &places) && !reach.allows_all(2, &places)
        );
        assert!(reach.instead(1).ends_with("of one of these: shop"), "{}", reach.instead(1));
        let narrow = reach.within(Some(["pay".to_owned()].into()));
        assert!(narrow.allows(0, &Place::of("pay")) && !narrow.allows(1, &Place::of("pay")));
        assert!(!narrow.allows(0, &Place::of("shop")) && !narrow.allows(0, &Place::Everything));
        assert!(narrow.instead(0).ends_with("of one of these: pay"), "{}", narrow.instead(0));
    }
}
