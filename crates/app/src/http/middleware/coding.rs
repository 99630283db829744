//! Bodies, compressed where the client would have them so and it pays.

use std::io;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpResponse, HttpResponseBuilder};
use futures_util::{Stream, TryStreamExt, future, stream};

use crate::gzip::Gzip;
use crate::http::request::accept;

/// From how many bytes on a body is compressed: a shorter one takes a packet either way.
const WORTHWHILE: u64 = 1024;

/// From how many bytes on compressing takes so long that other requests would wait for it.
const LONG: u64 = 64 * 1024;

/// The answer with this body, to a request with these headers. Where the body fails, the connection is broken
/// off, so that nobody takes what came for the whole.
pub(in crate::http) fn respond(
    response: &mut HttpResponseBuilder,
    headers: &HeaderMap,
    body: impl Stream<Item = io::Result<Vec<u8>>> + 'static,
) -> HttpResponse {
    // One that is empty would be the end.
    let body = body.try_filter(|part| future::ready(!part.is_empty()));
    let mut response = if prefers_gzip(headers) {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
        response.streaming(gzipped(body).map_ok(Bytes::from))
    } else {
        response.streaming(body.map_ok(Bytes::from))
    };
    vary(response.headers_mut(), "accept-encoding");
    response
}

/// A body that is always the same, and compressed once.
pub(in crate::http) struct Fixed {
    plain: Bytes,
    compressed: Option<Bytes>,
}

impl Fixed {
    /// Text, for which that pays.
    pub(in crate::http) fn text(plain: impl Into<Bytes>) -> Self {
        let plain = plain.into();
        let pays = plain.len() as u64 >= WORTHWHILE;
        let compressed = if pays { whole(&plain).ok().map(Bytes::from) } else { None };
        Self { plain, compressed }
    }

    /// Something that is compressed in its own way.
    pub(in crate::http) fn picture(plain: impl Into<Bytes>) -> Self {
        Self { plain: plain.into(), compressed: None }
    }

    /// The answer with it, to a request with these headers.
    pub(in crate::http) fn respond(
        &self,
        response: &mut HttpResponseBuilder,
        headers: &HeaderMap,
    ) -> HttpResponse {
        match &self.compressed {
            Some(compressed) if prefers_gzip(headers) => {
                response.insert_header((header::CONTENT_ENCODING, "gzip"));
                let mut response = response.body(compressed.clone());
                vary(response.headers_mut(), "accept-encoding");
                response
            }
            _ => response.body(self.plain.clone()),
        }
    }
}

/// Whether answers are compressed, to who sent a request.
#[derive(Debug, Clone, Copy)]
pub(in crate::http) struct Compression {
    is_wanted: bool,
}

impl Compression {
    /// As the headers of a request want it.
    pub(in crate::http) fn of(headers: &HeaderMap) -> Self {
        Self { is_wanted: prefers_gzip(headers) }
    }

    /// Compresses an answer that is whole before it is sent. One that carries an entity tag stays as it is: that is
    /// strong, and would name two sequences of bytes (RFC 9110 §8.8.3.3). So do streams, and what is compressed.
    pub(in crate::http) async fn compress<B: MessageBody + 'static>(
        self,
        mut response: ServiceResponse<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let Some(size) = worthwhile(&response) else { return Ok(response.map_into_boxed_body()) };
        vary(response.headers_mut(), "accept-encoding");
        if !self.is_wanted {
            return Ok(response.map_into_boxed_body());
        }
        let (request, response) = response.into_parts();
        let (mut response, body) = response.into_parts();
        let compressed = match body.try_into_bytes() {
            Ok(plain) if size < LONG => whole(&plain)?,
            Ok(plain) => web::block(move || whole(&plain)).await??,
            Err(body) => return Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(body)))),
        };
        response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        Ok(ServiceResponse::new(request, response.set_body(BoxBody::new(compressed))))
    }
}

/// How long the body of an answer is, where it pays to compress it.
fn worthwhile<B: MessageBody>(response: &ServiceResponse<B>) -> Option<u64> {
    let headers = response.headers();
    let is_plain = !headers.contains_key(header::ETAG) && !headers.contains_key(header::CONTENT_ENCODING);
    let is_picture = headers.get(header::CONTENT_TYPE).is_some_and(|it| it.as_bytes().starts_with(b"image/"));
    match response.response().body().size() {
        BodySize::Sized(size) if size >= WORTHWHILE => {
            (response.status() == StatusCode::OK && is_plain && !is_picture).then_some(size)
        }
        _ => None,
    }
}

/// Says that the answer depends on this header of the request, beside others that it is said of.
pub(in crate::http) fn vary(headers: &mut HeaderMap, name: &str) {
    let said = headers.get(header::VARY).and_then(|said| said.to_str().ok());
    let said = said.map_or_else(|| name.to_owned(), |said| format!("{said}, {name}"));
    if let Ok(said) = HeaderValue::try_from(said) {
        headers.insert(header::VARY, said);
    }
}

/// How a request's body is coded, in the order in which that was done (RFC 9110 §8.4); nothing where it is as it is.
pub(in crate::http) fn codings(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::CONTENT_ENCODING);
    let codings = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let codings = codings.map(|coding| String::from_utf8_lossy(coding.trim_ascii()).to_ascii_lowercase());
    // An element that is empty is none (RFC 9110 §5.6.1.2).
    codings.filter(|coding| !coding.is_empty() && coding != "identity").collect()
}

/// Whether a client would rather have gzip than a body as it is (RFC 9110 §12.5.3). Only who names it gets it.
fn prefers_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).filter_map(|line| line.to_str().ok());
    let (mut gzip, mut identity) = (0, 0);
    for coding in lines.flat_map(|line| line.split(',')) {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(accept::weight).unwrap_or(accept::FULL);
        match name.as_str() {
            "gzip" | "x-gzip" => gzip = weight,
            "identity" => identity = weight,
            _ => {}
        }
    }
    gzip > 0 && gzip >= identity
}

fn whole(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = Gzip::default();
    let mut compressed = gzip.part(plain)?;
    compressed.extend(gzip.end()?);
    Ok(compressed)
}

fn gzipped(body: impl Stream<Item = io::Result<Vec<u8>>>) -> impl Stream<Item = io::Result<Vec<u8>>> {
    stream::try_unfold((Box::pin(body), Some(Gzip::default())), async |(mut body, mut gzip)| {
        let part = match (body.try_next().await?, &mut gzip) {
            (Some(part), Some(open)) => open.part(&part)?,
            (_, open) => match open.take() {
                Some(open) => open.end()?,
                None => return Ok(None),
            },
        };
        Ok(Some((part, (body, gzip))))
    })
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[test]
    fn gzip_is_for_those_who_name_it_and_would_rather_have_it() {
        for (accepted, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("gzip ; q=1.0", true),
            ("x-gzip", true),
            ("gzip, identity", true),
            ("identity;q=0, gzip;q=0.001", true),
            ("identity, gzip;q=0.5", false),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("*", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(prefers_gzip(&headers), expected, "{accepted}");
        }
        assert!(!prefers_gzip(&HeaderMap::new()));
    }
}
