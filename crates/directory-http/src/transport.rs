//! What carries a request to the directory and its answer back.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::redirect::Policy;
use reqwest::{Client, Request, Response};
use roster_domain::BoxError;
use rustls::RootCertStore;

use crate::config::DirectoryConfig;

/// Sends one HTTP request. A [`Client`] does; a test puts a recorder in its place.
#[async_trait]
pub trait HttpSend: Send + Sync {
    /// Sends a request, and brings back the head of its answer.
    async fn send(&self, request: Request) -> Result<Response, BoxError>;
}

#[async_trait]
impl HttpSend for Client {
    async fn send(&self, request: Request) -> Result<Response, BoxError> {
        Ok(self.execute(request).await?)
    }
}

/// A client that follows no redirect, so that nobody but the directory is ever asked, that keeps its
/// connections warm, and that trusts whom the system trusts.
pub(crate) fn client(config: &DirectoryConfig) -> Result<Client, BoxError> {
    let client = Client::builder()
        .redirect(Policy::none())
        .connect_timeout(config.connect_timeout)
        .read_timeout(config.read_timeout)
        .pool_max_idle_per_host(config.max_calls)
        .tcp_keepalive(std::time::Duration::from_secs(30))
        .user_agent(concat!("roster/", env!("CARGO_PKG_VERSION")))
        .no_proxy()
        .tls_backend_preconfigured(tls(config.base_url.scheme() == "https")?)
        .build()?;
    Ok(client)
}

fn tls(is_needed: bool) -> Result<rustls::ClientConfig, BoxError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if is_needed && roots.is_empty() {
        return Err("the system trusts no certificate authority: are its CA certificates installed?".into());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
