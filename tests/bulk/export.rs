//! `GET /users/export`.

use serde_json::{Value, json};

use super::{CSV, EXPORT, IMPORT, NDJSON, decompressed, errors, line, lines};
use crate::kit::{Download, Next, Roster, User, suite, user_path};

suite![
    every_user_is_exported_in_the_order_of_ids,
    a_client_chooses_the_format,
    nobody_to_export_is_no_line,
    an_export_is_one_snapshot,
    what_was_exported_can_be_imported,
    what_is_no_export_is_refused,
];

fn as_json(users: &[User]) -> Vec<Value> {
    users.iter().map(User::to_json).collect()
}

async fn every_user_is_exported_in_the_order_of_ids(roster: Roster) {
    let mut users = roster.users(5).await;
    roster.delete(&user_path(users.remove(2).id)).await.empty(204);
    users[1] = roster.patch(&user_path(users[1].id), &json!({"name": "Renamed, \"so\""})).await.user(200);

    for target in [EXPORT.to_owned(), format!("{EXPORT}/")] {
        let answer = roster.get(&target).await;
        assert_eq!(answer.lines(), as_json(&users));
        assert_eq!(answer.header("content-disposition"), "attachment; filename=\"users.ndjson\"");
        assert!(answer.header("roster-position").parse::<u64>().is_ok());
    }
    let head = roster.request("HEAD", EXPORT).await;
    assert_eq!(head.empty(200).header("content-type"), NDJSON);

    assert_eq!(
        errors(&roster.request("POST", IMPORT).body(NDJSON, lines("more", 3_000)).await.lines()).len(),
        3_000
    );
    let all = roster.get(EXPORT).await.lines();
    assert_eq!(all.len(), 3_004);
    assert!(all.is_sorted_by_key(|user| user["id"].as_i64().unwrap()));
}

async fn a_client_chooses_the_format(roster: Roster) {
    let ada = roster.user("ada").await;
    let line = format!("{},{},{},{},{},1\n", ada.id, ada.email, ada.name, ada.created_at, ada.updated_at);
    let csv = format!("id,email,name,created_at,updated_at,version\n{line}");
    for (accept, expected) in [
        (CSV, &csv),
        ("text/*", &csv),
        ("text/csv;q=0.9, application/x-ndjson;q=0.1", &csv),
        ("*/*", &format!("{}\n", ada.to_json())),
    ] {
        for coding in ["identity", "gzip"] {
            let answer = roster.get(EXPORT).header("Accept", accept).header("Accept-Encoding", coding).await;
            answer.any_body(200);
            let is_gzip = answer.all("content-encoding") == ["gzip"];
            assert_eq!(is_gzip, coding == "gzip");
            let body = if is_gzip { decompressed(answer.body()) } else { answer.body().to_vec() };
            let is_csv = answer.header("content-type").starts_with("text/csv; charset=utf-8");
            assert_eq!(is_csv, expected == &csv, "{}", answer.told());
            if is_csv {
                assert_eq!(String::from_utf8(body).unwrap(), *expected);
            } else {
                assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), ada.to_json());
            }
            assert_eq!(answer.all("vary"), ["accept, accept-encoding"]);
        }
    }
}

async fn nobody_to_export_is_no_line(roster: Roster) {
    assert_eq!(roster.get(EXPORT).await.lines(), [Value::Null; 0]);
    let csv = roster.get(EXPORT).header("Accept", CSV).await;
    csv.any_body(200);
    assert_eq!(csv.body(), b"id,email,name,created_at,updated_at,version\n");
}

async fn an_export_is_one_snapshot(roster: Roster) {
    let report = roster.request("POST", IMPORT).body(NDJSON, lines("user", 20_000)).await.lines();
    let ids: Vec<_> = report.iter().map(|line| line["id"].as_i64().unwrap()).collect();
    let mut export = Download::get(&roster, EXPORT, "Accept: application/x-ndjson").await;
    let Next::Line(first) = export.next().await else { panic!("the export begins") };
    assert_eq!(first["id"], ids[0]);

    // It holds up none of these.
    let last = user_path(ids[19_999]);
    roster.patch(&last, &json!({"name": "Renamed"})).await.user(200);
    roster.delete(&user_path(ids[19_998])).await.empty(204);
    roster.user("late").await;
    assert_eq!(errors(&roster.request("POST", IMPORT).body(NDJSON, line("later")).await.lines()), [(1, "")]);

    let rest = export.rest().await;
    let exported: Vec<_> = rest.iter().map(|user| user["id"].as_i64().unwrap()).collect();
    assert_eq!(exported, ids[1..]);
    assert_eq!(rest[19_998]["name"], "Name of user19999");
}

async fn what_was_exported_can_be_imported(roster: Roster) {
    let users = roster.users(3).await;
    for format in [NDJSON, CSV] {
        let exported = roster.get(EXPORT).header("Accept", format).await.body().to_vec();
        for user in roster.get(EXPORT).await.lines() {
            roster.delete(&user_path(&user["id"])).await.empty(204);
        }
        let report = roster.request("POST", IMPORT).body(format, exported).await.lines();
        assert_eq!(errors(&report), [(1, ""), (2, ""), (3, "")]);
        let again = roster.get(EXPORT).await.lines();
        let names: Vec<_> = again.iter().map(|user| (&user["email"], &user["name"])).collect();
        let expected = as_json(&users);
        assert_eq!(names, expected.iter().map(|user| (&user["email"], &user["name"])).collect::<Vec<_>>());
    }
}

async fn what_is_no_export_is_refused(roster: Roster) {
    for other in ["application/json", "text/html", "text/csv;q=0"] {
        roster.get(EXPORT).header("Accept", other).await.error(406, "not_acceptable");
    }
    for method in ["POST", "PUT", "DELETE"] {
        roster.request(method, EXPORT).await.error(405, "method_not_allowed");
    }
}
