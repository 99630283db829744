//! No secret leaves, and no e-mail is logged: canaries are sent along every path, and looked for in whatever the
//! program lets be seen.
//!
//! Seen to fail where the log repeated what stands in a directory's answer, in the place of a member of another type,
//! and where traces told the paths of requests.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Url;
use serde_json::{Value, json};

use crate::kit::{
    Answer, Backend, Collector, Database, EVENTS, OnPostgres, Output, OwnNats, Program, Reply, Roster,
    SigningKey, StandIn, TokensFile, USERS, WithNats, jwks, suite, user_path,
};
use crate::nats::{has_stream, publish};

suite![
    no_secret_and_no_email_is_seen_from_outside,
    secrets_among_the_settings_are_not_told,
    a_password_of_the_database_is_not_told_where_it_is_refused,
];

/// What every secret, e-mail and name of these tests has in it.
const CANARY: &str = "canary";

const ALL: &str = "users:read,users:write,events:read,events:write,directory:read";

/// A credential that is none.
const STRANGER: &str = "roster_canaryAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A service that has been given secrets in all ways in which it takes them.
struct Aviary {
    roster: Roster,
    token: String,
    jwt: String,
    expired: String,
    directory: StandIn,
    collector: Collector,
    /// The password of the NATS server, where it asks for one.
    nats: Option<String>,
    _issuer: StandIn,
    _file: TokensFile,
}

impl Aviary {
    /// What is secret, and has no canary in it.
    fn secrets(&self) -> Vec<String> {
        [&self.token, &self.jwt].into_iter().chain(&self.nats).cloned().collect()
    }

