//! Changes that wait for each other.

use futures_util::future::join;
use serde_json::json;

use crate::kit::{OnPostgres, Program, suite, user_path};

suite![changes_that_wait_for_each_other_are_both_answered];

/// Between a row and what is unique of it, so that two changes meet there.
const SLOWLY: &str = "CREATE FUNCTION slowly(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql \
     AS 'BEGIN PERFORM pg_sleep(0.3); RETURN $1; END'; \
     ALTER TABLE users DROP CONSTRAINT users_email_key; \
     CREATE INDEX users_slowly ON users (slowly(version)); \
     ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email)";

/// Each takes the e-mail of the other, and so waits until the other is done: of either, the other's e-mail is taken.
/// Seen to fail, by 503 for both, where they waited no longer than the server takes to find that out.
async fn changes_that_wait_for_each_other_are_both_answered(OnPostgres(database): OnPostgres) {
    let (_, name) = database.server();
    // A little later than by default, when both waits began at once.
    database.execute(&format!("ALTER DATABASE {name} SET deadlock_timeout = '1.2s'")).await;
    let roster = Program::by_default(database.url()).serve().await;
    let (one, other) = (roster.user("one").await, roster.user("other").await);
    database.execute(SLOWLY).await;

    let change = |id, email: &str| roster.put(&user_path(id), &json!({"email": email, "name": "Ada"}));
    let (first, second) = (change(one.id, &other.email), change(other.id, &one.email));
    let (first, second) = join(first.into_future(), second.into_future()).await;

    first.error(400, "business_rule");
    second.error(400, "business_rule");
}
