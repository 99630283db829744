//! Clients that ask too often.

use tempfile::TempDir;

use crate::kit::{Answer, Database, Program, Roster, USERS, suite};

suite![
    without_a_setting_there_is_no_limit,
    a_client_that_asks_too_often_is_told_to_wait,
    health_and_measurements_are_not_counted,
    each_client_of_a_trusted_proxy_has_a_quota_of_its_own,
    nobody_else_is_believed_where_a_request_comes_from,
    each_principal_has_a_quota_of_its_own,
    credentials_that_are_no_good_are_counted_by_address,
];

async fn limited(database: &Database, settings: &[&str]) -> Roster {
    Program::serving(database).and(["--rate-limit", "3/h"]).and(settings).serve().await
}

async fn asked(roster: &Roster, header: &str, from: &str) -> Answer {
    roster.get(USERS).header(header, from).await
}

async fn without_a_setting_there_is_no_limit(roster: Roster) {
    for _ in 0..30 {
        let answer = roster.get(USERS).await;
        answer.page();
        assert!(!answer.has("ratelimit") && !answer.has("ratelimit-policy"), "{}", answer.told());
    }
}

// Seen to fail where requests are counted, and everyone is let through.
async fn a_client_that_asks_too_often_is_told_to_wait(database: Database) {
    let roster = limited(&database, &[]).await;
    for left in (0..3).rev() {
        let answer = roster.get(USERS).await;
        answer.page();
        assert_eq!(answer.header("ratelimit-policy"), "\"client\";q=3;w=3600");
        let until = 1_200 * (3 - left);
        assert_eq!(answer.header("ratelimit"), format!("\"client\";r={left};t={until}"));
    }
    let refused = roster.get("/api/v1/events").await;
    refused.error(429, "rate_limited");
    let pause: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1_000..=1_200).contains(&pause), "{}", refused.told());
    assert_eq!(refused.header("ratelimit"), "\"client\";r=0;t=3600");
    let measured = roster.get("/metrics").await.any_body(200).text();
    assert!(measured.contains("\nroster_requests_limited_total 1\n"), "{measured}");
}

async fn health_and_measurements_are_not_counted(database: Database) {
    let roster = limited(&database, &[]).await;
    for target in ["/livez", "/readyz", "/metrics", "/openapi.json"].repeat(2) {
        let answer = roster.get(target).await;
        assert!(!answer.any_body(200).has("ratelimit"), "{}", answer.told());
    }
    roster.get(USERS).await.page();
}

// Seen to fail with the leftmost address in place of the rightmost that is not trusted.
async fn each_client_of_a_trusted_proxy_has_a_quota_of_its_own(database: Database) {
    for (header, name, of) in [("x-forwarded-for", "X-Forwarded-For", ""), ("forwarded", "Forwarded", "for=")]
    {
        let trusting = ["--trusted-proxies", "127.0.0.0/8,10.0.0.0/8", "--proxy-header", header];
        let roster = limited(&database, &trusting).await;
        for nth in 0..3 {
            let from = format!("{of}203.0.113.{nth}, {of}198.51.100.1, {of}10.0.0.1");
            asked(&roster, name, &from).await.page();
        }
        asked(&roster, name, &format!("{of}203.0.113.7, {of}198.51.100.1")).await.error(429, "rate_limited");
        asked(&roster, name, &format!("{of}198.51.100.1, {of}198.51.100.2")).await.page();
    }
}

async fn nobody_else_is_believed_where_a_request_comes_from(database: Database) {
    let roster = limited(&database, &["--trusted-proxies", "10.0.0.0/8"]).await;
    for nth in 0..3 {
        asked(&roster, "X-Forwarded-For", &format!("198.51.100.{nth}")).await.page();
    }
    asked(&roster, "X-Forwarded-For", "198.51.100.9").await.error(429, "rate_limited");
}

/// A service that knows a token for each of these names, and the file that it knows them by.
async fn with_tokens<const N: usize>(
    database: &Database,
    names: [&str; N],
) -> (Roster, [String; N], TempDir) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("tokens");
    let file = file.to_str().expect("a path is text");
    let mut tokens = Vec::new();
    for name in names {
        let new = ["token", "new", "--name", name, "--scope", "users:read", "--tokens-file", file];
        tokens.push(Program::with(new).run().await.stdout.trim().to_owned());
    }
    let roster = limited(database, &["--tokens-file", file]).await;
    (roster, tokens.try_into().expect("there is one for each name"), folder)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

async fn each_principal_has_a_quota_of_its_own(database: Database) {
    let (roster, [ada, eve], _file) = with_tokens(&database, ["ada", "eve"]).await;
    for _ in 0..3 {
        asked(&roster, "Authorization", &bearer(&ada)).await.page();
    }
    asked(&roster, "Authorization", &bearer(&ada)).await.error(429, "rate_limited");
    asked(&roster, "Authorization", &bearer(&eve)).await.page();
}

// Seen to fail where refusals are not counted.
async fn credentials_that_are_no_good_are_counted_by_address(database: Database) {
    let (roster, [ada], _file) = with_tokens(&database, ["ada"]).await;
    for nth in 0..4 {
        asked(&roster, "Authorization", &bearer(&format!("guess{nth}"))).await.error(401, "unauthenticated");
    }
    for token in ["guess", &ada] {
        let refused = asked(&roster, "Authorization", &bearer(token)).await;
        refused.error(429, "rate_limited");
        assert!(refused.has("retry-after"), "{}", refused.told());
    }
}
