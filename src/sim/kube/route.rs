//! From a request's method and path to what it asks for.

use std::collections::BTreeMap;

use super::kinds::Kind;

/// A request as it was received.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub method: http::Method,
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub content_type: String,
    pub user_agent: String,
    pub accept: String,
    pub token: Option<String>,
    pub body: Vec<u8>,
}

impl Request {
    pub(crate) fn param(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(crate) fn on(&self, key: &str) -> bool {
        matches!(self.param(key), Some("true" | "1"))
    }

    /// Only the metadata of objects are asked for.
    pub(crate) fn metadata_only(&self) -> bool {
        self.accept.contains("as=PartialObjectMetadata")
    }

    pub(crate) fn dry_run(&self) -> bool {
        self.param("dryRun") == Some("All")
    }

    /// What the request does, in the words of Kubernetes' authorisation.
    pub(crate) fn verb(&self, target: Option<&Target>) -> Verb {
        let named = target.is_none_or(|target| !target.name.is_empty());
        match self.method.as_str() {
            // asking what one may do changes nothing
            "POST" if super::tokens::asks(&self.path) => Verb::Get,
            "POST" => Verb::Create,
            "PATCH" => Verb::Patch,
            "PUT" => Verb::Update,
            "DELETE" => Verb::Delete,
            _ if self.on("watch") => Verb::Watch,
            _ if named => Verb::Get,
            _ => Verb::List,
        }
    }
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Reads one object.
    Get,
    /// Reads many.
    List,
    /// Follows changes.
    Watch,
    /// Creates an object or a subresource such as an eviction.
    Create,
    /// Changes a part of an object.
    Patch,
    /// Replaces an object.
    Update,
    /// Deletes an object.
    Delete,
}

impl Verb {
    /// The word in refusals.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// Whether it can change anything.
    pub const fn mutates(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => false,
            Self::Create | Self::Patch | Self::Update | Self::Delete => true,
        }
    }
}

/// A subresource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sub {
    Scale,
    Log,
    Eviction,
    Status,
}

impl Sub {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Scale => "scale",
            Self::Log => "log",
            Self::Eviction => "eviction",
            Self::Status => "status",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Scale, Self::Log, Self::Eviction, Self::Status].into_iter().find(|sub| sub.as_str() == text)
    }
}

/// What a path names: a collection when `name` is empty, all namespaces when `namespace` is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub kind: Kind,
    pub namespace: String,
    pub name: String,
    pub sub: Option<Sub>,
}

/// Reads a resource path; `None` for any other.
pub(crate) fn target(path: &str) -> Option<Target> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, plural, rest) = match rest {
        ["namespaces", namespace, plural, rest @ ..] => (*namespace, *plural, rest),
        [plural, rest @ ..] => ("", *plural, rest),
        [] => return None,
    };
    let kind = Kind::from_path(group, version, plural)?;
    let (name, sub) = match rest {
        [] => ("", None),
        [name] => (*name, None),
        [name, sub] => (*name, Some(Sub::parse(sub)?)),
        _ => return None,
    };
    if !name.is_empty() && kind.spelling().namespaced && namespace.is_empty() {
        return None;
    }
    Some(Target { kind, namespace: namespace.to_owned(), name: name.to_owned(), sub })
}
