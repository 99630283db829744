use roster_domain::{DirectoryId, DirectoryPerson};
use serde::Deserialize;

/// A person as the directory sends it; what else there is, is ignored.
#[derive(Debug, Deserialize)]
pub(crate) struct PersonRecord {
    id: i64,
    name: String,
    username: String,
    email: String,
}

impl PersonRecord {
    /// The person, where the record is the one that was asked for.
    pub(crate) fn into_person(self, asked: DirectoryId) -> Option<DirectoryPerson> {
        let id = DirectoryId::new(self.id).filter(|id| *id == asked)?;
        Some(DirectoryPerson { id, name: self.name, email: self.email, username: self.username })
    }
}
