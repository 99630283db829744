//! The external directory: the adapter on recorded answers and on broken ones, and the whole way through the
//! running program.

mod contract;
mod faults;
mod recorded;
mod service;

use libtest_mimic::Trial;

pub(crate) fn suite() -> Vec<Trial> {
    [contract::suite(), faults::suite(), recorded::suite(), service::suite()].into_iter().flatten().collect()
}

/// A person, as the directory sends it.
const LEANNE: &str = r#"{"id": 1, "name": "Leanne Graham", "username": "Bret", "email": "Sincere@april.biz",
 "address": {"city": "Gwenborough"}, "phone": "1-770-736-8031 x56442"}"#;
