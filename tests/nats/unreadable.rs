//! Events in whose headers the client cannot read: at most of them it ends its connection, and others it takes for
//! answers of the server.

use async_nats::ServerAddr;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::inbound::{event, has_stream, names, publish};
use super::{at_least, messages, serving, until};
use crate::kit::{Http, OwnNats, WithNats, suite};

suite![
    headers_that_cannot_be_read_are_a_dead_letter_and_hold_up_nothing,
    headers_that_read_as_an_answer_hold_up_nothing,
];

const SAVED: &str = "directory.people.saved";

/// Publishes an event with headers as they are.
async fn publish_raw(nats: &OwnNats, headers: &[u8], payload: &Value) {
    let server: ServerAddr = nats.url().parse().unwrap();
    let address = (server.host().to_owned(), server.port());
    let mut stream = TcpStream::connect(address).await.expect("the server is there");
    let connect = json!({
        "verbose": false, "pedantic": false, "headers": true, "protocol": 1,
        "name": "raw", "lang": "raw", "version": "0",
        "user": server.username(), "pass": server.password(),
    });
    let payload = payload.to_string();
    let mut sent = format!("CONNECT {connect}\r\n").into_bytes();
    let (head, all) = (headers.len(), headers.len() + payload.len());
    sent.extend_from_slice(format!("HPUB {SAVED} {head} {all}\r\n").as_bytes());
    sent.extend_from_slice(headers);
    sent.extend_from_slice(payload.as_bytes());
    sent.extend_from_slice(b"\r\nPING\r\n");
    stream.write_all(&sent).await.expect("it can be written to");
    let mut answered = Vec::new();
    // It may say more after that.
    while !String::from_utf8_lossy(&answered).contains("PONG\r\n") {
        let read = stream.read_buf(&mut answered).await.expect("it can be read");
        assert!(read > 0, "refused: {}", String::from_utf8_lossy(&answered));
    }
}

/// Each comes between two others, which take effect; what happens here is told as ever. Tells which became dead letters;
/// the others took effect.
async fn are_passed_over(WithNats(database, nats): WithNats, all: &[&[u8]]) -> Vec<String> {
    let roster = serving(&database, &nats).serve().await;
    let context = nats.client().await;
    has_stream(&context).await;
    let mut dead = Vec::new();
    for (nth, headers) in all.iter().enumerate() {
        let [before, between, after] = ["before", "between", "after"].map(|name| format!("{name}{nth}"));
        let told = |name: &str| event(name, "saved", name, name);
        publish(&context, SAVED, told(&before).to_string()).await;
        publish_raw(&nats, headers, &told(&between)).await;
        publish(&context, SAVED, told(&after).to_string()).await;

        let what = format!("{:?}: those beside it take effect", String::from_utf8_lossy(headers));
        until(&what, async || {
            let names = names(&roster).await;
            names.contains(&before) && names.contains(&after)
        })
        .await;
        until("it is settled", async || {
            let letters = messages(&context, "ROSTER_DEAD_LETTERS").await;
            dead = letters.iter().map(|letter| letter.json()["id"].as_str().unwrap().to_owned()).collect();
            dead.contains(&between) || names(&roster).await.contains(&between)
        })
        .await;
    }
    at_least(&context, "ROSTER", 3 * all.len() - dead.len()).await;
    let counted = roster.measured().await["roster_inbound_events_total"].sum(&[("outcome", "dead_lettered")]);
    assert_eq!(counted, f64::from(u32::try_from(dead.len()).unwrap()));
    is_ready(&roster).await;
    dead
}

async fn is_ready(roster: &Http) {
    until("all is well", async || roster.readiness().await == json!({"status": "ready"})).await;
}

/// Seen to fail without a look at what was delivered and did not come: nothing came in any more; and, at the first, nothing
/// went out.
async fn headers_that_cannot_be_read_are_a_dead_letter_and_hold_up_nothing(with: WithNats) {
    let all: [&[u8]; 4] = [
        b"NATS/1.0\r\nX: a\rb\r\n\r\n",
        b"NATS/1.0\r\nno colon\r\n\r\n",
        b"NATS/1.0\r\nName: M\xfcller\r\n\r\n",
        b"NATS/1.0\r\nA name: a\r\n\r\n",
    ];
    assert_eq!(are_passed_over(with, &all).await.len(), all.len());
}

/// A newer server takes such a status away as it stores the event. Seen to fail in the same way with one that does not.
async fn headers_that_read_as_an_answer_hold_up_nothing(with: WithNats) {
    let all: [&[u8]; 3] =
        [b"NATS/1.0 503\r\n\r\n", b"NATS/1.0 404 No Messages\r\n\r\n", b"NATS/1.0 100\r\n\r\n"];
    let dead = are_passed_over(with, &all).await;
    assert!(dead.is_empty() || dead.len() == all.len(), "{dead:?}");
}
