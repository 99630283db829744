//! Who may do what, held against the program itself: API tokens, JWTs, and what is seen of either.

mod canary;
mod jwt;
mod keys;
mod settings;
mod tokens;

use std::time::Duration;

use libtest_mimic::Trial;
use tokio::time::{sleep, timeout};

use crate::kit::{Answer, Http};

pub(crate) fn suite() -> Vec<Trial> {
    [canary::suite(), jwt::suite(), keys::suite(), settings::suite(), tokens::suite()]
        .into_iter()
        .flatten()
        .collect()
}

/// What asks for no credential, and for no scope but one.
const READ: &str = "/api/v1/users";

/// The answer to who has this token, once it has this status.
async fn becomes(http: &Http, token: &str, status: u16) -> Answer {
    let answered = async {
        loop {
            let answer = http.get(READ).bearer(token).await;
            if answer.status() == status {
                return answer;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    // Files are looked at each second; a busy machine takes its time.
    timeout(Duration::from_secs(60), answered).await.expect("what changed counts")
}
