//! The contract of the repository and the event log, which every adapter keeps: each promise is a test, on an
//! empty store.

use libtest_mimic::Trial;
use roster_domain::testing::{InMemory, contract};

use crate::kit::{Backend, Database, trial};

pub(crate) fn suite() -> Vec<Trial> {
    let mut trials = Vec::new();
    for behaviour in contract::USERS {
        let name = format!("repository::users::{}", behaviour.name);
        trials.push(trial(format!("{name} [memory]"), move || async move {
            (behaviour.check)(&InMemory::default()).await;
            Ok(())
        }));
        trials.extend([Backend::Sqlite, Backend::Postgres].map(|backend| {
            trial(format!("{name} [{backend}]"), move || async move {
                let database = Database::migrated(backend).await?;
                let (users, _) = database.ports();
                (behaviour.check)(&*users).await;
                Ok(())
            })
        }));
    }
    for behaviour in contract::EVENTS {
        let name = format!("repository::events::{}", behaviour.name);
        trials.push(trial(format!("{name} [memory]"), move || async move {
            let store = InMemory::default();
            (behaviour.check)(&store, &store).await;
            Ok(())
        }));
        trials.extend([Backend::Sqlite, Backend::Postgres].map(|backend| {
            trial(format!("{name} [{backend}]"), move || async move {
                let database = Database::migrated(backend).await?;
                let (users, events) = database.ports();
                (behaviour.check)(&*users, &*events).await;
                Ok(())
            })
        }));
    }
    trials
}
