//! A token that the program itself makes.

use std::path::PathBuf;

use super::roster::Program;
use super::run::Run;

/// A tokens file, and a token that is good for these scopes.
pub(crate) async fn new_token(scopes: &str) -> (PathBuf, String) {
    let file = Run::current().folder().new_folder().join("tokens");
    let program = Program::with(["token", "new", "--name", "test", "--scope", scopes]);
    let made = program.and(["--tokens-file".as_ref(), file.as_os_str()]).run().await;
    (file, made.stdout.trim().to_owned())
}
