//! The program: its settings, how it starts and how it stops.

mod settings;
mod start;
mod stop;
mod stops;

use libtest_mimic::Trial;

pub(crate) fn suite() -> Vec<Trial> {
    [settings::suite(), start::suite(), stop::suite(), stops::suite()]
        .into_iter()
        .flatten()
        .collect()
}
