//! Writing the tokens file: what it said is there, or what it says, and nothing between the two.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom, SystemRandom};
use roster_domain::Timestamp;

use super::scope::Scopes;
use super::tokens::{self, Tokens};
use crate::replacement::{PRIVATE, Replacement, place_of};

const HEAD: &str = "# API tokens of Roster: name, SHA-256 of the token, scopes, when it was made\n";

/// Adds a new token to a file, which is made where there is none, and tells what it is: 256 random bits. It is
/// known nowhere else.
///
/// # Errors
///
/// Where there is a token of that name, or the file cannot be read or written.
pub(crate) fn add(path: &Path, name: &str, scopes: Scopes, now: Timestamp) -> anyhow::Result<String> {
    let token = random()?;
    edit(path, |text| {
        let mut text = text.map_or_else(|| HEAD.to_owned(), ToOwned::to_owned);
        if Tokens::parse(&text)?.iter().any(|token| token.name == name) {
            return Err(anyhow!(
                "there is a token named {name} already: choose another name, or revoke that one first"
            ));
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(text + &tokens::line(name, &token, scopes, now))
    })?;
    Ok(token)
}

/// Removes a token from a file.
///
/// # Errors
///
/// Where there is no token of that name, or the file cannot be read or written.
pub(crate) fn revoke(path: &Path, name: &str) -> anyhow::Result<()> {
    edit(path, |text| {
        let text = text.unwrap_or_default();
        let is_other = |line: &&str| line.split_whitespace().next() != Some(name);
        let rest: String = text.split_inclusive('\n').filter(is_other).collect();
        if rest.len() == text.len() { Err(anyhow!("there is no token named {name}")) } else { Ok(rest) }
    })
}

/// What a file knows.
///
/// # Errors
///
/// Where it cannot be read.
pub(crate) fn list(path: &Path) -> anyhow::Result<Tokens> {
    Ok(Tokens::parse(&fs::read_to_string(path)?)?)
}

fn random() -> anyhow::Result<String> {
    let mut bits = [0; 32];
    let filled = SystemRandom::new().fill(&mut bits);
    filled.map_err(|_| anyhow!("the system has no random bits to give"))?;
    Ok(format!("{}{}", tokens::PREFIX, URL_SAFE_NO_PAD.encode(bits)))
}

/// Puts another content in a file's place, while nobody else does: the new one is written and synced beside it first.
fn edit(path: &Path, change: impl FnOnce(Option<&str>) -> anyhow::Result<String>) -> anyhow::Result<()> {
    let path = place_of(path);
    let folder = folder_of(&path);
    let locked = File::open(&folder).with_context(|| format!("cannot open {}", folder.display()))?;
    locked.lock()?;
    let text = match fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let text = change(text.as_deref())?;
    // Nobody is helped by a file that the server refuses.
    Tokens::parse(&text)?;
    replace(&path, &text)?;
    Ok(locked.sync_all()?)
}

fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut new = Replacement::of(path, ".new", PRIVATE)?;
    new.write_all(text.as_bytes())?;
    Ok(new.end()?)
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}
