//! Where a page begins, as the client carries it from one page to the next: opaque, safe in a URL, and good
//! for the query alone that it was made for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roster_domain::{Email, NamePrefix, Order, UserFilter, UserId, UserQuery};
use sha2::{Digest, Sha256};

use crate::http::problem::error::ApiError;

/// The layout of a cursor: this byte, eight of the query's digest, eight of the id.
const LAYOUT: u8 = 1;

const NONE: &str = "After is no cursor of this list";
const ANOTHER: &str = "After is a cursor of a list in another order or with other filters";

/// The cursor of the page that comes after `last` in the list that `query` asks for.
pub(in crate::http) fn encode(query: &UserQuery, last: UserId) -> String {
    let mut bytes = vec![LAYOUT];
    bytes.extend(digest(query.order, &query.filter));
    bytes.extend(last.get().to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The id that the page begins after.
///
/// # Errors
///
/// A malformed request, where `cursor` is none, or was made for another order or filter.
pub(in crate::http) fn decode(cursor: &str, order: Order, filter: &UserFilter) -> Result<UserId, ApiError> {
    let (digest_of_cursor, id) = parse(cursor).ok_or_else(|| malformed(NONE))?;
    if digest_of_cursor != digest(order, filter) {
        return Err(malformed(ANOTHER));
    }
    Ok(id)
}

/// Why a cursor is none of a list that has no pages.
pub(in crate::http) fn of_another_list(cursor: &str) -> ApiError {
    malformed(parse(cursor).map_or(NONE, |_| ANOTHER))
}

fn malformed(message: &str) -> ApiError {
    ApiError::Malformed(message.to_owned())
}

fn parse(cursor: &str) -> Option<([u8; 8], UserId)> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (&layout, bytes) = bytes.split_first()?;
    let (digest, id) = bytes.split_first_chunk()?;
    let id = UserId::new(i64::from_be_bytes(id.try_into().ok()?))?;
    (layout == LAYOUT).then_some((*digest, id))
}

/// A digest of what a cursor is good for. The texts' lengths keep two filters apart that would be one text.
fn digest(order: Order, filter: &UserFilter) -> [u8; 8] {
    let mut hash = Sha256::new();
    hash.update([u8::from(order == Order::Descending)]);
    let email = filter.email.as_ref().map(Email::as_str);
    let name = filter.name.as_ref().map(NamePrefix::start);
    for text in [email, name] {
        hash.update([u8::from(text.is_some())]);
        hash.update(text.map_or(0, str::len).to_be_bytes());
        hash.update(text.unwrap_or_default());
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn query(order: Order, email: Option<&str>, name: Option<&str>) -> UserQuery {
        let mut query = UserQuery::default();
        query.order = order;
        query.filter.email = email.map(|email| Email::parse(email).unwrap());
        query.filter.name = name.map(|name| NamePrefix::parse(name).unwrap());
        query
    }

    #[test]
    fn a_cursor_is_good_for_its_own_query_alone() {
        let queries = [
            query(Order::Ascending, None, None),
            query(Order::Descending, None, None),
            query(Order::Ascending, Some("a@b.c"), None),
            query(Order::Ascending, None, Some("a@b.c")),
            query(Order::Ascending, None, Some("")),
        ];
        let id = UserId::new(7).unwrap();
        for (nth, made_for) in queries.iter().enumerate() {
            let cursor = encode(made_for, id);
            for (other, used_with) in queries.iter().enumerate() {
                let decoded = decode(&cursor, used_with.order, &used_with.filter);
                assert_eq!(decoded.ok(), (nth == other).then_some(id), "{nth} {other}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_cursor_is_safe_in_a_url_and_reads_back(id in 1_i64..) {
            let id = UserId::new(id).unwrap();
            let query = UserQuery::default();
            let cursor = encode(&query, id);
            prop_assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(decode(&cursor, query.order, &query.filter).ok(), Some(id));
        }

        #[test]
        fn what_is_no_cursor_is_malformed(text in "\\PC{0,40}") {
            let decoded = decode(&text, Order::Ascending, &UserFilter::default());
            prop_assert!(matches!(decoded, Err(ApiError::Malformed(_))));
        }

        /// Bytes of any kind and length, coded as a cursor is: what is taken is what would be given out.
        #[test]
        fn what_is_taken_is_a_cursor_that_was_given_out(
            layout in prop_oneof![Just(LAYOUT), any::<u8>()],
            digest in prop_oneof![Just(digest(Order::Ascending, &UserFilter::default())), any::<[u8; 8]>()],
            rest in vec(any::<u8>(), 0..12),
        ) {
            let text = URL_SAFE_NO_PAD.encode([&[layout], &digest[..], &rest].concat());
            let query = UserQuery::default();
            match decode(&text, query.order, &query.filter) {
                Ok(id) => prop_assert_eq!(encode(&query, id), text),
                Err(refused) => prop_assert!(matches!(refused, ApiError::Malformed(_))),
            }
        }

        /// One that was given out, with a bit of it turned.
        #[test]
        fn a_cursor_that_was_meddled_with_leads_to_no_other_list(id in 1_i64.., bit in 0..17 * 8_usize) {
            let query = UserQuery::default();
            let mut bytes = URL_SAFE_NO_PAD.decode(encode(&query, UserId::new(id).unwrap())).unwrap();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let decoded = decode(&URL_SAFE_NO_PAD.encode(&bytes), query.order, &query.filter);
            // The last eight bytes are the id, all of which but a negative one and 0 are as good as another.
            prop_assert_eq!(decoded.is_ok(), bit / 8 > 8 && (id ^ i64::from_be_bytes(flip(bit))) > 0);
        }
    }

    /// The id's bytes with one bit set, of those that a cursor has.
    fn flip(bit: usize) -> [u8; 8] {
        let mut flipped = [0; 8];
        if let Some(byte) = (bit / 8).checked_sub(9) {
            flipped[byte] = 1 << (bit % 8);
        }
        flipped
    }
}
