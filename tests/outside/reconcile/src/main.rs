//! `reconcile FIRST LAST`: makes a user of each person of the directory with an id from FIRST to LAST, and gives
//! users the names that their people have there. It works on the database that a Roster serves from, beside it,
//! by the same rules: its writes lose nobody's update, and are told as events like any other.
//!
//! `DATABASE_URL` and `DIRECTORY_URL` say where both are, `DIRECTORY_TOKEN` what the directory wants to see. It
//! tells a line for each change, and ends with 1 where something was left undone; it can be run again at any time.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use roster_directory_http::{DirectoryConfig, HttpDirectory};
use roster_domain::ports::{Clock, Directory, UserRepository};
use roster_domain::services::UserService;
use roster_domain::{
    BoxError, DirectoryId, DomainError, NewUser, Precondition, Timestamp, UserChanges, chain,
};
use roster_storage_postgres::{Postgres, PostgresConfig};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("reconcile: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// Tells how many people were left as they were, for some reason.
async fn run() -> Result<usize, BoxError> {
    let mut arguments = std::env::args().skip(1);
    let mut id =
        || arguments.next().and_then(|id| id.parse::<i64>().ok()).ok_or("usage: reconcile FIRST LAST");
    let (first, last) = (id()?, id()?);

    let database = Postgres::new(PostgresConfig::new(variable("DATABASE_URL")?))?;
    database.check_schema().await?;
    let mut config = DirectoryConfig::new(&variable("DIRECTORY_URL")?)?;
    config.bearer_token = std::env::var("DIRECTORY_TOKEN").ok();
    let store = Arc::new(database.users());
    let reconciler = Reconciler {
        directory: Arc::new(HttpDirectory::new(config)?),
        users: UserService::new(store.clone(), Arc::new(SystemClock)),
        store,
    };

    let mut left = 0;
    for id in (first..=last).filter_map(DirectoryId::new) {
        match reconciler.reconcile(id).await {
            Ok(Done::Nothing) => {}
            Ok(Done::Created(user)) => println!("person {id}: created user {user}"),
            Ok(Done::Renamed(user)) => println!("person {id}: renamed user {user}"),
            Err(error @ (DomainError::Validation(_) | DomainError::PreconditionFailed { .. })) => {
                println!("person {id}: left alone: {error}");
                left += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(left)
}

fn variable(name: &str) -> Result<String, BoxError> {
    std::env::var(name).map_err(|_| format!("{name} is to be set").into())
}

struct Reconciler {
    directory: Arc<dyn Directory>,
    store: Arc<dyn UserRepository>,
    users: UserService,
}

enum Done {
    Nothing,
    Created(i64),
    Renamed(i64),
}

impl Reconciler {
    /// Makes one user as its person is.
    async fn reconcile(&self, id: DirectoryId) -> Result<Done, DomainError> {
        let Some(person) = self.directory.find(id).await? else {
            return Ok(Done::Nothing);
        };
        let person = NewUser::try_from(person)?;
        let Some(user) = self.store.find_by_email(&person.email).await? else {
            let created = self.users.create(person, None).await?.into_inner();
            return Ok(Done::Created(created.id.get()));
        };
        if user.name == person.name {
            return Ok(Done::Nothing);
        }
        let renamed = UserChanges { name: Some(person.name), ..UserChanges::default() };
        self.users.update(user.id, renamed, Precondition::OneOf(vec![user.version])).await?;
        Ok(Done::Renamed(user.id.get()))
    }
}

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(micros).expect("the clock shows a year of four digits")
    }
}
