//! What vcrpy recorded plays here.

use crate::support::manifest::{Manifest, client};
use crate::support::{fixtures, standard};
use roster_cassette::RecordMode;

/// The server that the cassettes were recorded from is long gone, so nothing here can have come over the
/// network.
#[tokio::test]
async fn every_step_of_every_cassette_of_vcrpy_plays_as_the_manifest_says() {
    let mut steps = 0;
    for (name, list) in Manifest::of_vcrpy().cassettes() {
        let vcr = standard(fixtures().join("data"), RecordMode::None).require_all_played(true).build();
        let cassette = vcr.use_cassette(name).unwrap();
        let client = client(&cassette, name);
        for step in &list {
            step.check(&client, name).await;
        }
        let report = cassette.finish().await.unwrap();
        assert_eq!((report.recorded, report.unplayed, report.saved), (0, 0, false), "{name}");
        steps += list.len();
    }
    assert_eq!(steps, 58);
}

/// Re-recording must begin from a file that reads back the same: each one is rewritten whole and played
/// again.
#[tokio::test]
async fn a_cassette_of_vcrpy_that_is_rewritten_plays_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for (name, list) in Manifest::of_vcrpy().cassettes() {
        crate::support::rewrite(&fixtures().join("data").join(name), &folder.path().join(name)).await;
        let cassette = standard(folder.path(), RecordMode::None).build().use_cassette(name).unwrap();
        let client = client(&cassette, name);
        for step in &list {
            step.check(&client, name).await;
        }
        assert_eq!(cassette.finish().await.unwrap().unplayed, 1, "{name}");
    }
}
