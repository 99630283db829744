//! What each kind of error means to the one who meets it: told on the page of problems and in the document.

use crate::http::problem::Code;

/// What is to be said about a kind of error.
pub(in crate::http) struct Explained {
    /// When it is answered.
    pub(in crate::http) when: &'static str,
    /// What to do about it.
    pub(in crate::http) remedy: &'static str,
    /// A `detail` that it may come with.
    pub(in crate::http) example: &'static str,
}

impl Code {
    /// What the kind means.
    #[expect(clippy::too_many_lines, reason = "it is a table")]
    pub(in crate::http) const fn explained(self) -> Explained {
        let (when, remedy, example) = match self {
            Self::MalformedRequest => (
                "The body does not parse as JSON, or a header or a cursor is no such thing; in an import, a line is not JSON, UTF-8 or of its columns, or what was sent is not gzip.",
                "Send what the detail asks for. A cursor is good for the order and the filters that it came with; start again without one.",
                "Request body is not valid JSON: expected value at line 1 column 11",
            ),
            Self::BusinessRule => (
                "The values are well-formed, and still may not be: another user has this e-mail.",
                "Choose another e-mail, or look up who has it with GET /api/v1/users?email=.",
                "Email already exists",
            ),
            Self::Unauthenticated => (
                "There is no bearer token, or it is not valid: it is none of this service, was revoked, has expired, or is for somebody else.",
                "Send the header Authorization: Bearer with a token of this service, or of the issuer that it trusts. Where one was sent, and is not valid, the header WWW-Authenticate has error=\"invalid_token\".",
                "A bearer token is needed",
            ),
            Self::Forbidden => (
                "The token is valid, and may not do this; or no token is asked for, and the service was asked by a name that is neither an address nor `localhost`.",
                "Use a token with the scope that the detail and the header WWW-Authenticate name, or the name that the detail tells.",
                "This takes the scope users:write",
            ),
            Self::NotFound => (
                "No user or person has this id, or no route has this path.",
                "Check the id and the path. The id of a user that was deleted is not given again.",
                "User 7 not found",
            ),
            Self::MethodNotAllowed => (
                "The resource is there, and does not take this method.",
                "Use one of the methods that the header Allow names.",
                "This resource does not take that method; Allow names those it takes",
            ),
            Self::NotAcceptable => (
                "The resource has no form that the header Accept has a place for.",
                "Accept what the detail names, or leave the header out.",
                "This resource has no other form than application/json",
            ),
            Self::RequestTimeout => (
                "The body did not arrive in time.",
                "Send the request again, its body at once. The connection is closed.",
                "The request's body took too long to arrive",
            ),
            Self::Conflict => (
                "A request with the same Idempotency-Key is still in progress.",
                "Send the same request again after as many seconds as Retry-After says.",
                "A request with this Idempotency-Key is still in progress",
            ),
            Self::Gone => (
                "The feed was asked for events that are no longer kept.",
                "Read the full list of users, and follow the feed from the Roster-Position that came with it.",
                "Events up to position 7 are no longer kept: start again from the full list of users",
            ),
            Self::PreconditionFailed => (
                "The version that the user has is none of those that If-Match names, as where somebody changed it in the meantime; or it is one of those that If-None-Match names. Weak tags never match If-Match.",
                "Get the user again, look at what changed, and send the change with the new ETag.",
                "User is at version 8, which does not fit the request",
            ),
            Self::PayloadTooLarge => (
                "The body has more than 64 KiB; in an import, a line of it.",
                "Send less at once.",
                "Request body must be at most 65536 bytes",
            ),
            Self::UnsupportedMediaType => (
                "The body comes with no Content-Type, with one that is not taken here, or encoded.",
                "Send it as what the detail names, in UTF-8; with Content-Encoding gzip where it is an import, else without.",
                "Content-Type text/plain is not taken here; send application/json",
            ),
            Self::Validation => (
                "The request is well-formed, and breaks rules: of its members, of its parameters, or of an id in its path.",
                "The member errors lists every broken rule with its field. Mend them all, and send the request again.",
                "Name must be at least 2 characters",
            ),
            Self::IdempotencyKeyReused => (
                "The Idempotency-Key was used before, for another request.",
                "Make a new key for each new request; send the old one only to repeat the same request.",
                "Idempotency-Key was used for another request",
            ),
            Self::RateLimited => (
                "More requests were sent than may be, in that time, with this credential or from this address.",
                "Send the same request again after as many seconds as Retry-After says; RateLimit, on each answer that has it, tells how many are left.",
                "Too many requests; the next one may be sent later",
            ),
            Self::Internal => (
                "Something broke that nobody who asks can mend.",
                "Tell whoever runs the service the request_id: the log has the cause under it.",
                "Something went wrong on our side",
            ),
            Self::UpstreamError => (
                "The external directory answered with something that could not be used.",
                "Try again later. Whatever does not need the directory works.",
                "The external directory failed",
            ),
            Self::Unavailable => (
                "The store does not answer, the directory is not asked for the moment, the request took too long, there is too much to do, or the program is stopping.",
                "Send the same request again after as many seconds as Retry-After says.",
                "The service is not available for the moment",
            ),
            Self::UpstreamTimeout => (
                "The external directory took too long.",
                "Try again later. Whatever does not need the directory works.",
                "The external directory took too long",
            ),
        };
        Explained { when, remedy, example }
    }
}
