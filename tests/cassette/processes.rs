//! Processes that are killed while saving, that record the same file, and that run under `CI`.
//!
//! Each runs this test program again with one ignored test and its orders in the environment.

use crate::support::upstream::Upstream;
use crate::support::{base, standard, vcr_error};
use roster_cassette::{RecordMode, Vcr, VcrError};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const FOLDER: &str = "CASSETTE_TEST_FOLDER";
const URL: &str = "CASSETTE_TEST_URL";
const NAME: &str = "CASSETTE_TEST_NAME";

/// This program, to run one test only, with orders.
fn program(test: &str, folder: &Path, url: &str, name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]);
    command.env(FOLDER, folder).env(URL, url).env(NAME, name);
    command.env_remove("CI").env_remove("VCR_RECORD_MODE");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn order(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// Rewrites a large cassette until it is killed.
#[tokio::test]
#[ignore = "a helper of the tests below, which start it with orders"]
async fn helper_that_saves_without_end() {
    let (folder, url) = (PathBuf::from(order(FOLDER)), order(URL));
    for number in 0.. {
        let vcr = standard(&folder, RecordMode::All).build();
        let cassette = vcr.use_cassette("a.yaml").unwrap();
        // A body that differs each time, so that each save writes.
        cassette.client(base()).post(&url).body(number.to_string()).send().await.unwrap();
        cassette.finish().await.unwrap();
        fs::write(folder.join("saving"), "").unwrap();
    }
}

/// Records two requests of its own and one that the others make too.
#[tokio::test]
#[ignore = "a helper of the tests below, which start it with orders"]
async fn helper_that_records_three_requests() {
    let (folder, url, name) = (PathBuf::from(order(FOLDER)), order(URL), order(NAME));
    let cassette = standard(&folder, RecordMode::NewEpisodes).build().use_cassette("a.yaml").unwrap();
    let client = cassette.client(base());
    for path in [format!("{name}/1"), format!("{name}/2"), "shared".to_owned()] {
        client.get(format!("{url}/{path}")).send().await.unwrap();
    }
    cassette.finish().await.unwrap();
}

/// Sends a body of its own to where the others send theirs, and asks as often as its name says.
#[tokio::test]
#[ignore = "a helper of the tests below, which start it with orders"]
async fn helper_that_posts_and_polls() {
    let (folder, url, name) = (PathBuf::from(order(FOLDER)), order(URL), order(NAME));
    let cassette = standard(&folder, RecordMode::NewEpisodes).build().use_cassette("a.yaml").unwrap();
    fs::write(folder.join(&name), "").unwrap();
    while !folder.join("all are open").exists() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let client = cassette.client(base());
    client.post(format!("{url}/users")).body(name.clone()).send().await.unwrap();
    for _ in 0..name.parse().unwrap() {
        client.get(format!("{url}/poll")).send().await.unwrap();
    }
    cassette.finish().await.unwrap();
}

/// Opens a cassette without choosing a mode and expects what `CASSETTE_TEST_NAME` says.
#[tokio::test]
#[ignore = "a helper of the tests below, which start it with orders"]
async fn helper_that_chooses_no_mode() {
    let (folder, url, expected) = (PathBuf::from(order(FOLDER)), order(URL), order(NAME));
    match Vcr::builder().cassette_library_dir(&folder).build().use_cassette("ci.yaml") {
        Err(error) => {
            assert_eq!((expected.as_str(), matches!(error, VcrError::Mode(_))), ("mode", true), "{error}");
        }
        Ok(cassette) => {
            let found = match cassette.client(base()).get(url).send().await {
                Ok(_) => "sent",
                Err(error) => {
                    assert!(matches!(vcr_error(&error), VcrError::NotFound(_)), "{error}");
                    "refused"
                }
            };
            assert_eq!(found, expected);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_while_saving_leaves_the_old_file_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = Upstream::start(|_, number| {
        // Large enough for a write to take a while.
        crate::support::upstream::ok(&number.to_string().repeat(50_000))
    })
    .await;
    let open = || standard(folder.path(), RecordMode::None).build().use_cassette("a.yaml").unwrap();
    // As often as it takes to be sure, where nobody waits for it.
    let rounds = if std::env::var_os("CI").is_some() { 200 } else { 40 };
    for round in 0..rounds {
        let mut process =
            program("processes::helper_that_saves_without_end", folder.path(), &upstream.url, "")
                .spawn()
                .unwrap();
        wait_for(&folder.path().join("saving"), &mut process).await;
        // A different moment each time.
        tokio::time::sleep(Duration::from_micros(round * 137 % 20_000)).await;
        process.kill().unwrap();
        process.wait().unwrap();
        fs::remove_file(folder.path().join("saving")).unwrap();
        let cassette = open();
        assert_eq!(cassette.requests().len(), 1, "round {round}");
        assert!(cassette.responses()[0].body.len() >= 50_000, "round {round}");
    }
    // What the killed ones left beside it goes with the next save.
    let cassette = standard(folder.path(), RecordMode::All).build().use_cassette("a.yaml").unwrap();
    cassette.client(base()).post(&upstream.url).send().await.unwrap();
    cassette.finish().await.unwrap();
    let names: Vec<_> =
        fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["a.yaml"]);
}

async fn wait_for(path: &Path, process: &mut Child) {
    while !path.exists() {
        assert!(process.try_wait().unwrap().is_none(), "the helper ended by itself");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_record_the_same_file_lose_nothing_and_record_nothing_twice() {
    let upstream = Upstream::counting().await;
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let start = |name: &str| {
            program("processes::helper_that_records_three_requests", folder.path(), &upstream.url, name)
                .spawn()
                .unwrap()
        };
        for mut process in ["one", "two", "three"].map(start) {
            assert!(tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap().success());
        }
        let cassette = standard(folder.path(), RecordMode::None).build().use_cassette("a.yaml").unwrap();
        let mut paths: Vec<_> =
            cassette.requests().iter().map(|it| it.uri.replace(&upstream.url, "")).collect();
        paths.sort();
        assert_eq!(paths, ["/one/1", "/one/2", "/shared", "/three/1", "/three/2", "/two/1", "/two/2"]);
    }
}

/// Seen to fail where a request was left out that agrees with one of another process in what is compared alone.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_send_bodies_of_their_own_or_ask_more_often_lose_nothing() {
    let upstream = Upstream::counting().await;
    let folder = tempfile::tempdir().unwrap();
    let mut processes = Vec::new();
    for name in ["1", "2", "3"] {
        let test = "processes::helper_that_posts_and_polls";
        let mut process = program(test, folder.path(), &upstream.url, name).spawn().unwrap();
        wait_for(&folder.path().join(name), &mut process).await;
        processes.push(process);
    }
    fs::write(folder.path().join("all are open"), "").unwrap();
    for mut process in processes {
        assert!(tokio::task::spawn_blocking(move || process.wait().unwrap()).await.unwrap().success());
    }
    let cassette = standard(folder.path(), RecordMode::None).build().use_cassette("a.yaml").unwrap();
    let mut requests: Vec<_> = cassette
        .requests()
        .iter()
        .map(|it| format!("{} {}", it.uri.replace(&upstream.url, ""), String::from_utf8_lossy(&it.body)))
        .collect();
    requests.sort();
    assert_eq!(requests, ["/poll ", "/poll ", "/poll ", "/users 1", "/users 2", "/users 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_chosen_mode_ci_sends_nothing_and_the_variable_decides_over_it() {
    let upstream = Upstream::counting().await;
    let run = async |ci: &str, mode: &str, expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut command =
            program("processes::helper_that_chooses_no_mode", folder.path(), &upstream.url, expected);
        for (name, value) in [("CI", ci), ("VCR_RECORD_MODE", mode)] {
            if !value.is_empty() {
                command.env(name, value);
            }
        }
        let status = tokio::task::spawn_blocking(move || command.status().unwrap()).await.unwrap();
        assert!(status.success(), "CI={ci} VCR_RECORD_MODE={mode}: not {expected}");
    };
    run("true", "", "refused").await;
    assert!(upstream.requests().is_empty());
    run("", "", "sent").await;
    run("true", "once", "sent").await;
    run("", "none", "refused").await;
    run("", "sometimes", "mode").await;
    assert_eq!(upstream.requests().len(), 2);
}
