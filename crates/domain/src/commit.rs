//! What is recorded beside a change.

use crate::{Timestamp, TraceContext};

/// What a write records in its transaction, beside the change itself and its event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// When the change is made.
    pub at: Timestamp,
    /// What makes a repeat of the write harmless.
    pub receipt: Option<Receipt>,
    /// Which trace the write is part of: its event tells, so that whoever hears of it can go on from there.
    pub trace: Option<TraceContext>,
}

impl Commit {
    /// A write at this time, without a receipt, and part of no trace.
    pub const fn at(at: Timestamp) -> Self {
        Self { at, receipt: None, trace: None }
    }

    /// The same write, to take effect once for this receipt.
    #[must_use]
    pub fn once(mut self, receipt: impl Into<Option<Receipt>>) -> Self {
        self.receipt = receipt.into();
        self
    }

    /// The same write, as part of a trace.
    #[must_use]
    pub fn traced(mut self, trace: impl Into<Option<TraceContext>>) -> Self {
        self.trace = trace.into();
        self
    }
}

/// The proof that a write was done: of a request with an `Idempotency-Key`, or of an inbound event.
///
/// A store keeps it with the write's outcome, in the same transaction. While it is kept, the same
/// receipt does nothing but bring that outcome back. A write that fails leaves none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Who gives keys, each of them once: a credential, method and route, or the source of an event.
    pub scope: String,
    /// What the giver calls this write: its `Idempotency-Key`, or the event's `id`.
    pub key: String,
    /// A SHA-256 of what was asked, so that a key used for something else is found out.
    pub fingerprint: [u8; 32],
    /// Until when the receipt is kept; from then on, the key is free.
    pub expires_at: Timestamp,
}

/// What a write brought about: now, or at the first time that its receipt was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written<T> {
    /// The write took effect.
    Now(T),
    /// It took effect before; this is what it brought about then.
    Before(T),
}

impl<T> Written<T> {
    /// The same of another outcome.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Written<U> {
        match self {
            Self::Now(outcome) => Written::Now(f(outcome)),
            Self::Before(outcome) => Written::Before(f(outcome)),
        }
    }

    /// What the write brought about, whenever that was.
    pub fn into_inner(self) -> T {
        match self {
            Self::Now(outcome) | Self::Before(outcome) => outcome,
        }
    }
}
