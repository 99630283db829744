use std::time::Duration;

/// Pauses between attempts at what fails, each twice as long as the one before.
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    /// Begins with the shortest.
    pub(super) const fn new() -> Self {
        Self { next: Self::FIRST }
    }

    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let pause = self.next;
        self.next = (pause * 2).min(Self::LONGEST);
        pause
    }
}
