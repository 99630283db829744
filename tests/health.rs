//! `/livez` and `/readyz` of a service that is well; what they say of one that is not is in `resilience`.

use crate::kit::{Roster, suite};

suite![a_running_service_is_live_and_ready, head_and_a_trailing_slash_make_no_difference];

async fn a_running_service_is_live_and_ready(roster: Roster) {
    roster.get("/livez").await.any_body(200);
    roster.get("/readyz").await.any_body(200);
}

async fn head_and_a_trailing_slash_make_no_difference(roster: Roster) {
    for path in ["/livez", "/livez/", "/readyz", "/readyz/"] {
        roster.get(path).await.any_body(200);
        roster.request("HEAD", path).await.empty(200);
    }
}
