//! `manifest.json`: for each cassette, the requests in order and what each must return.

use super::{base, fixtures};
use http::{HeaderName, HeaderValue, Method};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, RequestBuilder};
use roster_cassette::{Cassette, RedirectMiddleware};
use serde_json::Value;
use std::path::Path;

pub(crate) struct Manifest(Value);

impl Manifest {
    pub(crate) fn of_vcrpy() -> Self {
        Self::read(&fixtures().join("manifest.json"))
    }

    pub(crate) fn read(path: &Path) -> Self {
        Self(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
    }

    /// The same for an upstream at another port.
    pub(crate) fn at_port(&self, port: u16) -> Self {
        let text = self.0.to_string().replace("127.0.0.1:18080", &format!("127.0.0.1:{port}"));
        Self(serde_json::from_str(&text).unwrap())
    }

    pub(crate) fn write(&self, path: &Path) {
        std::fs::write(path, self.0.to_string()).unwrap();
    }

    pub(crate) fn cassettes(&self) -> impl Iterator<Item = (&str, Vec<Step<'_>>)> {
        self.0["cassettes"].as_object().unwrap().iter().map(|(name, cassette)| {
            (name.as_str(), cassette["steps"].as_array().unwrap().iter().map(Step).collect())
        })
    }
}

pub(crate) struct Step<'a>(&'a Value);

impl Step<'_> {
    pub(crate) fn request(&self, client: &ClientWithMiddleware) -> RequestBuilder {
        let method = Method::from_bytes(self.text("method").as_bytes()).unwrap();
        let mut request = client.request(method, self.text("url"));
        for (name, value) in self.0["request_headers"].as_object().unwrap() {
            if !["content-length", "host", "transfer-encoding"].contains(&&*name.to_lowercase()) {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                request = request.header(name, HeaderValue::from_str(value.as_str().unwrap()).unwrap());
            }
        }
        match unhex(self.text("request_body_hex")) {
            body if body.is_empty() => request,
            body => request.body(body),
        }
    }

    /// Sends the step's request and compares everything that comes back.
    pub(crate) async fn check(&self, client: &ClientWithMiddleware, name: &str) {
        let at = format!("{name}: {} {}", self.text("method"), self.text("url"));
        let response = self.request(client).send().await.unwrap_or_else(|error| panic!("{at}: {error:?}"));
        let expected = &self.0["expect"];
        assert_eq!(response.status().as_u16(), expected["status"], "{at}");
        let reason = response.extensions().get::<hyper::ext::ReasonPhrase>();
        let reason =
            reason.map_or(response.status().canonical_reason().unwrap().as_bytes(), |it| it.as_bytes());
        assert_eq!(reason, expected["reason"].as_str().unwrap().as_bytes(), "{at}");
        for (header, value) in expected["headers"].as_object().unwrap() {
            if header == "content-encoding" {
                assert!(
                    !response.headers().contains_key(header),
                    "{at}: the body is decoded, but the header says not"
                );
                continue;
            }
            let found: Vec<_> =
                response.headers().get_all(header).iter().map(|it| it.to_str().unwrap()).collect();
            assert_eq!(found.join(", "), value.as_str().unwrap(), "{at}: {header}");
        }
        let length = response.headers().get("content-length").map(|it| it.to_str().unwrap().to_owned());
        let body = response.bytes().await.unwrap();
        assert_eq!(body, unhex(expected["body_hex"].as_str().unwrap()), "{at}");
        if self.text("method") != "HEAD" {
            assert!(
                length.is_none_or(|length| length == body.len().to_string()),
                "{at}: a wrong content-length"
            );
        }
    }

    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap()
    }
}

/// A client for a cassette of the manifest; only number 05 was recorded by a client that follows redirects.
pub(crate) fn client(cassette: &Cassette, name: &str) -> ClientWithMiddleware {
    let builder = ClientBuilder::new(base());
    let builder = if name.starts_with("05_") { builder.with(RedirectMiddleware::new()) } else { builder };
    builder.with(cassette.middleware()).build()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap();
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).unwrap()).collect()
}
