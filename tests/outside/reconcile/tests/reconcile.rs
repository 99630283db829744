//! The job, on a real PostgreSQL at `DATABASE_URL` whose database is empty, and a directory that is a thread.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::thread;

use roster_domain::ports::{EventLog, UserRepository};
use roster_domain::{Email, Position};
use roster_storage_postgres::{Postgres, PostgresConfig};

/// Answers for three people; the third has no e-mail that the domain takes.
fn directory() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let request = lines.next().unwrap();
            lines.find(String::is_empty).unwrap();
            let (status, body) = match request.split(' ').nth(1).unwrap() {
                "/users/1" => {
                    (200, r#"{"id": 1, "name": "Ada King", "username": "ada", "email": "Ada@example.org"}"#)
                }
                "/users/3" => {
                    (200, r#"{"id": 3, "name": "Eve", "username": "eve", "email": "eve@example.org"}"#)
                }
                "/users/4" => (200, r#"{"id": 4, "name": "Bob", "username": "bob", "email": "none"}"#),
                _ => (404, "{}"),
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    url
}

fn reconcile(database: &str, directory: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    command.args(["1", "5"]).env("DATABASE_URL", database).env("DIRECTORY_URL", directory);
    command.output().unwrap()
}

#[tokio::test]
async fn users_become_as_their_people_are_and_a_second_run_has_nothing_to_do() {
    let url =
        std::env::var("DATABASE_URL").expect("DATABASE_URL names an empty database: see tests/outside/run");
    let directory = directory();
    let early = reconcile(&url, &directory);
    assert!(!early.status.success());
    assert!(String::from_utf8_lossy(&early.stderr).contains("the database lacks migrations"), "{early:?}");

    let database = Postgres::new(PostgresConfig::new(&url)).unwrap();
    database.migrate().await.unwrap();
    let first = reconcile(&url, &directory);

    let told = String::from_utf8(first.stdout).unwrap();
    let expected =
        "person 1: created user 1\nperson 3: created user 2\nperson 4: left alone: Invalid email format\n";
    assert_eq!((told.as_str(), first.status.code()), (expected, Some(1)));
    let ada =
        database.users().find_by_email(&Email::parse("ada@example.org").unwrap()).await.unwrap().unwrap();
    assert_eq!(ada.name.as_str(), "Ada King");

    let second = reconcile(&url, &directory);
    assert_eq!(String::from_utf8(second.stdout).unwrap(), "person 4: left alone: Invalid email format\n");
    database.events().sequence().await.unwrap();
    assert_eq!(
        database.events().read(Position::START, 10).await.unwrap().len(),
        2,
        "each change is an event"
    );
}
