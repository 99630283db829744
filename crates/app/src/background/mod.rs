//! What runs beside requests.

mod sequencer;

pub use sequencer::sequence_events;
