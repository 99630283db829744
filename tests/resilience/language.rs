//! A server that tells what is wrong in another language than English.

use futures_util::future::join_all;
use serde_json::json;

use super::{unavailable, works_again};
use crate::kit::{InGerman, Program, USERS, Writers, new_user, suite, user_path};

suite![trouble_is_told_in_the_same_way_whatever_language_the_server_speaks];

async fn trouble_is_told_in_the_same_way_whatever_language_the_server_speaks(InGerman(server): InGerman) {
    let client = server.client().await.expect("the server answers");
    let refused = client.batch_execute("SELECT * FROM nowhere").await.expect_err("there is no such table");
    let told = refused.as_db_error().expect("it is the server's").message();
    assert!(told.contains("existiert nicht"), "the server speaks no German: {told}");

    let roster = Program::by_default(server.url()).serve().await;
    let ada = roster.user("ada").await;
    let path = user_path(ada.id);

    // Waits for locks that are not to be had.
    client.batch_execute("BEGIN; LOCK TABLE users, receipts").await.expect("tables can be locked");
    let keyed = roster.post(USERS, &new_user("bob")).header("Idempotency-Key", "key");
    let requests = [roster.patch(&path, &json!({"name": "Ada King"})), roster.get(USERS), keyed];
    join_all(requests.map(IntoFuture::into_future)).await.iter().for_each(unavailable);
    client.batch_execute("ROLLBACK").await.expect("tables can be let go");
    works_again(&roster).await;
    roster.delete(&path).await.empty(204);

    // Connections that end.
    let writers = Writers::start(&roster, 4);
    for _ in 0..10 {
        writers.acknowledged(4).await;
        let all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'roster'";
        client.batch_execute(all).await.expect("it can end others");
    }
    works_again(&roster).await;
    writers.end().await.only_unavailable();
}
