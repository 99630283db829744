//! Flags, variables, and what is said of bad ones.

use crate::kit::{Database, Exit, OnPostgres, Program, suite};

suite![
    help_names_every_setting_and_its_variable,
    limits_are_what_is_promised_by_default,
    every_flag_has_a_variable,
    a_setting_without_the_one_that_it_belongs_to_is_refused,
    a_bad_setting_is_told_in_one_line_that_names_it,
    a_bad_variable_is_told_in_one_line_that_names_it,
    an_unknown_flag_is_refused,
    a_password_is_not_told,
    a_token_that_fits_no_header_is_refused_and_not_told,
    a_flag_wins_over_its_variable,
    a_flag_wins_over_a_variable_that_is_bad,
    variables_alone_suffice,
    a_command_minds_no_setting_that_it_does_not_need,
    the_log_is_json_where_it_is_asked_for,
    the_log_has_what_any_program_in_rust_is_asked_for_unless_this_one_is,
    a_pool_of_one_connection_serves,
    a_database_that_cannot_be_opened_is_told_in_one_line,
    an_address_that_is_taken_is_told_in_one_line,
    a_server_that_does_not_exist_is_told_in_one_line,
];

const SETTINGS: [(&str, &str); 16] = [
    ("--database-url", "DATABASE_URL"),
    ("--listen", "ROSTER_LISTEN"),
    ("--ops-listen", "ROSTER_OPS_LISTEN"),
    ("--jwks-refresh", "ROSTER_JWKS_REFRESH"),
    ("--database-pool-size", "ROSTER_DATABASE_POOL_SIZE"),
    ("--request-timeout", "ROSTER_REQUEST_TIMEOUT"),
    ("--head-timeout", "ROSTER_HEAD_TIMEOUT"),
    ("--body-timeout", "ROSTER_BODY_TIMEOUT"),
    ("--keep-alive", "ROSTER_KEEP_ALIVE"),
    ("--max-requests", "ROSTER_MAX_REQUESTS"),
    ("--rate-limit", "ROSTER_RATE_LIMIT"),
    ("--trusted-proxies", "ROSTER_TRUSTED_PROXIES"),
    ("--max-connections", "ROSTER_MAX_CONNECTIONS"),
    ("--shutdown-grace", "ROSTER_SHUTDOWN_GRACE"),
    ("--log-format", "ROSTER_LOG_FORMAT"),
    ("--migrate", "ROSTER_MIGRATE"),
];

/// Values that a setting cannot have.
const BAD: [(&str, &str, &str); 22] = [
    ("--database-url", "DATABASE_URL", "mysql://localhost/users"),
    ("--database-url", "DATABASE_URL", "roster.db"),
    ("--listen", "ROSTER_LISTEN", "nowhere"),
    ("--listen", "ROSTER_LISTEN", "127.0.0.1:99999"),
    ("--ops-listen", "ROSTER_OPS_LISTEN", "9090"),
    ("--jwks-refresh", "ROSTER_JWKS_REFRESH", "0"),
    ("--database-pool-size", "ROSTER_DATABASE_POOL_SIZE", "0"),
    ("--database-pool-size", "ROSTER_DATABASE_POOL_SIZE", "many"),
    ("--request-timeout", "ROSTER_REQUEST_TIMEOUT", "soon"),
    ("--request-timeout", "ROSTER_REQUEST_TIMEOUT", "1e19"),
    ("--max-requests", "ROSTER_MAX_REQUESTS", "0"),
    ("--max-connections", "ROSTER_MAX_CONNECTIONS", "many"),
    ("--rate-limit", "ROSTER_RATE_LIMIT", "5/year"),
    ("--trusted-proxies", "ROSTER_TRUSTED_PROXIES", "localhost"),
    ("--proxy-header", "ROSTER_PROXY_HEADER", "via"),
    ("--shutdown-grace", "ROSTER_SHUTDOWN_GRACE", "-1"),
    ("--events-retention", "ROSTER_EVENTS_RETENTION", "3000000"),
    ("--log-format", "ROSTER_LOG_FORMAT", "xml"),
    ("--log", "ROSTER_LOG", "verbose"),
    ("--log", "ROSTER_LOG", "warn,[request]=trace"),
    ("--directory-url", "DIRECTORY_URL", "http://directory.example.org"),
    ("--migrate", "ROSTER_MIGRATE", "perhaps"),
];

/// One line on standard error that names the setting and says more than its name.
#[track_caller]
pub(super) fn is_told(exit: &Exit, flag: &str, variable: &str) {
    assert_eq!(exit.code, Some(2), "{exit:?}");
    let lines: Vec<_> = exit.stderr.lines().collect();
    let [line] = lines.as_slice() else { panic!("not one line: {exit:?}") };
    assert!(line.contains(flag) || line.contains(variable), "{flag} is not named: {exit:?}");
    assert!(line.len() > flag.len() + variable.len() + 10, "not a word on what is wrong: {exit:?}");
}

