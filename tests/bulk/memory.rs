//! What an import and an export take of memory, however many users there are.

use super::{EXPORT, IMPORT};
use crate::kit::{Download, Next, Roster, Upload, suite};

suite![memory_does_not_grow_with_what_is_imported_and_exported];

/// How many users there are, unless this variable says otherwise.
const USERS: usize = 200_000;
const VARIABLE: &str = "ROSTER_TEST_BULK_USERS";

/// How much more memory is in use than before, at the most, in KiB.
const MORE: u64 = 64 * 1024;

async fn memory_does_not_grow_with_what_is_imported_and_exported(mut roster: Roster) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let users = std::env::var(VARIABLE).map_or(USERS, |users| users.parse().expect("a number"));
    roster.user("first").await;
    let (idle, _) = roster.process().memory();

    let began = std::time::Instant::now();
    let (mut upload, mut download) = Upload::begin(&roster, IMPORT, "Content-Type: text/csv").await;
    let sending = tokio::spawn(async move {
        upload.send("name,email\n").await.unwrap();
        for part in 0..users / 1_000 {
            let line = |nth| format!("Somebody called {part} {nth},user{part}-{nth}@example.org\n");
            upload.send((0..1_000).map(line).collect::<String>()).await.unwrap();
        }
        upload.finish().await;
        // With its half of the connection open, as clients of HTTP leave it.
        upload
    });
    assert_eq!(count(&mut download).await, users);
    drop(sending.await.unwrap());
    let (_, imported) = roster.process().memory();
    let import = began.elapsed();

    let began = std::time::Instant::now();
    let mut download = Download::get(&roster, EXPORT, "Accept: */*").await;
    assert_eq!(count(&mut download).await, users + 1);
    let (_, exported) = roster.process().memory();

    let told = format!(
        "{users} users on {}: {idle} KiB idle, at most {imported} KiB to import in {import:?}, {exported} KiB to export in {:?}",
        roster.database().backend(),
        began.elapsed()
    );
    eprintln!("{told}");
    assert!(imported.max(exported) <= idle + MORE, "{told}");
}

async fn count(download: &mut Download) -> usize {
    let mut lines = 0;
    loop {
        match download.next().await {
            Next::Line(line) => assert!(line["id"].is_i64(), "{line}"),
            Next::End => return lines,
            Next::Broken => panic!("the answer is broken off after {lines} lines"),
        }
        lines += 1;
    }
}
