//! Where a body ends, for those whom the framework would tell it otherwise than they can read it: who offers another
//! protocol, which is taken by nobody here (RFC 9110 §7.8), and who speaks HTTP/1.0.

use std::cell::Cell;
use std::rc::Rc;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, UPGRADE};
use actix_web::http::{ConnectionType, Version};
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpResponse};
use futures_util::{Stream, TryStreamExt, stream};

/// How the answer to a request is to be framed.
#[derive(Debug, Clone)]
pub(in crate::http) struct Framing {
    /// The connection ends with the answer: another protocol was offered, and the framework takes what comes next for
    /// that.
    is_last: bool,
    /// A stream has no length and no chunks: it ends with the connection.
    is_bare: bool,
    /// How much of its body is yet to be read, of a request after which the framework takes all for something that is
    /// left of a body.
    left: Option<Rc<Cell<usize>>>,
}

impl Framing {
    /// As a request needs it, whose body ends where its head says: the framework has it end with the connection where
    /// a WebSocket is offered.
    pub(in crate::http) fn of(request: &mut ServiceRequest) -> Self {
        let is_old = request.version() < Version::HTTP_11;
        let is_chunked = !is_old && request.chunked().unwrap_or_default();
        let is_socket = is_socket(request.headers()) && !is_chunked;
        let left = is_socket.then(|| Rc::new(Cell::new(length(request.headers()))));
        if let Some(left) = left.clone() {
            let payload = request.take_payload();
            request.set_payload(Payload::Stream { payload: Box::pin(first(left, payload)) });
        }
        Self { is_last: is_socket || request.head().upgrade(), is_bare: is_socket || is_old, left }
    }

    /// Whether a stream that is broken off has to end as no whole one does.
    pub(in crate::http) fn is_bare(&self) -> bool {
        self.is_bare
    }

    /// Whether the client has said all that it may, so that the connection need not wait for more of it. Where the
    /// framework knows that by itself it is left to it.
    pub(in crate::http) fn is_said(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.get() == 0)
    }

    /// Frames an answer.
    pub(in crate::http) fn frame<B: MessageBody>(&self, response: &mut ServiceResponse<B>) {
        let is_stream = response.response().body().size() == BodySize::Stream;
        if is_stream && self.is_bare {
            // Its end is that of the connection (RFC 9112 §6.3).
            response.response_mut().head_mut().no_chunking(true);
            close(response.response_mut());
        }
        self.frame_whole(response.response_mut());
    }

    /// Frames an answer that is no stream.
    pub(in crate::http) fn frame_whole<B>(&self, response: &mut HttpResponse<B>) {
        if self.is_last {
            close(response);
        }
    }
}

/// Sends the client elsewhere with its next request (RFC 9112 §9.6). The header is the framework's to write: it
/// leaves out one that is written here.
pub(in crate::http) fn close<B>(response: &mut HttpResponse<B>) {
    response.head_mut().set_connection_type(ConnectionType::Close);
}

fn is_socket(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).any(|offer| offer.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket"))
}

/// How long a body is that is not chunked.
fn length(headers: &HeaderMap) -> usize {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
    length.unwrap_or_default()
}

/// The beginning of a body, which has to be as long as there is `left`.
fn first(left: Rc<Cell<usize>>, payload: Payload) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    stream::try_unfold((payload, left), async |(mut payload, left)| {
        if left.get() == 0 {
            return Ok(None);
        }
        let Some(mut part) = payload.try_next().await? else { return Err(PayloadError::Incomplete(None)) };
        part.truncate(left.get());
        left.set(left.get() - part.len());
        Ok(Some((part, (payload, left))))
    })
}
