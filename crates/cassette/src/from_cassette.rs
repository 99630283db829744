use crate::{Cassette, CassetteMiddleware, RedirectMiddleware};
use reqwest::redirect::Policy;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};

/// What a test under [`use_cassette`](crate::use_cassette) can take as a parameter.
pub trait FromCassette<'a>: Sized {
    /// Makes it for `cassette`.
    fn from_cassette(cassette: &'a Cassette) -> Result<Self, reqwest::Error>;
}

impl<'a> FromCassette<'a> for ClientWithMiddleware {
    /// A client with reqwest's defaults that sends everything through the cassette, each hop of a redirect by
    /// itself.
    fn from_cassette(cassette: &'a Cassette) -> Result<Self, reqwest::Error> {
        let base = reqwest::Client::builder().redirect(Policy::none()).build()?;
        Ok(ClientBuilder::new(base).with(RedirectMiddleware::new()).with(cassette.middleware()).build())
    }
}

impl<'a> FromCassette<'a> for CassetteMiddleware {
    fn from_cassette(cassette: &'a Cassette) -> Result<Self, reqwest::Error> {
        Ok(cassette.middleware())
    }
}

impl<'a> FromCassette<'a> for &'a Cassette {
    fn from_cassette(cassette: &'a Cassette) -> Result<Self, reqwest::Error> {
        Ok(cassette)
    }
}
