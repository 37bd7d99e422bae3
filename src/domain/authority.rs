//! Who asks one of belay's own read-only MCP servers for something, and what they may have: the rights in a token
//! (`logs:production:read`) and the namespaces that they are for.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::target::is_dns_label;

/// What stands for every server, every environment or every namespace.
const ANY: &str = "*";
/// The longest name of a server or an environment: that of a Kubernetes namespace, which environments are named after.
const LONGEST: usize = 63;

/// The right to read from one server in one environment: `<server>:<environment>:read`, where `*` stands for any.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    server: String,
    environment: String,
}

/// The text is no right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no scope: write `<server>:<environment>:read`, as in `logs:production:read`; `*` stands for any", .0.escape_debug())]
pub struct NotARight(String);

impl Right {
    /// The right to read from this server in this environment.
    pub fn to_read(server: &str, environment: &str) -> Self {
        Self { server: server.to_owned(), environment: environment.to_owned() }
    }

    /// Whether it holds for this server in this environment.
    pub fn covers(&self, server: &str, environment: &str) -> bool {
        let fits = |have: &str, want: &str| have == ANY || have == want;
        fits(&self.server, server) && fits(&self.environment, environment)
    }
}

impl FromStr for Right {
    type Err = NotARight;

    fn from_str(text: &str) -> Result<Self, NotARight> {
        let not = || NotARight(text.chars().take(LONGEST).collect());
        let (server, rest) = text.split_once(':').ok_or_else(not)?;
        let (environment, verb) = rest.split_once(':').ok_or_else(not)?;
        let fit = |part: &str| part == ANY || is_name(part);
        if verb == "read" && fit(server) && fit(environment) {
            return Ok(Self::to_read(server, environment));
        }
        Err(not())
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:read", self.server, self.environment)
    }
}

/// Whether a text can name an environment: lower-case letters, digits and `-`.
pub fn is_name(text: &str) -> bool {
    text.len() <= LONGEST && is_dns_label(text)
}

/// The namespaces that somebody may see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    /// All that the server may look into, and what is of no namespace.
    All,
    /// These, and nothing that is of no single namespace.
    These(BTreeSet<String>),
}

impl Namespaces {
    /// The namespaces of a list, in which `*` alone stands for all. What cannot be a namespace's name names none.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: BTreeSet<&str> = names.into_iter().collect();
        if names.contains(ANY) {
            return Self::All;
        }
        Self::These(names.into_iter().filter(|name| is_dns_label(name)).map(str::to_owned).collect())
    }
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    name: String,
    rights: Vec<Right>,
    namespaces: Namespaces,
}

impl Caller {
    /// Somebody by the name that the audit has, with these rights, for these namespaces.
    pub fn new(name: impl Into<String>, rights: Vec<Right>, namespaces: Namespaces) -> Self {
        Self { name: name.into(), rights, namespaces }
    }

    /// Who needs no token: whoever started the process, or is on its machine where that is accepted. They may have all
    /// that the server may.
    pub fn at_home(name: impl Into<String>) -> Self {
        Self::new(name, vec![Right::to_read(ANY, ANY)], Namespaces::All)
    }

    /// How the audit and the limits know them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether they may read from this server in this environment.
    pub fn may_read(&self, server: &str, environment: &str) -> bool {
        self.rights.iter().any(|right| right.covers(server, environment))
    }

    /// Whether they may see every namespace, and with that what is of none.
    pub fn sees_everything(&self) -> bool {
        self.namespaces == Namespaces::All
    }

    /// Whether they may see this namespace.
    pub fn sees(&self, namespace: &str) -> bool {
        match &self.namespaces {
            Namespaces::All => true,
            Namespaces::These(names) => names.contains(namespace),
        }
    }

    /// The namespaces that they may see, by name; none where it is all.
    pub fn namespaces(&self) -> impl Iterator<Item = &str> {
        let names = match &self.namespaces {
            Namespaces::All => None,
            Namespaces::These(names) => Some(names),
        };
        names.into_iter().flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_for_one_server_and_one_environment() {
        let right: Right = "logs:production:read".parse().unwrap();
        assert!(right.covers("logs", "production"));
        assert!(!right.covers("logs", "staging") && !right.covers("metrics", "production"));
        assert_eq!(right.to_string(), "logs:production:read");
        let any: Right = "*:staging:read".parse().unwrap();
        assert!(any.covers("logs", "staging") && !any.covers("logs", "production"));
        assert!("logs:*:read".parse::<Right>().unwrap().covers("logs", "x"));
    }

    #[test]
    fn what_is_no_right_gives_none() {
        for text in [
            "",
            "logs",
            "logs:read",
            "logs:production",
            "logs:production:write",
            "logs:production:read:read",
            "logs:production:*",
            "lo*:production:read",
            "Logs:production:read",
            "logs: production:read",
            "logs::read",
            ":production:read",
            "logs:production:read ",
            "lоgs:production:read",
            "**:production:read",
        ] {
            let told = text.parse::<Right>().unwrap_err().to_string();
            assert!(told.contains("logs:production:read"), "{text}");
        }
    }

    #[test]
    fn a_star_is_all_and_odd_names_are_none() {
        assert_eq!(Namespaces::of(["*"]), Namespaces::All);
        let Namespaces::These(these) = Namespaces::of(["shop", "Shop", "sh*p", "", "shop/x", "../shop"])
        else {
            panic!("not all");
        };
        assert_eq!(these.into_iter().collect::<Vec<_>>(), ["shop"]);
        let nobody = Caller::new("x", vec![], Namespaces::of([]));
        assert!(!nobody.sees("shop") && !nobody.sees_everything() && !nobody.may_read("logs", "production"));
    }
}
