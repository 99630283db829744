//! `GET /users`: pages and orders.

use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

use crate::kit::{Page, Roster, USERS, User, suite, user_path};

suite![
    an_empty_list_is_one_page,
    a_page_has_twenty_users_unless_told_otherwise,
    a_limit_is_1_to_100,
    an_order_is_asc_or_desc,
    pages_follow_each_other_by_cursor_in_both_orders,
    pages_follow_each_other_by_link_with_their_filters,
    a_last_page_that_is_full_has_no_next,
    pages_neither_skip_nor_repeat_while_users_come_and_go,
    a_cursor_that_is_none_is_malformed,
    a_cursor_belongs_to_its_order_and_filters,
    the_newest_position_is_told_on_every_list,
    head_tells_the_same_without_the_body,
    a_trailing_slash_makes_no_difference,
];

/// The list with this query.
pub(super) async fn list(roster: &Roster, query: &str) -> Page {
    roster.get(&format!("{USERS}?{query}")).await.page()
}

fn ids(users: &[User]) -> Vec<i64> {
    users.iter().map(|user| user.id).collect()
}

/// Users with these names.
pub(super) async fn named(roster: &Roster, names: &[&str]) {
    for (nth, name) in names.iter().enumerate() {
        roster
            .post(USERS, &json!({"email": format!("named{nth}@example.org"), "name": name}))
            .await
            .user(201);
    }
}

async fn an_empty_list_is_one_page(roster: Roster) {
    for query in ["", "order=desc", "limit=1", "email=ada@example.org", "name=a"] {
        let page = list(&roster, query).await;
        assert_eq!((page.items, page.next), (vec![], None), "{query}");
    }
}

async fn a_page_has_twenty_users_unless_told_otherwise(roster: Roster) {
    let users = roster.users(21).await;
    let page = roster.get(USERS).await.page();

    assert_eq!(page.items, users[..20]);
    let rest = list(&roster, &format!("after={}", page.next.unwrap())).await;
    assert_eq!((rest.items.as_slice(), rest.next), (&users[20..], None));
}

async fn a_limit_is_1_to_100(roster: Roster) {
    let users = roster.users(3).await;
    assert_eq!(list(&roster, "limit=1").await.items, users[..1]);
    assert_eq!(list(&roster, "limit=100").await.items, users);
    for limit in ["0", "101", "-1", "abc", "1.5", "", "99999999999999999999", "%20"] {
        roster.get(&format!("{USERS}?limit={limit}")).await.violated_fields(&["limit"]);
    }
}

async fn an_order_is_asc_or_desc(roster: Roster) {
    let mut users = roster.users(3).await;
    assert_eq!(list(&roster, "order=asc").await.items, users);
    users.reverse();
    assert_eq!(list(&roster, "order=desc").await.items, users);
    for order in ["up", "descending", "", "1"] {
        roster.get(&format!("{USERS}?order={order}")).await.violated_fields(&["order"]);
    }
    roster.get(&format!("{USERS}?order=up&limit=0")).await.violated_fields(&["limit", "order"]);
}

async fn pages_follow_each_other_by_cursor_in_both_orders(roster: Roster) {
    let mut users = roster.users(8).await;
    for order in ["asc", "desc"] {
        let query = format!("limit=3&order={order}");
        let first = list(&roster, &query).await;
        let second = list(&roster, &format!("{query}&after={}", first.next.unwrap())).await;
        // The next page may be of another size.
        let third = list(&roster, &format!("limit=9&order={order}&after={}", second.next.unwrap())).await;

        assert_eq!(third.next, None);
        assert_eq!([first.items, second.items, third.items].concat(), users, "{order}");
        users.reverse();
    }
}

async fn pages_follow_each_other_by_link_with_their_filters(roster: Roster) {
    named(&roster, &["Émile 1", "Bob", "émile 2", "ÉMILE 3", "Eve"]).await;
    let mut target = format!("{USERS}?name=%C3%A9m&limit=1&order=desc");
    let mut found = Vec::new();
    loop {
        let page = roster.get(&target).await.page();
        found.extend(page.items.into_iter().map(|user| user.name));
        let Some(link) = page.link else { break };
        target = roster.resolve(&target, &link);
        assert!(target.contains(&format!("after={}", page.next.unwrap())), "{target}");
    }
    assert_eq!(found, ["ÉMILE 3", "émile 2", "Émile 1"]);
}