async fn help_names_every_setting_and_its_variable() {
    for arguments in [&["--help"][..], &["serve", "--help"], &["migrate", "--help"]] {
        let help = Program::with(arguments).run().await;
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        let relevant =
            SETTINGS.iter().filter(|(flag, _)| arguments[0] != "migrate" || flag.contains("database"));
        for (flag, variable) in relevant {
            assert!(help.stdout.contains(flag) && help.stdout.contains(variable), "{flag}: {}", help.stdout);
        }
    }
    let help = Program::with(["--help"]).run().await.stdout;
    for told in ["serve", "migrate", "sqlite:roster.db", "127.0.0.1:8080", "text", "json"] {
        assert!(help.contains(told), "{told}: {help}");
    }
}

/// What the README and SECURITY.md promise of a program that is told nothing.
async fn limits_are_what_is_promised_by_default() {
    let help = Program::with(["serve", "--help"]).run().await.stdout;
    for (flag, default) in [
        ("--head-timeout", "5"),
        ("--body-timeout", "10"),
        ("--request-timeout", "5"),
        ("--keep-alive", "5"),
        ("--stream-idle-timeout", "30"),
        ("--max-requests", "1024"),
        ("--database-pool-wait", "0.5"),
        ("--database-statement-timeout", "2"),
        ("--shutdown-grace", "30"),
    ] {
        let (_, told) =
            help.split_once(&format!("\n      {flag} ")).unwrap_or_else(|| panic!("{flag}: {help}"));
        let told = told.split("\n      --").next().unwrap_or_default();
        assert!(told.contains(&format!("[default: {default}]")), "{flag}: {told}");
    }
}

async fn every_flag_has_a_variable() {
    for command in
        ["serve", "import", "export", "republish", "health", "token new", "token revoke", "dead-letters show"]
    {
        let help = Program::with(command.split(' ').chain(["--help"])).run().await.stdout;
        let flags = help.split("\n      --").skip(1).filter(|flag| !flag.starts_with("help"));
        let (with, without): (Vec<_>, Vec<_>) = flags.partition(|flag| flag.contains("[env: "));
        assert!(with.len() >= SETTINGS.len(), "these are not all: {help}");
        assert_eq!(without, [""; 0], "{command}");
    }
}

async fn a_setting_without_the_one_that_it_belongs_to_is_refused() {
    let cases = [
        ("--nats-credentials", "ROSTER_NATS_CREDENTIALS", "roster.creds"),
        ("--database-direct-url", "ROSTER_DATABASE_DIRECT_URL", "postgres://127.0.0.1/roster"),
        ("--jwt-issuer", "ROSTER_JWT_ISSUER", "https://issuer.example.org"),
    ];
    for (flag, variable, value) in cases {
        let exit = Program::with([flag, value]).run().await;
        is_told(&exit, flag, variable);
        assert!(exit.stderr.contains("beside it"), "{exit:?}");
    }
}

async fn a_bad_setting_is_told_in_one_line_that_names_it() {
    for (flag, variable, value) in BAD {
        let exit = Program::with([format!("{flag}={value}")]).run().await;
        is_told(&exit, flag, variable);
    }
}

async fn a_bad_variable_is_told_in_one_line_that_names_it() {
    for (flag, variable, value) in BAD {
        let exit = Program::default().env(variable, value).run().await;
        is_told(&exit, flag, variable);
    }
}

async fn an_unknown_flag_is_refused() {
    assert_eq!(Program::with(["--colour"]).run().await.code, Some(2));
    assert_eq!(Program::with(["dance"]).run().await.code, Some(2));
}

async fn a_password_is_not_told() {
    for url in ["mysql://ada:hunter2@localhost/users", "postgres://ada:hunter2@localhost:nowhere/users"] {
        let exit = Program::with(["--database-url", url]).run().await;
        is_told(&exit, "--database-url", "DATABASE_URL");
        assert!(!exit.stderr.contains("hunter2"), "{exit:?}");
    }
}

async fn a_token_that_fits_no_header_is_refused_and_not_told() {
    for token in ["s3cr3t\n", "s3cr3t of mine", "s3crét"] {
        let program = Program::with(["--directory-url", "http://127.0.0.1:1"]).env("DIRECTORY_TOKEN", token);
        let exit = program.run().await;
        is_told(&exit, "DIRECTORY_TOKEN", "DIRECTORY_TOKEN");
        assert!(!exit.stderr.contains("s3cr"), "{exit:?}");
    }
}

async fn a_flag_wins_over_its_variable(database: Database) {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    for flags_first in [true, false] {
        let flags = ["--listen", "127.0.0.1:0", "--database-url", database.url()];
        let program = if flags_first {
            Program::with(flags).and(["serve"])
        } else {
            Program::with(["serve"]).and(flags)
        };
        let program = program
            .env("ROSTER_LISTEN", taken.local_addr().unwrap().to_string())
            .env("DATABASE_URL", format!("sqlite:{}", other.display()));
        program.serve().await.user(&format!("ada{flags_first}")).await;
    }
    assert!(!other.exists(), "the variable's database was taken");
}

