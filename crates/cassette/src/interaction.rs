use crate::Headers;
use bytes::Bytes;

/// A request as a cassette keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedRequest {
    /// The method, in the case it was sent in.
    pub method: String,
    /// The absolute `http` or `https` URI, without user information and fragment.
    pub uri: String,
    /// The header fields, one value each.
    pub headers: Headers,
    /// The whole body; empty where there is none.
    pub body: Bytes,
}

/// A response as a cassette keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordedResponse {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase, as sent (RFC 9112, section 4), or the usual one of the status.
    pub message: String,
    /// The header fields, with every value.
    pub headers: Headers,
    /// The whole body.
    pub body: Bytes,
}

/// A request and the response it got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interaction {
    pub(crate) request: RecordedRequest,
    pub(crate) response: RecordedResponse,
}

impl RecordedRequest {
    /// `METHOD uri`, as messages name a request.
    pub fn summary(&self) -> String {
        format!("{} {}", self.method, self.uri)
    }

    /// Replaces the body and, where the request states a length, the length.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
        correct_length(&mut self.headers, self.body.len());
    }
}

impl RecordedResponse {
    /// Replaces the body and, where the response states a length, the length.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
        correct_length(&mut self.headers, self.body.len());
    }

    /// The usual reason phrase of a status, or nothing where it has none.
    pub(crate) fn usual_message(status: u16) -> &'static str {
        http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default()
    }
}

fn correct_length(headers: &mut Headers, length: usize) {
    if headers.contains("content-length") {
        // A number is always a valid field value.
        let _ = headers.insert("content-length", &length.to_string());
    }
}
