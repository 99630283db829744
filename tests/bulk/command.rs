//! `roster import` and `roster export`, directly on the database.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use roster_domain::UserId;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::tempdir;
use tokio::fs::OpenOptions;
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;

use super::{compressed, decompressed, errors, line, lines};
use crate::kit::{Database, Exit, OnPostgres, OnSqlite, Output, Program, suite};

suite![
    a_file_is_imported_and_exported,
    the_name_of_a_file_tells_its_format,
    lines_that_fail_are_told_and_end_it_with_1,
    an_import_that_was_interrupted_is_finished_by_another,
    a_dry_run_writes_nothing,
    a_file_that_cannot_be_read_is_told_in_one_line,
    an_export_is_there_when_it_is_whole,
    what_is_there_is_not_overwritten_by_the_way,
    an_export_is_for_whom_the_file_was_that_it_replaces,
    an_export_takes_no_notice_of_one_that_was_killed,
    an_export_that_is_told_to_stop_leaves_nothing,
    what_waits_for_a_pipe_ends_when_it_is_told_to,
    what_is_read_from_standard_input_is_not_overwritten,
    what_failed_last_is_told_until_another_import_begins,
    what_needs_one_that_is_there_makes_no_database,
    what_only_reads_leaves_the_schema_as_it_is,
    a_dry_run_tells_on_the_way_what_it_tells_at_the_end,
    a_reader_that_goes_away_is_no_reason_to_panic,
    a_standard_error_that_takes_nothing_ends_nothing,
];

/// What ends a command, and the status that it ends with.
const ENDING: [(Signal, i32); 2] = [(Signal::TERM, 143), (Signal::INT, 130)];

fn program(command: &str, database: &Database, arguments: &[&str]) -> Program {
    Program::with([command, "--database-url", database.url(), "--log", "warn"]).and(arguments)
}

async fn run(command: &str, database: &Database, arguments: &[&str]) -> Exit {
    program(command, database, arguments).run().await
}

/// What was told, of a command that ended so.
#[track_caller]
fn told(exit: &Exit, code: i32) -> &str {
    assert_eq!(exit.code, Some(code), "{exit:?}");
    exit.stdout.trim_end()
}

/// The e-mails of all users.
async fn emails(database: &Database) -> Vec<String> {
    let exit = run("export", database, &[]).await;
    let users = told(&exit, 0).lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    users.map(|user| user["email"].as_str().unwrap().to_owned()).collect()
}

/// A pipe with a name.
fn pipe(folder: &Path, name: &str) -> String {
    let pipe = path(folder, name);
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    pipe
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

async fn a_file_is_imported_and_exported(database: Database) {
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.csv");
    fs::write(&file, "name,email\n\"King, Ada\",ada@example.org\nBob,bob@example.org\n").unwrap();

    let exit = run("import", &database, &[&file]).await;

    assert_eq!(told(&exit, 0), "2 lines: 2 created, 0 there already, 0 failed");
    assert_eq!(emails(&database).await, ["ada@example.org", "bob@example.org"]);
    let exported = path(folder.path(), "exported.csv.gz");
    let exit = run("export", &database, &[&exported]).await;
    assert_eq!(told(&exit, 0), "");
    assert!(exit.stderr.contains("2 users exported"), "{exit:?}");
    let csv = String::from_utf8(decompressed(&fs::read(&exported).unwrap())).unwrap();
    assert!(
        csv.starts_with("id,email,name,created_at,updated_at,version\n1,ada@example.org,\"King, Ada\","),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 3);
    let exit = run("import", &database, &[&exported]).await;
    assert_eq!(told(&exit, 0), "2 lines: 0 created, 2 there already, 0 failed");
}

async fn the_name_of_a_file_tells_its_format(database: Database) {
    let folder = tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let file = path(folder.path(), name);
        fs::write(&file, content).unwrap();
        file
    };
    let ndjson = write("a.jsonl.gz", &compressed(line("ada").as_bytes()));
    let csv = write("b.txt", b"email,name\nbob@example.org,Bob\n");

    told(&run("import", &database, &[&ndjson]).await, 0);
    told(&run("import", &database, &["--format", "csv", &csv]).await, 0);
    let exit = run("import", &database, &[&csv]).await;
    assert_eq!(told(&exit, 2), "");
    assert_eq!(exit.stderr.lines().count(), 1, "{exit:?}");
    assert!(exit.stderr.contains("--format"), "{exit:?}");

    let exit = run("export", &database, &["-", "--format=csv"]).await;
    assert_eq!(told(&exit, 0).lines().count(), 3);
    assert_eq!(emails(&database).await, ["ada@example.org", "bob@example.org"]);
}

