//! Who may do what: bearer tokens with one of three degrees of access.

use super::route::{Target, Verb};
use super::status::Refusal;

/// What a token's owner may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Known, and allowed nothing.
    Nothing,
    /// Reads and dry runs.
    Read,
    /// Reads and writes; deleting is never granted.
    Write,
}

/// A bearer token.
#[derive(Debug, Clone)]
pub struct Token {
    /// The secret that the client sends.
    pub secret: String,
    /// The name in refusals.
    pub user: String,
    /// What it may do.
    pub access: Access,
}

/// The name of whoever asks when no tokens are configured.
const ANONYMOUS: &str = "system:anonymous";

/// Checks one request; anonymous may do all but delete when there are no tokens.
pub(crate) fn admit(
    tokens: &[Token],
    secret: Option<&str>,
    target: &Target,
    verb: Verb,
    dry_run: bool,
) -> Result<(), Refusal> {
    let (user, access) = if tokens.is_empty() {
        (ANONYMOUS, Access::Write)
    } else {
        let known = tokens.iter().find(|token| Some(token.secret.as_str()) == secret);
        known.map(|token| (token.user.as_str(), token.access)).ok_or_else(Refusal::unauthorized)?
    };
    let allowed = match access {
        Access::Nothing => false,
        Access::Read => !verb.mutates() || (dry_run && verb != Verb::Delete),
        Access::Write => verb != Verb::Delete,
    };
    if allowed {
        return Ok(());
    }
    let subresource = target.sub.map_or("", super::route::Sub::as_str);
    let at = (subresource, target.name.as_str(), target.namespace.as_str());
    Err(Refusal::forbidden(target.kind, user, verb.as_str(), at))
}
