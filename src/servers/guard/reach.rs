//! Whether a request stays within what its caller may see. Pure: it looks at the request and at what the server says of
//! its tools and prompts, and where it cannot tell, the answer is no.

use rmcp::model::{JsonObject, Prompt, Tool};
use serde_json::Value;

use crate::domain::authority::Caller;
use crate::domain::target::is_dns_label;
use crate::servers::kit::{list, quoted};

/// The argument that says which namespace a call is about.
const NAMESPACE: &str = "namespace";
/// The part of an address before the namespace that it is about.
const SEGMENT: &str = "namespaces";

/// The caller may not have it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// Not this server, in this environment.
    #[error("this needs the scope `{0}`, which your token does not have")]
    Scope(String),
    /// Not without being able to see everything.
    #[error(
        "{what} is not about one namespace, so it is for callers who may see every namespace; you may see {allowed}"
    )]
    Everything {
        /// What was asked for.
        what: String,
        /// What they may see.
        allowed: String,
    },
    /// No namespace, or none that can be told.
    #[error("`namespace` must be the name of one namespace, as text; you may see {0}")]
    NoNamespace(String),
    /// Not this namespace.
    #[error("namespace `{namespace}` is not among those that you may see: {allowed}")]
    Namespace {
        /// Which.
        namespace: String,
        /// What they may see.
        allowed: String,
    },
    /// An argument that could name a namespace by the back door.
    #[error("argument `{0}` is not one that {1} takes")]
    Argument(String, String),
    /// Who calls is not known.
    #[error("who is calling is not known")]
    Nobody,
}

/// What somebody may see, for a sentence.
pub(super) fn allowed(caller: &Caller) -> String {
    let names = list(caller.namespaces());
    if names.is_empty() { "none".to_owned() } else { names }
}

/// Whether the tool is about the one namespace in its argument `namespace`: it is text, and always there.
pub(super) fn is_of_one_namespace(tool: &Tool) -> bool {
    let schema = tool.input_schema.as_ref();
    let typed = properties(schema).and_then(|all| all.get(NAMESPACE)?.get("type")?.as_str());
    let required = schema.get("required").and_then(Value::as_array);
    typed == Some("string")
        && required.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(NAMESPACE)))
}

/// Whether the prompt is about the one namespace in its argument `namespace`.
pub(super) fn prompt_is_of_one_namespace(prompt: &Prompt) -> bool {
    let mut arguments = prompt.arguments.iter().flatten();
    arguments.any(|argument| argument.name == NAMESPACE && argument.required == Some(true))
}

fn properties(schema: &JsonObject) -> Option<&JsonObject> {
    schema.get("properties")?.as_object()
}

/// Whether this caller may call this tool with these arguments.
pub(super) fn tool(
    caller: &Caller,
    name: &str,
    tool: Option<&Tool>,
    arguments: Option<&JsonObject>,
) -> Result<(), Denied> {
    if caller.sees_everything() {
        return Ok(());
    }
    let what = || format!("tool `{}`", quoted(name));
    let Some(tool) = tool.filter(|tool| is_of_one_namespace(tool)) else {
        return Err(Denied::Everything { what: what(), allowed: allowed(caller) });
    };
    let known = properties(tool.input_schema.as_ref());
    only_these(arguments, |key| known.is_some_and(|all| all.contains_key(key)), &what)?;
    namespace(caller, arguments)
}

/// Whether this caller may have this prompt with these arguments.
pub(super) fn prompt(
    caller: &Caller,
    name: &str,
    prompt: Option<&Prompt>,
    arguments: Option<&JsonObject>,
) -> Result<(), Denied> {
    if caller.sees_everything() {
        return Ok(());
    }
    let what = || format!("prompt `{}`", quoted(name));
    let Some(prompt) = prompt.filter(|prompt| prompt_is_of_one_namespace(prompt)) else {
        return Err(Denied::Everything { what: what(), allowed: allowed(caller) });
    };
    let known = |key: &str| prompt.arguments.iter().flatten().any(|argument| argument.name == key);
    only_these(arguments, known, &what)?;
    namespace(caller, arguments)
}

/// Only arguments that are declared, and within them nothing that says of itself that it is about a namespace.
fn only_these(
    arguments: Option<&JsonObject>,
    known: impl Fn(&str) -> bool,
    what: &impl Fn() -> String,
) -> Result<(), Denied> {
    for (key, value) in arguments.into_iter().flatten() {
        if !known(key) || (key != NAMESPACE && (speaks_of_namespaces(key) || within(value))) {
            return Err(Denied::Argument(quoted(key), what()));
        }
    }
    Ok(())
}

fn speaks_of_namespaces(key: &str) -> bool {
    key.to_ascii_lowercase().contains(NAMESPACE)
}

