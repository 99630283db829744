//! Many creates in few transactions.

use diesel::SqliteConnection;
use diesel::connection::Connection;
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Commit, NewUser, User, Written};

use crate::error::Error;
use crate::write::{self, Once, Write};
use crate::writer::Writer;

/// How many creates share a transaction at the most.
const BATCH: usize = 1_000;

type Outcome = Result<Written<User>, UserRepositoryError>;

/// Creates in the order that is asked, as many as follow each other in one transaction.
///
/// The error is that of the first transaction. Where a later one fails, so do all from there on, and what
/// was done before stays.
pub(crate) async fn create_many(
    writer: &Writer,
    asked: Vec<(NewUser, Commit)>,
) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = Vec::with_capacity(asked.len());
    let all = asked.len();
    let mut asked = asked.into_iter().peekable();
    while asked.peek().is_some() {
        let batch: Vec<_> = asked.by_ref().take(BATCH).collect();
        match writer.transaction(move |conn| create_all(conn, &batch)).await {
            Ok(done) => outcomes.extend(done),
            Err(error) if outcomes.is_empty() => return Err(error),
            Err(error) => {
                let failed = UserRepositoryError::from(error).repeated(all - outcomes.len());
                outcomes.extend(failed.map(Err));
                break;
            }
        }
    }
    Ok(outcomes)
}

/// Creates in one transaction. One that fails takes back its own steps alone: there are none where its e-mail is taken
/// and it has no receipt, and else it has a savepoint.
fn create_all(conn: &mut SqliteConnection, batch: &[(NewUser, Commit)]) -> Result<Vec<Outcome>, Error> {
    let each = batch.iter().map(|(new, commit)| {
        let done = if commit.receipt.is_none() {
            write::create(conn, new, commit).map(Written::Now)
        } else {
            let once = Once(Write::Create(new.clone()), commit.clone());
            conn.transaction(|conn| once.run(conn))
        };
        match done {
            Ok(written) => Ok(Ok(written)),
            Err(Error::Answer(answer)) => Ok(Err(answer)),
            Err(error) => Err(error),
        }
    });
    each.collect()
}
