use tokio::sync::watch;

/// How many connections of clients are open. A clone is the same count.
#[derive(Clone)]
pub(super) struct Connections(watch::Sender<usize>);

/// One connection, for as long as this is kept.
pub(super) struct Connection(Connections);

impl Connections {
    pub(super) fn none() -> Self {
        Self(watch::Sender::new(0))
    }

    /// Counts one more.
    pub(super) fn opened(&self) -> Connection {
        self.0.send_modify(|open| *open += 1);
        Connection(self.clone())
    }

    /// Ends once all were closed.
    pub(super) async fn closed(&self) {
        // The sender is in `self`.
        let _ = self.0.subscribe().wait_for(|open| *open == 0).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.0.send_modify(|open| *open -= 1);
    }
}
