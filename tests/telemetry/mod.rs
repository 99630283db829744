//! How the program is seen from outside: its log, its measurements, and its traces.

mod log;
mod measurements;
mod pool;
mod traces;

use std::time::Duration;

use async_nats::jetstream::Context;
use libtest_mimic::Trial;
use tokio::time::sleep;

pub(crate) fn suite() -> Vec<Trial> {
    [log::suite(), measurements::suite(), pool::suite(), traces::suite()].into_iter().flatten().collect()
}

/// Waits until events can be sent to the program, which makes their stream a moment after it has the lead.
async fn until_events_can_come(context: &Context) {
    while context.get_stream("DIRECTORY").await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
}

/// A client's place in a trace, which those of the tests go on from.
const CLIENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// The trace.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
/// The step of it.
const STEP: &str = "00f067aa0ba902b7";
