//! The attribute, as a user writes it.

use crate::support::{base, fixtures, standard};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use roster_cassette::{Cassette, CassetteMiddleware, RecordMode, Vcr, use_cassette};

fn vcr() -> Vcr {
    standard(fixtures().join("data"), RecordMode::None).build()
}

#[use_cassette("01_get_users.yaml", vcr = vcr())]
#[tokio::test]
async fn a_test_gets_a_client_that_plays_its_cassette(client: ClientWithMiddleware) {
    let response = client.get("http://127.0.0.1:18080/users/3").send().await.unwrap();
    assert!(response.text().await.unwrap().contains("Zoë"));
}

#[use_cassette("05_redirect.yaml", vcr = vcr())]
#[tokio::test]
async fn its_client_follows_redirects_hop_by_hop(client: ClientWithMiddleware, cassette: &Cassette) {
    let response = client.get("http://127.0.0.1:18080/redirect/1").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(cassette.all_played());
}

#[use_cassette("08_repeats.yaml", vcr = vcr().to_builder().require_all_played(true).build())]
#[tokio::test]
#[should_panic = "and never played"]
async fn a_test_fails_with_its_cassette(middleware: CassetteMiddleware) {
    let client = ClientBuilder::new(base()).with(middleware).build();
    client.get("http://127.0.0.1:18080/counter").send().await.unwrap();
}

/// The default: the name of the function, in `tests/cassettes`, under a mode that lets nothing out.
#[use_cassette(vcr = Vcr::default().to_builder().record_mode(RecordMode::None).build())]
#[tokio::test]
async fn the_name_of_the_function_names_the_cassette(
    client: ClientWithMiddleware,
    cassette: &Cassette,
) -> Result<(), std::fmt::Error> {
    let path = cassette.path().to_str().ok_or(std::fmt::Error)?;
    assert_eq!(path, "tests/cassettes/the_name_of_the_function_names_the_cassette.yaml");
    let error = client.get("http://127.0.0.1:9/").send().await.unwrap_err();
    assert!(error.to_string().contains(path), "{error}");
    Ok(())
}
