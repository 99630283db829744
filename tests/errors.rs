//! Errors that the framework would answer by itself: each has the contract's body all the same.

use crate::kit::{Raw, Roster, USERS, new_user, suite, user_path};

suite![
    a_route_that_is_not_there_is_not_found,
    a_method_that_is_not_there_tells_those_that_are,
    json_that_does_not_parse_is_malformed,
    a_body_of_another_type_is_unsupported,
    an_answer_of_another_type_is_not_acceptable,
    a_body_over_64_kib_is_too_large,
    a_chunked_body_over_64_kib_is_too_large,
    a_query_that_is_not_text_is_answered_in_the_same_form,
    an_error_of_head_has_no_body,
    an_error_does_not_end_the_connection_for_others,
];

const KIB_64: usize = 64 * 1024;

async fn a_route_that_is_not_there_is_not_found(roster: Roster) {
    for path in [
        "/nope",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nope",
        "/api/v2/users",
        "/api/v1/users/1/2",
        "/users",
        "/api/v1/Users",
        "/livez/deep",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            roster.request(method, path).await.error(404, "not_found");
        }
    }
    roster.post("/nope", &new_user("ada")).await.error(404, "not_found");
}

async fn a_method_that_is_not_there_tells_those_that_are(roster: Roster) {
    let user = user_path(roster.user("ada").await.id);
    let users_slash = format!("{USERS}/");
    for (method, path, allowed) in [
        ("DELETE", USERS, &["GET", "POST"][..]),
        ("PUT", USERS, &["GET", "POST"]),
        ("PATCH", &users_slash, &["GET", "POST"]),
        ("POST", &user, &["GET", "PUT", "PATCH", "DELETE"]),
        ("REPORT", &user, &["GET", "PUT", "PATCH", "DELETE"]),
        ("POST", "/livez", &["GET"]),
        ("DELETE", "/readyz", &["GET"]),
    ] {
        let answer = roster.request(method, path).await;
        answer.error(405, "method_not_allowed");
        let told = answer.header("allow");
        let told: Vec<_> = told.split(',').map(str::trim).collect();
        for one in allowed {
            assert!(told.contains(one), "{one} is missing in {told:?}: {}", answer.told());
        }
        assert!(!told.contains(&method), "{}", answer.told());
    }
}

async fn json_that_does_not_parse_is_malformed(roster: Roster) {
    let user = user_path(roster.user("ada").await.id);
    let whole = new_user("bob").to_string();
    let deep = "[".repeat(20_000);
    let broken: [&[u8]; 9] = [
        b"",
        b" ",
        b"{",
        br#"{"email": }"#,
        br"{'email': 'a@b.c'}",
        br#"{"email": "a@b.c", "name": "Ada",}"#,
        &[whole.as_bytes(), b" trailing"].concat(),
        b"{\"email\": \"a@b.c\", \"name\": \"\xff\xfe\"}",
        deep.as_bytes(),
    ];
    for body in broken {
        for (method, path) in [("POST", USERS), ("PUT", &user), ("PATCH", &user)] {
            let answer = roster.request(method, path).body("application/json", body).await;
            answer.error(400, "malformed_request");
        }
    }
}

async fn a_body_of_another_type_is_unsupported(roster: Roster) {
    let user = user_path(roster.user("ada").await.id);
    let body = new_user("bob").to_string();
    for (method, path) in [("POST", USERS), ("PUT", &user), ("PATCH", &user)] {
        for other in [
            "text/plain",
            "application/xml",
            "application/x-www-form-urlencoded",
            "json",
            "application/jsonp",
        ] {
            let answer = roster.request(method, path).body(other, body.clone()).await;
            answer.error(415, "unsupported_media_type");
            let patches: &[_] = &["application/merge-patch+json, application/json"];
            assert_eq!(answer.all("accept-patch"), if method == "PATCH" { patches } else { &[] });
        }
        let packed = roster.request(method, path).body("application/json", body.clone());
        let packed = packed.header("Content-Encoding", "gzip").await;
        packed.error(415, "unsupported_media_type");
        assert_eq!(packed.header("accept-encoding"), "identity");
        let answer = roster.request(method, path).untyped_body(body.clone()).await;
        answer.error(415, "unsupported_media_type");
    }
    let typed = roster.request("POST", USERS).body("application/json; charset=utf-8", body.clone());
    typed.header("Content-Encoding", " , identity").await.user(201);
}

