//! `/livez` and `/readyz` of a service that is well; what they say of one that is not is in `resilience`.

use serde_json::json;

use crate::kit::{OnSqlite, Program, Roster, suite};

suite![
    a_running_service_is_live_and_ready,
    a_service_on_a_file_is_ready_at_once,
    head_and_a_trailing_slash_make_no_difference,
];

async fn a_running_service_is_live_and_ready(roster: Roster) {
    assert_eq!(roster.get("/livez").await.json(200), json!({"status": "alive"}));
    assert_eq!(roster.readiness().await, json!({"status": "ready"}));
}

async fn a_service_on_a_file_is_ready_at_once(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).serve().await;
    assert_eq!(roster.get("/readyz").await.json(200), json!({"status": "ready"}));
}

async fn head_and_a_trailing_slash_make_no_difference(roster: Roster) {
    roster.readiness().await;
    for path in ["/livez", "/livez/", "/readyz", "/readyz/"] {
        roster.get(path).await.any_body(200);
        roster.request("HEAD", path).await.empty(200);
    }
}