    async fn on(database: &Database, nats: &OwnNats, format: &str) -> Self {
        let file = TokensFile::missing();
        let token = file.token("everything", ALL).await;
        let key = SigningKey::ed("k");
        let issuer = StandIn::answering([Reply::json(200, &jwks(&[&key]))]).await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let jwt = |exp: u64| {
            key.token(&json!({
                "iss": "us", "aud": "roster", "sub": "canary-subject@example.org", "exp": exp,
                "scope": ALL.replace(',', " "), "email": "canary-claim@example.org",
            }))
        };
        let directory = StandIn::answering([Reply::json(200, &person())]).await;
        let collector = Collector::start().await;
        let roster = Program::serving(database)
            .and(["--tokens-file".as_ref(), file.path().as_os_str()])
            .and(["--jwks", &with_password(&format!("{}/keys?key=canary-key", issuer.url()))])
            .and(["--jwt-issuer", "us", "--jwt-audience", "roster"])
            .and(["--nats-url", nats.url(), "--directory-url", &directory.url()])
            .and(["--log-format", format, "--log", "info,roster=trace"])
            .env("DIRECTORY_TOKEN", "canary-directory-token")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url())
            .env("OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=canary-collector-key");
        let roster = roster.serve().await;
        Self {
            roster,
            token,
            jwt: jwt(now + 600),
            expired: jwt(now - 600),
            directory,
            collector,
            nats: Url::parse(nats.url()).unwrap().password().map(str::to_owned),
            _issuer: issuer,
            _file: file,
        }
    }

    /// Sends requests of all kinds, with good credentials and bad ones, and tells what they were answered.
    async fn fly(&self, format: &str) -> Vec<Answer> {
        let mut answers = Vec::new();
        for (round, credential) in [("token", &self.token), ("jwt", &self.jwt)] {
            answers.extend(self.use_all(&format!("{format}-{round}"), credential).await);
        }
        for stranger in
            [STRANGER, &self.expired, &self.jwt[..self.jwt.len() - 9], "canary.canary.canary", "canary"]
        {
            answers.push(self.roster.get(USERS).bearer(stranger).await);
            answers.push(self.roster.post(USERS, &user("stranger")).bearer(stranger).await);
        }
        answers.push(self.roster.get(USERS).header("Authorization", "Basic canary-basic").await);
        answers.push(
            self.roster.get(&format!("{USERS}?access_token={STRANGER}&email={}", email("query"))).await,
        );
        answers.extend(self.ask_the_directory().await);
        answers
    }

    async fn use_all(&self, round: &str, token: &str) -> Vec<Answer> {
        let roster = &self.roster;
        let first = roster.post(USERS, &user(round)).bearer(token).await;
        let ada = user_path(first.user(201).id);
        let import = format!("{}\n{}\n{{\"email\": \"canary\n\n", user("line"), user("line"));
        let csv = format!("email,name\n{},Canary Row\n{},C\n", email("row"), email("row"));
        let requests = [
            roster.post(USERS, &user(round)),
            roster.post(USERS, &user(&format!("two-{round}"))).header("Idempotency-Key", "canary-key"),
            roster.post(USERS, &user("bob")).header("Idempotency-Key", "canary-key"),
            roster.post(USERS, &user("eve")).header("Idempotency-Key", "canary-key"),
            roster.post(USERS, &json!({"email": "canary@ @", "name": "Canary\u{7}"})),
            roster.post(USERS, &json!({"email": {"canary": 1}, "name": ["canary"]})),
            roster.post(USERS, &json!({"email": email("broken"), "name": "Canary Broken"})),
            roster.request("POST", USERS).body("application/json", "{\"email\": \"canary"),
            roster.request("POST", USERS).body("application/json", "canary"),
            roster.get(&format!("{USERS}?email={}&name=canary", email(round))),
            roster.get(&format!("{USERS}?after=canary&limit=canary&order=canary")),
            roster.get(&format!("{USERS}/canary")),
            roster.get(&ada).header("If-None-Match", "canary"),
            roster.put(&ada, &user(&format!("three-{round}"))).header("If-Match", "\"canary\""),
            roster.put(&ada, &user(&format!("three-{round}"))),
            roster.patch(&ada, &json!({"email": email("bob")})),
            roster.patch(&ada, &json!({"name": "Canary Broken"})),
            roster.request("POST", &format!("{USERS}/import")).body("application/x-ndjson", import),
            roster.request("POST", &format!("{USERS}/import")).body("text/csv", csv),
            roster.request("POST", &format!("{USERS}/import?report=canary")).body("text/csv", "canary"),
            roster.get(&format!("{USERS}/export")).header("Accept", "text/csv"),
            roster
                .request("POST", EVENTS)
                .body("application/cloudevents+json", saved("one", &email("saved")).to_string()),
            roster
                .request("POST", EVENTS)
                .body("application/cloudevents+json", saved("two", "canary").to_string()),
            roster.request("POST", EVENTS).body("application/cloudevents-batch+json", "[\"canary\"]"),
            roster.get(EVENTS),
            roster.get(EVENTS).header("Accept", "text/event-stream").header("Last-Event-ID", "canary"),
            roster.get("/api/v1/canary"),
            roster.delete(&ada).header("If-Match", "canary"),
            roster.delete(&ada),
            roster.get("/canary"),
        ];
        let mut answers = vec![first];
        for request in requests {
            answers.push(request.bearer(token).await);
        }
        answers
    }

    /// Has the directory answer in bad ways, with the canaries in them.
    async fn ask_the_directory(&self) -> Vec<Answer> {
        let mut answers = Vec::new();
        for reply in [
            Reply::json(200, &person()),
            Reply::json(200, r#"{"id": "canary-directory-body", "email": "canary@example.org"}"#),
            Reply::json(200, "canary-directory-body"),
            Reply::json(401, r#"{"error": "canary-directory-token is wrong"}"#),
            Reply::with(302, "location: http://canary:canary@127.0.0.1:9/canary\r\n", ""),
            Reply::Bytes(b"canary\r\n\r\n".to_vec()),
            Reply::json(500, "canary-directory-body"),
            Reply::Reset,
        ] {
            self.directory.answer(reply);
            answers.push(self.roster.get("/api/v1/directory/users/1").bearer(&self.token).await);
            let from = format!("{USERS}/from-directory");
            answers.push(self.roster.post(&from, &json!({"directory_id": 1})).bearer(&self.token).await);
        }
        answers
    }
}

fn email(local: &str) -> String {
    format!("canary-{local}@example.org")
}

fn user(local: &str) -> Value {
    json!({"email": email(local), "name": format!("Canary {local}")})
}

fn person() -> String {
    json!({"id": 1, "name": "Canary Person", "username": "canary", "email": email("person")}).to_string()
}

fn saved(id: &str, email: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/hr", "type": "directory.person.saved",
        "data": {"email": email, "name": "Canary Saved"},
    })
}