async fn lines_that_fail_are_told_and_end_it_with_1(database: Database) {
    let folder = tempdir().unwrap();
    let (file, failed) = (path(folder.path(), "a.ndjson"), path(folder.path(), "failed.ndjson"));
    let other = r#"{"email": "ada@example.org", "name": "Another"}"#;
    fs::write(&file, format!("{}{other}\nnonsense\n{}", line("ada"), line("bob"))).unwrap();

    let exit = run("import", &database, &[&file]).await;
    assert_eq!(told(&exit, 1), "4 lines: 2 created, 0 there already, 2 failed");
    assert!(
        exit.stderr.starts_with("line 2: Email already exists\nline 3: Line is not valid JSON"),
        "{exit:?}"
    );

    let exit = run("import", &database, &[&file, "--errors", &failed]).await;
    assert_eq!(told(&exit, 1), "4 lines: 0 created, 2 there already, 2 failed");
    assert_eq!(exit.stderr, "");
    let failed = fs::read_to_string(failed).unwrap();
    let failed: Vec<Value> = failed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(errors(&failed), [(2, "business_rule"), (3, "malformed_request")]);
}

async fn an_import_that_was_interrupted_is_finished_by_another(database: Database) {
    const LINES: usize = 20_000;
    told(&Program::with(["migrate", "--database-url", database.url()]).run().await, 0);
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.ndjson");
    fs::write(&file, lines("user", LINES)).unwrap();

    let first = program("import", &database, &[&file]).start().await;
    let users = database.ports().users;
    while users.find(UserId::new(1_000).unwrap()).await.unwrap().is_none() {
        sleep(Duration::from_millis(10)).await;
    }
    first.kill().await;

    let exit = run("import", &database, &[&file]).await;
    let summary = told(&exit, 0);
    assert!(summary.starts_with("20000 lines: ") && summary.ends_with(", 0 failed"), "{summary}");
    assert!(!summary.contains(" 0 there"), "{summary}");
    assert_eq!(emails(&database).await.len(), LINES);
    let events = database.ports().events;
    events.sequence().await.unwrap();
    assert_eq!(events.read(roster_domain::Position::START, 100_000).await.unwrap().len(), LINES);
}

async fn a_dry_run_writes_nothing(database: Database) {
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "a.ndjson");
    fs::write(&file, format!("{}{{}}\n", lines("user", 3))).unwrap();

    told(&Program::with(["migrate", "--database-url", database.url()]).run().await, 0);
    let exit = run("import", &database, &[&file, "--dry-run"]).await;

    assert_eq!(told(&exit, 1), "4 lines: 3 are valid, 1 failed; nothing was written");
    assert_eq!(emails(&database).await, [""; 0]);
}

async fn a_file_that_cannot_be_read_is_told_in_one_line(database: Database) {
    for command in [&["import", "/nowhere/a.csv"][..], &["export", "/nowhere/a.csv"], &["import"]] {
        let exit = run(command[0], &database, &command[1..]).await;
        assert!(matches!(exit.code, Some(1 | 2)), "{exit:?}");
        assert_eq!(exit.stderr.lines().count(), 1, "{exit:?}");
    }
}

async fn an_export_is_there_when_it_is_whole(database: Database) {
    told(&Program::with(["migrate", "--database-url", database.url()]).run().await, 0);
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.ndjson");
    fs::write(&file, "as it was").unwrap();
    database.execute("DROP TABLE users").await;

    let exit = run("export", &database, &[&file]).await;

    assert_eq!(told(&exit, 1), "");
    assert_eq!(fs::read_to_string(&file).unwrap(), "as it was");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left of it");
}

