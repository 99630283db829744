//! The keys that sign JWTs: a JWK Set (RFC 7517), as far as it is of use here.

use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// The keys of a set that are good for verifying one of RS256, ES256 and `EdDSA`. What else a set has in it is
/// for others: keys to encrypt with, and above all secrets of HMAC, which no public set may have.
#[derive(Debug)]
pub(super) struct Keys(Vec<Key>);

/// A public key, with the one algorithm that it is good for: the key says so, and never a token.
#[derive(Debug)]
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) public: DecodingKey,
}

/// What is wrong with a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum BadKeys {
    #[error("is no JWK Set: an object with an array of \"keys\"")]
    Malformed,
    #[error("has no key that is good for RS256 (of 2048 bits or more), ES256 or EdDSA (Ed25519)")]
    Useless,
}

impl Keys {
    pub(super) fn parse(text: &str) -> Result<Self, BadKeys> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_str(text).map_err(|_| BadKeys::Malformed)?;
        // A key of a kind that is not known is to be ignored (RFC 7517 §5).
        let known = set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<_> = known.filter_map(Key::of).collect();
        if keys.is_empty() { Err(BadKeys::Useless) } else { Ok(Self(keys)) }
    }

    /// The key that a token names; or the only one there is, for a token that names none.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&Key> {
        match (id, self.0.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(_), keys) => keys.iter().find(|key| key.id.as_deref() == id),
        }
    }
}

impl Key {
    fn of(jwk: Jwk) -> Option<Self> {
        let algorithm = algorithm(&jwk).filter(|algorithm| verifies(&jwk.common, *algorithm))?;
        let public = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Self { id: jwk.common.key_id, algorithm, public })
    }
}

/// The algorithm of a key's type and curve.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    match &jwk.algorithm {
        // 2048 bits, in base64: what is shorter can be broken.
        AlgorithmParameters::RSA(key) if key.n.len() >= 342 => Some(Algorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Some(Algorithm::ES256),
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Some(Algorithm::EdDSA)
        }
        _ => None,
    }
}

/// Whether a key is for that, as far as it says what it is for.
fn verifies(key: &CommonParameters, algorithm: Algorithm) -> bool {
    let signs = key.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let verifies = key.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify));
    signs && verifies && key.key_algorithm.is_none_or(|named| named == KeyAlgorithm::from(algorithm))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn ed25519(more: &Value) -> Value {
        let mut key =
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
        let members = key.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        key
    }

    fn parse(keys: &[Value]) -> Result<Keys, BadKeys> {
        Keys::parse(&json!({"keys": keys}).to_string())
    }

    #[test]
    fn a_key_is_found_by_its_id_or_where_it_is_the_only_one() {
        let one = parse(&[ed25519(&json!({"kid": "a"}))]).unwrap();
        assert_eq!(one.find(Some("a")).unwrap().algorithm, Algorithm::EdDSA);
        assert!(one.find(None).is_some() && one.find(Some("b")).is_none());
        let two = parse(&[ed25519(&json!({"kid": "a"})), ed25519(&json!({"kid": "b"}))]).unwrap();
        assert!(two.find(Some("b")).is_some() && two.find(None).is_none());
    }

    #[test]
    fn what_is_not_for_verifying_is_left_alone_and_spoils_nothing() {
        let others = [
            json!({"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}),
            json!({"kty": "EC", "crv": "P-384", "x": "AA", "y": "AA", "kid": "a"}),
            json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "a"}),
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "kid": "a"}),
            json!({"kid": "a"}),
            json!(7),
            ed25519(&json!({"kid": "a", "use": "enc"})),
            ed25519(&json!({"kid": "a", "key_ops": ["sign"]})),
            ed25519(&json!({"kid": "a", "alg": "ES256"})),
            ed25519(&json!({"kid": "a", "alg": "HS256"})),
        ];
        for other in &others {
            assert_eq!(parse(std::slice::from_ref(other)).unwrap_err(), BadKeys::Useless, "{other}");
        }
        let good = ed25519(&json!({"kid": "b", "use": "sig", "key_ops": ["verify"], "alg": "EdDSA"}));
        let set = parse(&[others.as_slice(), &[good]].concat()).unwrap();
        assert!(set.find(Some("a")).is_none() && set.find(Some("b")).is_some());
        for text in ["", "[]", "{}", r#"{"keys": {}}"#, "roster_secret"] {
            assert_eq!(Keys::parse(text).unwrap_err(), BadKeys::Malformed, "{text}");
        }
    }
}
