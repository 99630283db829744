//! The parts of a request that ask nobody, to be timed one by one: `just bench-parts`.

use roster_domain::{NewUser, Page, User, UserId, UserQuery};
use serde_json::Error;

use super::request::cursor;
use super::request::json::Body;
use super::users::{CreateUserRequest, ListResponse, UserResponse};

/// Reads and judges the body that makes a user; none where it breaks a rule.
pub fn new_user(body: &[u8]) -> Option<NewUser> {
    CreateUserRequest::read("application/json", body).ok()?.try_into().ok()
}

/// The body that tells of a user.
///
/// # Errors
///
/// Never.
pub fn user(user: User) -> Result<String, Error> {
    serde_json::to_string(&UserResponse::from(user))
}

/// The body that tells of a page of users.
///
/// # Errors
///
/// Never.
pub fn page(page: Page<User>, query: &UserQuery) -> Result<String, Error> {
    serde_json::to_string(&ListResponse::new(page, query))
}

/// The cursor of the page after `last`.
pub fn cursor(query: &UserQuery, last: UserId) -> String {
    cursor::encode(query, last)
}

/// The id that a cursor begins after; none where it is not one of this list.
pub fn begins_after(query: &UserQuery, text: &str) -> Option<UserId> {
    cursor::decode(text, query.order, &query.filter).ok()
}
