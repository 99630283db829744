//! Futures that are dropped before they are done.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use futures_util::future;

/// How often a write is polled before it is dropped: often enough that, with whatever store, it is
/// dropped before it began, somewhere within, and after it was done.
pub(super) const POLLS: [usize; 14] = [0, 1, 2, 3, 4, 5, 8, 12, 20, 50, 120, 300, 1_000, 5_000];

/// Polls `future` at most so many times, giving way to whatever else is to run after each, and drops it.
pub(super) async fn drop_after<F: Future>(polls: usize, future: F) {
    let mut future = pin!(future);
    for _ in 0..polls {
        if future::poll_immediate(future.as_mut()).await.is_some() {
            return;
        }
        give_way().await;
    }
}

/// Pending once.
pub(super) async fn give_way() {
    let mut given = false;
    future::poll_fn(|context| {
        if given {
            return Poll::Ready(());
        }
        given = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
