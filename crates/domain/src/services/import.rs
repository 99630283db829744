use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ports::{Clock, UserRepository, UserRepositoryError as Failure};
use crate::{BusinessRule, Commit, DomainError, Email, NewUser, User, UserId, Written};

/// Makes users of many lines, each of which has an outcome of its own.
#[derive(Clone)]
pub struct ImportService {
    users: Arc<dyn UserRepository>,
    clock: Arc<dyn Clock>,
}

impl ImportService {
    /// A service on these ports.
    pub fn new(users: Arc<dyn UserRepository>, clock: Arc<dyn Clock>) -> Self {
        Self { users, clock }
    }

    /// An import that has seen no line yet.
    pub fn begin(&self, options: ImportOptions) -> Import {
        Import { service: self.clone(), options, lines: 0, has_failed: false }
    }
}

/// How an import is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportOptions {
    /// Nothing is written. Told are broken rules, and e-mails that other users have at the time; not told is
    /// that an e-mail stands twice among the lines, as that would take memory for all of them.
    pub dry_run: bool,
    /// A line whose user is there already, with the same name, is none that failed: an import that was
    /// interrupted and is done again finishes the rest.
    pub resume: bool,
}

/// An import under way. It holds nothing of the lines that it has seen.
pub struct Import {
    service: ImportService,
    options: ImportOptions,
    lines: u64,
    has_failed: bool,
}

/// What became of a line.
#[derive(Debug)]
#[must_use = "it tells whether the line took effect"]
pub struct Outcome<E> {
    /// Which line it was; the first is 1.
    pub line: u64,
    /// What it brought about; or why nothing.
    pub result: Result<Imported, E>,
}

/// What a line brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// A user with this id.
    Created(UserId),
    /// Nothing, as the user with this id is what it asks for.
    There(UserId),
    /// Nothing, as nothing is to be written; it would have made a user.
    Valid,
}

impl Import {
    /// How many lines are best taken at once: enough to spare round trips, and few enough not to hold up
    /// others who write.
    pub const BATCH: usize = 500;

    /// Makes users of the lines that follow, of those at least that could be read, and tells the outcome of
    /// each, in their order. What is told to be created is stored for good. Where an e-mail stands twice, the
    /// first line gets it.
    ///
    /// When the store fails, so do this and all lines after it, as [`DomainError::Unavailable`] but for the
    /// first of them. Of those that were under way, some may have taken effect. A line that fails alone, as one
    /// that waits in vain for what somebody else has locked, keeps no other from taking effect.
    ///
    /// Where it is given up before it ends, its lines count all the same, and some may have taken effect.
    #[must_use = "it tells which lines took effect"]
    pub async fn take<E: From<DomainError>>(&mut self, lines: Vec<Result<NewUser, E>>) -> Vec<Outcome<E>> {
        let numbers = self.lines + 1..;
        self.lines += lines.len() as u64;
        let new: Vec<_> = lines.iter().flatten().collect();
        let (made, fails_from) = self.make(&new).await;
        let mut made = made.into_iter().enumerate();
        let mut outcomes = Vec::with_capacity(lines.len());
        for (number, line) in numbers.zip(lines) {
            let result = match line {
                _ if self.has_failed => Err(unavailable().into()),
                Ok(_) => {
                    let (nth, made) = made.next().unwrap_or_else(|| (fails_from, Err(unavailable())));
                    // Nothing more is asked of a store that fails to the end.
                    self.has_failed = nth >= fails_from;
                    made.map_err(E::from)
                }
                Err(unread) => Err(unread),
            };
            outcomes.push(Outcome { line: number, result });
        }
        outcomes
    }

    /// What becomes of users to be, one by one; and from which on the store fails, and not the line: several in a row,
    /// to the end.
    async fn make(&self, new: &[&NewUser]) -> (Vec<Result<Imported, DomainError>>, usize) {
        if self.has_failed || new.is_empty() {
            return (Vec::new(), 0);
        }
        let made = if self.options.dry_run { self.would_create(new).await } else { self.create(new).await };
        match made {
            Ok(made) => {
                let last = made.iter().rposition(|made| !is_of_store(made));
                let fails_from = last.map_or(0, |last| last + 1);
                let is_several = made.len() - fails_from > 1;
                let fails_from = if is_several { fails_from } else { made.len() };
                (made, fails_from)
            }
            Err(failed) => (vec![Err(failed.into())], 0),
        }
    }

    async fn would_create(&self, new: &[&NewUser]) -> Result<Vec<Result<Imported, DomainError>>, Failure> {
        let there = self.there(new.iter().copied()).await?;
        let would =
            |new: &&NewUser| there.get(&new.email).map_or(Ok(Imported::Valid), |user| self.met(new, user));
        Ok(new.iter().map(would).collect())
    }

