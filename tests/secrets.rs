//! No secret is kept with the sources.

use std::path::Path;
use std::process::Command;

use regex::Regex;
use roster_cassette::secret_in;

use crate::kit::suite;

suite![no_file_of_the_repository_has_a_secret_in_it];

/// Lines that are about secrets: the file, and what the line has in it.
const EXAMPLES: [(&str, &str); 6] = [
    ("README.md", "roster_eBvXCJUSyl2dPqHHJDkbw4kA0LRGiKfb5dLKbCgTQO0"),
    ("crates/cassette/src/leak/patterns.rs", ""),
    ("tests/access/canary.rs", "roster_canaryAAAAAAAAAA"),
    ("tests/access/jwt.rs", "roster_AAAAAAAAAAAAAAAA"),
    ("tests/cassette/leaks.rs", ""),
    ("tests/secrets.rs", ""),
];

/// What git keeps, or is about to.
fn kept() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut git = Command::new("git");
    let listed = git.current_dir(root).args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"]);
    let listed = listed.output().expect("git is there");
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).expect("names are text");
    names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Each line of a text that has a secret in it, ours included, and which kind it is.
fn secrets<'a>(text: &'a str, ours: &Regex) -> impl Iterator<Item = (&'static str, &'a str)> {
    text.lines().filter_map(|line| {
        let token = ours.is_match(line).then_some("a token of Roster");
        token.or_else(|| secret_in(line).map(|(kind, _)| kind)).map(|kind| (kind, line))
    })
}

async fn no_file_of_the_repository_has_a_secret_in_it() {
    let ours = Regex::new("roster_[A-Za-z0-9_-]{43}").expect("it is a pattern");
    let planted = format!("token: ghp_{}\nroster_{}\nnothing", "0aZ9".repeat(9), "x".repeat(43));
    assert_eq!(secrets(&planted, &ours).count(), 2, "secrets are seen");
    let kept = kept();
    assert!(kept.len() > 300 && kept.iter().any(|name| name == "README.md"), "{kept:?}");

    let mut found = Vec::new();
    for name in kept {
        let Ok(bytes) = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(&name)) else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes);
        let is_example =
            |line: &str| EXAMPLES.iter().any(|(file, part)| *file == name && line.contains(part));
        let real = secrets(&text, &ours).filter(|(_, line)| !is_example(line));
        found.extend(real.map(|(kind, _)| format!("{name}: {kind}")));
    }

    assert_eq!(found, [""; 0]);
}
