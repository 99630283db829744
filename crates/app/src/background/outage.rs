use std::fmt::Display;

use tracing::{error, info};

/// Tells of something that fails again and again once, when it begins, and once when it is over.
pub(super) struct Outage {
    failing: bool,
    what: &'static str,
}

impl Outage {
    /// `what` is done where nothing fails: "events get positions".
    pub(super) const fn of(what: &'static str) -> Self {
        Self { failing: false, what }
    }

    /// It failed.
    pub(super) fn failed(&mut self, cause: impl Display) {
        if !self.failing {
            error!(%cause, "no longer: {}", self.what);
        }
        self.failing = true;
    }

    /// It went well.
    pub(super) fn is_over(&mut self) {
        if self.failing {
            info!("again: {}", self.what);
        }
        self.failing = false;
    }
}
