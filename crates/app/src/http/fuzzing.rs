//! What holds for whatever a client sends in a cursor, a header or a body: asserted, for a fuzzer and for its seeds.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use roster_domain::{Email, IdempotencyKey, Name, NewUser, Order, UserFilter, UserQuery};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::request::conditional::EntityTags;
use super::request::json::Body;
use super::request::{cursor, idempotency};
use super::users::CreateUserRequest;

/// A cursor that is taken is, to the letter, the one that is given out for that id; one that is none is no cursor of
/// any list.
pub(crate) fn cursors(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let query = UserQuery::default();
    let first = roster_domain::UserId::new(1).map(|id| cursor::encode(&query, id)).unwrap_or_default();
    let of_query = URL_SAFE_NO_PAD.decode(first).unwrap_or_default();
    let forged = of_query.iter().copied().take(9).chain(bytes.iter().copied());
    for text in
        [text.into_owned(), URL_SAFE_NO_PAD.encode(bytes), URL_SAFE_NO_PAD.encode(forged.collect::<Vec<_>>())]
    {
        match cursor::decode(&text, query.order, &query.filter) {
            Ok(id) => {
                assert_eq!(cursor::encode(&query, id), text);
                let elsewhere = cursor::decode(&text, Order::Descending, &UserFilter::default());
                assert!(elsewhere.is_err(), "{text} is good for two lists");
            }
            Err(refused) => assert!(!refused.is_of_server(), "{refused}"),
        }
    }
}

/// Entity tags that are taken read the same when they are written again, one by one or all in a list, with the blanks
/// that a list may have.
pub(crate) fn entity_tags(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some(tags) = EntityTags::parse(&text) else { return };
    assert_eq!(EntityTags::parse(&tags.written(", ")).as_ref(), Some(&tags));
    assert_eq!(EntityTags::parse(&format!("\t {} ", tags.written(" ,\t,"))).as_ref(), Some(&tags));
}

/// A key is the same bare and quoted.
pub(crate) fn idempotency_keys(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Some(key) = idempotency::parse(&text) else { return };
    let plain = key.as_str();
    assert!((1..=IdempotencyKey::MAX_CHARS).contains(&plain.len()), "{plain}");
    let quoted = format!(" \"{}\" ", plain.replace('\\', "\\\\").replace('"', "\\\""));
    assert_eq!(idempotency::parse(&quoted), Some(key));
}

/// A body that is taken makes the user that its members name, which keeps all rules: parsed again, it is the same.
pub(crate) fn new_users(body: &[u8]) {
    let read = CreateUserRequest::read("application/json", body);
    let made = read.and_then(|request| Ok(NewUser::try_from(request)?));
    match serde_json::from_slice::<Value>(body) {
        Ok(value) => assert_eq!(made.as_ref().ok(), expected(&value).as_ref(), "{value}"),
        // It keeps what is ignored here, and so refuses what is JSON, and no number or text that it can keep.
        Err(_) if made.is_ok() => assert!(serde_json::from_slice::<IgnoredAny>(body).is_ok()),
        Err(_) => {}
    }
    match made {
        Ok(new) => {
            let again = json!({"email": new.email.as_str(), "name": new.name.as_str(), "x": [1]});
            assert_eq!(expected(&again), Some(new));
        }
        Err(refused) => assert!(!refused.is_of_server(), "{refused}"),
    }
}

/// The user of a body, read by a parser that keeps all of it.
fn expected(value: &Value) -> Option<NewUser> {
    let text = |name| value.as_object()?.get(name)?.as_str();
    let (email, name) = (Email::parse(text("email")?).ok()?, Name::parse(text("name")?).ok()?);
    Some(NewUser { email, name })
}