async fn a_last_page_that_is_full_has_no_next(roster: Roster) {
    let users = roster.users(4).await;
    let first = list(&roster, "limit=2").await;
    let last = list(&roster, &format!("limit=2&after={}", first.next.unwrap())).await;
    assert_eq!((last.items.as_slice(), last.next), (&users[2..], None));
}

async fn pages_neither_skip_nor_repeat_while_users_come_and_go(roster: Roster) {
    for order in ["asc", "desc"] {
        let tag = |local: &str| format!("{local}-{order}");
        let mut users = Vec::new();
        for nth in 0..8 {
            users.push(roster.user(&tag(&nth.to_string())).await);
        }
        if order == "desc" {
            users.reverse();
        }
        let first = list(&roster, &format!("limit=3&order={order}")).await;
        assert_eq!(first.items, users[..3]);

        // The one that the next page begins after goes, and so does one that is still to come.
        for gone in [2, 4] {
            roster.delete(&user_path(users[gone].id)).await.empty(204);
        }
        let late = roster.user(&tag("late")).await;
        let rest = list(&roster, &format!("order={order}&after={}", first.next.unwrap())).await;

        let mut expected = vec![users[3].id, users[5].id, users[6].id, users[7].id];
        expected.extend((order == "asc").then_some(late.id));
        assert_eq!(ids(&rest.items), expected);
        for user in list(&roster, "limit=100").await.items {
            roster.delete(&user_path(user.id)).await.empty(204);
        }
    }
}

async fn a_cursor_that_is_none_is_malformed(roster: Roster) {
    roster.users(2).await;
    let long = "A".repeat(4_000);
    for garbage in ["garbage", "!", "AAAA", "%00", "-1", "null", "%F0%9F%90%98", "..", "7%207", long.as_str()]
    {
        let answer = roster.get(&format!("{USERS}?after={garbage}")).await;
        answer.error(400, "malformed_request");
    }
}

async fn a_cursor_belongs_to_its_order_and_filters(roster: Roster) {
    roster.users(3).await;
    let queries = ["order=asc", "order=desc", "name=name", "name=name%20of", "name=name&order=desc"];
    for query in queries {
        let cursor = list(&roster, &format!("{query}&limit=1")).await.next.unwrap();
        for other in queries {
            let answer = roster.get(&format!("{USERS}?{other}&after={cursor}")).await;
            if other == query {
                assert_eq!(answer.page().items.len(), 2, "{query}");
            } else {
                answer.error(400, "malformed_request");
            }
        }
        let filtered = roster.get(&format!("{USERS}?{query}&email=user1@example.org&after={cursor}")).await;
        filtered.error(400, "malformed_request");
    }
    // What stands by default may also be said.
    let cursor = list(&roster, "limit=1").await.next.unwrap();
    assert_eq!(list(&roster, &format!("order=asc&after={cursor}")).await.items.len(), 2);
}

async fn the_newest_position_is_told_on_every_list(roster: Roster) {
    let before = roster.get(USERS).await.page().position;
    let users = roster.users(3).await;
    roster.delete(&user_path(users[0].id)).await.empty(204);

    // An event may get its position a moment after its change; then it is told for as long as there is no newer.
    let grown = async {
        while list(&roster, "limit=1").await.position < before + 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), grown).await.expect("four events get positions");

    let newest = roster.events().await.last().unwrap().position.get();
    for query in ["", "order=desc", "name=name&limit=1", "name=nobody", "email=user1@example.org"] {
        assert_eq!(list(&roster, query).await.position, newest, "{query}");
    }
}

async fn head_tells_the_same_without_the_body(roster: Roster) {
    roster.users(2).await;
    let got = roster.get(&format!("{USERS}?limit=1")).await;
    got.page();
    let head = roster.request("HEAD", &format!("{USERS}?limit=1")).await;
    assert_eq!(head.empty(200).header("link"), got.header("link"));
}

async fn a_trailing_slash_makes_no_difference(roster: Roster) {
    let users = roster.users(2).await;
    let page = roster.get(&format!("{USERS}/?limit=1")).await.page();
    assert_eq!(page.items, users[..1]);
    let rest = roster.get(&roster.resolve(&format!("{USERS}/?limit=1"), &page.link.unwrap())).await.page();
    assert_eq!(rest.items, users[1..]);
}
