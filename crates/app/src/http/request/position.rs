//! Places in the feed, as clients carry them.

use actix_web::http::header::HeaderName;
use roster_domain::{Position, Violation};

/// The newest position of the feed of events, on every answer of the list of users and of the feed.
pub(in crate::http) const ROSTER_POSITION: HeaderName = HeaderName::from_static("roster-position");

/// A position, as a parameter of a query has it: 0 is before the first event.
pub(in crate::http) fn parse(text: &str) -> Result<Position, Violation> {
    let position = text.parse().ok().and_then(Position::new);
    position.ok_or_else(|| Violation::new("after", "After must be a position: a whole number from 0"))
}
