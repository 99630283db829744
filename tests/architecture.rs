//! Dependencies point inward: the domain knows nothing of the rest, adapters do not know each other, and only
//! the app names them. What `cargo tree` tells of each crate is held against what is said here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::kit::suite;

suite![
    the_domain_stands_on_an_allow_list,
    the_domains_front_page_tells_how_many_crates_it_is,
    adapters_know_the_domain_and_not_each_other,
    the_app_is_the_only_crate_that_names_adapters_and_wiring_the_only_file,
    nothing_that_is_made_for_tests_ships,
    every_crate_is_held_to_the_lints_of_all,
];

/// All that the domain may stand on, directly or not. It holds no I/O, no runtime, no framework and no clock.
const DOMAIN_CLOSURE: &[&str] = &[
    "async-trait",
    "autocfg",
    "base64",
    "chrono",
    "futures-core",
    "itoa",
    "memchr",
    "num-traits",
    "proc-macro2",
    "quote",
    "roster-domain",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_json",
    "syn",
    "thiserror",
    "thiserror-impl",
    "unicode-ident",
    "uuid",
    "zmij",
];

/// What exists for tests alone.
const FOR_TESTS: &[&str] = &[
    "libtest-mimic",
    "mockall",
    "proptest",
    "roster-cassette",
    "roster-tests",
    "tempfile",
    "testcontainers",
    "testcontainers-modules",
];

async fn the_domain_stands_on_an_allow_list() {
    for features in ["", "serde"] {
        let stands_on = names(&tree(&["-p", "roster-domain", "--features", features]));
        let allowed: BTreeSet<_> = DOMAIN_CLOSURE.iter().map(ToString::to_string).collect();
        let more: Vec<_> = stands_on.difference(&allowed).collect();
        assert!(more.is_empty(), "with {features:?} the domain stands on {more:?}");
        assert!(stands_on.contains("thiserror"), "cargo tree tells what there is: {stands_on:?}");
    }
}

async fn the_domains_front_page_tells_how_many_crates_it_is() {
    let front_page = std::fs::read_to_string(root().join("crates/domain/src/lib.rs")).unwrap();
    let crates = names(&tree(&["-p", "roster-domain"])).len();
    assert!(front_page.contains(&format!("it is {crates} crates")), "it is {crates} crates");
}

async fn adapters_know_the_domain_and_not_each_other() {
    let adapters = adapters();
    assert!(adapters.len() >= 3, "{adapters:?}");
    for adapter in &adapters {
        let stands_on = names(&tree(&["-p", adapter]));
        let ours: BTreeSet<_> = stands_on.into_iter().filter(|name| name.starts_with("roster")).collect();
        assert_eq!(ours, BTreeSet::from([adapter.clone(), "roster-domain".to_owned()]), "{adapter}");
    }
}

async fn the_app_is_the_only_crate_that_names_adapters_and_wiring_the_only_file() {
    let adapters = adapters();
    for member in members().into_iter().filter(|member| member != "roster" && !adapters.contains(member)) {
        let named: Vec<_> =
            names(&tree(&["-p", &member])).into_iter().filter(|name| adapters.contains(name)).collect();
        assert!(named.is_empty(), "{member} stands on {named:?}");
    }
    let mut sources = Vec::new();
    rust_files(&root().join("crates/app/src"), &mut sources);
    assert!(sources.len() > 10, "{sources:?}");
    for source in sources.iter().filter(|path| !path.ends_with("wiring.rs")) {
        let text = std::fs::read_to_string(source).unwrap();
        for adapter in &adapters {
            assert!(!text.contains(&adapter.replace('-', "_")), "{} names {adapter}", source.display());
        }
    }
}

async fn nothing_that_is_made_for_tests_ships() {
    let shipped = tree(&["-p", "roster", "-f", "{p} [{f}]"]);
    let names = names(&shipped);
    let found: Vec<_> = FOR_TESTS.iter().filter(|name| names.contains(**name)).collect();
    assert!(found.is_empty(), "the program has {found:?} in it");
    let domain = shipped.lines().find(|line| line.starts_with("roster-domain ")).unwrap();
    for feature in ["mocks", "testing"] {
        assert!(!domain.contains(feature), "{domain}");
    }
}

/// Every crate under `crates/` whose folder is called by a role and a technology.
fn adapters() -> Vec<String> {
    let roles = ["roster-storage-", "roster-directory-", "roster-events-"];
    members().into_iter().filter(|name| roles.iter().any(|role| name.starts_with(role))).collect()
}

/// The packages under `crates/`.
fn members() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("crates")).unwrap();
    let folders = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = folders
        .map(|folder| if folder == "app" { "roster".to_owned() } else { format!("roster-{folder}") })
        .collect();
    names.sort();
    names
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// What `cargo tree` says of normal dependencies, a line a crate.
fn tree(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root())
        .args(["tree", "--locked", "--prefix", "none", "-e", "normal"])
        .args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn names(tree: &str) -> BTreeSet<String> {
    tree.lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Without these lines a crate may have `unsafe`.
async fn every_crate_is_held_to_the_lints_of_all() {
    let mut manifests: Vec<_> = std::fs::read_dir(root().join("crates"))
        .expect("there are crates")
        .map(|entry| entry.expect("it can be listed").path().join("Cargo.toml"))
        .collect();
    manifests.push(root().join("tests/Cargo.toml"));
    assert!(manifests.len() > 8, "{manifests:?}");
    for manifest in manifests {
        let text = std::fs::read_to_string(&manifest).expect("it can be read");
        assert!(text.contains("[lints]\nworkspace = true\n"), "{}", manifest.display());
    }
}
