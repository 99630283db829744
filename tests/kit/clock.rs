//! A clock on the wall that a test can set, for one process: `libfaketime`, loaded into it.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::database::{Backend, Database};
use super::roster::Program;
use super::suite::Given;

/// The library, where Debian's package has it on any architecture.
const LIBRARIES: &str = "/usr/lib";
const LIBRARY: &str = "faketime/libfaketimeMT.so.1";

/// The clock of whatever program is started with it. What measures how much time passes is left alone.
pub(crate) struct WallClock {
    library: PathBuf,
    folder: TempDir,
}

impl WallClock {
    /// One that is right.
    pub(crate) fn new() -> Result<Self, String> {
        let folders = fs::read_dir(LIBRARIES).into_iter().flatten().flatten();
        let found = folders.map(|folder| folder.path().join(LIBRARY)).find(|library| library.is_file());
        let library = found.ok_or("They need libfaketime: Debian's package `libfaketime`.")?;
        let clock = Self { library, folder: tempfile::tempdir().map_err(|error| error.to_string())? };
        clock.set("+0");
        Ok(clock)
    }

    /// The program, with this clock.
    pub(crate) fn of(&self, program: Program) -> Program {
        program
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.offset())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
    }

    /// Sets it, by how far it is from the right time: `+3h`, `-2d`.
    pub(crate) fn set(&self, offset: &str) {
        // At once: whoever reads it amid its writing would have no time.
        let new = self.folder.path().join("new");
        fs::write(&new, offset).expect("the offset can be written");
        fs::rename(new, self.offset()).expect("the offset can be put in place");
    }

    fn offset(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}

/// An empty database, and a clock for the programs on it.
pub(crate) struct UnderAClock(pub(crate) Database, pub(crate) WallClock);

impl Given for UnderAClock {
    const BACKENDS: &'static [Backend] = Backend::ALL;

    async fn given(on: Backend) -> Result<Self, String> {
        Ok(Self(Database::empty(on).await?, WallClock::new()?))
    }
}
