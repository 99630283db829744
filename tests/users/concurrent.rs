//! Many who change one user at a time.

use std::sync::atomic::{AtomicI64, Ordering};

use futures_util::future::join_all;
use serde_json::json;

use crate::kit::{Http, Roster, suite, times, user_path};

suite![of_many_who_count_on_one_user_each_is_counted];

const CLIENTS: usize = 50;

/// Each reads the user, adds one to a number in its name, and writes it, if nobody else did in the meantime. Seen to
/// fail where `If-Match` was left out.
async fn of_many_who_count_on_one_user_each_is_counted(roster: Roster) {
    let path = user_path(roster.user("ada").await.id);
    roster.patch(&path, &json!({"name": "Count 0"})).await.user(200);
    let counted = AtomicI64::new(0);
    let refused = AtomicI64::new(0);
    let counting = (0..CLIENTS).map(|_| count(&roster, &path, &counted, &refused));
    join_all(counting).await;

    let (counted, refused) = (counted.into_inner(), refused.into_inner());
    eprintln!("{counted} counted, {refused} refused");
    assert!(counted > 0 && refused > 0, "they get into each other's way");
    let user = roster.get(&path).await.user(200);
    assert_eq!((user.name, user.version), (format!("Count {counted}"), counted + 2));
    assert_eq!(i64::try_from(roster.events().await.len()), Ok(counted + 2));
}

async fn count(http: &Http, path: &str, counted: &AtomicI64, refused: &AtomicI64) {
    for _ in 0..times(4) {
        let user = http.get(path).await.user(200);
        let before: i64 = user.name.strip_prefix("Count ").unwrap().parse().unwrap();
        let more = json!({"name": format!("Count {}", before + 1)});
        let answer = http.patch(path, &more).header("If-Match", &user.etag()).await;
        let outcome = if answer.status() == 412 { refused } else { counted };
        if answer.status() != 412 {
            answer.user(200);
        }
        outcome.fetch_add(1, Ordering::Relaxed);
    }
}
