//! The query of a list: what a client asks for, and the link to the page after.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use roster_domain::{Email, NamePrefix, Order, PageLimit, UserId, UserQuery, Violation, Violations};

use super::problem::error::ApiError;
use super::request::cursor;
use super::request::query::Query;

/// What a client asks of the list of users.
pub(super) struct ListRequest {
    /// What to look for; `None` where nobody can be found, as with an `email` that could not be one.
    pub(super) query: Option<UserQuery>,
    with_total: bool,
    parameters: Query,
}

impl ListRequest {
    /// How many there are of what cannot be found.
    pub(super) fn total_of_none(&self) -> Option<u64> {
        self.with_total.then_some(0)
    }

    /// The link to the page at `cursor`, with all that this page was asked with.
    pub(super) fn link(&self, path: &str, cursor: &str) -> String {
        self.parameters.next(path, &["limit", "order", "count", "name", "email"], cursor)
    }

    fn parse(query: &str) -> Result<Self, ApiError> {
        let parameters = Query::parse(query);
        let value = |name| parameters.value(name);
        let mut broken = Violations::default();
        let limit = broken.take(value("limit").map_or(Ok(PageLimit::default()), limit)).unwrap_or_default();
        let order = broken.take(value("order").map_or(Ok(Order::default()), order)).unwrap_or_default();
        let with_total = broken.take(value("count").map_or(Ok(false), count)).unwrap_or_default();
        let name = broken.take(value("name").map(NamePrefix::parse).transpose()).unwrap_or_default();
        broken.or(())?;

        let after = value("after");
        let query = if let Ok(email) = value("email").map(Email::parse).transpose() {
            let mut query = UserQuery::default();
            (query.filter.email, query.filter.name) = (email, name);
            (query.order, query.limit, query.with_total) = (order, limit, with_total);
            query.after = after.map(|cursor| cursor::decode(cursor, order, &query.filter)).transpose()?;
            Some(query)
        } else {
            // Where nobody can be found there is no page to come after another.
            after.map_or(Ok(()), |cursor| Err(cursor::of_another_list(cursor)))?;
            None
        };
        Ok(Self { query, with_total, parameters })
    }
}

impl FromRequest for ListRequest {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::parse(request.query_string()))
    }
}

fn limit(text: &str) -> Result<PageLimit, Violations> {
    // A number that is no i64 is out of range as well.
    Ok(PageLimit::new(text.parse().unwrap_or(0))?)
}

fn order(text: &str) -> Result<Order, Violations> {
    match text {
        "asc" => Ok(Order::Ascending),
        "desc" => Ok(Order::Descending),
        _ => Err(Violation::new("order", "Order must be asc or desc").into()),
    }
}

fn count(text: &str) -> Result<bool, Violations> {
    match text {
        "exact" => Ok(true),
        _ => Err(Violation::new("count", "Count must be exact").into()),
    }
}

/// The cursor of the page after the one that ends with `last`.
pub(super) fn next_cursor(query: &UserQuery, last: Option<UserId>) -> Option<String> {
    last.map(|last| cursor::encode(query, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(query: &str) -> String {
        ListRequest::parse(query).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn without_parameters_the_first_twenty_are_asked_for() {
        for query in ["", "unknown=1"] {
            assert_eq!(ListRequest::parse(query).unwrap().query, Some(UserQuery::default()));
        }
    }

    #[test]
    fn every_parameter_out_of_range_is_told() {
        assert_eq!(
            refused("limit=101&order=up&count=all&name=a%00"),
            "Limit must be between 1 and 100; Order must be asc or desc; Count must be exact; \
             Name must not contain control characters"
        );
        for query in
            ["limit=0", "limit=", "limit=-1", "limit=1.5", "limit=99999999999999999999", "limit=5&limit=x"]
        {
            assert_eq!(refused(query), "Limit must be between 1 and 100", "{query}");
        }
    }

    #[test]
    fn an_email_that_could_not_be_one_finds_nobody() {
        for query in ["email=", "email=ada", "email=%FF%40b.c+d&count=exact"] {
            assert_eq!(ListRequest::parse(query).unwrap().query, None, "{query}");
        }
        assert_eq!(refused("email=ada&after=nonsense"), "After is no cursor of this list");
        let of_all = cursor::encode(&UserQuery::default(), UserId::new(7).unwrap());
        let another = "After is a cursor of a list in another order or with other filters";
        assert_eq!(refused(&format!("email=ada&after={of_all}")), another);
        let found = ListRequest::parse("email=+Ada%40Example.ORG").unwrap().query.unwrap();
        assert_eq!(found.filter.email.unwrap().as_str(), "ada@example.org");
    }

    #[test]
    fn the_link_to_the_next_page_asks_for_the_same() {
        let list = ListRequest::parse("name=J%C3%A4+%26&limit=5&after=&order=desc").err();
        assert!(matches!(list, Some(ApiError::Malformed(_))), "an empty cursor is none");
        let list = ListRequest::parse("limit=7&x=1&name=J%C3%A4+%26&limit=5&x=2&order=desc").unwrap();
        assert_eq!(
            list.link("/api/v1/users", "x_-1"),
            "</api/v1/users?name=J%C3%A4+%26&limit=5&order=desc&after=x_-1>; rel=\"next\""
        );
    }
}
