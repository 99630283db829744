//! `roster dead-letters`.

use super::inbound::{event, has_stream, names, publish};
use super::{messages, serving, until};
use crate::kit::{OwnNats, Program, WithNats, suite};

suite![
    dead_letters_are_listed_shown_and_sent_again,
    a_dead_letter_that_is_not_there_is_told,
    without_a_broker_there_are_no_dead_letters,
];

fn command<const N: usize>(nats: &OwnNats, arguments: [&str; N]) -> Program {
    Program::with(["dead-letters"]).and(arguments).and(["--nats-url", nats.url()])
}

async fn dead_letters_are_listed_shown_and_sent_again(WithNats(database, nats): WithNats) {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    let short = event("1", "saved", "ada", "A").to_string();
    publish(&context, "directory.people.saved", short.as_str()).await;
    publish(&context, "directory.people.saved", "no JSON").await;
    until("both are dead", async || messages(&context, "ROSTER_DEAD_LETTERS").await.len() == 2).await;

    let list = command(&nats, ["list"]).run().await;
    let lines: Vec<Vec<_>> = list.stdout.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!((list.code, lines.len()), (Some(0), 2), "{list:?}");
    assert_eq!((lines[0][0], lines[0][2]), ("1", "directory.people.saved"));
    assert_eq!(lines[0][3], "it breaks rules: Name must be at least 2 characters");
    assert!(lines[1][3].starts_with("it is not JSON"), "{list:?}");
    let show = command(&nats, ["show", "1"]).run().await;
    assert!(show.stdout.contains(&short) && show.stdout.contains("at least 2 characters"), "{show:?}");

    let retry = command(&nats, ["retry", "2", "1"]).run().await;
    assert_eq!(retry.code, Some(0), "{retry:?}");

    // They are no better, so they come back, under new numbers.
    until("both are dead again", async || {
        let list = command(&nats, ["list"]).run().await;
        list.stdout.starts_with("3\t") && list.stdout.contains("\n4\t") && list.stdout.lines().count() == 2
    })
    .await;
    publish(&context, "directory.people.saved", event("2", "saved", "bob", "Bob").to_string()).await;
    until("what comes after is applied", async || names(&roster).await == ["Bob"]).await;
}

async fn a_dead_letter_that_is_not_there_is_told(nats: OwnNats) {
    assert_eq!(command(&nats, ["list"]).run().await.stdout, "");
    for arguments in [["show", "7"], ["retry", "7"]] {
        let exit = command(&nats, arguments).run().await;
        assert_eq!(exit.code, Some(1), "{exit:?}");
        assert!(exit.stderr.lines().any(|line| line == "roster: there is no dead letter 7"), "{exit:?}");
    }
}

async fn without_a_broker_there_are_no_dead_letters() {
    let exit = Program::with(["dead-letters", "list"]).run().await;
    assert_eq!(exit.code, Some(2), "{exit:?}");
    assert!(exit.stderr.contains("--nats-url (NATS_URL)"), "{exit:?}");
}
