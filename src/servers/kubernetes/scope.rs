//! What may be asked for: which namespaces, which names, how much. Whatever a client writes passes here before
//! it becomes part of a request.

use crate::domain::redact;

/// The namespaces that may be looked at; all, where none is named.
pub struct Scope(Vec<String>);

impl Scope {
    /// Only these.
    pub const fn new(allowed: Vec<String>) -> Self {
        Self(allowed)
    }

    /// Those that are named.
    pub fn named(&self) -> &[String] {
        &self.0
    }

    /// The namespace, if it is one and may be looked at.
    pub fn namespace<'a>(&self, namespace: &'a str) -> Result<&'a str, String> {
        let namespace = name("namespace", namespace)?;
        if self.0.is_empty() || self.0.iter().any(|allowed| allowed == namespace) {
            return Ok(namespace);
        }
        Err(format!("namespace `{namespace}` is not open to this server; open are: {}", list(&self.0)))
    }
}

/// The text as a name of Kubernetes (RFC 1123): nothing else can become part of a request's path.
pub fn name<'a>(what: &str, text: &'a str) -> Result<&'a str, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = !text.is_empty()
        && text.len() <= 253
        && text.chars().all(inner)
        && text.starts_with(edge)
        && text.ends_with(edge)
        && !text.contains("..");
    if good {
        return Ok(text);
    }
    let shown = redact::line(text, 60);
    Err(format!("`{shown}` is not the name of a {what}: lower-case letters, digits, `-` and `.` only"))
}

/// The number, if it is within bounds.
pub fn bounded(what: &str, number: u32, most: u32) -> Result<u32, String> {
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(format!("`{what}` is {number}, and may be 1 to {most}"))
}

/// The name nearest to one that was not found, if any is near: half of its letters in their places and
/// more, or one begins with the other.
pub fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = names.map(|n| {
        let starts = n.starts_with(wanted) || wanted.starts_with(n);
        (if starts { 1.0 } else { strsim::normalized_levenshtein(wanted, n) }, n)
    });
    let (score, name) = scored.max_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| y.cmp(x)))?;
    (score >= 0.5).then_some(name)
}

/// `pod `x` not found in namespace `y`; did you mean `z`?`
pub fn not_found<'a>(
    what: &str,
    wanted: &str,
    namespace: &str,
    names: impl Iterator<Item = &'a str>,
) -> String {
    let hint = nearest(wanted, names).map_or_else(String::new, |n| format!("; did you mean `{n}`?"));
    format!("{what} `{wanted}` not found in namespace `{namespace}`{hint}")
}

/// Names for people, at most ten.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    let shown: Vec<String> = names.iter().take(10).map(|n| format!("`{}`", n.as_ref())).collect();
    let more = names.len().saturating_sub(10);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_become_part_of_a_request() {
        for good in ["web", "web-5d9f-abcde", "a.b", "0"] {
            assert_eq!(name("pod", good), Ok(good));
        }
        for bad in
            ["", "Web", "a/b", "../x", "a..b", "-a", "a-", "a b", "a%2f", "a?x=1", "ä", &"x".repeat(254)]
        {
            assert!(name("pod", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_empty_list_opens_all_and_a_list_only_its_own() {
        assert!(Scope::new(vec![]).namespace("anything").is_ok());
        let scope = Scope::new(vec!["shop".into()]);
        assert!(scope.namespace("shop").is_ok());
        let refused = scope.namespace("kube-system").unwrap_err();
        assert_eq!(refused, "namespace `kube-system` is not open to this server; open are: `shop`");
    }

    #[test]
    fn the_nearest_name_is_offered_only_if_it_is_near() {
        let names = ["web-5d9f-abcde", "checkout-1", "cart-2"];
        assert_eq!(nearest("web-5d9f-abcdf", names.into_iter()), Some("web-5d9f-abcde"));
        assert_eq!(nearest("checkout", names.into_iter()), Some("checkout-1"));
        assert_eq!(nearest("zzz", names.into_iter()), None);
        assert_eq!(nearest("zzz", std::iter::empty()), None);
    }
}
