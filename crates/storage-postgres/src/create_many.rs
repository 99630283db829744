//! Many creates in few round trips.

use std::collections::{HashSet, VecDeque};

use roster_domain::ports::UserRepositoryError;
use roster_domain::{Commit, NewUser, User, Written};

use crate::create_all::{CreateAll, CreateAllOnce};
use crate::error::Error;
use crate::pool::Pool;
use crate::write::{Once, Write};

/// How many creates share a transaction at the most.
const BATCH: usize = 1_000;

/// How many wait in vain, one after the other, before the rest need not.
const MOST_IN_VAIN: usize = 3;

pub(crate) type Outcome = Result<Written<User>, UserRepositoryError>;

/// Creates in the order that is asked, as many as follow each other in one transaction: those without a receipt, and
/// those with one, each another. Where those with one fail together, or those without wait in vain, each has a
/// transaction of its own, and none fails for what another one waits for.
///
/// The error is that of the first transaction. Where a later one fails, so do all from there on, and what
/// was done before stays.
pub(crate) async fn create_many(pool: &Pool, asked: Vec<(NewUser, Commit)>) -> Result<Vec<Outcome>, Error> {
    let mut outcomes = Vec::with_capacity(asked.len());
    let all = asked.len();
    let mut batches = batches(asked);
    while let Some(batch) = batches.pop_front() {
        let done = match (batch.as_slice(), CreateAllOnce::of(&batch)) {
            ([alone], _) => once(pool, alone.clone()).await,
            (_, None) => pool.commit(CreateAll(batch.clone())).await,
            (_, Some(together)) => pool.commit(together).await,
        };
        match done {
            Ok(done) => {
                outcomes.extend(done);
                if fails_on(&outcomes) {
                    let why = "others hold on to what is to be written";
                    let failed = UserRepositoryError::Unavailable(why.into()).repeated(all - outcomes.len());
                    outcomes.extend(failed.map(Err));
                    break;
                }
            }
            Err(error) if batch.len() > 1 && is_of_one(&error, &batch) => {
                batch.into_iter().rev().for_each(|one| batches.push_front(vec![one]));
            }
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

/// Whether it may be one alone for which all of them failed.
fn is_of_one(error: &Error, batch: &[(NewUser, Commit)]) -> bool {
    let are_once = batch.iter().all(|(_, commit)| commit.receipt.is_some());
    error.spares_connection() && (are_once || error.waited_in_vain())
}

/// Whether one line after the other waits in vain, as where the whole table is locked.
fn fails_on(outcomes: &[Outcome]) -> bool {
    let in_vain = |outcome: &&Outcome| matches!(outcome, Err(UserRepositoryError::Unavailable(_)));
    outcomes.iter().rev().take_while(in_vain).count() >= MOST_IN_VAIN
}

/// What can share a transaction.
fn batches(asked: Vec<(NewUser, Commit)>) -> VecDeque<Vec<(NewUser, Commit)>> {
    let mut batches: VecDeque<Vec<(NewUser, Commit)>> = VecDeque::new();
    let mut receipts = HashSet::new();
    for one in asked {
        let receipt = one.1.receipt.as_ref().map(|receipt| (receipt.scope.clone(), receipt.key.clone()));
        let has_room = |batch: &&mut Vec<(NewUser, Commit)>| {
            let is_alike = |last: &(NewUser, Commit)| last.1.receipt.is_some() == receipt.is_some();
            let is_another = receipt.as_ref().is_none_or(|receipt| !receipts.contains(receipt));
            batch.len() < BATCH && batch.last().is_some_and(is_alike) && is_another
        };
        if let Some(batch) = batches.back_mut().filter(has_room) {
            batch.push(one);
        } else {
            receipts.clear();
            batches.push_back(vec![one]);
        }
        receipts.extend(receipt);
    }
    batches
}

/// One create by itself. What the port answers is its own outcome, as is what spares the connection; anything else
/// fails the rest too.
async fn once(pool: &Pool, (new, commit): (NewUser, Commit)) -> Result<Vec<Outcome>, Error> {
    match pool.commit(Once(Write::Create(new), commit)).await {
        Ok(written) => Ok(vec![Ok(written)]),
        Err(Error::Answer(answer)) => Ok(vec![Err(answer)]),
        Err(error) if error.spares_connection() => Ok(vec![Err(error.into())]),
        Err(error) => Err(error),
    }
}
