//! `/api/v1/users`, as the contract has it.

mod concurrent;
mod create;
mod delete;
mod idempotency;
mod list;
mod patch;
mod preconditions;
mod read;
mod replace;
mod rules;
mod search;

use libtest_mimic::Trial;

pub(crate) fn suite() -> Vec<Trial> {
    [
        concurrent::suite(),
        create::suite(),
        rules::suite(),
        read::suite(),
        list::suite(),
        search::suite(),
        replace::suite(),
        patch::suite(),
        delete::suite(),
        idempotency::suite(),
        preconditions::suite(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
