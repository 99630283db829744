//! Credentials as others make them: the program's own API tokens, and JWTs of an issuer with keys of its own.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::Exit;
use super::roster::Program;

/// A tokens file, which the program itself writes.
pub(crate) struct TokensFile(TempDir);

impl TokensFile {
    /// A file that is not there yet.
    pub(crate) fn missing() -> Self {
        Self(tempfile::tempdir().expect("a folder can be made"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().join("tokens")
    }

    /// What is in it.
    pub(crate) fn text(&self) -> String {
        fs::read_to_string(self.path()).expect("the tokens file can be read")
    }

    /// Puts something else in it.
    pub(crate) fn write(&self, text: &str) {
        fs::write(self.path(), text).expect("the tokens file can be written");
    }

    /// `roster token …` on this file.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Exit {
        let path = self.path();
        let program = Program::with(["token"]).and(arguments).and([Path::new("--tokens-file"), &path]);
        program.run().await
    }

    /// A new token of that name, with these scopes.
    pub(crate) async fn token(&self, name: &str, scopes: &str) -> String {
        let exit = self.run(&["new", "--name", name, "--scope", scopes]).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        exit.stdout.trim().to_owned()
    }

    /// A token is taken back.
    pub(crate) async fn revoke(&self, name: &str) {
        let exit = self.run(&["revoke", "--name", name]).await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

/// A key that JWTs are signed with.
pub(crate) struct SigningKey {
    id: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    /// For RS256. It is always the same: to make one takes seconds, and a key of tests is nobody's secret.
    pub(crate) fn rsa(id: &'static str) -> Self {
        let key = RsaKeyPair::from_pkcs8(include_bytes!("../data/jwt-signing-key.der"));
        Self { id, pair: Pair::Rsa(Box::new(key.expect("a key"))) }
    }

    /// For ES256: a new one.
    pub(crate) fn ec(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref(), &random);
        Self { id, pair: Pair::Ec(key.expect("a key")) }
    }

    /// For `EdDSA`: a new one.
    pub(crate) fn ed(id: &'static str) -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self { id, pair: Pair::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key")) }
    }

    /// What it signs by.
    pub(crate) fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ec(_) => "ES256",
            Pair::Ed(_) => "EdDSA",
        }
    }

    /// Its public half (RFC 7517).
    pub(crate) fn jwk(&self) -> Value {
        let id = self.id;
        match &self.pair {
            Pair::Rsa(key) => {
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({"kty": "RSA", "kid": id, "use": "sig", "n": encode(n), "e": encode(e)})
            }
            Pair::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "kid": id, "alg": "ES256", "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": encode(key.public_key())})
            }
        }
    }

    /// A token with these claims.
    pub(crate) fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm(), "kid": self.id, "typ": "at+jwt"}), claims)
    }

    /// A token with this header, whatever that says.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", encode(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            Pair::Ec(key) => key.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Pair::Ed(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

/// A JWK Set of the public halves of keys.
pub(crate) fn jwks(keys: &[&SigningKey]) -> String {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}).to_string()
}

/// What is signed of a token (RFC 7515 §5.1).
pub(crate) fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string()), encode(claims.to_string()))
}

/// As all of a token is encoded.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
