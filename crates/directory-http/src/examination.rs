//! A look at the directory, by asking for somebody.

use std::error::Error;
use std::time::Instant;

use async_trait::async_trait;
use roster_domain::ports::{Directory, Examination, Finding};
use roster_domain::{DirectoryId, chain};

use crate::HttpDirectory;

/// What a person is told of.
const DIRECTORY: &str = "directory";

#[async_trait]
impl Examination for HttpDirectory {
    /// Whether there is such a person does not matter.
    async fn examine(&self) -> Vec<Finding> {
        let Some(first) = DirectoryId::new(1) else { return Vec::new() };
        let began = Instant::now();
        let found = self.find(first).await;
        vec![match found {
            Ok(_) => Finding::ok(DIRECTORY, format!("answers in {:.1?}", began.elapsed())),
            Err(error) => Finding::failed(DIRECTORY, chain(error.source().unwrap_or(&error))),
        }]
    }
}
