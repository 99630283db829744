//! Events in the JSON format of `CloudEvents` 1.0: [`render`] is the only place that writes one, [`read`] the
//! only place that reads one.

mod members;
mod read;
mod render;
