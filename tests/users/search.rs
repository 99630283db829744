//! `GET /users?email=` and `?name=`.

use std::time::Duration;

use tokio::time::sleep;

use super::list::{list, named};
use crate::kit::{OnPostgres, Program, Roster, suite};

suite![
    an_email_is_found_however_it_is_written,
    what_could_not_be_an_email_finds_nothing,
    a_name_is_found_by_its_beginning_in_any_case,
    wildcards_stand_for_themselves,
    both_filters_hold_together,
    a_name_that_only_the_newest_have_is_found_past_nobody_else,
    a_page_is_full_wherever_those_on_it_are,
];

/// The names on the page that a filter finds.
async fn names(roster: &Roster, query: &str) -> Vec<String> {
    list(roster, query).await.items.into_iter().map(|user| user.name).collect()
}

async fn an_email_is_found_however_it_is_written(roster: Roster) {
    let users = roster.users(3).await;
    for email in ["user1@example.org", "USER1@Example.Org", "%20user1@example.org%09", "user1%40example.org"]
    {
        assert_eq!(list(&roster, &format!("email={email}")).await.items, users[1..2], "{email}");
    }
    assert_eq!(list(&roster, "email=user@example.org").await.items, []);
}

async fn what_could_not_be_an_email_finds_nothing(roster: Roster) {
    roster.users(2).await;
    let long = format!("{}@example.org", "a".repeat(300));
    for impossible in ["nonsense", "", "%20", "@", "user1@example", "a%00b@example.org", "%25", long.as_str()]
    {
        assert_eq!(list(&roster, &format!("email={impossible}")).await.items, [], "{impossible}");
    }
}

async fn a_name_is_found_by_its_beginning_in_any_case(roster: Roster) {
    named(&roster, &["Émile Zola", "ÉMILE DURKHEIM", "Emile Ajar", "李坤", "Zoë"]).await;
    for (prefix, expected) in [
        ("%C3%A9mi", vec!["Émile Zola", "ÉMILE DURKHEIM"]),
        ("%C3%89MILE%20Z", vec!["Émile Zola"]),
        ("mile", vec![]),
        ("emile%20ajar", vec!["Emile Ajar"]),
        ("emile%20ajar%20", vec![]),
        ("%E6%9D%8E", vec!["李坤"]),
        ("Z", vec!["Zoë"]),
        ("%F4%8F%BF%BF", vec![]),
    ] {
        assert_eq!(names(&roster, &format!("name={prefix}")).await, expected, "{prefix}");
    }
}

async fn wildcards_stand_for_themselves(roster: Roster) {
    named(&roster, &["100% Ada", "100 Ada", "a_b", "axb", "c\\d", "c'; --"]).await;
    for (prefix, expected) in [
        ("100%25", vec!["100% Ada"]),
        ("%25", vec![]),
        ("a_", vec!["a_b"]),
        ("_", vec![]),
        ("c%5C", vec!["c\\d"]),
        ("c%27", vec!["c'; --"]),
        ("*", vec![]),
    ] {
        assert_eq!(names(&roster, &format!("name={prefix}")).await, expected, "{prefix}");
    }
}

async fn both_filters_hold_together(roster: Roster) {
    let users = roster.users(2).await;
    assert_eq!(list(&roster, "email=user1@example.org&name=name%20of").await.items, users[1..]);
    assert_eq!(list(&roster, "email=user1@example.org&name=nobody").await.items, []);
}

/// The server believes that those who have a name are everywhere. Seen to fail, by 59,020 rows, where it walked along ids.
async fn a_name_that_only_the_newest_have_is_found_past_nobody_else(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).serve().await;
    database
        .execute(
            "INSERT INTO users (email, name, name_key) \
             SELECT 'user' || nth || '@example.org', name || nth, lower(name) || nth \
             FROM (SELECT nth, CASE WHEN nth > 59000 THEN 'New ' ELSE 'Old ' END AS name \
                   FROM generate_series(1, 60000) AS nth) AS named; ANALYZE users",
        )
        .await;
    let (server, name) = database.server();
    let server = server.client(name).await.expect("the server answers");
    let read = async || -> i64 {
        let read =
            "SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables WHERE relname = 'users'";
        server.query_one(read, &[]).await.expect("it counts").get(0)
    };
    let (before, mut asked) = (read().await, 0);
    // What was read is told some time later.
    while read().await == before || asked < 10 {
        let found = list(&roster, "name=new&limit=20").await;
        assert_eq!((found.items.len(), found.items[0].id), (20, 59_001));
        asked += 1;
        sleep(Duration::from_millis(200)).await;
    }
    let each = (read().await - before) / asked;
    assert!((1..5_000).contains(&each), "{each} rows for a page");
}

/// Of 12,000 users one in a hundred is looked for, but none of the middle. Seen to fail where a page ended with those who
/// were found first.
async fn a_page_is_full_wherever_those_on_it_are(OnPostgres(database): OnPostgres) {
    let roster = Program::serving(&database).serve().await;
    database
        .execute(
            "INSERT INTO users (email, name, name_key) \
             SELECT 'user' || nth || '@example.org', name, lower(name) \
             FROM (SELECT nth, CASE WHEN nth % 100 = 0 AND nth NOT BETWEEN 2001 AND 8000 \
                               THEN 'Mix' ELSE 'Old' END AS name \
                   FROM generate_series(1, 12000) AS nth) AS named; ANALYZE users",
        )
        .await;
    let mut mixed: Vec<i64> =
        (1..=120).map(|nth| nth * 100).filter(|id| !(2001..=8000).contains(id)).collect();
    for order in ["asc", "desc"] {
        for limit in [10, 19, 20, 21, 30, 59, 60] {
            let page = list(&roster, &format!("name=mix&order={order}&limit={limit}")).await;
            let found: Vec<_> = page.items.iter().map(|user| user.id).collect();
            assert_eq!(
                (found.as_slice(), page.next.is_some()),
                (&mixed[..limit], limit < 60),
                "{order} {limit}"
            );
        }
        mixed.reverse();
    }
}
