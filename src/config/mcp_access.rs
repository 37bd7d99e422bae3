//! Who may ask belay's own read-only MCP servers over HTTP: `mcp`, and the file of tokens that it names.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::load::{self, ConfigError};

/// The most calls a minute that can be set, as for the servers of others.
const MOST_CALLS: u32 = 600;
/// The most tokens in the file: each is a person or a program that somebody has to look after.
const MOST_TOKENS: usize = 1000;
/// The shortest token, in characters: 16 of base64 are 96 bits, which nobody guesses.
const SHORTEST: usize = 16;

/// `mcp`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct McpAccessConfig {
    /// The environment that the servers look into, as scopes name it (`logs:production:read`).
    pub environment: String,
    /// How clients reach the listener from outside: without it, by the address that it listens on.
    #[serde(default)]
    pub public_url: Option<String>,
    /// The web pages whose requests are taken, by origin.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// A file with tokens, and what each is for.
    #[serde(default)]
    pub tokens: Option<PathBuf>,
    /// An authorization server whose tokens are taken.
    #[serde(default)]
    pub oauth: Option<OAuthConfig>,
    /// How many calls each caller has a minute, of each server.
    #[serde(default = "calls_per_minute")]
    pub calls_per_minute: u32,
}

/// One call a second, as for the servers of others.
const fn calls_per_minute() -> u32 {
    60
}

/// An authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OAuthConfig {
    /// Its name, as its tokens have it in `iss`.
    pub issuer: String,
    /// Who its tokens have to be for (`aud`); without it, the address of the server that is asked.
    #[serde(default)]
    pub audience: Option<String>,
    /// Where its keys are; without it, where its metadata says.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// The claim that lists the namespaces that a caller may see; without it, all that the servers may.
    #[serde(default)]
    pub namespaces_claim: Option<String>,
}

/// The file of tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokensFile {
    tokens: Vec<TokenConfig>,
}

/// A token, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct TokenConfig {
    /// Whose it is, as the audit names them.
    pub name: String,
    /// A file with the token.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Or the SHA-256 of the token, in hex.
    #[serde(default)]
    pub sha256: Option<String>,
    /// What it is good for, as in `logs:production:read`.
    pub scopes: Vec<String>,
    /// The namespaces that may be seen with it; `*` for all that the servers may.
    pub namespaces: Vec<String>,
}

/// How a token is known.
pub enum Who {
    /// By itself.
    Token(SecretString),
    /// By its SHA-256, in hex.
    Sha256(String),
}

/// Reads the file of tokens, and the files that it names; paths in it are relative to its folder.
pub fn tokens(path: &Path) -> Result<Vec<(TokenConfig, Who)>, ConfigError> {
    let name = path.display().to_string();
    let file: TokensFile = load::yaml(&name, &load::read(path)?)?;
    if file.tokens.len() > MOST_TOKENS {
        return Err(ConfigError::Conflict(format!("`{name}` has more than {MOST_TOKENS} tokens")));
    }
    let base = path.parent().unwrap_or(Path::new(""));
    let known = |token: TokenConfig| {
        let wrong = |why: &str| {
            ConfigError::Conflict(format!("`{name}`: token `{}`: {why}", token.name.escape_debug()))
        };
        let fit = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
        if !(1..=63).contains(&token.name.len()) || !token.name.chars().all(fit) {
            return Err(wrong("`name` must be 1 to 63 letters, digits, `-`, `_`, `.` and `@`"));
        }
        if token.scopes.is_empty() || token.namespaces.is_empty() {
            return Err(wrong(
                "`scopes` and `namespaces` must name something: without them it is good for nothing",
            ));
        }
        let who = match (&token.token_file, &token.sha256) {
            (Some(file), None) => {
                let secret = load::secret(&base.join(file))?;
                if secret.expose_secret().len() < SHORTEST {
                    return Err(wrong(
                        "the token is shorter than 16 characters: `openssl rand -base64 32` makes one",
                    ));
                }
                Who::Token(secret)
            }
            (None, Some(hash)) => Who::Sha256(hash.clone()),
            (Some(_), Some(_)) | (None, None) => {
                return Err(wrong("needs `tokenFile` or `sha256`, one of them"));
            }
        };
        Ok((token, who))
    };
    file.tokens.into_iter().map(known).collect()
}

/// What cannot be used of it, if anything.
pub(super) fn check(mcp: &McpAccessConfig) -> Result<(), ConfigError> {
    let wrong = |why: String| Err(ConfigError::Conflict(why));
    let McpAccessConfig { environment, public_url, allowed_origins, calls_per_minute, oauth, .. } = mcp;
    let fit = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ends = environment.starts_with('-') || environment.ends_with('-');
    if !(1..=63).contains(&environment.len()) || !environment.bytes().all(fit) || ends {
        return wrong(format!(
            "`mcp.environment` is `{}`: it is a part of scopes, so it must be 1 to 63 lower-case letters, digits and, within, `-`",
            environment.escape_debug()
        ));
    }
    if let Some(url) = public_url
        && origin(url.trim_end_matches('/')).is_none()
    {
        return wrong(format!(
            "`mcp.publicUrl` is `{}`: give scheme, host and port, as in `https://belay.example.com`",
            url.escape_debug()
        ));
    }
    if let Some(odd) = allowed_origins.iter().find(|text| origin(text) != Some(text.as_str())) {
        return wrong(format!(
            "`mcp.allowedOrigins` has `{}`: an origin is scheme, host and port in lower case, as in \
             `https://inspector.example.com`, and nothing stands for several",
            odd.escape_debug()
        ));
    }
    if !(1..=MOST_CALLS).contains(calls_per_minute) {
        return wrong(format!("`mcp.callsPerMinute` must be 1 to {MOST_CALLS}"));
    }
    if oauth.as_ref().is_some_and(|oauth| oauth.audience.as_ref().is_some_and(|aud| aud.trim().is_empty())) {
        return wrong(
            "`mcp.oauth.audience` is empty: leave it out, and it is the address of each server".into(),
        );
    }
    Ok(())
}

/// The text, if it is an origin (RFC 6454) as browsers write it.
fn origin(text: &str) -> Option<&str> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let fit = match literal {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !name.is_empty() && name.bytes().all(plain),
    };
    (fit && port.is_none_or(|port| port.parse::<u16>().is_ok())).then_some(text)
}
