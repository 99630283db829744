//! `/api/v1/events`, as the contract has it: what happened here, and what others tell.

mod feed;
mod inbound;
mod stream;

use libtest_mimic::Trial;

pub(crate) fn suite() -> Vec<Trial> {
    [stream::suite(), feed::suite(), inbound::suite()].into_iter().flatten().collect()
}
