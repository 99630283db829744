//! Each refusal that the description names for an operation is one that the operation gives: no client provides for
//! what never comes.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::kit::{Answer, Database, Program, Raw, Reply, Request, Roster, StandIn, TokensFile, USERS, suite};

suite![each_refusal_that_is_documented_is_given];

const SCOPES: [&str; 5] = ["users:read", "users:write", "events:read", "events:write", "directory:read"];

/// The largest body that is taken.
const KIB_64: usize = 64 * 1024;

/// Generous: it is there to end what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

async fn each_refusal_that_is_documented_is_given(database: Database) {
    let asked = Asked::of(&database).await;
    let document = asked.roster.get("/openapi.json").await.json(200);
    let operations = Operation::all(&document);
    let mut given = BTreeSet::new();
    for operation in &operations {
        for status in operation.refusals() {
            // A file has one writer at a time: a key is in progress for nobody who gets to look.
            if !(status == 409 && database.backend().is_file()) {
                asked.refusal(operation, status).await.error(status, code(status));
                given.insert(status);
            }
        }
    }
    // What the description leaves out would else be left out here too.
    let mut expected = BTreeSet::from([400, 401, 403, 404, 406, 408, 410, 412, 413, 415, 422, 429]);
    expected.extend((!database.backend().is_file()).then_some(409));
    assert_eq!(given, expected);
}

/// The error that a status stands for.
fn code(status: u16) -> &'static str {
    match status {
        400 => "malformed_request",
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not_found",
        406 => "not_acceptable",
        408 => "request_timeout",
        409 => "conflict",
        410 => "gone",
        412 => "precondition_failed",
        413 => "payload_too_large",
        415 => "unsupported_media_type",
        422 => "validation",
        429 => "rate_limited",
        _ => panic!("what {status} stands for is not known"),
    }
}

/// An operation of the document, with what it takes to be done.
struct Operation<'a> {
    id: &'a str,
    method: String,
    path: String,
    /// A body that is taken, and its media type.
    body: Option<(&'a str, String)>,
    said: &'a Value,
}

impl<'a> Operation<'a> {
    fn all(document: &'a Value) -> Vec<Self> {
        let paths = document["paths"].as_object().expect("there are paths");
        let all = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path has operations");
            methods.iter().map(|(method, said)| Self::of(path, method, said))
        });
        all.collect()
    }

    fn of(path: &str, method: &str, said: &'a Value) -> Self {
        let content = said["requestBody"]["content"].as_object();
        let body = content.and_then(|content| content.iter().next()).map(|(media_type, body)| {
            let example = &body["example"];
            (media_type.as_str(), example.as_str().map_or_else(|| example.to_string(), str::to_owned))
        });
        let id = said["operationId"].as_str().expect("an operation has an id");
        Self { id, method: method.to_uppercase(), path: path.replace("{id}", "1"), body, said }
    }

    /// The statuses of a client's errors that it says it has.
    fn refusals(&self) -> impl Iterator<Item = u16> {
        let statuses = self.said["responses"].as_object().into_iter().flatten();
        let statuses = statuses.filter_map(|(status, _)| status.parse().ok());
        statuses.filter(|status| (400..500).contains(status))
    }

    /// A scope that it does not ask for.
    fn other_scope(&self) -> usize {
        let wanted = &self.said["security"][0]["bearer"];
        let wanted = wanted.as_array().expect("an operation asks for scopes");
        SCOPES.iter().position(|scope| !wanted.contains(&json!(scope))).expect("it does not ask for all")
    }

    /// The same by another path.
    fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), method: self.method.clone(), body: self.body.clone(), ..*self }
    }

    /// The same with another body of its media type.
    fn with(&self, body: impl Into<String>) -> Self {
        let media_type = self.body.as_ref().map(|(media_type, _)| *media_type);
        let body = media_type.map(|media_type| (media_type, body.into()));
        Self { body, method: self.method.clone(), path: self.path.clone(), ..*self }
    }
}

/// The services that are asked, and by whom.
struct Asked {
    database: Database,
    /// Has a user 1, has forgotten its first events, and does not wait long for a body.
    roster: Roster,
    /// Answers each credential once an hour.
    limited: Roster,
    /// Is good for everything.
    token: String,
    /// One for each scope, good for it alone.
    poor: Vec<String>,
    _tokens: TokensFile,
    _directory: StandIn,
}

