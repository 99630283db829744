//! A folder for each run, which tells later runs whether its owner still lives.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const OWNER: &str = "owner.lock";
const PREFIX: &str = "run-";

/// Everything that a run writes is in here. The run holds a lock on a file in it, which the system lets
/// go however the run ends: a folder without a held lock is a leftover.
pub(crate) struct Folder {
    dir: TempDir,
    _owner: File,
}

impl Folder {
    /// Makes the run's folder, and hands the folders of runs that ended without their own clean-up to
    /// `sweep` before it removes them.
    pub(crate) fn create(sweep: impl Fn(&Path)) -> io::Result<Self> {
        let user = rustix::process::getuid().as_raw();
        let root = std::env::temp_dir().join(format!("roster-tests-{user}"));
        fs::create_dir_all(&root)?;
        // Without it, another run might take a folder for a leftover between its making and its locking.
        let one_at_a_time = File::create(root.join("sweep.lock"))?;
        one_at_a_time.lock()?;
        for leftover in leftovers(&root)? {
            sweep(&leftover);
            fs::remove_dir_all(&leftover)?;
        }
        let dir = tempfile::Builder::new().prefix(PREFIX).permissions(traversable()).tempdir_in(&root)?;
        let owner = File::create(dir.path().join(OWNER))?;
        owner.lock()?;
        Ok(Self { dir, _owner: owner })
    }

    /// The folder's path.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// A new folder in it.
    pub(crate) fn new_folder(&self) -> PathBuf {
        let made = tempfile::Builder::new().permissions(traversable()).tempdir_in(self.path());
        made.expect("a folder can be made").keep()
    }

    /// The run's name, which no other run has: it is part of whatever the run makes elsewhere.
    pub(crate) fn run(&self) -> String {
        run_of(self.path())
    }

    /// Removes the folder with all that is in it.
    pub(crate) fn remove(&self) -> io::Result<()> {
        fs::remove_dir_all(self.path())
    }
}

/// The run that a folder belongs to, as a part of a name on PostgreSQL, which knows no capitals. It does not
/// lead back to the folder.
pub(crate) fn run_of(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase());
    name.as_deref().and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default().to_owned()
}

fn leftovers(root: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root)?.map(|entry| entry.map(|entry| entry.path()));
    let all = entries.collect::<io::Result<Vec<_>>>()?;
    Ok(all.into_iter().filter(|path| path.is_dir() && !is_owned(path)).collect())
}

/// Whether the run that this is the folder of still lives.
pub(crate) fn is_owned(folder: &Path) -> bool {
    File::open(folder.join(OWNER)).is_ok_and(|owner| owner.try_lock().is_err())
}

/// A server that runs as another user has to reach its own folder in here.
fn traversable() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o755)
}