fn with_password(url: &str) -> String {
    let mut url = Url::parse(url).unwrap();
    url.set_username("canary-user").unwrap();
    url.set_password(Some("canary-password")).unwrap();
    url.into()
}

/// Has the store fail in the middle of a write, in words that it makes of the row.
async fn break_a_name(database: &Database) {
    let statement = match database.backend() {
        Backend::Sqlite => {
            "CREATE TRIGGER broken BEFORE INSERT ON users WHEN NEW.name = 'Canary Broken' \
             BEGIN SELECT RAISE(ABORT, 'it is broken'); END;\
             CREATE TRIGGER broken_too BEFORE UPDATE ON users WHEN NEW.name = 'Canary Broken' \
             BEGIN SELECT RAISE(ABORT, 'it is broken'); END"
        }
        Backend::Postgres => "ALTER TABLE users ADD CONSTRAINT broken CHECK (name <> 'Canary Broken')",
    };
    database.execute(statement).await;
}

async fn no_secret_and_no_email_is_seen_from_outside(WithNats(database, nats): WithNats) {
    let exit = Program::with(["migrate", "--database-url", database.url()]).run().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    break_a_name(&database).await;
    for format in ["text", "json"] {
        let mut aviary = Aviary::on(&database, &nats, format).await;
        let answers = aviary.fly(format).await;
        let client = nats.client().await;
        has_stream(&client).await;
        let payloads = [
            saved(format, &email("message")).to_string(),
            saved("bad", CANARY).to_string(),
            CANARY.to_owned(),
        ];
        for payload in payloads {
            publish(&client, "directory.people.saved", payload).await;
        }
        let told = |output: &Output| (output.stderr.matches("dead letter").count() >= 2).then_some(());
        aviary.roster.process().wait_for("dead letters were told", told).await;

        let statuses: Vec<_> = answers.iter().map(Answer::status).collect();
        for status in [200, 201, 204, 400, 401, 404, 422, 500, 502, 503] {
            assert!(statuses.contains(&status), "no answer was {status}: {statuses:?}");
        }
        let shown = [
            aviary.roster.get("/metrics").await,
            aviary.roster.get("/openapi.json").await,
            aviary.roster.get("/readyz").await,
        ];
        let refused =
            answers.iter().filter(|answer| [401, 403, 500, 502, 503, 504].contains(&answer.status()));
        for answer in shown.iter().chain(refused) {
            assert_silent("an answer", &answer.text(), &aviary);
        }
        let secrets = aviary.secrets();
        let exit = aviary.roster.stop().await;
        assert_eq!(exit.code, Some(0), "{exit:?}");
        let log = exit.stdout + &exit.stderr;
        assert!(log.matches("answered").count() > answers.len(), "every request is logged: {log}");
        assert!(log.contains("token:everything") && log.contains("jwt:#"), "principals have names: {log}");
        assert_none("the log", &log, &secrets);
        let received = aviary.collector.received();
        assert!(received.heads.iter().all(|head| head.contains("canary-collector-key")), "it is used");
        for seen in
            ["GET /api/v1/users", "POST /api/v1/events", "/api/v1/directory/users/{id}", "roster_http"]
        {
            assert!(
                received.bodies.contains(seen),
                "{seen} was not sent to the collector: {}",
                received.bodies
            );
        }
        assert_none("what the collector was sent", &received.bodies, &secrets);
    }
}

