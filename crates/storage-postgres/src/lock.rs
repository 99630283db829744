use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what is as it should be whoever panicked with it.
pub(crate) fn lock<T>(locked: &Mutex<T>) -> MutexGuard<'_, T> {
    locked.lock().unwrap_or_else(PoisonError::into_inner)
}
