//! With which settings the program starts, and with which it refuses to.

use crate::kit::{Exit, Http, OnSqlite, Program, TokensFile, USERS, new_user, suite};

suite![
    without_credentials_to_ask_for_only_this_machine_is_served,
    without_credentials_to_ask_for_this_machine_is_asked_by_its_own_name_alone,
    settings_that_do_not_go_together_are_told,
    a_file_that_cannot_be_used_is_told,
    where_a_source_of_credentials_is_set_this_machine_is_asked_too,
];

#[track_caller]
fn is_told(exit: &Exit, setting: &str, what: &str) {
    assert_eq!(exit.code, Some(2), "{exit:?}");
    let line = exit.stderr.trim_end();
    assert!(line.lines().count() == 1 && line.starts_with(&format!("roster: {setting}: ")), "{exit:?}");
    assert!(line.contains(what), "{what}: {exit:?}");
}

async fn without_credentials_to_ask_for_only_this_machine_is_served() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8080"] {
        let exit = Program::with(["--listen", address]).run().await;
        is_told(&exit, "--listen (ROSTER_LISTEN)", "is no loopback address");
        for advice in ["--tokens-file", "--jwks", "127.0.0.1", "--allow-anonymous"] {
            assert!(exit.stderr.contains(advice), "{advice}: {exit:?}");
        }
    }
}

/// A page whose name leads to this machine by now is, to a browser, still of its own origin.
async fn without_credentials_to_ask_for_this_machine_is_asked_by_its_own_name_alone(
    OnSqlite(database): OnSqlite,
) {
    let roster = Program::serving(&database).serve().await;
    let create = |http: &Http, host: &str| http.post(USERS, &new_user("ada")).header("Host", host);
    for host in
        ["attacker.example", "attacker.example:8080", "127.0.0.1.attacker.example", "localhost.example"]
    {
        let answer = create(&roster, host).await;
        answer.error(403, "forbidden");
        let told = answer.text();
        assert!(
            ["--tokens-file", "--jwks", "--allow-anonymous"].iter().all(|way| told.contains(way)),
            "{told}"
        );
        roster.get("/livez").header("Host", host).await.json(200);
    }
    for host in
        ["localhost", "LOCALHOST:8080", "roster.localhost:80", "127.0.0.1", "[::1]:8080", "192.0.2.1:80"]
    {
        roster.get(USERS).header("Host", host).await.page();
    }
    let everyone = Program::serving(&database).and(["--allow-anonymous"]).serve().await;
    create(&everyone, "roster.example:8080").await.user(201);
    let tokens = TokensFile::missing();
    let token = tokens.token("ci", "users:read").await;
    let program = Program::serving(&database).env("ROSTER_TOKENS_FILE", tokens.path());
    program.serve().await.get(USERS).header("Host", "roster.example").bearer(&token).await.page();
}

async fn settings_that_do_not_go_together_are_told() {
    let jwks = ["--jwks", "http://127.0.0.1:9/"];
    let (issuer, audience) = (["--jwt-issuer", "us"], ["--jwt-audience", "roster"]);
    for (arguments, setting) in [
        ([jwks, issuer].concat(), "--jwt-audience (ROSTER_JWT_AUDIENCE)"),
        ([jwks, audience].concat(), "--jwt-issuer (ROSTER_JWT_ISSUER)"),
        (issuer.to_vec(), "--jwt-issuer (ROSTER_JWT_ISSUER)"),
        (audience.to_vec(), "--jwt-audience (ROSTER_JWT_AUDIENCE)"),
        (vec!["--allow-anonymous", "--tokens-file", "tokens"], "--allow-anonymous (ROSTER_ALLOW_ANONYMOUS)"),
        (
            [jwks.to_vec(), vec!["--allow-anonymous"], issuer.to_vec(), audience.to_vec()].concat(),
            "--allow-anonymous (ROSTER_ALLOW_ANONYMOUS)",
        ),
        (vec!["--jwks", "http://id.example.org/jwks"], "--jwks (ROSTER_JWKS)"),
        (vec!["--jwks", "ftp://id.example.org/jwks"], "--jwks (ROSTER_JWKS)"),
    ] {
        is_told(&Program::with(&arguments).run().await, setting, " ");
    }
}

async fn a_file_that_cannot_be_used_is_told(OnSqlite(database): OnSqlite) {
    let file = TokensFile::missing();
    let path = file.path();
    let program = |flag: &str| Program::serving(&database).and([flag.as_ref(), path.as_os_str()]);
    let with_jwks = || program("--jwks").and(["--jwt-issuer", "us", "--jwt-audience", "roster"]);
    is_told(&program("--tokens-file").run().await, "--tokens-file (ROSTER_TOKENS_FILE)", "No such file");
    is_told(&with_jwks().run().await, "--jwks (ROSTER_JWKS)", "No such file");
    file.write("roster_secret\n");
    for exit in [program("--tokens-file").run().await, with_jwks().run().await] {
        assert!(exit.code == Some(2) && !exit.stderr.contains("roster_secret"), "{exit:?}");
    }
    file.write(&"#".repeat(2_000_000));
    is_told(&program("--tokens-file").run().await, "--tokens-file (ROSTER_TOKENS_FILE)", "1 MiB");
}

async fn where_a_source_of_credentials_is_set_this_machine_is_asked_too(OnSqlite(database): OnSqlite) {
    let file = TokensFile::missing();
    // Nobody has a token: nobody is let in.
    file.write("");
    let program = Program::serving(&database).env("ROSTER_TOKENS_FILE", file.path());
    program.serve().await.get(super::READ).await.error(401, "unauthenticated");
}
