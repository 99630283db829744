use tracing::{error, info};

/// Tells of something that fails again and again when it begins, whenever its cause is another, and when it is over.
#[derive(Debug)]
pub(crate) struct Outage {
    cause: Option<String>,
    what: &'static str,
}

impl Outage {
    /// `what` is done where nothing fails: "events get positions".
    pub(crate) const fn of(what: &'static str) -> Self {
        Self { cause: None, what }
    }

    /// It failed.
    pub(crate) fn failed(&mut self, cause: String) {
        if self.cause.as_ref() != Some(&cause) {
            error!(cause, "failing: {}", self.what);
            self.cause = Some(cause);
        }
    }

    /// It went well.
    pub(crate) fn is_over(&mut self) {
        if self.cause.take().is_some() {
            info!("works again: {}", self.what);
        }
    }
}
