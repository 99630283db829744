//! What every answer tells a browser and whatever keeps answers.

use crate::kit::{Answer, EVENTS, Raw, Roster, USERS, new_user, suite, user_path};

suite![
    every_kind_of_answer_is_guarded,
    a_user_that_was_got_is_kept_for_who_got_it_and_asked_for_again,
    what_cannot_be_asked_for_again_is_not_kept,
];

fn assert_guarded(answer: &Answer) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{}", answer.told());
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{}", answer.told());
    let policy = answer.header("content-security-policy");
    assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'", "{}", answer.told());
    assert!(!answer.has("server"), "what serves is nobody's business: {}", answer.told());
}

async fn every_kind_of_answer_is_guarded(roster: Roster) {
    let user = user_path(1);
    for (request, status) in [
        (roster.post(USERS, &new_user("ada")), 201),
        (roster.post(USERS, &new_user("ada")), 400),
        (roster.get(&user).header("If-None-Match", "*"), 304),
        (roster.request("HEAD", &user), 200),
        (roster.request("OPTIONS", &user), 204),
        (roster.delete(&user), 204),
        (roster.get("/nope"), 404),
        (roster.delete(USERS), 405),
        (roster.get(USERS).header("Accept", "image/png"), 406),
        (roster.request("POST", USERS).untyped_body("{}"), 415),
        (roster.get(&user_path("abc")), 422),
        (roster.get(EVENTS), 200),
        (roster.get("/metrics"), 200),
        (roster.get("/openapi.json"), 200),
    ] {
        assert_guarded(request.await.any_body(status));
    }
    let mut raw = Raw::to(&roster).await;
    raw.ask("GET", "/nope").await.unwrap();
    assert_guarded(&raw.answer().await.unwrap());
}

async fn a_user_that_was_got_is_kept_for_who_got_it_and_asked_for_again(roster: Roster) {
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);
    for (request, status) in [
        (roster.get(&path), 200),
        (roster.request("HEAD", &path), 200),
        (roster.get(&path).header("If-None-Match", &ada.etag()), 304),
    ] {
        let answer = request.await;
        answer.any_body(status);
        assert_eq!(answer.header("cache-control"), "private, no-cache", "{}", answer.told());
        assert_eq!(answer.header("etag"), ada.etag());
    }
}

async fn what_cannot_be_asked_for_again_is_not_kept(roster: Roster) {
    let ada = roster.post(USERS, &new_user("ada")).await;
    let path = user_path(ada.user(201).id);
    for answer in [
        &ada,
        &roster.get(USERS).await,
        &roster.put(&path, &new_user("bob")).await,
        &roster.get(EVENTS).await,
        &roster.get(&user_path("x")).await,
        &roster.delete(&path).await,
        &roster.get(&path).await,
        &roster.get("/readyz").await,
    ] {
        assert_eq!(answer.header("cache-control"), "no-store", "{}", answer.told());
    }
}
