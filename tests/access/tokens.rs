//! API tokens: `roster token`, and the file that the server knows them by.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::{READ, becomes};
use crate::kit::{
    Database, EVENTS, Exit, OnSqlite, Output, Program, Raw, Roster, TokensFile, USERS, new_user, suite,
};

suite![
    a_token_is_shown_once_and_the_file_does_not_have_it,
    whoever_has_a_token_is_let_in_and_nobody_else,
    a_scope_is_good_for_what_it_says_and_for_nothing_else,
    a_request_is_refused_before_its_body_is_sent,
    tokens_come_and_go_without_a_restart,
    a_file_that_breaks_changes_nothing_and_is_told,
    a_stream_ends_once_its_token_is_revoked,
    an_idempotency_key_is_its_principals_and_outlives_its_token,
    what_is_not_below_the_base_path_is_open,
    tokens_are_listed_and_revoked_by_name,
    a_file_keeps_its_place_and_its_permissions,
    of_many_made_at_once_none_is_lost,
    what_cannot_be_done_is_told_in_one_line,
];

async fn serving(database: &Database, file: &TokensFile) -> Roster {
    Program::serving(database).and(["--tokens-file".as_ref(), file.path().as_os_str()]).serve().await
}

async fn a_token_is_shown_once_and_the_file_does_not_have_it() {
    let file = TokensFile::missing();
    let token = file.token("ci", "users:read,users:write").await;
    let random = token.strip_prefix("roster_").expect("a token is known by what it begins with");
    assert_eq!(random.len(), 43, "256 bits in base64: {token}");
    let text = file.text();
    assert!(
        !text.contains(random) && text.contains("ci ") && text.contains(" users:read,users:write "),
        "{text}"
    );
    let mode = std::fs::metadata(file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_ne!(file.token("cd", "users:read").await, token);
}

async fn whoever_has_a_token_is_let_in_and_nobody_else(database: Database) {
    let file = TokensFile::missing();
    let token = file.token("ci", "users:read").await;
    let roster = serving(&database, &file).await;

    roster.get(READ).bearer(&token).await.page();
    roster.get(READ).header("Authorization", &format!("bearer {token}")).await.page();

    let missing = roster.get(READ).await;
    missing.error_saying(401, "unauthenticated", "A bearer token is needed");
    assert_eq!(missing.header("www-authenticate"), r#"Bearer realm="roster""#);
    let digest = file.text().split_whitespace().find(|word| word.len() == 64).unwrap().to_owned();
    let longer = format!("{token}A");
    for wrong in
        [&token[..token.len() - 1], &longer, &token.to_uppercase(), "roster_", "ci", &digest, "a.b.c"]
    {
        let refused = roster.get(READ).bearer(wrong).await;
        refused.error_saying(401, "unauthenticated", "The bearer token is not valid");
        let challenge = refused.header("www-authenticate");
        assert!(challenge.starts_with(r#"Bearer realm="roster", error="invalid_token""#), "{challenge}");
    }
    let basic = roster.get(READ).header("Authorization", "Basic Y2k6Y2k=").await;
    basic.error_saying(401, "unauthenticated", "A bearer token is needed");
    let twice = roster.get(READ).bearer(&token).bearer(&token).await;
    twice.error_saying(401, "unauthenticated", "A bearer token is needed");
}

/// What each scope is good for.
const ALLOWED: [(&str, &str, &str); 14] = [
    ("users:read", "GET", "/api/v1/users"),
    ("users:read", "HEAD", "/api/v1/users/"),
    ("users:read", "GET", "/api/v1/users/1"),
    ("users:read", "GET", "/api/v1/users/export"),
    ("users:write", "POST", "/api/v1/users"),
    ("users:write", "PUT", "/api/v1/users/1"),
    ("users:write", "PATCH", "/api/v1/users/1"),
    ("users:write", "DELETE", "/api/v1/users/1"),
    ("users:write", "POST", "/api/v1/users/import"),
    ("events:read", "GET", "/api/v1/events"),
    ("events:write", "POST", "/api/v1/events"),
    ("directory:read", "GET", "/api/v1/directory/users/1"),
    ("users:write directory:read", "POST", "/api/v1/users/from-directory"),
    ("users:write directory:read", "POST", "/api/v1/users/from-directory/"),
];

async fn a_scope_is_good_for_what_it_says_and_for_nothing_else(database: Database) {
    const SCOPES: [&str; 5] = ["users:read", "users:write", "events:read", "events:write", "directory:read"];
    let file = TokensFile::missing();
    let mut others = Vec::new();
    for scope in SCOPES {
        let rest: Vec<_> = SCOPES.into_iter().filter(|other| *other != scope).collect();
        others.push((scope, file.token(&scope.replace(':', "-"), &rest.join(",")).await));
    }
    let (mut enough, needed) = (
        Vec::new(),
        [
            "users:read",
            "users:write",
            "events:read",
            "events:write",
            "directory:read",
            "users:write directory:read",
        ],
    );
    for scopes in needed {
        enough.push((
            scopes,
            file.token(&format!("only-{}", scopes.replace([':', ' '], "-")), &scopes.replace(' ', ",")).await,
        ));
    }
    let roster = serving(&database, &file).await;

    for (scopes, method, path) in ALLOWED {
        for (missing, token) in
            others.iter().filter(|(missing, _)| scopes.split(' ').any(|scope| scope == *missing))
        {
            let refused = roster.request(method, path).bearer(token).await;
            if method == "HEAD" {
                refused.empty(403);
            } else {
                refused.error(403, "forbidden");
            }
            let expected = format!(r#"Bearer realm="roster", error="insufficient_scope", scope="{scopes}""#);
            assert_eq!(refused.header("www-authenticate"), expected, "{method} {path} without {missing}");
        }
        let (_, token) = enough.iter().find(|(having, _)| *having == scopes).unwrap();
        let status = roster.request(method, path).bearer(token).await.status();
        assert!(![401, 403].contains(&status), "{method} {path} with {scopes}: {status}");
    }
}

async fn a_request_is_refused_before_its_body_is_sent(OnSqlite(database): OnSqlite) {
    let file = TokensFile::missing();
    let reader = file.token("reader", "users:read").await;
    let roster = serving(&database, &file).await;
    for (authorization, status, error) in [
        (String::new(), 401, "unauthenticated"),
        (format!("Authorization: Bearer {reader}\r\n"), 403, "forbidden"),
    ] {
        let mut raw = Raw::to(&roster).await;
        // Not a byte of the body follows, and what is said of it is wrong besides.
        let head = format!(
            "POST {USERS} HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Length: 9000000\r\n\r\n"
        );
        raw.send(head).await;
        raw.answer().await.expect("an answer").error(status, error);
    }
}

async fn tokens_come_and_go_without_a_restart(OnSqlite(database): OnSqlite) {
    let file = TokensFile::missing();
    let first = file.token("first", "users:read").await;
    let roster = serving(&database, &file).await;

    let second = file.token("second", "users:read").await;
    becomes(&roster, &second, 200).await;
    file.revoke("first").await;
    becomes(&roster, &first, 401).await;
    roster.get(READ).bearer(&second).await.page();
    file.revoke("second").await;
    becomes(&roster, &second, 401).await;
}

async fn a_file_that_breaks_changes_nothing_and_is_told(OnSqlite(database): OnSqlite) {
    let file = TokensFile::missing();
    let token = file.token("ci", "users:read").await;
    let good = file.text();
    let mut roster = serving(&database, &file).await;

    file.write(&format!("{good}{token} is not how a line begins\n"));
    let told = |output: &Output| output.stderr.contains("line 3").then(|| output.stderr.clone());
    let log = roster.process().wait_for("the bad line was told", told).await;
    assert!(log.contains(file.path().to_str().unwrap()) && !log.contains(&token), "{log}");
    roster.get(READ).bearer(&token).await.page();

    std::fs::remove_file(file.path()).unwrap();
    let told = |output: &Output| output.stderr.contains("No such file").then_some(());
    roster.process().wait_for("the missing file was told", told).await;
    roster.get(READ).bearer(&token).await.page();

    file.write(&good);
    let other = file.token("cd", "users:read").await;
    becomes(&roster, &other, 200).await;
}

async fn a_stream_ends_once_its_token_is_revoked(OnSqlite(database): OnSqlite) {
    let file = TokensFile::missing();
    let reader = file.token("reader", "events:read").await;
    let writer = file.token("writer", "users:write").await;
    let roster = serving(&database, &file).await;
    let mut stream = roster.get(EVENTS).bearer(&reader).stream().await.expect("a stream");

    roster.post(USERS, &new_user("ada")).bearer(&writer).await.user(201);
    assert_eq!(stream.event().await.change, "created");
    // What becomes of another token is nothing to it.
    file.revoke("writer").await;
    becomes(&roster, &writer, 401).await;
    file.revoke("reader").await;
    while stream.next().await.is_some() {}
    roster.get(EVENTS).bearer(&reader).stream().await.err().expect("no stream").error(401, "unauthenticated");
}

async fn an_idempotency_key_is_its_principals_and_outlives_its_token(database: Database) {
    let file = TokensFile::missing();
    let (ada, bob) = (file.token("ada", "users:write").await, file.token("bob", "users:write").await);
    let roster = serving(&database, &file).await;
    let create = |token: &str, local: &str| {
        roster.post(USERS, &new_user(local)).header("Idempotency-Key", "k").bearer(token)
    };
    let first = create(&ada, "first").await.user(201);
    create(&bob, "second").await.user(201);
    create(&ada, "second").await.error(422, "idempotency_key_reused");

    file.revoke("ada").await;
    let renewed = file.token("ada", "users:write,users:read").await;
    becomes(&roster, &renewed, 200).await;
    let again = create(&renewed, "first").await;
    assert_eq!((again.user(201), again.header("idempotency-replayed").as_str()), (first, "true"));
}

async fn what_is_not_below_the_base_path_is_open(OnSqlite(database): OnSqlite) {
    let file = TokensFile::missing();
    file.token("ci", "users:read").await;
    let roster = serving(&database, &file).await;
    for path in ["/livez", "/readyz", "/metrics", "/openapi.json", "/docs", "/docs/problems"] {
        roster.get(path).await.any_body(200);
    }
    roster.get("/nothing").await.error(404, "not_found");
    // Who is not let in is not told what there is.
    roster.get("/api/v1/nothing").await.error(401, "unauthenticated");
    roster.request("TRACE", "/api/v1/users").await.error(401, "unauthenticated");
}

async fn tokens_are_listed_and_revoked_by_name() {
    let file = TokensFile::missing();
    file.token("ci", "users:read").await;
    let token = file.token("cd", "events:write,users:read").await;
    file.write(&file.text().replace("# ", "# made by hand: "));

    let list = file.run(&["list"]).await;
    let lines: Vec<Vec<_>> = list.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        lines.iter().map(|line| &line[..2]).collect::<Vec<_>>(),
        [["ci", "users:read"], ["cd", "users:read,events:write"]]
    );
    assert!(lines.iter().all(|line| line[2].ends_with('Z')) && !list.stdout.contains(&token), "{list:?}");

    file.revoke("ci").await;
    assert!(file.text().starts_with("# made by hand: ") && !file.text().contains("ci "), "{}", file.text());
}

async fn a_file_keeps_its_place_and_its_permissions() {
    let file = TokensFile::missing();
    file.token("ci", "users:read").await;
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let elsewhere = TokensFile::missing();
    symlink(file.path(), elsewhere.path()).unwrap();

    elsewhere.token("cd", "users:read").await;

    assert!(elsewhere.path().is_symlink() && file.text().contains("cd "));
    assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o640);
}

async fn of_many_made_at_once_none_is_lost() {
    let file = TokensFile::missing();
    let names: Vec<_> = (0..8).map(|nth| format!("t{nth}")).collect();
    futures_util::future::join_all(names.iter().map(|name| file.token(name, "users:read"))).await;
    let list = file.run(&["list"]).await.stdout;
    assert_eq!(list.lines().count(), names.len(), "{list}");
}

async fn what_cannot_be_done_is_told_in_one_line() {
    let told = |exit: Exit, code: i32, what: &str| {
        assert_eq!((exit.code, exit.stdout.as_str()), (Some(code), ""), "{exit:?}");
        let one = exit.stderr.lines().count() == 1 && exit.stderr.contains(what);
        assert!(one, "{what}: {exit:?}");
    };
    let file = TokensFile::missing();
    told(file.run(&["list"]).await, 1, "tokens: No such file");
    file.token("ci", "users:read").await;
    told(file.run(&["new", "--name", "ci", "--scope", "users:write"]).await, 1, "a token named ci already");
    told(file.run(&["revoke", "--name", "cd"]).await, 1, "no token named cd");
    told(file.run(&["new", "--name", "c d", "--scope", "users:write"]).await, 2, "--name");
    told(file.run(&["new", "--name", "cd", "--scope", "users:all"]).await, 2, "--scope");
    told(file.run(&["new", "--name", "cd"]).await, 2, "--scope");
    told(Program::with(["token", "list"]).run().await, 2, "--tokens-file (ROSTER_TOKENS_FILE)");
    assert_eq!(file.run(&["list"]).await.stdout.lines().count(), 1);
    assert_eq!(file.text().lines().count(), 2);
}
