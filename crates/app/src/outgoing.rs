//! Requests of the program's own, to whoever has keys of JWTs or collects traces.

use anyhow::anyhow;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response};
use url::Url;

/// What asks a URL that an operator chose: that one alone, and by no proxy.
pub(crate) fn client(url: &Url) -> ClientBuilder {
    // Whoever came first has chosen the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let user_agent = concat!("roster/", env!("CARGO_PKG_VERSION"));
    let client = Client::builder().redirect(Policy::none()).no_proxy().user_agent(user_agent);
    // Without TLS nobody's certificate is looked at, and the system may have none to hold one against.
    if url.scheme() == "https" { client } else { client.tls_certs_only([]) }
}

/// The body of an answer, which may have so many bytes.
pub(crate) async fn body(answer: &mut Response, most: usize) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url)? {
        if body.len() + chunk.len() > most {
            return Err(anyhow!("the answer is longer than {most} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
