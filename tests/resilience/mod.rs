//! What becomes of users when something else fails.

mod crash;
mod disconnect;
mod outage;

use libtest_mimic::Trial;

pub(crate) fn suite() -> Vec<Trial> {
    [crash::suite(), disconnect::suite(), outage::suite()].into_iter().flatten().collect()
}