async fn what_is_there_is_not_overwritten_by_the_way(OnSqlite(database): OnSqlite) {
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.ndjson");
    fs::write(&file, lines("user", 3)).unwrap();

    let exit = run("import", &database, &[&file, "--errors", &file]).await;
    assert_eq!(told(&exit, 2), "");
    assert!(exit.stderr.starts_with("roster: --errors: must be another file"), "{exit:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), lines("user", 3));
    told(&run("import", &database, &[&file]).await, 0);

    let (link, other) = (folder.path().join("link.csv"), folder.path().join("link.csv.part"));
    std::os::unix::fs::symlink(folder.path().join("users.csv"), &link).unwrap();
    fs::write(folder.path().join("users.csv"), "").unwrap();
    fs::write(&other, "another's").unwrap();
    told(&run("export", &database, &[link.to_str().unwrap()]).await, 0);
    assert!(link.is_symlink());
    assert_eq!(fs::read_to_string(folder.path().join("users.csv")).unwrap().lines().count(), 4);
    assert_eq!(fs::read_to_string(&other).unwrap(), "another's");
}

async fn an_export_is_for_whom_the_file_was_that_it_replaces(OnSqlite(database): OnSqlite) {
    told(&Program::with(["migrate", "--database-url", database.url()]).run().await, 0);
    let folder = tempdir().unwrap();
    let (private, new) = (path(folder.path(), "private.csv"), path(folder.path(), "new.csv"));
    let usual = path(folder.path(), "usual.csv");
    fs::write(&private, "").unwrap();
    fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&usual, "").unwrap();

    for file in [&private, &new] {
        told(&run("export", &database, &[file]).await, 0);
    }

    let mode = |file: &str| fs::metadata(file).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&private), 0o600);
    assert_eq!(mode(&new), mode(&usual), "a file that replaces none is as others are");
    assert_eq!(fs::read_to_string(&private).unwrap(), fs::read_to_string(&new).unwrap());
}

/// Seen to fail where a part had its name by the process: of a container, that is the same each time.
async fn an_export_takes_no_notice_of_one_that_was_killed(OnSqlite(database): OnSqlite) {
    told(&Program::with(["migrate", "--database-url", database.url()]).run().await, 0);
    let folder = tempdir().unwrap();
    let killed = "touch users.csv.$$.part && exec \"$0\" \"$@\"";

    let export = program("export", &database, &["users.csv"]).within(folder.path());

    told(&export.by_shell(killed).run().await, 0);
    assert!(folder.path().join("users.csv").is_file());
}

