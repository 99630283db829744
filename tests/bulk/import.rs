//! `POST /users/import`.

use std::time::Duration;

use roster_domain::Change;
use serde_json::{Value, json};

use super::{CSV, IMPORT, NDJSON, compressed, decompressed, errors, line, lines, summary};
use crate::kit::{Answer, Next, Roster, USERS, Upload, new_user, suite, user_path};

suite![
    each_line_is_answered_in_order,
    columns_may_stand_in_any_order_and_quoted,
    a_line_over_64_kib_is_answered_in_its_place,
    an_email_that_stands_twice_goes_to_the_first,
    a_client_reads_while_it_sends,
    a_client_that_reads_last_asks_for_errors_alone,
    an_answer_of_errors_alone_begins_when_all_was_sent_or_much_has_failed,
    what_is_compressed_is_taken_and_given,
    what_is_not_valid_gzip_is_told_in_the_last_line,
    a_dry_run_writes_nothing,
    an_empty_file_has_no_lines,
    a_quote_that_is_never_closed_is_told_of,
    many_lines_are_one_event_each_in_their_order,
    what_is_no_import_is_refused,
];

async fn import(roster: &Roster, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
    roster.request("POST", IMPORT).body(content_type, body).await
}

async fn each_line_is_answered_in_order(roster: Roster) {
    let taken = roster.user("taken").await;
    let body = [
        b"\xef\xbb\xbf".as_slice(),
        line("ada").as_bytes(),
        b"\r\n  \n",
        line("taken").as_bytes(),
        b"{\"email\": \"bob\"}\n",
        b"nonsense\n",
        b"{\"email\": \"x@example.org\", \"name\": \"\xff\xfe\"}\n",
        b"[]\n",
        br#"{"name": " Eve ", "email": " EVE@example.org", "id": 1, "more": [1]}"#,
    ]
    .concat();

    let report = import(&roster, NDJSON, body).await.lines();

    let expected = [
        (1, ""),
        (2, "business_rule"),
        (3, "validation"),
        (4, "malformed_request"),
        (5, "malformed_request"),
        (6, "validation"),
        (7, ""),
    ];
    assert_eq!(errors(&report), expected);
    assert_eq!(report[1], json!({"line": 2, "error": "business_rule", "message": "Email already exists"}));
    assert_eq!(report[2]["message"], "Invalid email format; Name is required");
    let ada = roster.get(&user_path(&report[0]["id"])).await.user(200);
    let eve = roster.get(&user_path(&report[6]["id"])).await.user(200);
    assert_eq!((eve.email.as_str(), eve.name.as_str()), ("eve@example.org", "Eve"));
    assert_eq!(roster.get(USERS).await.page().items, [taken, ada, eve]);
    assert_eq!(roster.events().await.len(), 3);
}

async fn columns_may_stand_in_any_order_and_quoted(roster: Roster) {
    let body = "Age, NAME ,\"email\",id\r\n36,\"King, \"\"Ada\"\"\nCountess\",ada@example.org,7\r\n\r\n\
                1,Bob,bob@example.org\n2,\"a\tb\",c@example.org,\n3,One,too,many,fields\n,\"李坤\",\"l@例え.jp\",";

    let report = import(&roster, "Text/CSV; charset=utf-8", body).await.lines();

    let expected = [(1, "validation"), (2, ""), (3, "validation"), (4, "malformed_request"), (5, "")];
    assert_eq!(errors(&report), expected);
    let names: Vec<_> = roster.get(USERS).await.page().items.into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["Bob", "李坤"]);

    let without = import(&roster, CSV, "mail,name\na@example.org,Ada\n").await.lines();
    assert_eq!(without[0]["message"], "Email is required");
    let bytes =
        import(&roster, CSV, b"email,name\na@example.org,\xff\xff\nb@example.org,Ben".as_slice()).await;
    assert_eq!(errors(&bytes.lines()), [(1, "malformed_request"), (2, "")]);
}

async fn a_quote_that_is_never_closed_is_told_of(roster: Roster) {
    let body = "email,name,note\na@example.org,Ada,\nb@example.org,Bob,\"hello\nc@example.org,Cid,\n";
    let report = import(&roster, CSV, body).await.lines();
    assert_eq!(errors(&report), [(1, ""), (2, "malformed_request")]);
    assert_eq!(roster.get(USERS).await.page().items.len(), 1);
}

async fn a_line_over_64_kib_is_answered_in_its_place(roster: Roster) {
    for (content_type, begin, head) in [(NDJSON, "{\"email\": \"", ""), (CSV, "", "email,name\n")] {
        let fits = |length: usize| format!("{begin}{}", "x".repeat(length - begin.len()));
        let body = format!("{head}{}\n{}\n{}\n", fits(65_536), fits(65_537), fits(10_000_000));
        let report = import(&roster, content_type, body).await.lines();
        let first = if content_type == NDJSON { "malformed_request" } else { "validation" };
        assert_eq!(errors(&report), [(1, first), (2, "payload_too_large"), (3, "payload_too_large")]);
    }
    let all = format!("{}{}\n{}", line("ada"), "x".repeat(500_000), line("bob"));
    assert_eq!(
        errors(&import(&roster, NDJSON, all).await.lines()),
        [(1, ""), (2, "payload_too_large"), (3, "")]
    );
}

