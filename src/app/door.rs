//! The door to belay's own read-only MCP servers over HTTP: who is let in with which token, what those are told who are
//! not, and what a client reads to find out where tokens are had (RFC 9728, RFC 6750).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde::Serialize;

use crate::adapters::oauth::{OAuth, Settings};
use crate::config::{self, ConfigError, McpAccessConfig, OAuthConfig, TokenConfig, Who};
use crate::domain::authority::{Caller, Namespaces, Right};
use crate::domain::canonical::Hash;
use crate::ports::access::{TokenError, Tokens};
use crate::ports::clock::SharedClock;

use super::build::BuildError;

/// Where each server is, below the public address.
pub const PATH: &str = "/mcp/";
/// Where the metadata of what is at a path is (RFC 9728, 3.1): this, and then the path.
pub const METADATA: &str = "/.well-known/oauth-protected-resource";
/// What whoever is on this machine is called where no tokens are asked for.
const THIS_MACHINE: &str = "this machine";
/// The environment where the configuration names none; nobody has a token then.
const UNNAMED: &str = "default";

/// Who is let in.
pub struct Door {
    /// Whose tokens are taken; none: whoever is on this machine.
    tokens: Vec<Box<dyn Tokens>>,
    /// The authorization server, where there is one.
    issuer: Option<String>,
    environment: String,
    /// The public address, without a slash at its end.
    base: String,
    /// The names that requests may be for.
    hosts: Vec<String>,
    origins: Vec<String>,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TurnedAway {
    /// No token was shown.
    #[error("show a bearer token in `Authorization`")]
    NoToken,
    /// The token is not good.
    #[error("{0}")]
    Invalid(String),
    /// The token is good, and not for this.
    #[error("this server needs the scope `{0}`, which the token does not have")]
    Scope(String),
    /// Whether the token is good cannot be told now.
    #[error("{0}")]
    Unavailable(String),
}

/// What a client reads of one server (RFC 9728, 2).
#[derive(Debug, Serialize)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<String>,
    scopes_supported: Vec<String>,
    bearer_methods_supported: [&'static str; 1],
    resource_name: String,
}

impl Door {
    /// The door of a listener at `address`.
    pub fn new(
        mcp: Option<&McpAccessConfig>,
        address: SocketAddr,
        clock: &SharedClock,
    ) -> Result<Self, BuildError> {
        let home = address.ip().is_loopback();
        let Some(mcp) = mcp else {
            if home {
                return Ok(Self::at_home(address));
            }
            return Err(conflict(
                "there are no tokens, which is allowed only on a loopback address: set `mcp.tokens` or `mcp.oauth`, or \
                 listen on 127.0.0.1",
            ));
        };
        let McpAccessConfig { environment, public_url, allowed_origins, tokens, oauth, .. } = mcp;
        let mut all: Vec<Box<dyn Tokens>> = Vec::new();
        if let Some(file) = tokens {
            all.push(Box::new(Given::new(config::tokens(file)?)?));
        }
        if let Some(oauth) = oauth {
            let OAuthConfig { issuer, audience, jwks_url, namespaces_claim } = oauth.clone();
            let settings = Settings { issuer, audience, jwks_url, namespaces_claim };
            all.push(Box::new(OAuth::new(settings, clock.clone())?));
        }
        if all.is_empty() && !home {
            return Err(conflict(
                "`mcp` has no tokens, which is allowed only on a loopback address: set `mcp.tokens` or `mcp.oauth`, or \
                 listen on 127.0.0.1",
            ));
        }
        // what comes through a proxy on this machine comes from this machine
        if all.is_empty() && public_url.is_some() {
            return Err(conflict(
                "`mcp.publicUrl` is for clients elsewhere, and without tokens only this machine may ask: set `mcp.tokens` \
                 or `mcp.oauth`, or leave it out",
            ));
        }
        if public_url.is_none() && !home {
            return Err(conflict(
                "set `mcp.publicUrl`, the address by which clients reach the servers: beyond this machine, requests \
                 for any other name are refused, and tokens are for that address",
            ));
        }
        let mut door = Self::at_home(address);
        if let Some(url) = public_url {
            url.trim_end_matches('/').clone_into(&mut door.base);
            door.hosts.extend(host_of(&door.base));
        }
        Ok(Self {
            tokens: all,
            issuer: oauth.as_ref().map(|oauth| oauth.issuer.clone()),
            environment: environment.clone(),
            origins: allowed_origins.clone(),
            ..door
        })
    }

    /// For whoever is on this machine.
    fn at_home(address: SocketAddr) -> Self {
        let mut hosts = vec![address.ip().to_string()];
        if address.ip().is_loopback() {
            hosts.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        }
        Self {
            tokens: Vec::new(),
            issuer: None,
            environment: UNNAMED.to_owned(),
            base: format!("http://{address}"),
            hosts,
            origins: Vec::new(),
        }
    }

    /// The environment that the servers look into.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// Whether a token is asked for.
    pub fn asks_for_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// The public address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether a request may be for this host: a page that made its own name point here is not let in (DNS rebinding).
    pub fn is_called(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Whether a page of this origin may ask.
    pub fn takes_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|known| known == origin)
    }

