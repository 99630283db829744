//! What a request may take of the program, and what becomes of one that takes more.

mod framing;
mod in_flight;
mod open_files;
mod overload;
mod rate;
mod sizes;
mod slow;

use libtest_mimic::Trial;

pub(crate) fn suite() -> Vec<Trial> {
    [
        overload::suite(),
        slow::suite(),
        in_flight::suite(),
        open_files::suite(),
        rate::suite(),
        sizes::suite(),
        framing::suite(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