async fn an_answer_of_another_type_is_not_acceptable(roster: Roster) {
    let ada = roster.user("ada").await;
    for path in [USERS, &user_path(ada.id)] {
        for other in ["application/xml", "image/png", "text/html", "application/json;q=0"] {
            roster.get(path).header("Accept", other).await.error(406, "not_acceptable");
        }
    }
    let nowhere = roster.get(&format!("{USERS}s")).header("Accept", "image/png").await;
    nowhere.error(404, "not_found");
    let never = roster.request("PATCH", USERS).header("Accept", "image/png").await;
    never.error(405, "method_not_allowed");
    for fitting in [
        "*/*",
        "application/json",
        "application/*",
        "text/html, */*;q=0.1",
        "text/html,application/json;q=0.9",
    ] {
        assert_eq!(
            roster.get(&user_path(ada.id)).header("Accept", fitting).await.user(200),
            ada,
            "{fitting}"
        );
    }
}

async fn a_body_over_64_kib_is_too_large(roster: Roster) {
    let padded = |local: &str, length: usize| {
        let user = new_user(local).to_string();
        format!("{user}{}", " ".repeat(length - user.len()))
    };
    let ada = roster.request("POST", USERS).body("application/json", padded("ada", KIB_64)).await.user(201);
    let user = user_path(ada.id);
    for (method, path) in [("POST", USERS), ("PUT", &user), ("PATCH", &user)] {
        for length in [KIB_64 + 1, 3 * 1024 * 1024] {
            let request = roster.request(method, path).body("application/json", padded("bob", length));
            match request.attempt().await {
                Ok(answer) => drop(answer.error(413, "payload_too_large")),
                // A client may still be writing when it is answered, and then not get to read.
                Err(error) => assert!(length > KIB_64 + 1 && error.is_request(), "{error:?}"),
            }
        }
    }
    assert_eq!(roster.get(USERS).await.page().items, [ada]);
}

async fn a_chunked_body_over_64_kib_is_too_large(roster: Roster) {
    let head = format!(
        "POST {USERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let chunk = format!("2000\r\n{}\r\n", " ".repeat(0x2000));
    let mut raw = Raw::to(&roster).await;
    raw.send(format!("{head}{}1\r\n \r\n0\r\n\r\n", chunk.repeat(8))).await;
    raw.answer().await.unwrap().error(413, "payload_too_large");

    let user = new_user("ada").to_string();
    let mut raw = Raw::to(&roster).await;
    raw.send(format!("{head}{:x}\r\n{user}\r\n{}0\r\n\r\n", user.len(), chunk.repeat(7))).await;
    raw.answer().await.unwrap().user(201);
}

async fn a_query_that_is_not_text_is_answered_in_the_same_form(roster: Roster) {
    for target in [format!("{USERS}/%ff"), format!("{USERS}?name=%00"), format!("{USERS}?limit=%ff")] {
        roster.get(&target).await.error(422, "validation");
    }
    // Bytes that are no UTF-8 stand for what nobody is called.
    for target in ["name=%ff", "email=%C3%28", "limit=1&limit=2"] {
        assert_eq!(roster.get(&format!("{USERS}?{target}")).await.page().items, []);
    }
}

async fn an_error_of_head_has_no_body(roster: Roster) {
    for (path, status) in [
        (user_path(1), 404),
        (user_path("abc"), 422),
        ("/nope".to_owned(), 404),
        (format!("{USERS}?limit=0"), 422),
    ] {
        let answer = roster.request("HEAD", &path).await;
        assert_eq!(answer.empty(status).header("content-type"), "application/problem+json");
    }
}

async fn an_error_does_not_end_the_connection_for_others(roster: Roster) {
    let mut raw = Raw::to(&roster).await;
    for _ in 0..3 {
        raw.ask("GET", "/nope").await.unwrap();
        raw.answer().await.unwrap().error(404, "not_found");
        raw.ask("GET", "/livez").await.unwrap();
        raw.answer().await.unwrap().any_body(200);
    }
}