/// Whether a value holds, however deep, a key that speaks of namespaces. The JSON reader bounds the depth at 128.
fn within(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        Value::Array(items) => items.iter().any(within),
        Value::Object(fields) => fields.iter().any(|(key, value)| speaks_of_namespaces(key) || within(value)),
    }
}

fn namespace(caller: &Caller, arguments: Option<&JsonObject>) -> Result<(), Denied> {
    match arguments.and_then(|all| all.get(NAMESPACE)) {
        Some(Value::String(name)) if is_dns_label(name) => one(caller, name),
        _ => Err(Denied::NoNamespace(allowed(caller))),
    }
}

fn one(caller: &Caller, name: &str) -> Result<(), Denied> {
    if caller.sees(name) {
        return Ok(());
    }
    Err(Denied::Namespace { namespace: quoted(name), allowed: allowed(caller) })
}

/// The namespace that a call names, for the audit.
pub(super) fn named(arguments: Option<&JsonObject>) -> Option<String> {
    let value = arguments?.get(NAMESPACE)?;
    Some(value.as_str().map_or_else(|| quoted(&value.to_string()), quoted))
}

/// The namespace that an address is about: that of its one part `/namespaces/<namespace>/`. Addresses with a query, a
/// fragment, escapes or anything but plain ASCII are about none.
pub(super) fn namespace_of(uri: &str) -> Option<&str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/".contains(&b);
    if !uri.bytes().all(plain) {
        return None;
    }
    let mut parts = uri.split('/');
    // what was before it is the scheme, at least: `k8s://namespaces/…`
    parts.next()?;
    let mut found = None;
    while let Some(part) = parts.next() {
        match part {
            SEGMENT if found.is_some() => return None,
            SEGMENT => found = Some(parts.next()?),
            "." | ".." => return None,
            _ if part.eq_ignore_ascii_case(SEGMENT) => return None,
            _ => {}
        }
    }
    found.filter(|name| is_dns_label(name) && *name != SEGMENT)
}

/// Whether this caller may see what this address is about.
pub(super) fn resource(caller: &Caller, uri: &str) -> Result<(), Denied> {
    if caller.sees_everything() {
        return Ok(());
    }
    if let Some(name) = namespace_of(uri) {
        return one(caller, name);
    }
    Err(Denied::Everything { what: format!("resource `{}`", quoted(uri)), allowed: allowed(caller) })
}

/// Whether a template makes addresses that are each about one namespace.
pub(super) fn template_is_of_one_namespace(template: &str) -> bool {
    template.matches("namespaces/").count() == 1 && template.contains("/namespaces/{namespace}/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::authority::Namespaces;

    fn limited() -> Caller {
        Caller::new("x", vec![], Namespaces::of(["shop"]))
    }

    #[test]
    fn only_addresses_about_one_namespace_are_for_limited_callers() {
        assert_eq!(namespace_of("k8s://namespaces/shop/deployments/web"), Some("shop"));
        assert_eq!(namespace_of("logs://eu-1/namespaces/shop/services/web"), Some("shop"));
        for odd in [
            "",
            "namespaces/shop",
            "k8s://namespaces/shop%2f..%2fbank/deployments/web",
            "k8s://namespaces/shop/../bank/deployments/web",
            "k8s://namespaces/shop/deployments/web?namespace=bank",
            "k8s://namespaces/shop/deployments/web#/namespaces/bank",
            "k8s://namespaces/shop/namespaces/bank",
            "k8s://namespaces/shop/Namespaces/bank",
            "k8s://NAMESPACES/shop/deployments/web",
            "k8s://namespaces//deployments/web",
            "k8s://namespaces",
            "k8s://namespaces/namespaces/shop",
            "k8s://namespaces/shоp/deployments/web",
            "k8s://namespaces/shop\\..\\bank/deployments/web",
            "k8s://namespaces/shop /deployments/web",
            "service-map://all",
        ] {
            assert_eq!(namespace_of(odd), None, "{odd}");
            assert!(resource(&limited(), odd).is_err(), "{odd}");
            assert_eq!(resource(&Caller::at_home("x"), odd), Ok(()), "{odd}");
        }
        assert!(resource(&limited(), "k8s://namespaces/bank/deployments/web").is_err());
        assert_eq!(resource(&limited(), "k8s://namespaces/shop/deployments/web"), Ok(()));
    }

    #[test]
    fn templates_are_about_one_namespace_or_not_shown() {
        assert!(template_is_of_one_namespace("k8s://namespaces/{namespace}/deployments/{name}"));
        assert!(!template_is_of_one_namespace("service-map://{service}"));
        assert!(!template_is_of_one_namespace("x://namespaces/{namespace}/of/namespaces/{other}"));
    }

    #[test]
    fn who_may_see_nothing_is_told_so() {
        let nobody = Caller::new("x", vec![], Namespaces::of([]));
        let told = resource(&nobody, "k8s://namespaces/shop/pods").unwrap_err().to_string();
        assert_eq!(told, "namespace `shop` is not among those that you may see: none");
    }
}
