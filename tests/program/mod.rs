//! The program: its settings, how it starts and how it stops.

mod doctor;
mod health;
mod ops;
mod settings;
mod start;
mod stop;
mod stops;

use libtest_mimic::Trial;

pub(crate) fn suite() -> Vec<Trial> {
    [
        doctor::suite(),
        health::suite(),
        ops::suite(),
        settings::suite(),
        start::suite(),
        stop::suite(),
        stops::suite(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