fn assert_silent(what: &str, text: &str, aviary: &Aviary) {
    assert_none(what, text, &aviary.secrets());
}

#[track_caller]
fn assert_none(what: &str, text: &str, secrets: &[String]) {
    let hits: Vec<_> = text.lines().filter(|line| line.to_lowercase().contains(CANARY)).collect();
    assert!(hits.is_empty(), "{what} has a canary in it: {hits:#?}");
    for part in secrets.iter().flat_map(|secret| secret.split(['.', '_'])).filter(|part| part.len() > 20) {
        assert!(!text.contains(part), "{what} has a credential in it, {part}: {text}");
    }
}

/// Settings, with a secret in each that may have one, and in each that may be given one by mistake.
const SETTINGS: [(&str, &str); 12] = [
    ("DATABASE_URL", "mysql://ada:canary@localhost/users"),
    ("DATABASE_URL", "postgres://ada:canary@localhost:nowhere/users?password=canary"),
    ("DATABASE_URL", "canary"),
    ("NATS_URL", "nats://ada:canary@"),
    ("NATS_URL", "http://ada:canary@localhost:nowhere"),
    ("DIRECTORY_URL", "http://ada:canary@directory.example.org/?key=canary"),
    ("DIRECTORY_TOKEN", "canary canary"),
    ("ROSTER_JWKS", "http://ada:canary@id.example.org/?key=canary"),
    ("ROSTER_JWKS", "https://ada:canary@id.example.org:nowhere/"),
    ("ROSTER_LISTEN", "canary"),
    ("ROSTER_REQUEST_TIMEOUT", "canary"),
    ("ROSTER_CORS_ORIGIN", "https://ada:canary@app.example.org"),
];

async fn secrets_among_the_settings_are_not_told() {
    let folder = tempfile::tempdir().unwrap();
    for (variable, value) in SETTINGS {
        let program = || Program::with(["--listen", "127.0.0.1:0"]).within(folder.path());
        let program = match variable {
            "ROSTER_LISTEN" => Program::default().within(folder.path()),
            "DIRECTORY_TOKEN" => program().and(["--directory-url", "http://127.0.0.1:9"]),
            "ROSTER_JWKS" => program().and(["--jwt-issuer", "us", "--jwt-audience", "roster"]),
            _ => program(),
        };
        let exit = program.env(variable, value).run().await;
        assert_eq!(exit.code, Some(2), "{variable}={value}: {exit:?}");
        assert_none(variable, &(exit.stdout + &exit.stderr), &[]);
        let help = Program::with(["--help"]).env(variable, value).run().await;
        if !["ROSTER_LISTEN", "ROSTER_REQUEST_TIMEOUT", "ROSTER_CORS_ORIGIN"].contains(&variable) {
            assert_none("--help", &help.stdout, &[]);
        }
    }
}

async fn a_password_of_the_database_is_not_told_where_it_is_refused(OnPostgres(database): OnPostgres) {
    let mut missing = Url::parse(&with_password(database.url())).unwrap();
    missing.set_path("/canary_missing");
    let silent = with_password("postgres://127.0.0.1:9/users?connect_timeout=1");
    for url in [with_password(database.url()), missing.into(), silent] {
        for command in ["serve", "migrate"] {
            let arguments =
                [command, "--listen", "127.0.0.1:0", "--database-url", &url, "--log", "info,roster=trace"];
            let mut process = Program::with(arguments).start().await;
            // A server may let in whoever is on its machine.
            tokio::time::timeout(Duration::from_secs(60), process.serves_or_ends())
                .await
                .expect("it serves or ends");
            let output = process.output();
            let told = output.stdout + &output.stderr;
            assert!(!told.contains("canary-password"), "{told}");
            process.kill().await;
        }
    }
}
