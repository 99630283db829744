use std::sync::Arc;

use crate::ports::{EventLog, EventLogError};
use crate::{DomainError, Event, FeedLimit, Position};

/// What can be read of the feed of events.
#[derive(Clone)]
pub struct FeedService {
    events: Arc<dyn EventLog>,
}

/// A part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedPage {
    /// The events, in the order of their positions.
    pub events: Vec<Event>,
    /// Whether there were more after the last of `events` when the page was read.
    pub more: bool,
    /// The position of the newest event when the page was read.
    pub newest: Position,
}

impl FeedService {
    /// A service on this port.
    pub fn new(events: Arc<dyn EventLog>) -> Self {
        Self { events }
    }

    /// The position of the newest event. Who reads it, then a list, then the events after it, misses nothing.
    pub async fn newest(&self) -> Result<Position, DomainError> {
        Ok(self.events.newest().await?)
    }

    /// The events after a position, or from the oldest that is kept.
    ///
    /// # Errors
    ///
    /// [`DomainError::Gone`] where events after the position were pruned.
    pub async fn read(&self, after: Option<Position>, limit: FeedLimit) -> Result<FeedPage, DomainError> {
        let newest = self.events.newest().await?;
        let limit = usize::from(limit.get());
        let mut events = self.events.read(after.unwrap_or_default(), limit + 1).await?;
        // Positions have no gap: where the next one is there, nothing is missing before it.
        if let Some(after) = after
            && events.first().is_none_or(|first| first.position.get() - 1 != after.get())
        {
            // Looked at last: what is pruned while a page is read may be missing on it.
            let pruned = self.events.pruned().await?;
            if after < pruned {
                return Err(DomainError::Gone { pruned });
            }
        }
        let more = events.len() > limit;
        events.truncate(limit);
        let newest = events.last().map_or(newest, |last| last.position.max(newest));
        Ok(FeedPage { events, more, newest })
    }
}

impl From<EventLogError> for DomainError {
    fn from(error: EventLogError) -> Self {
        match error {
            EventLogError::Unavailable(source) => Self::unavailable(source),
            EventLogError::Internal(source) => Self::Internal(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::ports::{MockEventLog, Outbox, UserRepository};
    use crate::testing::InMemory;
    use crate::{Commit, Email, Name, NewUser, Timestamp};

    fn time(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    /// A feed of five events, a second apart; the first `pruned` of them were published and forgotten.
    fn feed(pruned: i64) -> FeedService {
        let store = InMemory::default();
        block_on(async {
            for nth in 1..=5 {
                let email = Email::parse(&format!("user{nth}@example.org")).unwrap();
                let new = NewUser { email, name: Name::parse("Ada").unwrap() };
                store.create(new, Commit::at(time(nth))).await.unwrap();
            }
            store.mark_published(Position::START, Position::new(5).unwrap(), Vec::new()).await.unwrap();
            store.prune_events(time(pruned + 1), 100).await.unwrap();
        });
        FeedService::new(Arc::new(store))
    }

    fn positions(page: &FeedPage) -> Vec<i64> {
        page.events.iter().map(|event| event.position.get()).collect()
    }

    #[test]
    fn a_part_tells_whether_there_is_more_and_what_the_newest_is() {
        let read = |after, limit| {
            let limit = FeedLimit::new(limit).unwrap();
            let page = block_on(feed(0).read(Position::new(after), limit)).unwrap();
            (positions(&page), page.more, page.newest.get())
        };
        assert_eq!(read(0, 3), (vec![1, 2, 3], true, 5));
        assert_eq!(read(3, 2), (vec![4, 5], false, 5));
        assert_eq!(read(5, 2), (vec![], false, 5));
    }

    #[test]
    fn a_reader_behind_what_is_kept_is_told_and_one_without_a_position_begins_there() {
        let read = |after| block_on(feed(2).read(after, FeedLimit::default()));
        assert_eq!(positions(&read(None).unwrap()), [3, 4, 5]);
        assert_eq!(positions(&read(Position::new(2)).unwrap()), [3, 4, 5]);
        let gone = read(Position::new(1)).unwrap_err();
        assert!(matches!(gone, DomainError::Gone { pruned } if pruned.get() == 2), "{gone:?}");
        let at_the_end = block_on(feed(5).read(Position::new(5), FeedLimit::default())).unwrap();
        assert_eq!((positions(&at_the_end), at_the_end.newest.get()), (vec![], 5));
        let all_gone = block_on(feed(5).read(Position::new(4), FeedLimit::default())).unwrap_err();
        assert!(matches!(all_gone, DomainError::Gone { pruned } if pruned.get() == 5), "{all_gone:?}");
    }

    #[test]
    fn what_is_kept_is_not_asked_of_a_part_that_begins_where_the_last_one_ended() {
        let after_two = block_on(feed(0).read(Position::new(2), FeedLimit::default())).unwrap().events;
        let mut events = MockEventLog::new();
        events.expect_newest().returning(|| Ok(Position::START));
        events.expect_read().once().return_once(|_, _| Ok(after_two));
        events.expect_pruned().never();
        let feed = FeedService::new(Arc::new(events));
        let page = block_on(feed.read(Position::new(2), FeedLimit::default())).unwrap();
        assert_eq!(positions(&page), [3, 4, 5]);
    }

    #[test]
    fn what_is_pruned_while_a_page_is_read_is_not_passed_over() {
        let mut events = MockEventLog::new();
        let mut order = mockall::Sequence::new();
        events.expect_newest().returning(|| Ok(Position::START));
        events.expect_read().once().in_sequence(&mut order).returning(|_, _| Ok(Vec::new()));
        events.expect_pruned().once().in_sequence(&mut order).returning(|| Ok(Position::new(9).unwrap()));
        let read = FeedService::new(Arc::new(events));
        let gone = block_on(read.read(Position::new(8), FeedLimit::default())).unwrap_err();
        assert!(matches!(gone, DomainError::Gone { .. }));
    }
}
