//! The file of a cassette: read whole, and replaced whole or not at all.

use crate::VcrError;
use crate::format::{Document, Limits, Serializer, read};
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What was on disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Stored {
    /// The bytes of the file, if there is one.
    pub(crate) bytes: Option<Vec<u8>>,
    /// What they say; `None` for a file that holds nothing and counts as absent.
    pub(crate) document: Option<Document>,
}

pub(crate) fn load(path: &Path, serializer: Serializer, limits: &Limits) -> Result<Stored, VcrError> {
    let Some(bytes) = read_file(path, limits)? else {
        return Ok(Stored::default());
    };
    let document = read(&bytes, serializer, limits).map_err(|error| {
        let what = format!("the cassette {}, line {}: {}", path.display(), error.line, error.reason);
        if error.limit {
            VcrError::Limit { what }
        } else {
            VcrError::Unreadable { path: path.to_owned(), line: error.line, reason: error.reason }
        }
    })?;
    Ok(Stored { bytes: Some(bytes), document })
}

fn read_file(path: &Path, limits: &Limits) -> Result<Option<Vec<u8>>, VcrError> {
    let io = |source| VcrError::Io { path: path.to_owned(), doing: "reading the cassette", source };
    let size = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => {
            let reason = "not a file".to_owned();
            return Err(VcrError::Unreadable { path: path.to_owned(), line: 0, reason });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    check_size(path, size, limits)?;
    fs::read(path).map(Some).map_err(io)
}

/// Refuses a cassette that is larger than any that is read.
pub(crate) fn check_size(path: &Path, size: u64, limits: &Limits) -> Result<(), VcrError> {
    let most = limits.file_bytes;
    if size <= most {
        return Ok(());
    }
    let path = path.display();
    let what = format!("the cassette {path} has {size} bytes; {most} are allowed (`max_cassette_bytes`)");
    Err(VcrError::Limit { what })
}

/// Keeps other processes of this machine from writing the same cassette, until dropped.
///
/// The lock file lies in the system's folder for temporary files, so that none is left beside the cassettes.
/// It is never removed: a lock on a removed file would lock nobody out.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits until the lock is free. Whoever holds it does so for one load and one write.
    pub(crate) fn hold(path: &Path) -> Result<Self, VcrError> {
        let mut name = DefaultHasher::new();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // It must exist to have one name only.
        let io = |source| VcrError::Io { path: folder.to_owned(), doing: "creating the folder", source };
        fs::create_dir_all(folder).map_err(io)?;
        fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()).hash(&mut name);
        path.file_name().hash(&mut name);
        let file = std::env::temp_dir().join(format!("roster-cassette-{:016x}.lock", name.finish()));
        let io = |source| VcrError::Io { path: file.clone(), doing: "locking the cassette", source };
        let open = File::options()
            .create(true)
            .append(true)
            .open(&file)
            .or_else(|_| File::open(&file))
            .map_err(io)?;
        open.lock().map_err(io)?;
        Ok(Self { _file: open })
    }
}

/// Makes `text` the content of `path`: whoever reads it sees the old content or the new, whatever happens
/// meanwhile.
pub(crate) fn replace(path: &Path, text: &str) -> Result<(), VcrError> {
    let io = |doing| move |source| VcrError::Io { path: path.to_owned(), doing, source };
    // A symbolic link stays one; what it points to is replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    remove_leftovers(folder, &target);
    let beside = folder.join(temporary_name(&target));
    let written = write_synced(&beside, text, &target).and_then(|()| fs::rename(&beside, &target));
    written.inspect_err(|_| drop(fs::remove_file(&beside))).map_err(io("writing the cassette"))?;
    sync_folder(folder);
    Ok(())
}

fn write_synced(beside: &Path, text: &str, target: &Path) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).open(beside)?;
    file.write_all(text.as_bytes())?;
    if let Ok(metadata) = fs::metadata(target) {
        file.set_permissions(metadata.permissions())?;
    }
    file.sync_all()
}

/// Makes the new name of the file last through a loss of power. Not every file system can; none needs it to
/// be valid.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

const SUFFIX: &str = ".cassette-tmp";

fn prefix(target: &Path) -> String {
    format!(".{}.", target.file_name().unwrap_or_default().to_string_lossy())
}

fn temporary_name(target: &Path) -> PathBuf {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}{}-{number}{SUFFIX}", prefix(target), std::process::id()).into()
}

/// Removes what a process that was killed left behind; nobody else writes while the lock is held.
fn remove_leftovers(folder: &Path, target: &Path) {
    let prefix = prefix(target);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(SUFFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/a.yaml");
        let _lock = Lock::hold(&path).unwrap();
        replace(&path, "one").unwrap();
        fs::write(path.with_file_name(".a.yaml.1-0.cassette-tmp"), "killed").unwrap();
        replace(&path, "two").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_absent_or_blank_is_no_cassette_and_what_is_not_a_cassette_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let load = |path: &Path| load(path, Serializer::of(path), &Limits::default());
        let path = folder.path().join("a.yaml");
        assert_eq!(load(&path).unwrap(), Stored::default());
        for blank in ["", "# only a comment\n", " \n"] {
            fs::write(&path, blank).unwrap();
            assert_eq!(load(&path).unwrap().document, None);
        }
        fs::write(&path, "interactions: oops\n").unwrap();
        assert!(matches!(load(&path), Err(VcrError::Unreadable { line: 1, .. })));
        assert!(matches!(load(folder.path()), Err(VcrError::Unreadable { .. })));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, "interactions: []\n").unwrap();
        let limits = Limits { file_bytes: 5, ..Limits::default() };
        assert!(matches!(load(&path, Serializer::Yaml, &limits), Err(VcrError::Limit { .. })));
    }
}
