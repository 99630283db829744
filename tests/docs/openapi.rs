//! `/openapi.json`, and `roster openapi`.

use crate::kit::{Backend, Database, Program, suite};

suite![the_program_prints_what_it_serves_and_opens_nothing_for_it];

async fn the_program_prints_what_it_serves_and_opens_nothing_for_it() {
    let database = Database::migrated(Backend::Sqlite).await.unwrap();
    let roster = Program::serving(&database).serve().await;
    let served = roster.get("/openapi.json").await;
    assert_eq!(served.json(200)["openapi"], "3.1.0");
    roster.get("/openapi.json/").await.any_body(200);
    roster.request("HEAD", "/openapi.json").await.empty(200);

    let nowhere = Program::with(["openapi", "--database-url", "sqlite:/nowhere/at/all.db"]);
    let printed = nowhere.and(["--nats-url", "nats://127.0.0.1:1"]).run().await;
    assert_eq!((printed.code, printed.stdout.trim_end()), (Some(0), served.text().as_str()));
}
