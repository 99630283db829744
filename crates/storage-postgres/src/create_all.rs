//! Many new users and their events, in one statement however many they are.
//!
//! Ids are drawn in the order that is asked, and then rows go in by what they are known by, so that two of these
//! statements wait for each other in one order and never deadlock with each other.

use std::collections::HashMap;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text, Timestamptz, Uuid};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use roster_domain::ports::UserRepositoryError;
use roster_domain::{Commit, NewUser, Receipt, User, Written};

use crate::create::event_without_id;
use crate::create_many::Outcome;
use crate::error::Error;
use crate::prepared::Prepared;
use crate::receipts;
use crate::transaction::Unit;
use crate::write::user_id;

/// What is asked for, in `$1` to `$7` and then `$more`, whose columns are `$names`; each with the id that it is to
/// have.
macro_rules! asked {
    ($more:literal, $names:literal) => {
        concat!(
            "WITH asked AS MATERIALIZED ( \
                 SELECT nextval('users_id_seq') AS id, in_order.* FROM ( \
                     SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7",
            $more,
            ") WITH ORDINALITY AS row (email, name, name_key, at, event_id, data, trace_context",
            $names,
            ", nth) ORDER BY nth \
                 ) AS in_order \
             ), "
        )
    };
}

/// The users and the events of what is in `$from`, and is to have them.
macro_rules! made {
    ($from:literal) => {
        concat!(
            "made AS ( \
                 INSERT INTO users (id, email, name, name_key, created_at, updated_at, version) \
                 OVERRIDING SYSTEM VALUE \
                 SELECT id, email, name, name_key, at, at, 1 FROM ",
            $from,
            " ORDER BY email COLLATE \"C\", nth \
                 ON CONFLICT (email) DO NOTHING RETURNING id \
             ), told AS ( \
                 INSERT INTO events (event_id, type, subject, data, time, trace_context) \
                 SELECT event_id, $8, 'users/' || id, ",
            data!(),
            ", at, trace_context FROM asked JOIN made USING (id) ORDER BY nth \
             ) "
        )
    };
}

/// The user as JSON, whose id was not known before.
macro_rules! data {
    () => {
        "('{\"id\":' || id || ',' || substr(data, 2))::json"
    };
}

/// The users and their events.
const CREATE: &str =
    concat!(asked!("", ""), made!("asked"), "SELECT nth, id FROM asked JOIN made USING (id)");

/// The same, with their receipts: no user is made whose receipt somebody else holds.
const CREATE_ONCE: &str = concat!(
    asked!(", $9, $10, $11, $12", ", scope, key, fingerprint, expires_at"),
    "claimed AS ( \
         INSERT INTO receipts (scope, key, fingerprint, outcome, recorded_at, expires_at) \
         SELECT scope, key, fingerprint, ",
    data!(),
    ", at, expires_at FROM asked ORDER BY scope COLLATE \"C\", key COLLATE \"C\" \
         ON CONFLICT (scope, key) DO UPDATE SET fingerprint = excluded.fingerprint, outcome = excluded.outcome, \
             recorded_at = excluded.recorded_at, expires_at = excluded.expires_at \
             WHERE receipts.expires_at <= excluded.recorded_at \
         RETURNING scope, key \
     ), ",
    made!("asked JOIN claimed USING (scope, key)"),
    "SELECT nth, id, made.id IS NOT NULL AS is_made FROM asked JOIN claimed USING (scope, key) LEFT JOIN made USING (id)"
);

/// How many rows the server answers as a whole, after the commit: the answer to more it begins before, and from there
/// on nobody watches whether it goes on.
const WHOLE: usize = 200;

/// Creates without receipts, and their events.
pub(crate) struct CreateAll(pub(crate) Vec<(NewUser, Commit)>);

impl Unit for CreateAll {
    type Outcome = Vec<Outcome>;

    fn is_one_statement(&self) -> bool {
        self.0.len() <= WHOLE
    }

