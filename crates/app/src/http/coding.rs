//! Bodies that are streamed, compressed where the client would have them so.

use std::io;

use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use actix_web::{HttpResponse, HttpResponseBuilder};
use futures_util::{Stream, TryStreamExt, future, stream};

use crate::bulk::Gzip;

/// The answer with this body, to a request with these headers. Where the body fails, the connection is broken
/// off, so that nobody takes what came for the whole.
pub(super) fn respond(
    response: &mut HttpResponseBuilder,
    headers: &HeaderMap,
    body: impl Stream<Item = io::Result<Vec<u8>>> + 'static,
) -> HttpResponse {
    // One that is empty would be the end.
    let body = body.try_filter(|part| future::ready(!part.is_empty()));
    response.append_header((header::VARY, "accept-encoding"));
    if accepts_gzip(headers) {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
        response.streaming(gzipped(body).map_ok(Bytes::from))
    } else {
        response.streaming(body.map_ok(Bytes::from))
    }
}

/// Whether a client names gzip among what it accepts (RFC 9110 §12.5.3), with a weight above 0.
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).filter_map(|line| line.to_str().ok());
    let mut codings = lines.flat_map(|line| line.split(','));
    codings.any(|coding| {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, "q=1"));
        let weight = weight.trim().split_once('=').and_then(|(_, weight)| weight.trim().parse().ok());
        name.trim().eq_ignore_ascii_case("gzip") && weight.is_some_and(|weight: f32| weight > 0.0)
    })
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
    fn gzip_is_for_those_who_name_it() {
        for (accepted, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5, br", true),
            ("gzip ; q=1.0", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("*", false),
            ("identity", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(accepted));
            assert_eq!(accepts_gzip(&headers), expected, "{accepted}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
