//! JWTs (RFC 7519) of one issuer, for one audience, signed by RS256, ES256 or `EdDSA`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, TokenData, Validation, decode, decode_header};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use tracing::debug;

use super::key_ring::KeyRing;
use super::principal::{Kind, Principal};
use super::scope::Scopes;
use super::{Refusal, signatures};

/// How far clocks may be apart: a token counts that much longer, and that much earlier.
const LEEWAY: Duration = Duration::from_secs(30);

/// The most bytes that a token may have: no more is looked at.
const MAX_BYTES: usize = 8 * 1024;

/// The longest subject that names its principal as it is.
const MAX_SUBJECT: usize = 128;

/// What is asked of a JWT.
pub(super) struct Jwts {
    keys: KeyRing,
    issuer: String,
    audience: String,
}

/// What a JWT says, beside what is asked of it. Nobody else's business is looked at.
#[derive(Deserialize)]
struct Claims {
    /// A text, and no array of them.
    #[expect(dead_code, reason = "that it is a text is all that is left to be looked at")]
    iss: String,
    sub: String,
    exp: f64,
    #[serde(default)]
    scope: Granted,
}

/// `scope`: names with spaces between them (RFC 8693 §4.2), or an array of names, as some issuers have it.
#[derive(Deserialize)]
#[serde(untagged)]
enum Granted {
    Words(String),
    Each(Vec<String>),
}

impl Default for Granted {
    fn default() -> Self {
        Self::Each(Vec::new())
    }
}

impl Granted {
    /// Those that mean something here: an issuer may grant what is for others, too.
    fn scopes(&self) -> Scopes {
        match self {
            Self::Words(words) => words.split(' ').filter_map(|scope| scope.parse().ok()).collect(),
            Self::Each(all) => all.iter().filter_map(|scope| scope.parse().ok()).collect(),
        }
    }
}

impl Jwts {
    /// `issuer` is the one whose keys these are, and `audience` is what it calls us.
    pub(super) fn new(keys: KeyRing, issuer: &str, audience: &str) -> Self {
        signatures::install();
        Self { keys, issuer: issuer.to_owned(), audience: audience.to_owned() }
    }

    /// Whether there are keys to hold a token against, wherever they come from.
    pub(super) async fn has_keys(&self) -> bool {
        self.keys.keys(None).await.is_some()
    }

    /// Whether keys could be fetched the last time, where that is done.
    pub(super) fn can_fetch_keys(&self) -> bool {
        self.keys.is_well()
    }

    /// The principal of a token, until it expires.
    pub(super) async fn principal(&self, token: &str) -> Result<Principal, Refusal> {
        if token.len() > MAX_BYTES {
            return Err(refused("it is too long"));
        }
        let header = decode_header(token).map_err(|error| of(error.kind()))?;
        check(&header)?;
        let id = header.kid.as_deref();
        let keys = self.keys.keys(id).await.ok_or(Refusal::Unavailable)?;
        let key = keys.find(id).ok_or_else(|| refused("no key is known that it could be signed by"))?;
        let TokenData { claims, .. } =
            decode(token, &key.public, &self.validation(key.algorithm)).map_err(|error| of(error.kind()))?;
        principal(&claims)
    }

    /// What is asked: the algorithm of the key, and no other that the token may name.
    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut asked = Validation::new(algorithm);
        asked.leeway = LEEWAY.as_secs();
        asked.validate_nbf = true;
        asked.set_issuer(&[&self.issuer]);
        asked.set_audience(&[&self.audience]);
        asked.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        asked
    }
}

/// What a header may say. Nothing that it calls critical is understood here (RFC 7515 §4.1.11), and it is that of
/// an access token, as far as it says (RFC 9068 §2.1; RFC 8725 §3.11).
fn check(header: &Header) -> Result<(), Refusal> {
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(refused("it needs more than is understood here"));
    }
    let kind = header.typ.as_deref().map(str::to_ascii_lowercase);
    match kind.as_deref().map(|kind| kind.strip_prefix("application/").unwrap_or(kind)) {
        None | Some("jwt" | "at+jwt") => Ok(()),
        Some(_) => Err(refused("it is for something else than access")),
    }
}

fn principal(claims: &Claims) -> Result<Principal, Refusal> {
    if claims.sub.is_empty() {
        return Err(refused("it has no subject"));
    }
    let until = Instant::now() + left(claims.exp);
    Ok(Principal::new(format!("jwt:{}", name(&claims.sub)), claims.scope.scopes(), Kind::Jwt(until)))
}

/// How long a token counts that expires at a time, in seconds since 1970: to the end of that second, and the leeway;
/// at the most a year, which is as long as anything that asks lives.
fn left(expires: f64) -> Duration {
    let expires = Duration::try_from_secs_f64(expires).unwrap_or(Duration::MAX);
    let counts = expires.saturating_add(LEEWAY + Duration::from_secs(1));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    counts.saturating_sub(now).min(Duration::from_secs(365 * 86_400))
}

/// What to call a subject: what it is called, unless that is no word, or may be an e-mail; then a digest of it, by
/// which it is the same each time, and another than all others.
fn name(subject: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/|".contains(&byte);
    if subject.len() <= MAX_SUBJECT && subject.bytes().all(is_word) {
        return subject.to_owned();
    }
    let digest = Sha256::digest(subject);
    digest.iter().take(16).fold("#".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

/// Tells why in the log, of all that may be seen of a token.
fn refused(why: &'static str) -> Refusal {
    debug!(why, "a JWT is refused");
    Refusal::Invalid
}

/// The reason without what it is about: that would be a part of the token.
fn of(error: &ErrorKind) -> Refusal {
    match error {
        ErrorKind::ExpiredSignature => Refusal::Expired,
        ErrorKind::InvalidSignature => refused("its signature is wrong"),
        ErrorKind::InvalidIssuer => refused("its issuer is another"),
        ErrorKind::InvalidAudience => refused("it is for another audience"),
        ErrorKind::ImmatureSignature => refused("it does not count yet"),
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
            refused("its algorithm is not its key's")
        }
        ErrorKind::MissingRequiredClaim(_) => refused("it lacks one of exp, iss, aud and sub"),
        _ => refused("it is malformed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_counts_to_the_end_of_its_second_and_the_leeway() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((30.0..=31.0).contains(&left(now).as_secs_f64()));
        assert_eq!(left(now - 32.0), Duration::ZERO);
        for forever in [1e12, 1e15, 1.844_674_407_370_955e19, f64::MAX] {
            assert_eq!(left(forever), Duration::from_secs(365 * 86_400), "{forever}");
        }
    }

    #[test]
    fn a_subject_is_named_as_it_is_unless_that_may_be_an_email() {
        for subject in ["ada", "auth0|5f7c", "a-b_c.d~e", "https://id.example.org/7", &"x".repeat(128)] {
            assert_eq!(name(subject), subject);
        }
        for subject in ["ada@example.org", "a b", "a\nb", "#a", "ä", &"x".repeat(129)] {
            let name = name(subject);
            assert!(name.len() == 33 && name.starts_with('#'), "{subject}: {name}");
        }
        assert_ne!(name("ada@example.org"), name("eva@example.org"));
    }
}
