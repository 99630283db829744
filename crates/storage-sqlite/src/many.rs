//! Many creates in few transactions.

use std::sync::Arc;

use diesel::SqliteConnection;
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Commit, NewUser, User, Written};

use crate::error::Error;
use crate::write::{self, Once, Write};
use crate::writer::Writer;

/// How many creates share a transaction at the most.
const BATCH: usize = 1_000;

type Outcome = Result<Written<User>, UserRepositoryError>;

/// Creates in the order that is asked: those without a receipt share transactions, as many as follow each
/// other, and each that has one has its own.
///
/// The error is that of the first transaction. Where a later one fails, so do all from there on, and what
/// was done before stays.
pub(crate) async fn create(writer: &Writer, asked: Vec<(NewUser, Commit)>) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = Vec::with_capacity(asked.len());
    let all = asked.len();
    let mut asked = asked.into_iter().peekable();
    while let Some((new, commit)) = asked.next() {
        let done = if commit.receipt.is_some() {
            once(writer, new, commit).await
        } else {
            let mut batch = vec![(new, commit)];
            while batch.len() < BATCH
                && let Some((new, commit)) = asked.next_if(|(_, commit)| commit.receipt.is_none())
            {
                batch.push((new, commit));
            }
            writer.transaction(move |conn| create_all(conn, &batch)).await
        };
        match done {
            Ok(done) => outcomes.extend(done),
            Err(error) if outcomes.is_empty() => return Err(error),
            Err(error) => {
                outcomes.extend(same(error, all - outcomes.len()));
                break;
            }
        }
    }
    Ok(outcomes)
}

/// One create with a receipt. What the port answers is its own outcome; anything else fails the rest too.
async fn once(writer: &Writer, new: NewUser, commit: Commit) -> Result<Vec<Outcome>, Error> {
    match writer.transaction(move |conn| Once(Write::Create(new), commit).run(conn)).await {
        Ok(written) => Ok(vec![Ok(written)]),
        Err(Error::Answer(answer)) => Ok(vec![Err(answer)]),
        Err(error) => Err(error),
    }
}

/// An error as often as there are creates that it failed.
fn same(error: Error, times: usize) -> impl Iterator<Item = Outcome> {
    let error = UserRepositoryError::from(error);
    let passing = matches!(error, UserRepositoryError::Unavailable(_));
    let shared = Arc::new(error);
    std::iter::repeat_with(move || {
        let source = Box::new(Arc::clone(&shared));
        Err(if passing {
            UserRepositoryError::Unavailable(source)
        } else {
            UserRepositoryError::Internal(source)
        })
    })
    .take(times)
}

/// Creates without receipts, in one transaction. One whose e-mail is taken changed nothing, and so does not
/// spoil the others.
fn create_all(conn: &mut SqliteConnection, batch: &[(NewUser, Commit)]) -> Result<Vec<Outcome>, Error> {
    let each = batch.iter().map(|(new, commit)| match write::create(conn, new, commit) {
        Ok(user) => Ok(Ok(Written::Now(user))),
        Err(Error::Answer(answer)) => Ok(Err(answer)),
        Err(error) => Err(error),
    });
    each.collect()
}
