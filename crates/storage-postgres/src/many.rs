//! Many creates in few round trips.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz, Uuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Commit, NewUser, User, Written};

use crate::create::event_without_id;
use crate::error::Error;
use crate::pool::Pool;
use crate::prepared::Prepared;
use crate::transaction::Unit;
use crate::write::{Once, Write, user_id};

/// How many creates share a transaction at the most.
const BATCH: usize = 1_000;

pub(crate) type Outcome = Result<Written<User>, UserRepositoryError>;

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
pub(crate) fn same(error: Error, times: usize) -> impl Iterator<Item = Outcome> {
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

/// Creates without receipts, and their events: one statement, however many they are.
pub(crate) struct CreateAll(pub(crate) Vec<(NewUser, Commit)>);

impl Unit for CreateAll {
    type Outcome = Vec<Outcome>;

    fn is_one_statement(&self) -> bool {
        true
    }

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<Vec<Outcome>, Error> {
        let Self(asked) = self;
        let made = insert(conn, asked).await?;
        let outcome = |((new, commit), nth): (&(NewUser, Commit), i64)| {
            let Some(&id) = made.get(&nth) else { return Ok(Err(UserRepositoryError::EmailTaken)) };
            Ok(Ok(Written::Now(User::created(user_id(id)?, new.clone(), commit.at))))
        };
        asked.iter().zip(1..).map(outcome).collect()
    }
}

#[derive(QueryableByName)]
struct Made {
    #[diesel(sql_type = BigInt)]
    nth: i64,
    #[diesel(sql_type = BigInt)]
    id: i64,
}

/// The ids of those whose e-mail was free, by their place from 1. Of several with one e-mail the first gets it.
///
/// Ids are drawn in the order that is asked, and then rows go in by e-mail, so that two of these
/// statements wait for each other's e-mails in one order and never deadlock.
async fn insert(
    conn: &mut AsyncPgConnection,
    asked: &[(NewUser, Commit)],
) -> Result<HashMap<i64, i64>, Error> {
    let events: Vec<_> =
        asked.iter().map(|(new, commit)| event_without_id(new, commit)).collect::<Result<_, _>>()?;
    let emails: Vec<_> = asked.iter().map(|(new, _)| new.email.as_str()).collect();
    let names: Vec<_> = asked.iter().map(|(new, _)| new.name.as_str()).collect();
    let keys: Vec<_> = asked.iter().map(|(new, _)| new.name.search_key()).collect();
    let times: Vec<_> = asked.iter().map(|(_, commit)| commit.at.as_datetime()).collect();
    let ids: Vec<_> = events.iter().map(|event| event.event_id).collect();
    let data: Vec<_> = events.iter().map(|event| event.data.to_string()).collect();
    let traces: Vec<_> = events.iter().map(|event| event.trace_context.as_deref()).collect();
    let kind = events.iter().map(|event| event.kind).next().unwrap_or_default();
    let insert = diesel::sql_query(
        "WITH asked AS MATERIALIZED ( \
             SELECT nextval((SELECT pg_get_serial_sequence('users', 'id')::regclass)) AS id, in_order.* FROM ( \
                 SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7) WITH ORDINALITY \
                     AS row (email, name, name_key, at, event_id, data, trace_context, nth) ORDER BY nth \
             ) AS in_order \
         ), made AS ( \
             INSERT INTO users (id, email, name, name_key, created_at, updated_at, version) \
             OVERRIDING SYSTEM VALUE \
             SELECT id, email, name, name_key, at, at, 1 FROM asked ORDER BY email COLLATE \"C\", nth \
             ON CONFLICT (email) DO NOTHING RETURNING id \
         ), told AS ( \
             INSERT INTO events (event_id, type, subject, data, time, trace_context) \
             SELECT event_id, $8, 'users/' || id, ('{\"id\":' || id || ',' || substr(data, 2))::json, at, \
                 trace_context \
             FROM asked JOIN made USING (id) ORDER BY nth \
         ) SELECT nth, id FROM asked JOIN made USING (id)",
    )
    .bind::<Array<Text>, _>(emails)
    .bind::<Array<Text>, _>(names)
    .bind::<Array<Text>, _>(keys)
    .bind::<Array<Timestamptz>, _>(times)
    .bind::<Array<Uuid>, _>(ids)
    .bind::<Array<Text>, _>(data)
    .bind::<Array<Nullable<Text>>, _>(traces)
    .bind::<Text, _>(kind);
    let made: Vec<Made> = Prepared(insert).load(conn).await?;
    Ok(made.into_iter().map(|row| (row.nth, row.id)).collect())
}