    /// Of several with one e-mail the first gets it.
    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<Vec<Outcome>, Error> {
        let Self(asked) = self;
        let made: Vec<Made> =
            Prepared(insert(CREATE, asked.iter().map(|(new, commit)| (new, commit)))?).load(conn).await?;
        let made: HashMap<_, _> = made.into_iter().map(|row| (row.nth, row.id)).collect();
        let outcome = |((new, commit), nth): (&(NewUser, Commit), i64)| match made.get(&nth) {
            Some(&id) => Ok(Ok(Written::Now(User::created(user_id(id)?, new.clone(), commit.at)))),
            None => Ok(Err(UserRepositoryError::EmailTaken)),
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

/// Creates with receipts, each another, and their events.
pub(crate) struct CreateAllOnce(Vec<(NewUser, Commit, Receipt)>);

impl CreateAllOnce {
    /// None where one of them has no receipt.
    pub(crate) fn of(asked: &[(NewUser, Commit)]) -> Option<Self> {
        let with_receipt = |(new, commit): &(NewUser, Commit)| {
            commit.receipt.clone().map(|receipt| (new.clone(), commit.clone(), receipt))
        };
        asked.iter().map(with_receipt).collect::<Option<_>>().map(Self)
    }
}

impl Unit for CreateAllOnce {
    type Outcome = Vec<Outcome>;

    async fn run(&self, conn: &mut AsyncPgConnection) -> Result<Vec<Outcome>, Error> {
        let Self(asked) = self;
        let claimed: Vec<Claimed> = Prepared(insert_once(asked)?).load(conn).await?;
        let claimed: HashMap<_, _> = claimed.into_iter().map(|row| (row.nth, row)).collect();
        let mut outcomes = Vec::with_capacity(asked.len());
        for ((new, commit, receipt), nth) in asked.iter().zip(1..) {
            outcomes.push(match claimed.get(&nth) {
                Some(&Claimed { id, is_made: true, .. }) => {
                    Ok(Written::Now(User::created(user_id(id)?, new.clone(), commit.at)))
                }
                Some(_) => {
                    receipts::unclaim(conn, receipt).await?;
                    Err(UserRepositoryError::EmailTaken)
                }
                None => before(conn, receipt).await?,
            });
        }
        Ok(outcomes)
    }
}

/// What a receipt says that somebody else holds.
async fn before(conn: &mut AsyncPgConnection, receipt: &Receipt) -> Result<Outcome, Error> {
    let kept = receipts::kept(conn, receipt).await;
    match kept.and_then(|json| receipts::outcome(receipt, json)) {
        Ok(user) => Ok(Ok(Written::Before(user))),
        Err(Error::Answer(answer)) => Ok(Err(answer)),
        Err(error @ Error::BrokenRow(_)) => Ok(Err(error.into())),
        Err(error) => Err(error),
    }
}

/// A create whose receipt nobody else holds.
#[derive(QueryableByName)]
struct Claimed {
    #[diesel(sql_type = BigInt)]
    nth: i64,
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Bool)]
    is_made: bool,
}

fn insert_once(asked: &[(NewUser, Commit, Receipt)]) -> Result<BoxedSqlQuery<'_, Pg, SqlQuery>, Error> {
    let receipts = || asked.iter().map(|(_, _, receipt)| receipt);
    let scopes: Vec<_> = receipts().map(|receipt| receipt.scope.as_str()).collect();
    let keys: Vec<_> = receipts().map(|receipt| receipt.key.as_str()).collect();
    let fingerprints: Vec<_> = receipts().map(|receipt| &receipt.fingerprint[..]).collect();
    let ends: Vec<_> = receipts().map(|receipt| receipt.expires_at.as_datetime()).collect();
    let insert = insert(CREATE_ONCE, asked.iter().map(|(new, commit, _)| (new, commit)))?;
    Ok(insert
        .bind::<Array<Text>, _>(scopes)
        .bind::<Array<Text>, _>(keys)
        .bind::<Array<Binary>, _>(fingerprints)
        .bind::<Array<Timestamptz>, _>(ends))
}

/// A statement for these creates.
fn insert<'a>(
    statement: &'static str,
    asked: impl Iterator<Item = (&'a NewUser, &'a Commit)> + Clone,
) -> Result<BoxedSqlQuery<'a, Pg, SqlQuery>, Error> {
    let events: Vec<_> =
        asked.clone().map(|(new, commit)| event_without_id(new, commit)).collect::<Result<_, _>>()?;
    let emails: Vec<_> = asked.clone().map(|(new, _)| new.email.as_str()).collect();
    let names: Vec<_> = asked.clone().map(|(new, _)| new.name.as_str()).collect();
    let keys: Vec<_> = asked.clone().map(|(new, _)| new.name.search_key()).collect();
    let times: Vec<_> = asked.map(|(_, commit)| commit.at.as_datetime()).collect();
    let ids: Vec<_> = events.iter().map(|event| event.event_id).collect();
    let data: Vec<_> = events.iter().map(|event| event.data.to_string()).collect();
    let kind = events.iter().map(|event| event.kind).next().unwrap_or_default();
    let traces: Vec<_> = events.into_iter().map(|event| event.trace_context).collect();
    Ok(diesel::sql_query(statement)
        .into_boxed()
        .bind::<Array<Text>, _>(emails)
        .bind::<Array<Text>, _>(names)
        .bind::<Array<Text>, _>(keys)
        .bind::<Array<Timestamptz>, _>(times)
        .bind::<Array<Uuid>, _>(ids)
        .bind::<Array<Text>, _>(data)
        .bind::<Array<Nullable<Text>>, _>(traces)
        .bind::<Text, _>(kind))
}
