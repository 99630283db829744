//! The adapter on cassettes, in the configuration of the standard that it follows.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest_middleware::ClientWithMiddleware;
use roster_cassette::{Cassette, Matcher, RecordMode, Vcr};
use roster_directory_http::{DirectoryConfig, HttpDirectory, HttpSend};
use roster_domain::ports::{Directory, DirectoryError};
use roster_domain::{BoxError, DirectoryId, DirectoryPerson};

use super::LEANNE;
use crate::kit::{Reply, StandIn, suite};

suite![
    a_person_is_found,
    a_person_that_is_not_there_is_none,
    a_server_that_fails_is_asked_three_times_and_has_failed,
    an_answer_that_is_no_person_is_a_failure,
    an_answer_that_lacks_a_field_is_a_failure,
    a_redirect_is_not_followed,
    the_token_goes_to_the_directory_and_not_into_a_cassette,
];

const JSON_PLACEHOLDER: &str = "https://jsonplaceholder.typicode.com";

/// Sends what the directory is asked by way of a cassette.
struct Recorder(ClientWithMiddleware);

#[async_trait]
impl HttpSend for Recorder {
    async fn send(&self, request: reqwest::Request) -> Result<reqwest::Response, BoxError> {
        Ok(self.0.execute(request).await?)
    }
}

fn vcr(library: &std::path::Path, mode: RecordMode) -> Vcr {
    Vcr::builder()
        .cassette_library_dir(library)
        .record_mode(mode)
        .match_on([
            Matcher::Method,
            Matcher::Scheme,
            Matcher::Host,
            Matcher::Port,
            Matcher::Path,
            Matcher::Query,
        ])
        .filter_headers(["authorization"])
        .filter_post_data_parameters(["password", "token"])
        .require_all_played(true)
        .build()
}

/// A client that follows no redirect, as the adapter's own.
fn client() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn directory(cassette: &Cassette, url: &str, token: Option<&str>) -> HttpDirectory {
    let mut config = DirectoryConfig::new(url).unwrap();
    config.first_pause = Duration::from_millis(1);
    config.bearer_token = token.map(str::to_owned);
    HttpDirectory::over(Arc::new(Recorder(cassette.client(client()))), config)
}

/// What the directory says of a person, by a cassette that is played whole.
async fn find(cassette: &str, id: i64) -> Result<Option<DirectoryPerson>, DirectoryError> {
    let library = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cassettes");
    let cassette = vcr(&library, RecordMode::None).use_cassette(cassette).unwrap();
    let found = directory(&cassette, JSON_PLACEHOLDER, None).find(DirectoryId::new(id).unwrap()).await;
    let report = cassette.finish().await.expect("everything that was recorded is played");
    assert!(report.played > 0 && report.unplayed == 0, "{report:?}");
    found
}

/// Why it failed, with all that caused it.
fn failure(found: Result<Option<DirectoryPerson>, DirectoryError>) -> String {
    let error = found.expect_err("the directory failed");
    assert!(matches!(error, DirectoryError::Failed(_)), "{error:?}");
    std::error::Error::source(&error).unwrap().to_string()
}

async fn a_person_is_found() {
    let person = find("directory_person_found.yaml", 1).await.unwrap().expect("the person is there");
    assert_eq!((person.id.get(), person.name.as_str()), (1, "Leanne Graham"));
    assert_eq!((person.username.as_str(), person.email.as_str()), ("Bret", "Sincere@april.biz"));
}

async fn a_person_that_is_not_there_is_none() {
    assert_eq!(find("directory_person_not_found.yaml", 9999).await.unwrap(), None);
}

async fn a_server_that_fails_is_asked_three_times_and_has_failed() {
    let failed = failure(find("directory_server_error.yaml", 1).await);
    assert_eq!(failed, "answered 500 Internal Server Error");
}

async fn an_answer_that_is_no_person_is_a_failure() {
    let failed = failure(find("directory_malformed.yaml", 1).await);
    assert!(failed.starts_with("the answer is no person: expected value at line 1"), "{failed}");
}

async fn an_answer_that_lacks_a_field_is_a_failure() {
    let failed = failure(find("directory_incomplete.yaml", 1).await);
    assert!(failed.starts_with("the answer is no person: missing field `email`"), "{failed}");
}

async fn a_redirect_is_not_followed() {
    assert_eq!(failure(find("directory_redirect.yaml", 1).await), "answered 302 Found");
}

async fn the_token_goes_to_the_directory_and_not_into_a_cassette() {
    let folder = tempfile::tempdir().unwrap();
    let stand_in = StandIn::answering([Reply::json(200, LEANNE)]).await;
    let cassette = vcr(folder.path(), RecordMode::Once).use_cassette("recorded.yaml").unwrap();
    let directory = directory(&cassette, &stand_in.url(), Some("s3cr3t-of-the-directory"));

    directory.find(DirectoryId::new(1).unwrap()).await.unwrap().expect("the person is there");
    let report = cassette.finish().await.unwrap();

    assert_eq!(report.recorded, 1);
    assert!(
        stand_in.requests()[0].contains("authorization: Bearer s3cr3t-of-the-directory"),
        "{:?}",
        stand_in.requests()
    );
    let recorded = std::fs::read_to_string(folder.path().join("recorded.yaml")).unwrap();
    assert!(recorded.contains("Leanne Graham"), "{recorded}");
    assert!(!recorded.contains("s3cr3t"), "{recorded}");
}
