//! The client that openapi-python-client makes of the document, at work on the service.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use crate::kit::{
    Backend, Database, Given, Program, Python, Reply, Roster, StandIn, USERS, new_token, suite,
};

suite![a_generated_client_does_what_the_document_offers];

const PACKAGES: [&str; 1] = ["openapi-python-client==0.29.1"];

/// Generous: to generate a client takes some seconds on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(180);

/// A service with a directory, and the generator.
struct Client {
    roster: Roster,
    _directory: StandIn,
    python: Python,
    token: String,
}

impl Given for Client {
    const BACKENDS: &'static [Backend] = Roster::BACKENDS;

    async fn given(on: Backend) -> Result<Self, String> {
        let python = Python::with(&PACKAGES).await?;
        let database = Database::migrated(on).await?;
        let leanne =
            r#"{"id": 1, "name": "Leanne Graham", "username": "Bret", "email": "leanne@example.org"}"#;
        let directory = StandIn::answering([Reply::json(200, leanne)]).await;
        let (tokens, token) =
            new_token("users:read,users:write,events:read,events:write,directory:read").await;
        let program = Program::serving(&database).and(["--directory-url", &directory.url()]);
        let roster = program.and(["--tokens-file".as_ref(), tokens.as_os_str()]).serve().await;
        Ok(Self { roster, _directory: directory, python, token })
    }
}

/// Its parts are looked at by `use_client.py`, and what they did, here.
async fn a_generated_client_does_what_the_document_offers(client: Client) {
    let Client { roster, python, token, .. } = &client;
    let document = python.folder().join("openapi.json");
    std::fs::write(&document, roster.get("/openapi.json").await.any_body(200).body()).unwrap();
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
    let generator = here.join("generator.yaml");
    let arguments: [&dyn AsRef<OsStr>; 7] = [
        &"generate",
        &"--fail-on-warning",
        &"--path=openapi.json",
        &"--output-path=roster_client",
        &"--meta=none",
        &"--config",
        &generator,
    ];
    let generated = python.run("openapi-python-client", &arguments, PATIENCE).await;
    assert_eq!(generated.code, Some(0), "the whole document is made a client of");

    let base = format!("http://{}", roster.address());
    let used = python.run("python", &[&here.join("use_client.py"), &base, token], PATIENCE).await;
    assert_eq!((used.code, used.stdout.trim()), (Some(0), "The client did all that it was asked to."));
    let left: Vec<_> = roster
        .get(USERS)
        .header("Authorization", &format!("Bearer {token}"))
        .await
        .page()
        .items
        .into_iter()
        .map(|user| user.email)
        .collect();
    let expected = ["ada@example.org", "leanne@example.org", "imported@example.org", "grace@example.org"];
    assert_eq!(left, expected);
}
