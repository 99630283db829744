//! Who may do what: a credential tells who asks, and what they may.
//!
//! A [`Gatekeeper`] knows the credentials; a [`Principal`] is whom it let in. Which scope a request needs is
//! declared beside its route.

mod examination;
mod jwks;
mod jwt;
mod key_ring;
mod principal;
mod scope;
mod signatures;
mod tokens;
pub(crate) mod tokens_file;
mod watched;

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::watch;
use tokio::time::sleep_until;

pub(crate) use principal::Principal;
pub(crate) use scope::{Scope, Scopes};
pub(crate) use tokens::{Token, Tokens, parse_name, parse_scopes};

use crate::config::AccessConfig;
use crate::failure::Failure;
use jwt::Jwts;
use key_ring::KeyRing;
use principal::Kind;

/// Lets in whoever has a valid credential; or everyone, where none are asked for.
#[derive(Clone, Default)]
pub(crate) struct Gatekeeper {
    tokens: Option<watch::Receiver<Arc<Tokens>>>,
    jwts: Option<Arc<Jwts>>,
    is_for_this_machine: bool,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Refusal {
    /// There is no credential where one is needed.
    #[error("A bearer token is needed")]
    Missing,
    /// There is one, and it is not valid.
    #[error("The bearer token is not valid")]
    Invalid,
    /// It was valid.
    #[error("The bearer token has expired")]
    Expired,
    /// It cannot be judged: no keys could be had so far.
    #[error("The service is not available for the moment")]
    Unavailable,
}

impl Refusal {
    /// Whether it is the credential, or that there is none, for which somebody is not let in.
    pub(crate) fn is_of_credential(self) -> bool {
        match self {
            Self::Missing | Self::Invalid | Self::Expired => true,
            Self::Unavailable => false,
        }
    }
}

impl Gatekeeper {
    /// Knows the credentials that are set, and whatever becomes of them while the program runs.
    ///
    /// # Errors
    ///
    /// Where a file cannot be read, or has something else in it; the setting is named.
    pub(crate) fn start(config: &AccessConfig) -> Result<Self, Failure> {
        let tokens = config.tokens_file.as_deref();
        let tokens =
            tokens.map(|path| watched::watch(path, Tokens::parse, "API tokens are what their file says"));
        let tokens =
            tokens.transpose().map_err(|error| Failure::setting(AccessConfig::TOKENS_FILE, error))?;
        let keys = config.jwks.as_ref().map(|source| KeyRing::start(source, config.jwks_refresh));
        let keys = keys.transpose().map_err(|error| Failure::setting(AccessConfig::JWKS, error))?;
        let (issuer, audience) = (config.jwt_issuer.as_deref(), config.jwt_audience.as_deref());
        let jwts = keys.map(|keys| Jwts::new(keys, issuer.unwrap_or_default(), audience.unwrap_or_default()));
        let is_for_this_machine = tokens.is_none() && jwts.is_none() && !config.allow_anonymous;
        Ok(Self { tokens, jwts: jwts.map(Arc::new), is_for_this_machine })
    }

    /// Whether everyone is let in for the sole reason that nobody but this machine can ask.
    pub(crate) fn is_for_this_machine(&self) -> bool {
        self.is_for_this_machine
    }

    /// Who asks, by what they present: an API token, or else a JWT.
    ///
    /// # Errors
    ///
    /// Where that is no valid credential.
    pub(crate) async fn admit(&self, presented: Option<&str>) -> Result<Principal, Refusal> {
        if self.tokens.is_none() && self.jwts.is_none() {
            return Ok(Principal::anonymous());
        }
        let presented = presented.ok_or(Refusal::Missing)?;
        match (&self.tokens, &self.jwts) {
            (Some(tokens), _) if presented.starts_with(tokens::PREFIX) => {
                tokens.borrow().find(presented).map(Token::principal).ok_or(Refusal::Invalid)
            }
            (_, Some(jwts)) => jwts.principal(presented).await,
            (_, None) => Err(Refusal::Invalid),
        }
    }

    /// Whether the keys of JWTs could be fetched the last time, where that is done; those that were had before are
    /// used while they cannot.
    pub(crate) fn can_fetch_keys(&self) -> bool {
        self.jwts.as_ref().is_none_or(|jwts| jwts.can_fetch_keys())
    }

    /// Ends once the credential of somebody who was let in is no longer valid: it expired, it was revoked, or
    /// may do something else by now. What takes long has to look after that by itself.
    pub(crate) async fn revoked(&self, principal: &Principal) {
        match (&principal.kind, &self.tokens) {
            (Kind::Jwt(until), _) => sleep_until(*until).await,
            (Kind::Token(digest), Some(tokens)) => {
                let is_same = |tokens: &Arc<Tokens>| {
                    tokens.with(*digest).map(Token::principal).as_ref() == Some(principal)
                };
                // Whoever reads the file again lives as long as the program.
                let _ = tokens.clone().wait_for(|tokens| !is_same(tokens)).await;
            }
            (Kind::Anonymous | Kind::Token(_), _) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
impl Gatekeeper {
    /// Lets in whoever has one of these tokens: the token, and what it is good for.
    pub(crate) fn knowing(all: &[(&str, Scopes)]) -> Self {
        let now = chrono::Utc::now().into();
        let lines = all
            .iter()
            .zip(0..)
            .map(|((token, scopes), nth)| tokens::line(&format!("t{nth}"), token, *scopes, now));
        let tokens = Tokens::parse(&lines.collect::<String>()).unwrap_or_default();
        Self { tokens: Some(watch::channel(Arc::new(tokens)).1), ..Self::default() }
    }
}
