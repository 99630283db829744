//! A file that takes the place of another once it is whole: what was there is there, or what is new, and nothing
//! between the two.

use std::fs::{self, File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// The permissions of a file that nobody but its owner may read.
pub(crate) const PRIVATE: u32 = 0o600;

/// The permissions of a file that is as the umask has it.
pub(crate) const USUAL: u32 = 0o666;

/// What is written beside a file, to take its place. It is removed where that does not come about.
pub(crate) struct Replacement {
    file: File,
    beside: PathBuf,
    place: PathBuf,
}

/// Where the file is that is replaced: a link stays one, and what it leads to is replaced.
pub(crate) fn place_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

impl Replacement {
    /// Of what is at `place`, with `end` after its name until then. It has the owner and the permissions of what is
    /// there, or `mode` where nothing is. What a program that died left by that name is removed; no other may use it.
    pub(crate) fn of(place: &Path, end: &str, mode: u32) -> anyhow::Result<Self> {
        let place = place_of(place);
        let mut beside = place.clone().into_os_string();
        beside.push(end);
        let beside = PathBuf::from(beside);
        let old = fs::metadata(&place).ok();
        let mode = if old.is_some() { PRIVATE } else { mode };
        let _ = fs::remove_file(&beside);
        let file = File::options().write(true).create_new(true).mode(mode).open(&beside);
        let file = file.with_context(|| format!("cannot make {}", beside.display()))?;
        let new = Self { file, beside, place };
        if let Some(old) = old {
            new.take_after(&old)
                .context(
                "cannot give it the owner and the permissions of the file that is there: remove that, or choose another",
            )?;
        }
        Ok(new)
    }

    /// Where it is until it is whole.
    pub(crate) fn beside(&self) -> &Path {
        &self.beside
    }

    /// It is whole, and takes its place.
    pub(crate) fn end(self) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.beside, &self.place)
    }

    /// The owner comes first: no other group is ever let in.
    fn take_after(&self, old: &Metadata) -> io::Result<()> {
        let new = self.file.metadata()?;
        if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
            fchown(&self.file, Some(old.uid()), Some(old.gid()))?;
        }
        self.file.set_permissions(Permissions::from_mode(old.mode() & 0o7777))
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // Once it took its place, there is nothing by this name.
        let _ = fs::remove_file(&self.beside);
    }
}
