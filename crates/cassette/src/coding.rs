//! Content codings (RFC 9110, section 8.4.1), undone only where the bytes really are coded: vcrpy under
//! requests keeps the header but stores the body decoded.

use crate::interaction::RecordedResponse;
use flate2::read::{DeflateDecoder, GzDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::Read;

/// A body that decodes to more bytes than allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Makes a response what a client that decodes would see: the body decoded, the headers that spoke of the
/// transfer gone, the length, where one is stated, that of the body. The response to `HEAD` only loses its
/// transfer coding, and so does one that is too large.
pub(crate) fn decode(response: &mut RecordedResponse, method: &str, limit: usize) -> Result<(), TooLarge> {
    response.headers.remove("transfer-encoding");
    if method == "HEAD" || (response.body.is_empty() && matches!(response.status, 204 | 304)) {
        return Ok(());
    }
    let codings = response.headers.get_all("content-encoding");
    let codings: Vec<String> =
        codings.iter().filter_map(|value| value.to_str().ok()).map(str::to_lowercase).collect();
    let mut body = response.body.clone();
    for coding in codings.iter().flat_map(|list| list.split(',')).rev() {
        if let Some(decoded) = undo(coding.trim(), &body, limit)? {
            body = decoded.into();
        }
    }
    response.headers.remove("content-encoding");
    response.set_body(body);
    Ok(())
}

/// The decoded bytes, or `None` where they are not in this coding.
fn undo(coding: &str, body: &[u8], limit: usize) -> Result<Option<Vec<u8>>, TooLarge> {
    match coding {
        "gzip" | "x-gzip" => match read(MultiGzDecoder::new(body), limit)? {
            // Bytes after the first member that are no other one do not count.
            None => read(GzDecoder::new(body), limit),
            decoded => Ok(decoded),
        },
        "deflate" => match read(ZlibDecoder::new(body), limit)? {
            None if std::str::from_utf8(body).is_err() => raw_deflate(body, limit),
            decoded => Ok(decoded),
        },
        #[cfg(feature = "brotli")]
        "br" => {
            // Some texts begin like an empty stream.
            let decoded = read(brotli::Decompressor::new(body, 4096), limit)?;
            Ok(decoded.filter(|decoded| !decoded.is_empty() || body.len() < 3))
        }
        #[cfg(feature = "zstd")]
        "zstd" => match ruzstd::decoding::StreamingDecoder::new(body) {
            Ok(decoder) => read(decoder, limit),
            Err(_) => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Deflate without the zlib frame, which some servers send; only where it fills the body to its last byte.
fn raw_deflate(body: &[u8], limit: usize) -> Result<Option<Vec<u8>>, TooLarge> {
    let mut inflater = DeflateDecoder::new(body);
    let decoded = read(&mut inflater, limit)?;
    Ok(decoded.filter(|_| usize::try_from(inflater.total_in()).is_ok_and(|read| read == body.len())))
}

fn read(source: impl Read, limit: usize) -> Result<Option<Vec<u8>>, TooLarge> {
    let mut decoded = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match source.take(most).read_to_end(&mut decoded) {
        Ok(_) if decoded.len() > limit => Err(TooLarge),
        Ok(_) => Ok(Some(decoded)),
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn response(coding: &str, body: Vec<u8>) -> RecordedResponse {
        let mut response = RecordedResponse { status: 200, body: body.into(), ..RecordedResponse::default() };
        response.headers.insert("Content-Encoding", coding).unwrap();
        response.headers.insert("Content-Length", "1").unwrap();
        response.headers.insert("Transfer-Encoding", "chunked").unwrap();
        response
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_coded_body_is_decoded_and_one_that_is_not_stays() {
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        zlib.write_all(b"hello").unwrap();
        let mut raw = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        raw.write_all(b"hello").unwrap();
        let cases = [
            ("gzip", gzip(b"hello")),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
            ("gzip", b"hello".to_vec()),
            ("deflate", b"hello".to_vec()),
            ("deflate, gzip", gzip(b"hello")),
            ("unknown", b"hello".to_vec()),
        ];
        for (coding, body) in cases {
            let mut response = response(coding, body);
            decode(&mut response, "GET", 100).unwrap();
            assert_eq!(response.body, "hello", "{coding}");
            assert_eq!(response.headers.get("content-length"), Some("5"));
            assert!(
                !response.headers.contains("content-encoding")
                    && !response.headers.contains("transfer-encoding")
            );
        }
    }

    #[cfg(feature = "brotli")]
    #[test]
    fn brotli_is_decoded_and_a_text_that_begins_like_it_stays() {
        let coded = b"\x1b\x10\x00\xf8\x8d\x94\x6e\xde\x44\x55\x86\x96\x6c\x20\x6f\x01\x4f\x1c\x60\x1c";
        for (body, decoded) in [(&coded[..], "hello hello hello"), (b"; text", "; text")] {
            let mut response = response("br", body.to_vec());
            decode(&mut response, "GET", 100).unwrap();
            assert_eq!(response.body, decoded);
        }
    }

    #[cfg(feature = "zstd")]
    #[test]
    fn zstd_is_decoded_and_a_text_stays() {
        let coded = ruzstd::encoding::compress_to_vec(
            &b"hello"[..],
            ruzstd::encoding::CompressionLevel::Uncompressed,
        );
        for body in [coded, b"hello".to_vec()] {
            let mut response = response("zstd", body);
            decode(&mut response, "GET", 100).unwrap();
            assert_eq!(response.body, "hello");
        }
    }

    #[test]
    fn bytes_after_a_gzip_do_not_count() {
        let mut response = response("gzip", [gzip(b"hello"), b"\0\0junk".to_vec()].concat());
        decode(&mut response, "GET", 100).unwrap();
        assert_eq!(response.body, "hello");
    }

    #[test]
    fn half_a_gzip_stays_as_it_is() {
        let half = gzip(b"hello hello hello")[..20].to_vec();
        let mut response = response("gzip", half.clone());
        decode(&mut response, "GET", 100).unwrap();
        assert_eq!(response.body, half);
    }

    #[test]
    fn the_response_to_head_keeps_the_length_it_states() {
        let mut response = response("gzip", Vec::new());
        decode(&mut response, "HEAD", 100).unwrap();
        assert_eq!(response.headers.get("content-length"), Some("1"));
    }

    #[test]
    fn a_body_that_unpacks_to_too_much_is_refused() {
        let mut response = response("gzip", gzip(&vec![0; 1000]));
        let packed = response.body.clone();
        assert_eq!(decode(&mut response, "GET", 999), Err(TooLarge));
        assert_eq!((response.headers.get("content-encoding"), response.body), (Some("gzip"), packed));
    }
}
