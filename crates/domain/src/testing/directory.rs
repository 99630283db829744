use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::ports::{Directory, DirectoryError};
use crate::testing::contract::StagedDirectory;
use crate::{DirectoryId, DirectoryPerson};

/// How many failures in a row it takes for a directory to be left alone.
const FAILURES: usize = 5;

/// How the service behind a directory fares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Condition {
    /// It answers with whom it has.
    #[default]
    Well,
    /// It is there, and answers that it failed.
    Failing,
    /// It takes a request, and never answers.
    Silent,
    /// It answers with what tells of no person.
    TalkingNonsense,
    /// It answers with another person than was asked for.
    TellingOfSomebodyElse,
}

/// A directory in memory, left alone after five failures in a row until it fares otherwise. A clone is another
/// handle of the same.
#[derive(Debug, Clone, Default)]
pub struct InMemoryDirectory {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    people: BTreeMap<DirectoryId, DirectoryPerson>,
    condition: Condition,
    failures: usize,
}

impl InMemoryDirectory {
    /// Adds a person, or replaces the one with this id.
    pub fn insert(&self, person: DirectoryPerson) {
        self.state().people.insert(person.id, person);
    }

    /// Fares so from here on.
    pub fn set_condition(&self, condition: Condition) {
        let mut state = self.state();
        state.condition = condition;
        state.failures = 0;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Directory for InMemoryDirectory {
    async fn find(&self, id: DirectoryId) -> Result<Option<DirectoryPerson>, DirectoryError> {
        let mut state = self.state();
        if state.condition == Condition::Well {
            return Ok(state.people.get(&id).cloned());
        }
        if state.failures >= FAILURES {
            let retry_after = Duration::from_secs(1);
            return Err(DirectoryError::Unavailable { retry_after, source: "it failed too often".into() });
        }
        state.failures += 1;
        Err(match state.condition {
            Condition::Silent => DirectoryError::TimedOut("it says nothing".into()),
            condition => DirectoryError::Failed(format!("it is {condition:?}").into()),
        })
    }
}

#[async_trait]
impl StagedDirectory for InMemoryDirectory {
    fn directory(&self) -> &dyn Directory {
        self
    }

    async fn add(&self, person: DirectoryPerson) {
        self.insert(person);
    }

    async fn fare(&self, condition: Condition) {
        self.set_condition(condition);
    }
}