async fn a_flag_wins_over_a_variable_that_is_bad(database: Database) {
    let mut program = Program::serving(&database);
    for (_, variable, bad) in BAD.iter().filter(|(flag, ..)| ["--database-url", "--listen"].contains(flag)) {
        program = program.env(variable, bad);
    }
    program.serve().await.user("ada").await;
}

async fn variables_alone_suffice(database: Database) {
    let program = Program::default()
        .env("DATABASE_URL", database.url())
        .env("ROSTER_LISTEN", "127.0.0.1:0")
        .env("ROSTER_DATABASE_POOL_SIZE", "3")
        .env("ROSTER_REQUEST_TIMEOUT", "20")
        .env("ROSTER_SHUTDOWN_GRACE", "20")
        .env("ROSTER_LOG_FORMAT", "json");
    program.serve().await.user("ada").await;
}

async fn a_command_minds_no_setting_that_it_does_not_need(database: Database) {
    for command in [&["migrate"][..], &["republish", "--after", "0"]] {
        let program = Program::with(command).and(["--database-url", database.url()]);
        let exit = program.env("DIRECTORY_URL", "ftp://nowhere").run().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
    }
}

async fn the_log_is_json_where_it_is_asked_for(database: Database) {
    let roster = Program::serving(&database).and(["--log-format", "json"]).serve().await;
    roster.user("ada").await;
    let exit = roster.stop().await;
    assert!(!exit.stderr.is_empty());
    for line in exit.stderr.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
}

/// Seen to fail where `RUST_LOG` was not looked at.
async fn the_log_has_what_any_program_in_rust_is_asked_for_unless_this_one_is(database: Database) {
    for (rust_log, roster_log, is_told) in [
        ("warn", None, false),
        ("warn", Some("info"), true),
        ("roster=info", None, true),
        ("off", None, false),
        // Of another form: a module, or more than levels can say; or nothing.
        ("roster", None, true),
        ("", None, true),
        ("warn,[request]=trace", None, true),
    ] {
        let program = Program::serving(&database).env("RUST_LOG", rust_log);
        let program = match roster_log {
            Some(levels) => program.env("ROSTER_LOG", levels),
            None => program,
        };
        let roster = program.serve().await;
        roster.get("/livez").await.any_body(200);
        let log = roster.stop().await.stderr;
        assert_eq!(log.contains("answered"), is_told, "{rust_log}, {roster_log:?}: {log}");
        assert!(log.is_empty() || rust_log != "off", "{log}");
    }
    // Seen to fail on PostgreSQL, whose driver tells the bytes that it sends.
    let roster = Program::serving(&database).env("RUST_LOG", "trace").serve().await;
    let email = roster.user("ada").await.email;
    let log = roster.stop().await.stderr;
    let bytes = email.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", ");
    assert!(log.contains("TRACE") && !log.contains(&email) && !log.contains(&bytes), "{log}");
}

async fn a_pool_of_one_connection_serves(database: Database) {
    let roster = Program::serving(&database).and(["--database-pool-size", "1"]).serve().await;
    let users = (0..8).map(|nth| {
        let roster = &roster;
        async move { roster.user(&format!("user{nth}")).await.id }
    });
    let mut ids = futures_util::future::join_all(users).await;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
    roster.readiness().await;
}

async fn a_database_that_cannot_be_opened_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let none = folder.path().join("missing/roster.db");
    let other = folder.path().join("notes.txt");
    std::fs::write(&other, "Lorem ipsum dolor sit amet. ".repeat(1_000)).unwrap();
    for path in [&none, &other] {
        for command in ["serve", "migrate"] {
            let url = format!("sqlite:{}", path.display());
            let exit =
                Program::with([command, "--listen", "127.0.0.1:0", "--database-url", &url]).run().await;
            is_told(&exit, "--database-url", "DATABASE_URL");
            assert!(exit.stderr.contains(path.file_name().unwrap().to_str().unwrap()), "{exit:?}");
        }
    }
    assert!(std::fs::read_to_string(&other).unwrap().starts_with("Lorem ipsum"), "it is left as it was");
}

async fn an_address_that_is_taken_is_told_in_one_line(database: Database) {
    let roster = Program::serving(&database).serve().await;
    let taken = roster.address();
    let exit = Program::with(["--database-url", database.url(), "--listen", &taken]).run().await;
    is_told(&exit, "--listen", "ROSTER_LISTEN");
    roster.user("ada").await;
}

async fn a_server_that_does_not_exist_is_told_in_one_line(OnPostgres(database): OnPostgres) {
    let nowhere = format!("{}_missing", database.url());
    for command in ["serve", "migrate"] {
        let exit =
            Program::with([command, "--listen", "127.0.0.1:0", "--database-url", &nowhere]).run().await;
        is_told(&exit, "--database-url", "DATABASE_URL");
    }
}
