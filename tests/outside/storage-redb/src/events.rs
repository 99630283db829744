use async_trait::async_trait;
use redb::{ReadTransaction, ReadableTable};
use roster_domain::ports::{EventLog, EventLogError};
use roster_domain::{Event, Position};

use crate::Redb;
use crate::error::Error;
use crate::rows::{self, EventRow};
use crate::tables::EVENTS;

#[async_trait]
impl EventLog for Redb {
    /// There is nothing to do: the only writer numbers its events itself.
    async fn sequence(&self) -> Result<usize, EventLogError> {
        Ok(0)
    }

    async fn read(&self, after: Position, limit: usize) -> Result<Vec<Event>, EventLogError> {
        let events = Redb::read(self, move |transaction| {
            let events = transaction.open_table(EVENTS)?;
            let range = events.range(after.get() + 1..)?.take(limit);
            range
                .map(|row| {
                    let (position, json) = row?;
                    let position = position.value();
                    rows::read::<EventRow, _>("event", &position, json.value(), |row| row.at(position))
                })
                .collect::<Result<Vec<_>, Error>>()
        });
        Ok(events.await?)
    }

    async fn newest(&self) -> Result<Position, EventLogError> {
        Ok(Redb::read(self, newest).await?)
    }

    /// Nothing is ever pruned.
    async fn pruned(&self) -> Result<Position, EventLogError> {
        Ok(Position::START)
    }
}

/// The position of the newest event of a snapshot.
pub(crate) fn newest(transaction: &ReadTransaction) -> Result<Position, Error> {
    let last = transaction.open_table(EVENTS)?.last()?.map_or(0, |(last, _)| last.value());
    Ok(Position::new(last).unwrap_or_default())
}
