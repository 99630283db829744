//! What is recorded here plays in the real vcrpy, and the other way round, beyond the fixtures.

use crate::support::manifest::{Manifest, client};
use crate::support::python::{Server, checked, python, script};
use crate::support::{base, fixtures, standard};
use reqwest_middleware::ClientBuilder;
use roster_cassette::{Filter, RecordMode, RedirectMiddleware};
use std::path::Path;
use std::process::Command;

/// Sends every step of the manifest to the real server and records it here.
async fn record(manifest: &Manifest, folder: &Path, raw: bool) -> usize {
    let mut steps = 0;
    for (name, list) in manifest.cassettes() {
        let cassette = standard(folder, RecordMode::Once).store_raw(raw).build().use_cassette(name).unwrap();
        let client = client(&cassette, name);
        for step in &list {
            step.request(&client).send().await.unwrap();
        }
        let report = cassette.finish().await.unwrap();
        assert!(report.saved && report.recorded >= list.len(), "{name}: {report:?}");
        steps += list.len();
    }
    steps
}

/// Every canary of the fixtures, and the names of the fields that hold them.
const SECRETS: [&str; 8] =
    ["hunter2", "t0k", "s3cr3t", "NESTED-LEAK", "CHARSET-LEAK", "SUFFIX-LEAK", "Authorization", "\"password"];

fn assert_no_secret(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
        for secret in SECRETS {
            assert!(!text.contains(&secret.to_lowercase()), "{}: {secret}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_here_plays_in_vcrpy_under_requests_and_httpx_and_leaks_nothing() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (plain, raw) = (folder.path().join("plain"), folder.path().join("raw"));
    let server = Server::start();
    let manifest = Manifest::of_vcrpy().at_port(server.port);
    assert_eq!(record(&manifest, &plain, false).await, 58);
    base().get(format!("http://127.0.0.1:{}/reset", server.port)).send().await.unwrap();
    assert_eq!(record(&manifest, &raw, true).await, 58);
    drop(server);
    let list = folder.path().join("manifest.json");
    manifest.write(&list);
    // Under requests, vcrpy hands out a body that is kept coded as it is kept; it never records one so.
    for (cassettes, client) in [(&plain, "requests"), (&plain, "httpx"), (&raw, "httpx")] {
        assert_no_secret(cassettes);
        let judge = fixtures().join("replay_with_vcrpy.py");
        let said = checked(Command::new(python).arg(judge).arg(&list).arg(cassettes).arg(client));
        assert_eq!(said.trim(), format!("{client}: 58 steps, 0 bad"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn recording_the_same_again_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let manifest = Manifest::of_vcrpy().at_port(server.port);
    for run in ["first", "second"] {
        base().get(format!("http://127.0.0.1:{}/reset", server.port)).send().await.unwrap();
        record(&manifest, &folder.path().join(run), false).await;
    }
    for (name, _) in manifest.cassettes() {
        let read = |run| std::fs::read_to_string(folder.path().join(run).join(name)).unwrap();
        assert_eq!(read("first"), read("second"), "{name}");
    }
}

/// The cassettes that the fixtures hint at and do not hold: decoded by vcrpy, chunked uploads, streams,
/// iterators, query filters, binary header values, async httpx, nested filters, sensitive data, metadata.
const RECORD_MORE: &str = include_str!("record_more.py");

#[tokio::test(flavor = "multi_thread")]
async fn further_cassettes_of_the_real_vcrpy_play_here() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let url = format!("http://127.0.0.1:{}", server.port);
    let said = script(python, RECORD_MORE, &[folder.path(), Path::new(&url)]);
    drop(server);
    let manifest = folder.path().join("manifest.json");
    assert!(manifest.exists(), "{said}");
    let mut steps = 0;
    for (name, list) in Manifest::read(&manifest).cassettes() {
        let vcr = standard(folder.path(), RecordMode::None)
            .filter_query_parameters([Filter::remove("api_key"), Filter::replace("sig", "S")])
            .filter_sensitive_data([("<NAME>", "Leanne Graham")])
            .require_all_played(true)
            .build();
        let cassette = vcr.use_cassette(name).unwrap();
        let client =
            ClientBuilder::new(base()).with(RedirectMiddleware::new()).with(cassette.middleware()).build();
        for step in &list {
            step.check(&client, name).await;
        }
        cassette.finish().await.unwrap();
        steps += list.len();
    }
    assert!(steps >= 20, "{steps} steps");
}
