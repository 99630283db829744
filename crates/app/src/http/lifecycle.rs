use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the program has been told to stop.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle(Arc<AtomicBool>);

impl Lifecycle {
    /// From here on, the program is stopping.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the program has been told to stop.
    pub fn is_stopping(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