    async fn create(&self, new: &[&NewUser]) -> Result<Vec<Result<Imported, DomainError>>, Failure> {
        let commit = Commit::at(self.service.clock.now());
        let commits = new.iter().map(|&new| (new.clone(), commit.clone())).collect();
        let written = self.service.users.create_many(commits).await?;
        let taken =
            new.iter().zip(&written).filter(|(_, written)| matches!(written, Err(Failure::EmailTaken)));
        let taken = taken.map(|(new, _)| *new).filter(|_| self.options.resume);
        // Where this fails, so do all lines that would have wanted to know.
        let (there, mut failed) = match self.there(taken).await {
            Ok(there) => (Some(there), None),
            Err(failed) => (None, Some(failed)),
        };
        let outcome = |(new, written): (&&NewUser, Result<Written<User>, Failure>)| match written {
            Ok(written) => Ok(Imported::Created(written.into_inner().id)),
            Err(Failure::EmailTaken) if self.options.resume => match &there {
                Some(there) => there
                    .get(&new.email)
                    .map_or_else(|| Err(BusinessRule::EmailTaken.into()), |user| self.met(new, user)),
                None => Err(failed.take().map_or_else(unavailable, DomainError::from)),
            },
            Err(error) => Err(error.into()),
        };
        Ok(new.iter().zip(written).map(outcome).collect())
    }

    /// Those who have the e-mails of users to be.
    async fn there(&self, new: impl Iterator<Item = &NewUser>) -> Result<BTreeMap<Email, User>, Failure> {
        let emails: Vec<_> = new.map(|new| new.email.clone()).collect();
        let there =
            if emails.is_empty() { Vec::new() } else { self.service.users.find_by_emails(&emails).await? };
        Ok(there.into_iter().map(|user| (user.email.clone(), user)).collect())
    }

    /// What becomes of a user to be whose e-mail this user has.
    fn met(&self, new: &NewUser, user: &User) -> Result<Imported, DomainError> {
        if self.options.resume && user.name == new.name {
            Ok(Imported::There(user.id))
        } else {
            Err(BusinessRule::EmailTaken.into())
        }
    }
}

/// Whether the store failed, and not the line.
fn is_of_store(made: &Result<Imported, DomainError>) -> bool {
    matches!(made, Err(DomainError::Unavailable { .. } | DomainError::Internal(_)))
}

