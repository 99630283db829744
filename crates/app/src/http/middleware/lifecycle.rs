use tokio::sync::watch;

/// Whether the program has been told to stop.
#[derive(Debug, Clone)]
pub(crate) struct Lifecycle(watch::Sender<bool>);

impl Lifecycle {
    /// From here on, the program is stopping.
    pub(crate) fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether the program has been told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Ends once the program is told to stop.
    pub(crate) fn stopping(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut told = self.0.subscribe();
        async move {
            // The sender is not dropped before: it is in `self`, of which the program keeps one to the end.
            let _ = told.wait_for(|stopping| *stopping).await;
        }
    }
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}