    /// The address of a server: what tokens are for (RFC 8707).
    pub fn resource(&self, server: &str) -> String {
        format!("{}{PATH}{server}", self.base)
    }

    fn scope(&self, server: &str) -> String {
        Right::to_read(server, &self.environment).to_string()
    }

    /// Who shows this token, and may ask this server at all.
    pub async fn admit(
        &self,
        server: &str,
        token: Option<&str>,
        peer: IpAddr,
    ) -> Result<Arc<Caller>, TurnedAway> {
        if !self.asks_for_tokens() {
            let home = || Arc::new(Caller::at_home(THIS_MACHINE));
            return if peer.is_loopback() { Ok(home()) } else { Err(TurnedAway::NoToken) };
        }
        let token = token.ok_or(TurnedAway::NoToken)?;
        let resource = self.resource(server);
        let mut found = None;
        for known in &self.tokens {
            found = known.caller(token, &resource).await.map_err(|e| match e {
                TokenError::Invalid(why) => TurnedAway::Invalid(why),
                TokenError::Unavailable(why) => TurnedAway::Unavailable(why),
            })?;
            if found.is_some() {
                break;
            }
        }
        let caller = found.ok_or_else(|| TurnedAway::Invalid("the token is nobody's".to_owned()))?;
        if !caller.may_read(server, &self.environment) {
            return Err(TurnedAway::Scope(self.scope(server)));
        }
        Ok(Arc::new(caller))
    }

    /// What a client reads of a server to find out where tokens are had; none where no authorization server is known.
    pub fn metadata(&self, server: &str) -> Option<ResourceMetadata> {
        let issuer = self.issuer.clone()?;
        Some(ResourceMetadata {
            resource: self.resource(server),
            authorization_servers: vec![issuer],
            scopes_supported: vec![self.scope(server)],
            bearer_methods_supported: ["header"],
            resource_name: format!("belay {server} ({})", self.environment),
        })
    }

    /// What `WWW-Authenticate` says to those who are not let in (RFC 6750, 3; RFC 9728, 5.1).
    pub fn challenge(&self, server: &str, why: &TurnedAway) -> String {
        let mut parts = Vec::new();
        match why {
            TurnedAway::NoToken | TurnedAway::Unavailable(_) => {}
            TurnedAway::Invalid(why) => {
                parts.extend([pair("error", "invalid_token"), pair("error_description", why)]);
            }
            TurnedAway::Scope(_) => {
                parts.extend([
                    pair("error", "insufficient_scope"),
                    pair("error_description", &why.to_string()),
                ]);
            }
        }
        if self.issuer.is_some() {
            parts.push(pair("resource_metadata", &format!("{}{METADATA}{PATH}{server}", self.base)));
        }
        parts.push(pair("scope", &self.scope(server)));
        format!("Bearer {}", parts.join(", "))
    }
}

/// A parameter of a header. Quotes and what is not plain ASCII never get in.
fn pair(name: &str, value: &str) -> String {
    let plain = |c: &char| (c.is_ascii_graphic() || *c == ' ') && *c != '"' && *c != '\\';
    format!("{name}=\"{}\"", value.chars().filter(plain).collect::<String>())
}

/// The host of an address that was checked.
fn host_of(base: &str) -> Option<String> {
    let (_, rest) = base.split_once("://")?;
    let host = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => rest,
    };
    Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

fn conflict(why: &str) -> BuildError {
    ConfigError::Conflict(why.to_owned()).into()
}

/// The tokens of the file. They are known by their hash, so that nothing is compared letter by letter.
struct Given(BTreeMap<Hash, Caller>);

impl Given {
    fn new(tokens: Vec<(TokenConfig, Who)>) -> Result<Self, BuildError> {
        let mut known = BTreeMap::new();
        for (TokenConfig { name, scopes, namespaces, .. }, who) in tokens {
            let wrong = |why: String| conflict(&format!("`mcp.tokens`: token `{name}`: {why}"));
            let rights: Result<Vec<Right>, _> = scopes.iter().map(|scope| scope.parse()).collect();
            let rights = rights.map_err(|e| wrong(format!("{e}")))?;
            let seen = Namespaces::of(namespaces.iter().map(String::as_str));
            if let Namespaces::These(these) = &seen
                && let Some(odd) = namespaces.iter().find(|namespace| !these.contains(*namespace))
            {
                return Err(wrong(format!("`{}` cannot be the name of a namespace", odd.escape_debug())));
            }
            let hash = match who {
                Who::Token(token) => Hash::of(token.expose_secret().as_bytes()),
                Who::Sha256(text) => text.parse().map_err(|e| wrong(format!("{e}")))?,
            };
            let caller = Caller::new(format!("token:{name}"), rights, seen);
            if known.insert(hash, caller).is_some() {
                return Err(wrong(
                    "another has the same token, and whose a call is could not be told".into(),
                ));
            }
        }
        Ok(Self(known))
    }
}

#[async_trait]
impl Tokens for Given {
    async fn caller(&self, token: &str, _: &str) -> Result<Option<Caller>, TokenError> {
        Ok(self.0.get(&Hash::of(token.as_bytes())).cloned())
    }
}