fn unavailable() -> DomainError {
    DomainError::unavailable("the store failed at an earlier line")
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::ports::MockUserRepository;
    use crate::testing::{InMemory, ManualClock};
    use crate::{Email, Name, Violations};

    const PLAIN: ImportOptions = ImportOptions { dry_run: false, resume: false };

    fn import(users: impl UserRepository + 'static, options: ImportOptions) -> Import {
        ImportService::new(Arc::new(users), Arc::new(ManualClock::default())).begin(options)
    }

    fn line(email: &str, name: &str) -> Result<NewUser, DomainError> {
        Ok(NewUser::from_parsed(Email::parse(email), Name::parse(name))?)
    }

    /// Each outcome in words.
    fn told(import: &mut Import, lines: Vec<Result<NewUser, DomainError>>) -> Vec<String> {
        let outcomes = block_on(import.take(lines));
        let words = outcomes.into_iter().map(|Outcome { line, result }| match result {
            Ok(imported) => format!("{line} {imported:?}"),
            Err(error) => format!("{line} {error}"),
        });
        words.collect()
    }

    #[test]
    fn each_line_has_its_outcome_in_order_whatever_becomes_of_the_others() {
        let store = InMemory::default();
        let mut import = import(store.clone(), PLAIN);
        let first = vec![line("a@b.c", "Ada"), line("none", "A"), line("A@B.C", "Bob"), line("d@b.c", "Dan")];

        assert_eq!(
            told(&mut import, first),
            [
                "1 Created(UserId(1))",
                "2 Invalid email format; Name must be at least 2 characters",
                "3 Email already exists",
                "4 Created(UserId(2))",
            ]
        );
        assert_eq!(told(&mut import, vec![]), [""; 0]);
        assert_eq!(told(&mut import, vec![Err(Violations::default().into())]), ["5 "]);
        let again = vec![line("d@b.c", "Dan"), line("e@b.c", "Eve")];
        assert_eq!(told(&mut import, again), ["6 Email already exists", "7 Created(UserId(3))"]);
        assert!(block_on(store.find(UserId::new(3).unwrap())).unwrap().is_some());
    }

    #[test]
    fn an_import_that_is_done_again_finishes_the_rest() {
        let store = InMemory::default();
        told(&mut import(store.clone(), PLAIN), vec![line("a@b.c", "Ada")]);

        let all = vec![line("a@b.c", "Ada"), line("a@b.c", "Another"), line("e@b.c", "Eve")];
        let again = told(&mut import(store, ImportOptions { resume: true, ..PLAIN }), all);

        assert_eq!(again, ["1 There(UserId(1))", "2 Email already exists", "3 Created(UserId(2))"]);
    }

    #[test]
    fn a_dry_run_tells_broken_rules_and_taken_emails_and_writes_nothing() {
        let store = InMemory::default();
        told(&mut import(store.clone(), PLAIN), vec![line("a@b.c", "Ada")]);
        let all =
            || vec![line("a@b.c", "Ada"), line("none", "Eve"), line("e@b.c", "Eve"), line("e@b.c", "Eve")];
        let mut dry = ImportOptions { dry_run: true, resume: false };

        let expected = ["1 Email already exists", "2 Invalid email format", "3 Valid", "4 Valid"];
        assert_eq!(told(&mut import(store.clone(), dry), all()), expected);
        dry.resume = true;
        assert_eq!(told(&mut import(store.clone(), dry), all())[0], "1 There(UserId(1))");
        assert_eq!(block_on(store.find_by_email(&Email::parse("e@b.c").unwrap())).unwrap(), None);
    }

    #[test]
    fn what_is_there_is_looked_up_for_all_lines_at_once() {
        for options in [ImportOptions { dry_run: true, ..PLAIN }, ImportOptions { resume: true, ..PLAIN }] {
            let mut store = MockUserRepository::new();
            store
                .expect_create_many()
                .returning(|new| Ok(new.iter().map(|_| Err(Failure::EmailTaken)).collect()));
            store.expect_find_by_emails().times(1).returning(|emails| {
                assert_eq!(emails.len(), 2);
                Err(Failure::Internal("broken".into()))
            });
            let all = vec![line("a@b.c", "Ada"), line("none", "Ada"), line("b@b.c", "Bob")];
            let told = told(&mut import(store, options), all);
            assert_eq!(told, ["1 internal error", "2 unavailable", "3 unavailable"]);
        }
    }

    #[test]
    fn after_the_store_fails_each_remaining_line_is_unavailable() {
        let mut store = MockUserRepository::new();
        let failed = || Failure::Internal("broken".into());
        store.expect_create_many().times(1).return_once(move |_| Err(failed()));
        let mut import = import(store, PLAIN);

        let first =
            vec![line("none", "Ada"), line("a@b.c", "Ada"), line("none", "Ada"), line("b@b.c", "Bob")];
        assert_eq!(
            told(&mut import, first),
            ["1 Invalid email format", "2 internal error", "3 unavailable", "4 unavailable"]
        );
        assert_eq!(told(&mut import, vec![line("none", "Ada"), line("c@b.c", "Cid")]).len(), 2);
        assert_eq!(told(&mut import, vec![line("c@b.c", "Cid")]), ["7 unavailable"]);
    }

    #[test]
    fn a_line_that_fails_alone_stops_no_other() {
        let mut store = MockUserRepository::new();
        store.expect_create_many().times(3).returning(|new| {
            let made = new.into_iter().map(|(new, commit)| {
                if new.email.as_str() == "held@b.c" {
                    return Err(Failure::Unavailable("somebody else has it".into()));
                }
                Ok(Written::Now(User::created(UserId::new(7).unwrap(), new, commit.at)))
            });
            Ok(made.collect())
        });
        let mut import = import(store, PLAIN);

        let all = vec![line("held@b.c", "Ada"), line("none", "Ada"), line("c@b.c", "Cid")];
        let expected = ["1 unavailable", "2 Invalid email format", "3 Created(UserId(7))"];
        assert_eq!(told(&mut import, all), expected);
        assert_eq!(told(&mut import, vec![line("held@b.c", "Ada")]), ["4 unavailable"]);
        assert_eq!(told(&mut import, vec![line("d@b.c", "Dan")]), ["5 Created(UserId(7))"]);
    }

    #[test]
    fn a_store_that_fails_at_a_later_transaction_fails_from_there_on() {
        let mut store = MockUserRepository::new();
        store.expect_create_many().return_once(|new| {
            let user = User::created(UserId::new(7).unwrap(), new[0].0.clone(), new[0].1.at);
            let away = || Err(Failure::Unavailable("away".into()));
            Ok(vec![Ok(Written::Now(user)), away(), away()])
        });
        let mut import = import(store, PLAIN);

        let all = vec![line("a@b.c", "Ada"), line("b@b.c", "Bob"), line("c@b.c", "Cid")];
        assert_eq!(told(&mut import, all), ["1 Created(UserId(7))", "2 unavailable", "3 unavailable"]);
    }
}