impl Asked {
    async fn of(database: &Database) -> Self {
        let directory = StandIn::by(|_| Reply::json(404, "{}")).await;
        let tokens = TokensFile::missing();
        let token = tokens.token("all", &SCOPES.join(",")).await;
        let mut poor = Vec::new();
        for scope in SCOPES {
            poor.push(tokens.token(&scope.replace(':', "-"), scope).await);
        }
        let program = Program::serving(database).and(["--directory-url", &directory.url()]);
        let program = program.and(["--events-retention", "0.00002", "--body-timeout", "1"]);
        // Half of it is how long a statement may wait for a lock.
        let program = program.and(["--database-statement-timeout", "2"]);
        let open = program.serve().await;
        open.users(3).await;
        let forgotten = async {
            while open.get("/api/v1/events?after=0").await.status() != 410 {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, forgotten).await.expect("old events are forgotten");
        assert_eq!(open.stop().await.code, Some(0));

        let program = program.and(["--tokens-file".as_ref(), tokens.path().as_os_str()]);
        let roster = program.serve().await;
        let limited = program.and(["--rate-limit", "1/h"]).serve().await;
        limited.get(USERS).bearer(&token).await.page();
        Self {
            database: database.clone(),
            roster,
            limited,
            token,
            poor,
            _tokens: tokens,
            _directory: directory,
        }
    }

    /// An operation, as it would be done.
    fn request(&self, operation: &Operation<'_>) -> Request {
        let request = self.roster.request(&operation.method, &operation.path).bearer(&self.token);
        match &operation.body {
            Some((media_type, body)) => request.body(media_type, body.clone()),
            None => request,
        }
    }

    /// What an operation answers to a request that is to be refused with this status.
    async fn refusal(&self, operation: &Operation<'_>, status: u16) -> Answer {
        let (id, method, path) = (operation.id, operation.method.as_str(), operation.path.as_str());
        match status {
            400 if id == "listUsers" => self.request(&operation.at(&format!("{path}?after=x"))).await,
            400 if id == "listEvents" => {
                let stream = self.request(operation).header("Accept", "text/event-stream");
                stream.header("Last-Event-ID", "x").await
            }
            400 if id == "importUsers" => self.broken_from_the_beginning(operation).await,
            400 if operation.body.is_some() => self.request(&operation.with("{")).await,
            400 => self.request(operation).header("If-Match", "1").await,
            401 => self.roster.request(method, path).await,
            403 => self.roster.request(method, path).bearer(&self.poor[operation.other_scope()]).await,
            404 if id == "createUserFromDirectory" => {
                self.request(&operation.with(r#"{"directory_id": 404}"#)).await
            }
            404 => self.request(&operation.at(&path.replace("/1", "/404"))).await,
            406 => self.request(operation).header("Accept", "image/png").await,
            408 => self.without_its_body(operation).await,
            409 => self.while_its_key_is_in_progress(operation).await,
            410 => self.request(&operation.at(&format!("{path}?after=0"))).await,
            412 => self.request(operation).header("If-Match", "\"404\"").await,
            413 => self.request(&operation.with(" ".repeat(KIB_64 + 1))).await,
            415 => self.roster.request(method, path).bearer(&self.token).body("text/plain", "x").await,
            422 if id == "importUsers" => self.request(&operation.at(&format!("{path}?dry_run=x"))).await,
            422 if operation.body.is_some() => self.request(&operation.with("7")).await,
            422 if path.ends_with("/1") => self.request(&operation.at(&path.replace("/1", "/x"))).await,
            422 => self.request(&operation.at(&format!("{path}?limit=0"))).await,
            429 => self.limited.request(method, path).bearer(&self.token).await,
            _ => panic!("how {id} would come to answer {status} is not known"),
        }
    }

    /// The body does not come.
    async fn without_its_body(&self, operation: &Operation<'_>) -> Answer {
        self.by_hand(operation, "Content-Length: 2\r\n\r\n").await
    }

    /// What comes is no body.
    async fn broken_from_the_beginning(&self, operation: &Operation<'_>) -> Answer {
        self.by_hand(operation, "Transfer-Encoding: chunked\r\n\r\nZZ\r\n").await
    }

    /// An operation by a head that ends so.
    async fn by_hand(&self, operation: &Operation<'_>, end: &str) -> Answer {
        let (media_type, _) = operation.body.as_ref().expect("the operation has a body");
        let Operation { method, path, .. } = operation;
        let lines = format!("Authorization: Bearer {}\r\nContent-Type: {media_type}\r\n{end}", self.token);
        let mut raw = Raw::to(&self.roster).await;
        raw.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}")).await;
        raw.answer().await.expect("it is answered")
    }

    /// Somebody else has not yet decided about its key.
    async fn while_its_key_is_in_progress(&self, operation: &Operation<'_>) -> Answer {
        let locked = self.database.execute("BEGIN; LOCK TABLE receipts; SELECT pg_sleep(5); COMMIT");
        let answer = async {
            sleep(Duration::from_secs(1)).await;
            self.request(operation).header("Idempotency-Key", "key").await
        };
        tokio::join!(locked, answer).1
    }
}