async fn an_email_that_stands_twice_goes_to_the_first(roster: Roster) {
    let body = format!("{}{}{}{}", line("ada"), line("ADA"), lines("other", 2_000), line("ada"));
    let report = import(&roster, NDJSON, body).await.lines();

    assert_eq!(report.len(), 2_003);
    let failed: Vec<_> = errors(&report).into_iter().filter(|(_, error)| !error.is_empty()).collect();
    assert_eq!(failed, [(2, "business_rule"), (2_003, "business_rule")]);
    assert_eq!(roster.get(&user_path(&report[0]["id"])).await.user(200).name, "Name of ada");
}

async fn a_client_reads_while_it_sends(roster: Roster) {
    let (mut upload, mut download) =
        Upload::begin(&roster, IMPORT, "Content-Type: application/x-ndjson").await;
    for nth in 0..20 {
        let line = line(&format!("user{nth}"));
        let (begin, end) = line.split_at(nth + 1);
        upload.send(begin).await.unwrap();
        upload.send(end).await.unwrap();
        let Next::Line(told) = download.next().await else { panic!("line {nth} is answered") };
        assert_eq!(told["line"], nth + 1);
        roster.get(&user_path(&told["id"])).await.user(200);
    }
    upload.send(line("last").trim_end()).await.unwrap();
    upload.finish().await;
    assert_eq!(errors(&download.rest().await), [(21, "")]);
}

/// It has sent all before it reads anything, and what it is told must not stand in its way.
async fn a_client_that_reads_last_asks_for_errors_alone(roster: Roster) {
    let target = format!("{IMPORT}?report=errors");
    let (mut upload, mut download) =
        Upload::begin(&roster, &target, "Content-Type: application/x-ndjson").await;
    for part in 0..40 {
        let bad = format!("{{\"email\": \"{part}\", \"name\": \"Nobody\"}}\n");
        upload.send(format!("{}{bad}", lines(&format!("u{part}-"), 499))).await.unwrap();
    }
    upload.finish().await;

    let report = download.rest().await;

    let (last, failed) = report.split_last().unwrap();
    assert_eq!(*last, summary(20_000, 19_960, 40));
    let expected: Vec<_> = (1..=40).map(|part| (part * 500, "validation")).collect();
    assert_eq!(errors(failed), expected);
    assert_eq!(roster.events().await.len(), 19_960);
}

/// Many a client, and nginx, sends no more of a body once an answer has begun.
async fn an_answer_of_errors_alone_begins_when_all_was_sent_or_much_has_failed(roster: Roster) {
    let target = format!("{IMPORT}?report=errors");
    let headers = "Content-Type: application/x-ndjson";
    let (mut upload, mut download) = Upload::begin(&roster, &target, headers).await;
    upload.send(line("ada") + "{}\n" + &line("bob")).await.unwrap();
    assert!(download.is_silent(Duration::from_millis(300)).await);
    assert_eq!(roster.get(USERS).await.page().items.len(), 2);
    upload.finish().await;
    let report = download.rest().await;
    assert_eq!(errors(&report[..1]), [(2, "validation")]);
    assert_eq!(report[1..], [summary(3, 2, 1)]);

    // What is held takes memory, so that it is only so much.
    let (mut upload, mut download) = Upload::begin(&roster, &target, headers).await;
    for _ in 0..20 {
        upload.send("{}\n".repeat(1_000)).await.unwrap();
    }
    for nth in 1..=10_000 {
        let Next::Line(told) = download.next().await else { panic!("line {nth} is answered") };
        assert_eq!(told["line"], nth);
    }
    upload.finish().await;
    assert_eq!(download.rest().await.last(), Some(&summary(20_000, 0, 20_000)));
}

async fn what_is_compressed_is_taken_and_given(roster: Roster) {
    let plain = lines("user", 3_000);
    let twice = [compressed(&plain.as_bytes()[..10_000]), compressed(&plain.as_bytes()[10_000..])].concat();
    let request = roster.request("POST", IMPORT).body(NDJSON, twice).header("Content-Encoding", "gzip");
    let answer = request.header("Accept-Encoding", "gzip").await;

    answer.any_body(200);
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(answer.all("vary"), ["accept-encoding"]);
    let told = String::from_utf8(decompressed(answer.body())).unwrap();
    let report: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(errors(&report), (1..=3_000).map(|line| (line, "")).collect::<Vec<_>>());
    assert_eq!(roster.events().await.len(), 3_000);
}

