use crate::Timestamp;

/// Tells the time.
///
/// # When this port changes
///
/// It stays as it is: a clock that also waits would be another port.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Clock: Send + Sync {
    /// The present time.
    fn now(&self) -> Timestamp;
}
