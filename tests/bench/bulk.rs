//! Users in bulk by the command line, and what is imported published from the backlog that it is then.

use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::arguments::Service;
use crate::events::published;
use crate::kit::{Backend, Database, Given, OwnNats, Program, Run};
use crate::load::serve;
use crate::table::{Figure, Table};

pub(super) async fn measure(of: &Service, on: Backend, table: &mut Table) -> Result<(), String> {
    let users = of.users();
    let database = Database::migrated(on).await?;
    let folder = Run::current().folder().new_folder();
    let (lines, exported) = (folder.join("users.ndjson"), folder.join("exported.ndjson"));
    write(&lines, users).map_err(|error| error.to_string())?;

    let took = run(&database, "import", &lines, &format!("{users} lines: {users} created")).await;
    table.note(on, "import, by the command line", rate(users, took));

    let nats = OwnNats::given(on).await?;
    let (roster, _) = serve(database.url(), &nats, users).await;
    let took = published(&nats, users).await;
    table.note(on, "events published from a backlog", rate(users, took));
    roster.kill().await;

    let took = run(&database, "export", &exported, "").await;
    let file = fs::File::open(&exported).map_err(|error| error.to_string())?;
    assert_eq!(BufReader::new(file).lines().count(), users, "each user is a line");
    table.note(on, "export, by the command line", rate(users, took));
    fs::remove_dir_all(folder).map_err(|error| error.to_string())
}

fn rate(count: usize, took: Duration) -> Figure {
    Figure::of(count as f64 / took.as_secs_f64(), "/s")
}

fn write(lines: &Path, users: usize) -> std::io::Result<()> {
    let mut file = BufWriter::new(fs::File::create(lines)?);
    for nth in 1..=users {
        writeln!(file, r#"{{"email": "user{nth}@example.org", "name": "User {nth}"}}"#)?;
    }
    file.flush()
}

/// Runs a command on a file to its end, with what it says then, and tells how long that takes.
async fn run(database: &Database, command: &str, file: &Path, told: &str) -> Duration {
    let began = Instant::now();
    let program = Program::with([command, "--database-url", database.url()]).and([file]);
    let exit = program.start().await.exit_within(Duration::from_secs(3600)).await;
    let took = began.elapsed();
    assert!(exit.code == Some(0) && exit.stdout.starts_with(told), "{command}: {exit:?}");
    took
}