async fn what_is_not_valid_gzip_is_told_in_the_last_line(roster: Roster) {
    for coding in ["br", "gzip, gzip"] {
        let request = roster.request("POST", IMPORT).body(NDJSON, "").header("Content-Encoding", coding);
        request.await.error(415, "unsupported_media_type");
    }
    for coding in ["", "identity", "X-GZIP", "gzip,"] {
        let body = if coding.contains(['g', 'G']) { compressed(b"") } else { Vec::new() };
        let request = roster.request("POST", IMPORT).body(NDJSON, body).header("Content-Encoding", coding);
        assert_eq!(request.await.lines(), [json!(null); 0], "{coding}");
    }
    let whole = compressed(format!("{}\n", lines("user", 3)).as_bytes());
    for (body, lines) in [(&whole[..whole.len() - 4], 4), (b"plain", 1)] {
        let request = roster.request("POST", IMPORT).body(NDJSON, body).header("Content-Encoding", "gzip");
        let report = request.await.lines();
        assert_eq!(errors(&report).last(), Some(&(lines, "malformed_request")), "{report:?}");
    }
    assert_eq!(roster.get(USERS).await.page().items.len(), 3);
}

async fn a_dry_run_writes_nothing(roster: Roster) {
    roster.user("ada").await;
    let body = format!("{}{}{{}}\n{}{}", line("ada"), line("bob"), line("bob"), line("eve"));
    let target = format!("{IMPORT}?dry_run=true");
    let report = roster.request("POST", &target).body(NDJSON, body.clone()).await.lines();

    assert_eq!(report[0]["error"], "business_rule");
    assert_eq!(report[1], json!({"line": 2}));
    assert_eq!(report[2]["message"], "Email is required; Name is required");
    // That an e-mail stands twice is not told: it would take memory for all of them.
    assert_eq!(report[3..], [json!({"line": 4}), json!({"line": 5})]);
    let short = roster.request("POST", &format!("{target}&report=errors")).body(NDJSON, body.clone());
    assert_eq!(short.await.lines().last(), Some(&summary(5, 0, 2)));
    assert_eq!(roster.events().await.len(), 1);

    let wet = roster.request("POST", &format!("{IMPORT}?dry_run=false")).body(NDJSON, body).await.lines();
    assert_eq!(errors(&wet)[3], (4, "business_rule"));
}

async fn an_empty_file_has_no_lines(roster: Roster) {
    for (content_type, body) in [(NDJSON, ""), (NDJSON, "\n \r\n"), (CSV, ""), (CSV, "email,name\n")] {
        assert_eq!(import(&roster, content_type, body).await.lines(), [Value::Null; 0]);
        let request = roster.request("POST", &format!("{IMPORT}?report=errors")).body(content_type, body);
        assert_eq!(request.await.lines(), [summary(0, 0, 0)]);
    }
}

async fn many_lines_are_one_event_each_in_their_order(roster: Roster) {
    let report = import(&roster, NDJSON, lines("user", 5_000)).await.lines();

    let told: Vec<_> = report.iter().map(|line| line["id"].as_i64().unwrap()).collect();
    let events = roster.events().await;
    let created = events.iter().map(|event| match &event.change {
        Change::UserCreated(user) => user.id.get(),
        other => panic!("nobody asked for {other:?}"),
    });
    assert_eq!(created.collect::<Vec<_>>(), told);
    assert!(told.is_sorted());
}

async fn what_is_no_import_is_refused(roster: Roster) {
    let body = line("ada");
    for other in ["application/json", "text/plain", "text/csv; charset=latin1", "nonsense"] {
        import(&roster, other, body.clone()).await.error(415, "unsupported_media_type");
    }
    roster.request("POST", IMPORT).untyped_body(body.clone()).await.error(415, "unsupported_media_type");
    let brotli = roster.request("POST", IMPORT).body(NDJSON, body.clone()).header("Content-Encoding", "br");
    let brotli = brotli.await;
    brotli.error(415, "unsupported_media_type");
    assert_eq!(brotli.header("accept-encoding"), "gzip");
    let json = roster.request("POST", IMPORT).body(NDJSON, body.clone()).header("Accept", "application/json");
    json.await.error(406, "not_acceptable");
    let query = roster.request("POST", &format!("{IMPORT}?dry_run=1&report=some")).body(NDJSON, body.clone());
    query.await.violated_fields(&["dry_run", "report"]);
    for method in ["GET", "PUT", "DELETE"] {
        let answer = roster.request(method, IMPORT).await;
        answer.error(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "POST, OPTIONS");
    }
    assert_eq!(roster.get(USERS).await.page().items, []);
    let slash = roster.request("POST", &format!("{IMPORT}/")).body(NDJSON, body).await.lines();
    assert_eq!(errors(&slash), [(1, "")]);
    roster.post(USERS, &new_user("ada")).await.error(400, "business_rule");
}
