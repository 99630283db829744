//! A look at the credentials that are asked for.

use async_trait::async_trait;
use roster_domain::ports::{Examination, Finding};

use super::Gatekeeper;

/// What a person is told of.
const ACCESS: &str = "access";

#[async_trait]
impl Examination for Gatekeeper {
    async fn examine(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(tokens) = &self.tokens {
            let count = tokens.borrow().iter().count();
            findings.push(Finding::ok(ACCESS, format!("the file of tokens knows {count}")));
        }
        if let Some(jwts) = &self.jwts {
            findings.push(if jwts.has_keys().await {
                Finding::ok(ACCESS, "the keys of JWTs can be had")
            } else {
                Finding::failed(ACCESS, "no keys of JWTs can be had")
            });
        }
        if findings.is_empty() {
            findings.push(Finding::ok(ACCESS, "no credentials are asked for: everyone may do everything"));
        }
        findings
    }
}
