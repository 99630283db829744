//! The contract of the repository, the event log and the outbox, which every adapter keeps: each promise is a
//! test, on an empty store.

mod batched;
mod export;
mod lead;
mod numbering;
mod receipts;
mod statements;

use std::sync::Arc;

use futures_core::future::BoxFuture;
use libtest_mimic::Trial;
use roster_domain::testing::InMemory;
use roster_domain::testing::contract::{Behaviour, EVENTS, OUTBOX, USERS};

use crate::kit::{Backend, Database, Ports, trial};

pub(crate) fn suite() -> Vec<Trial> {
    let users = trials("users", USERS, |check, on| check(&*on.users));
    let events = trials("events", EVENTS, |check, on| check(&*on.users, &*on.events));
    let outbox = trials("outbox", OUTBOX, |check, on| check(&*on.users, &*on.events, &*on.outbox));
    let of_stores = [
        export::suite(),
        lead::suite(),
        numbering::suite(),
        receipts::suite(),
        statements::suite(),
        batched::suite(),
    ];
    [users, events, outbox].into_iter().chain(of_stores).flatten().collect()
}

/// A test of each behaviour on each store.
fn trials<Check: Copy + Send + 'static>(
    list: &str,
    behaviours: &[Behaviour<Check>],
    run: impl for<'a> Fn(Check, &'a Ports) -> BoxFuture<'a, ()> + Copy + Send + 'static,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    for behaviour in behaviours {
        let (name, check) = (format!("repository::{list}::{}", behaviour.name), behaviour.check);
        trials.push(trial(format!("{name} [memory]"), move || async move {
            let store = Arc::new(InMemory::default());
            run(check, &Ports { users: store.clone(), events: store.clone(), outbox: store }).await;
            Ok(())
        }));
        trials.extend(Backend::ALL.iter().map(|&backend| {
            trial(format!("{name} [{backend}]"), move || async move {
                let database = Database::migrated(backend).await?;
                run(check, &database.ports()).await;
                Ok(())
            })
        }));
    }
    trials
}
