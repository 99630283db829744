//! What several of these tests need.

pub(crate) mod manifest;
pub(crate) mod python;
pub(crate) mod upstream;
#[path = "../../kit/venv.rs"]
mod venv;

use roster_cassette::{RecordMode, Vcr, VcrBuilder, VcrError};
use std::path::{Path, PathBuf};

/// Files that the real vcrpy recorded, and what goes with them.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cassette/vcrpy")
}

/// The configuration of the document that the cassettes were recorded under.
pub(crate) fn standard(folder: impl Into<PathBuf>, mode: RecordMode) -> VcrBuilder {
    Vcr::builder()
        .cassette_library_dir(folder)
        .record_mode(mode)
        .filter_headers(["authorization"])
        .filter_post_data_parameters(["password", "token"])
}

/// A client that follows no redirects, as a cassette wants it.
pub(crate) fn base() -> reqwest::Client {
    // The directory's adapter has reqwest built so that somebody has to choose.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

/// The cassette error inside a client's.
pub(crate) fn vcr_error(error: &reqwest_middleware::Error) -> &VcrError {
    VcrError::of(error).unwrap_or_else(|| panic!("not an error of a cassette: {error:?}"))
}

/// An address nobody listens on: the port was bound, and is closed.
pub(crate) fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Copies a cassette and makes the crate write it again, with one more interaction.
pub(crate) async fn rewrite(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap();
    let upstream = upstream::Upstream::counting().await;
    let vcr =
        Vcr::builder().record_mode(RecordMode::NewEpisodes).filter_headers([""; 0]).leak_gate(false).build();
    let cassette = vcr.use_cassette(to).unwrap();
    cassette.client(base()).get(format!("{}/one-more", upstream.url)).send().await.unwrap();
    assert!(cassette.finish().await.unwrap().saved);
}
