//! Access tokens of an OAuth 2.1 authorization server (RFC 9068, RFC 8725): JSON Web Tokens, held against its published
//! keys, its name, this server's address and the time. What a token says of its own keys is never looked at.

mod claims;
mod jwks;
mod keys;

use async_trait::async_trait;

use crate::domain::authority::{Caller, Namespaces};
use crate::ports::access::{TokenError, Tokens};
use crate::ports::clock::SharedClock;

pub use claims::LONGEST;
use claims::{Expected, Parts};
use jwks::Jwks;
pub use jwks::SetupError;

/// Whose tokens, and what has to be in them.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The authorization server, as `iss` has it.
    pub issuer: String,
    /// Who the tokens have to be for; without it, the address of the server that is asked.
    pub audience: Option<String>,
    /// Where its keys are; without it, where its metadata says.
    pub jwks_url: Option<String>,
    /// The claim that lists the namespaces; without it, every one.
    pub namespaces_claim: Option<String>,
}

/// The tokens of one authorization server.
pub struct OAuth {
    settings: Settings,
    keys: Jwks,
    clock: SharedClock,
}

impl OAuth {
    /// Nothing is sent yet.
    pub fn new(settings: Settings, clock: SharedClock) -> Result<Self, SetupError> {
        let keys = Jwks::new(&settings.issuer, settings.jwks_url.as_deref(), clock.clone())?;
        Ok(Self { settings, keys, clock })
    }

    async fn verified(&self, token: &str, resource: &str) -> Result<Caller, TokenError> {
        let parts = Parts::read(token)?;
        self.keys.verify(&parts).await?;
        let Settings { issuer, audience, namespaces_claim, .. } = &self.settings;
        let audience = audience.as_deref().unwrap_or(resource);
        let claims = parts.claims(&Expected { issuer, audience, now: self.clock.now() })?;
        let namespaces = match namespaces_claim {
            None => Namespaces::All,
            Some(claim) => claims.namespaces(claim),
        };
        Ok(Caller::new(claims.caller()?, claims.rights(), namespaces))
    }
}

#[async_trait]
impl Tokens for OAuth {
    async fn caller(&self, token: &str, resource: &str) -> Result<Option<Caller>, TokenError> {
        self.verified(token, resource).await.map(Some)
    }
}
