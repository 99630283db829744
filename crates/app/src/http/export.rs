//! `/users/export`: all users, from one snapshot.

use std::io;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{DomainError, User, chain};
use tracing::{Span, error};

use super::middleware::access::protected;
use super::middleware::coding;
use super::problem::error::ApiError;
use super::request::accept;
use super::request::position::ROSTER_POSITION;
use crate::access::Scope;
use crate::bulk::{Format, Writer};
use crate::wiring::Services;

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.service(protected("/users/export").in_forms_of_its_own().on(
        Method::GET,
        Scope::UsersRead,
        export,
    ));
}

async fn export(services: web::Data<Services>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let form = accept::choose(request.headers(), &Format::MEDIA_TYPES);
    let format = form.and_then(Format::of_media_type);
    let format = format.ok_or(ApiError::NotAcceptable("application/x-ndjson or text/csv"))?;
    // Read before the users, so that a client that follows on from there misses nothing.
    let position = services.feed.newest().await?;
    let mut response = HttpResponse::Ok();
    response.insert_header((ROSTER_POSITION, position.to_string()));
    response.insert_header((header::CONTENT_TYPE, content_type(format)));
    response.insert_header((header::CONTENT_DISPOSITION, attachment(format)));
    response.insert_header((header::VARY, "accept"));
    if request.method() == Method::HEAD {
        return Ok(coding::respond(&mut response, request.headers(), stream::empty()));
    }
    let lines = lines(services.users.export(), Writer::new(format)).await?;
    Ok(coding::respond(&mut response, request.headers(), lines))
}

fn content_type(format: Format) -> &'static str {
    match format {
        Format::Ndjson => Format::Ndjson.media_type(),
        // In no other format is a charset a parameter; for this one, US-ASCII was meant without (RFC 4180 §3).
        Format::Csv => "text/csv; charset=utf-8; header=present",
    }
}

fn attachment(format: Format) -> &'static str {
    match format {
        Format::Ndjson => "attachment; filename=\"users.ndjson\"",
        Format::Csv => "attachment; filename=\"users.csv\"",
    }
}

/// The users, as they are written. What goes wrong before the first of them has an answer of its own.
async fn lines(
    mut users: impl Stream<Item = Result<Vec<User>, UserRepositoryError>> + Unpin + 'static,
    writer: Writer,
) -> Result<impl Stream<Item = io::Result<Vec<u8>>> + 'static, DomainError> {
    let first = users.try_next().await?.unwrap_or_default();
    let begin = stream::iter([writer.begin(), writer.users(first)]);
    let rest = users.map(move |batch| batch.map_err(io::Error::other).and_then(|batch| writer.users(batch)));
    let span = Span::current();
    Ok(begin.chain(rest).inspect_err(move |cause| {
        let _entered = span.enter();
        error!(cause = chain(cause), "an export is broken off");
    }))
}
