use crate::builder::Config;
use crate::session::Session;
use crate::tls;
use crate::{Cassette, RecordMode, VcrBuilder, VcrError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Settings that cassettes are opened with. Cheap to clone.
#[derive(Clone)]
pub struct Vcr {
    config: Arc<Config>,
}

impl Vcr {
    /// Starts with the defaults, which [`VcrBuilder`] tells of each setting.
    pub fn builder() -> VcrBuilder {
        VcrBuilder::default()
    }

    pub(crate) fn new(config: Config) -> Self {
        tls::choose_provider();
        Self { config: Arc::new(config) }
    }

    /// The same settings, to change some for one cassette.
    pub fn to_builder(&self) -> VcrBuilder {
        VcrBuilder { config: Config::clone(&self.config) }
    }

    /// Opens the cassette of this name. The name is taken as it is, so `"users.yaml"` needs its suffix.
    ///
    /// # Errors
    /// The file exists and is no cassette, or is too large ([`VcrError::Unreadable`], [`VcrError::Limit`],
    /// [`VcrError::Io`]), or the variable `VCR_RECORD_MODE` names no mode. An absent file is no error.
    pub fn use_cassette(&self, name: impl AsRef<Path>) -> Result<Cassette, VcrError> {
        let mode = RecordMode::in_force(self.config.mode, |name| std::env::var(name).ok())?;
        Ok(Cassette::new(Session::open(self.path(name.as_ref()), mode, Arc::clone(&self.config))?))
    }

    /// Where the cassette of this name lies.
    pub fn path(&self, name: &Path) -> PathBuf {
        match &self.config.library_dir {
            Some(folder) if !name.starts_with(folder) => folder.join(name),
            _ => name.to_owned(),
        }
    }
}

impl Default for Vcr {
    /// Every default, with the cassettes in `tests/cassettes`.
    fn default() -> Self {
        Self::builder().cassette_library_dir("tests/cassettes").build()
    }
}

impl std::fmt::Debug for Vcr {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.config.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_put_before_a_name_that_does_not_start_with_it() {
        let vcr = Vcr::builder().cassette_library_dir("tests/cassettes").build();
        assert_eq!(vcr.path(Path::new("users.yaml")), Path::new("tests/cassettes/users.yaml"));
        assert_eq!(
            vcr.path(Path::new("tests/cassettes/users.yaml")),
            Path::new("tests/cassettes/users.yaml")
        );
        assert_eq!(vcr.path(Path::new("/abs/users.yaml")), Path::new("/abs/users.yaml"));
        assert_eq!(Vcr::builder().build().path(Path::new("users")), Path::new("users"));
    }
}
