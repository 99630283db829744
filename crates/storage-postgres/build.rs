//! Migrations are embedded; the crate is built again when one of them changes.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations/postgres");
}