async fn an_export_that_is_told_to_stop_leaves_nothing(OnPostgres(database): OnPostgres) {
    told(&Program::with(["migrate", "--database-url", database.url()]).run().await, 0);
    let (server, name) = database.server();
    let holder = server.client(name).await.unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.ndjson");
    for (signal, code) in ENDING {
        let waiting = database.waiting().await;
        let patient = [&file, "--database-statement-timeout", "60"];
        let export = program("export", &database, &patient).start().await;
        while database.waiting().await == waiting {
            sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a part is there");

        export.signal(signal);

        assert_eq!(told(&export.exit().await, code), "");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left of it");
    }
}

/// Seen to fail where no signal was taken: then the first process of a container goes on.
async fn what_waits_for_a_pipe_ends_when_it_is_told_to(OnSqlite(database): OnSqlite) {
    let folder = tempdir().unwrap();
    let (file, pipe) = (path(folder.path(), "users.ndjson"), pipe(folder.path(), "pipe.ndjson"));
    fs::write(&file, lines("user", 5_000)).unwrap();
    told(&run("import", &database, &[&file]).await, 0);
    for (signal, code) in ENDING {
        let import = program("import", &database, &[&pipe]).start().await;
        let writer = OpenOptions::new().write(true).open(&pipe).await.unwrap();
        import.signal(signal);
        assert_eq!(told(&import.exit().await, code), "");
        drop(writer);

        let export = program("export", &database, &[&pipe]).start().await;
        let _reader = OpenOptions::new().read(true).open(&pipe).await.unwrap();
        export.signal(signal);
        assert_eq!(told(&export.exit().await, code), "");
    }
}

async fn what_is_read_from_standard_input_is_not_overwritten(OnSqlite(database): OnSqlite) {
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.ndjson");
    fs::write(&file, lines("user", 3)).unwrap();
    let import = |errors: &str, file: &str| {
        let import = program("import", &database, &["-", "--errors", errors]).within(folder.path());
        import.by_shell(&format!("exec \"$0\" \"$@\" <{file}"))
    };

    let exit = import("users.ndjson", "users.ndjson").run().await;

    assert_eq!(told(&exit, 2), "");
    assert!(exit.stderr.starts_with("roster: --errors: must be another file"), "{exit:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), lines("user", 3));
    told(&import("failed.ndjson", "users.ndjson").run().await, 0);
    // What is no file has nothing to lose.
    told(&import("/dev/null", "/dev/null").run().await, 0);
}

async fn what_failed_last_is_told_until_another_import_begins() {
    let folder = tempdir().unwrap();
    let (file, failed) = (path(folder.path(), "a.ndjson"), path(folder.path(), "failed.ndjson"));
    fs::write(&file, line("ada")).unwrap();
    fs::write(&failed, "as it was").unwrap();
    let import = Program::with(["import", &file, "--errors", &failed]);

    let exit = import.and(["--database-url", "sqlite:/nowhere/roster.db"]).run().await;

    assert_eq!(told(&exit, 2), "");
    assert_eq!(fs::read_to_string(&failed).unwrap(), "as it was");
}

async fn what_needs_one_that_is_there_makes_no_database() {
    let folder = tempdir().unwrap();
    let (file, url) = (path(folder.path(), "users.ndjson"), path(folder.path(), "typo.db"));
    fs::write(&file, lines("user", 3)).unwrap();
    for command in
        [&["export"][..], &["export", &file], &["import", "--dry-run", &file], &["republish", "--after", "0"]]
    {
        let exit = Program::with(command).and(["--database-url", &format!("sqlite:{url}")]).run().await;
        assert_eq!(told(&exit, 2), "");
        assert!(exit.stderr.contains("there is no file"), "{exit:?}");
    }
    assert!(!Path::new(&url).exists());
    assert_eq!(fs::read_to_string(&file).unwrap(), lines("user", 3));
}

async fn what_only_reads_leaves_the_schema_as_it_is(database: Database) {
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.ndjson");
    fs::write(&file, lines("user", 3)).unwrap();
    if database.backend().is_file() {
        fs::write(database.path(), "").unwrap();
    }
    for command in
        [&["export"][..], &["export", &file], &["import", "--dry-run", &file], &["republish", "--after", "0"]]
    {
        let exit = run(command[0], &database, &command[1..]).await;
        assert_eq!(told(&exit, 2), "");
        assert!(exit.stderr.contains("run `roster migrate`"), "{exit:?}");
    }
    assert!(database.ports().users.find(UserId::new(1).unwrap()).await.is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), lines("user", 3));
}

async fn a_dry_run_tells_on_the_way_what_it_tells_at_the_end(OnSqlite(database): OnSqlite) {
    told(&Program::with(["migrate", "--database-url", database.url()]).run().await, 0);
    let folder = tempdir().unwrap();
    let pipe = pipe(folder.path(), "pipe.ndjson");
    let mut import = program("import", &database, &[&pipe, "--dry-run"]).start().await;
    let mut writer = OpenOptions::new().write(true).open(&pipe).await.unwrap();
    let some = lines("user", 1_000);
    let feed = async {
        loop {
            writer.write_all(some.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(100)).await;
        }
    };
    let first = |output: &Output| output.stderr.split_once('\n').map(|(line, _)| line.to_owned());

    let told = tokio::select! {
        told = import.wait_for("it told how far it is", first) => told,
        () = feed => String::new(),
    };

    assert!(told.ends_with(" are valid, 0 failed; nothing was written"), "{told}");
}

async fn a_reader_that_goes_away_is_no_reason_to_panic(database: Database) {
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.ndjson");
    fs::write(&file, lines("user", 5_000)).unwrap();
    told(&run("import", &database, &[&file]).await, 0);

    let mut export = program("export", &database, &[]).start().await;
    export.close_stdout().await;
    let exit = export.exit().await;

    assert_eq!(exit.code, Some(1), "{exit:?}");
    assert_eq!(exit.stderr, "");
    let mut import = program("import", &database, &[&file]).start().await;
    import.close_stdout().await;
    assert_eq!(import.exit().await.code, Some(0));
}

/// Seen to fail where it ended the program by a panic, an import at the first line that failed.
async fn a_standard_error_that_takes_nothing_ends_nothing(database: Database) {
    let folder = tempdir().unwrap();
    let file = path(folder.path(), "users.ndjson");
    fs::write(&file, format!("nonsense\n{}", lines("user", 3))).unwrap();
    let on_a_full_device = |command: &str, arguments: &[&str]| {
        program(command, &database, arguments).by_shell("exec \"$0\" \"$@\" 2>/dev/full")
    };

    let exit = on_a_full_device("import", &[&file]).run().await;

    assert_eq!(told(&exit, 1), "4 lines: 3 created, 0 there already, 1 failed");
    assert_eq!(told(&on_a_full_device("export", &[]).run().await, 0).lines().count(), 3);
    let exit = on_a_full_device("import", &["/nowhere/a.csv"]).run().await;
    assert_eq!(told(&exit, 1), "");
}
