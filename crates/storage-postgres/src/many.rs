//! Many creates in few round trips.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Json, Nullable, Text, Timestamptz, Uuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Change, Commit, NewUser, User, Written};

use crate::error::Error;
use crate::events::NewEventRow;
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::transaction::Unit;
use crate::write::{Once, Write, user_id};

/// How many creates share a transaction at the most.
const BATCH: usize = 1_000;

type Outcome = Result<Written<User>, UserRepositoryError>;

/// Creates in the order that is asked: those without a receipt share transactions, as many as follow each
/// other, and each that has one has its own.
///
/// The error is that of the first transaction. Where a later one fails, so do all from there on, and what
/// was done before stays.
pub(crate) async fn create(pool: &Pool, asked: Vec<(NewUser, Commit)>) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = Vec::with_capacity(asked.len());
    let all = asked.len();
    let mut asked = asked.into_iter().peekable();
    while let Some((new, commit)) = asked.next() {
        let done = if commit.receipt.is_some() {
            once(pool, new, commit).await
        } else {
            let mut batch = vec![(new, commit)];
            while batch.len() < BATCH
                && let Some((new, commit)) = asked.next_if(|(_, commit)| commit.receipt.is_none())
            {
                batch.push((new, commit));
            }
            pool.commit(CreateAll(batch)).await
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
async fn once(pool: &Pool, new: NewUser, commit: Commit) -> Result<Vec<Outcome>, Error> {
    match pool.commit(Once(Write::Create(new), commit)).await {
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

/// Creates without receipts, and their events: two statements, however many they are.
struct CreateAll(Vec<(NewUser, Commit)>);

impl Unit for CreateAll {
    type Outcome = Vec<Outcome>;

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<Vec<Outcome>, Error> {
        let Self(asked) = self;
        let mut seen = HashSet::with_capacity(asked.len());
        let first: Vec<_> = asked.iter().map(|(new, _)| seen.insert(&new.email)).collect();
        let rows: Vec<_> = asked.iter().zip(&first).filter_map(|(row, first)| first.then_some(row)).collect();
        let ids = insert_users(conn, &rows).await?;

        let mut outcomes = Vec::with_capacity(asked.len());
        let mut events = Vec::with_capacity(ids.len());
        for ((new, commit), first) in asked.iter().zip(first) {
            let Some(&id) = ids.get(new.email.as_str()).filter(|_| first) else {
                outcomes.push(Err(UserRepositoryError::EmailTaken));
                continue;
            };
            let user = User::created(user_id(id)?, new.clone(), commit.at);
            events.push(NewEventRow::try_from((&Change::UserCreated(user.clone()), commit))?);
            outcomes.push(Ok(Written::Now(user)));
        }
        insert_events(conn, events).await?;
        Ok(outcomes)
    }
}

#[derive(QueryableByName)]
struct Inserted {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    email: String,
}

/// The ids of those whose e-mail was free, by e-mail.
///
/// Ids are drawn in the order that is asked, and then rows go in by e-mail, so that two of these
/// statements wait for each other's e-mails in one order and never deadlock.
async fn insert_users(
    conn: &mut AsyncPgConnection,
    rows: &[&(NewUser, Commit)],
) -> Result<HashMap<String, i64>, Error> {
    let emails: Vec<_> = rows.iter().map(|(new, _)| new.email.as_str()).collect();
    let names: Vec<_> = rows.iter().map(|(new, _)| new.name.as_str()).collect();
    let keys: Vec<_> = rows.iter().map(|(new, _)| new.name.search_key()).collect();
    let times: Vec<_> = rows.iter().map(|(_, commit)| commit.at.as_datetime()).collect();
    let insert = diesel::sql_query(
        "WITH asked AS MATERIALIZED ( \
             SELECT nextval(pg_get_serial_sequence('users', 'id')) AS id, email, name, name_key, at FROM ( \
                 SELECT * FROM unnest($1, $2, $3, $4) WITH ORDINALITY AS row (email, name, name_key, at, nth) \
                 ORDER BY nth \
             ) AS in_order \
         ) \
         INSERT INTO users (id, email, name, name_key, created_at, updated_at, version) \
         OVERRIDING SYSTEM VALUE \
         SELECT id, email, name, name_key, at, at, 1 FROM asked ORDER BY email COLLATE \"C\" \
         ON CONFLICT (email) DO NOTHING RETURNING id, email",
    )
    .bind::<Array<Text>, _>(emails)
    .bind::<Array<Text>, _>(names)
    .bind::<Array<Text>, _>(keys)
    .bind::<Array<Timestamptz>, _>(times);
    let inserted: Vec<Inserted> = Prepared(insert).load(conn).await?;
    Ok(inserted.into_iter().map(|row| (row.email, row.id)).collect())
}

/// Records events; their ids are in their order.
async fn insert_events(conn: &mut AsyncPgConnection, rows: Vec<NewEventRow>) -> Result<(), Error> {
    let ids: Vec<_> = rows.iter().map(|row| row.event_id).collect();
    let kinds: Vec<_> = rows.iter().map(|row| row.kind).collect();
    let times: Vec<_> = rows.iter().map(|row| row.time).collect();
    let traces: Vec<_> = rows.iter().map(|row| row.trace_context.clone()).collect();
    let (subjects, data): (Vec<_>, Vec<_>) = rows.into_iter().map(|row| (row.subject, row.data)).unzip();
    let insert = diesel::sql_query(
        "INSERT INTO events (event_id, type, subject, data, time, trace_context) \
         SELECT event_id, type, subject, data, time, trace_context \
         FROM unnest($1, $2, $3, $4, $5, $6) WITH ORDINALITY \
             AS row (event_id, type, subject, data, time, trace_context, nth) \
         ORDER BY nth",
    )
    .bind::<Array<Uuid>, _>(ids)
    .bind::<Array<Text>, _>(kinds)
    .bind::<Array<Text>, _>(subjects)
    .bind::<Array<Json>, _>(data)
    .bind::<Array<Timestamptz>, _>(times)
    .bind::<Array<Nullable<Text>>, _>(traces);
    Prepared(insert).execute(conn).await?;
    Ok(())
}
