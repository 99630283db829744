use std::sync::Arc;

use crate::ports::{Directory, DirectoryError};
use crate::services::UserService;
use crate::{DirectoryId, DirectoryPerson, DomainError, NewUser, User, Written};

/// What can be done with people of the external directory.
#[derive(Clone)]
pub struct DirectoryService {
    directory: Arc<dyn Directory>,
    users: UserService,
}

impl DirectoryService {
    /// A service on this port, and on the use cases of users.
    pub fn new(directory: Arc<dyn Directory>, users: UserService) -> Self {
        Self { directory, users }
    }

    /// The person with this id.
    pub async fn get(&self, id: DirectoryId) -> Result<DirectoryPerson, DomainError> {
        let person = self.directory.find(id).await?;
        person.ok_or_else(|| DomainError::person_not_found(id.get()))
    }

    /// Adds the user that a person of the directory makes, by the same rules as any other.
    pub async fn create_user(&self, id: DirectoryId) -> Result<Written<User>, DomainError> {
        let person = self.get(id).await?;
        self.users.create(NewUser::try_from(person)?, None).await
    }
}

impl From<DirectoryError> for DomainError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Unavailable { retry_after, source } => Self::Unavailable { retry_after, source },
            DirectoryError::TimedOut(source) => Self::UpstreamTimedOut(source),
            DirectoryError::Failed(source) => Self::UpstreamFailed(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_executor::block_on;
    use mockall::predicate::eq;

    use super::*;
    use crate::ports::MockDirectory;
    use crate::testing::{InMemory, ManualClock};

    type Found = Result<Option<DirectoryPerson>, DirectoryError>;

    fn id() -> DirectoryId {
        DirectoryId::new(7).unwrap()
    }

    fn person(email: &str) -> DirectoryPerson {
        let (name, username) = ("Leanne Graham".to_owned(), "Bret".to_owned());
        DirectoryPerson { id: id(), name, email: email.to_owned(), username }
    }

    fn service(found: impl Fn() -> Found + Send + 'static) -> DirectoryService {
        let mut directory = MockDirectory::new();
        directory.expect_find().with(eq(id())).returning(move |_| found());
        let users = UserService::new(Arc::new(InMemory::default()), Arc::new(ManualClock::default()));
        DirectoryService::new(Arc::new(directory), users)
    }

    #[test]
    fn a_person_makes_a_user_once_by_the_rules_of_every_other() {
        let service = service(|| Ok(Some(person(" Sincere@April.biz"))));

        let user = block_on(service.create_user(id())).unwrap().into_inner();
        let again = block_on(service.create_user(id())).unwrap_err();

        assert_eq!((user.email.as_str(), user.name.as_str()), ("sincere@april.biz", "Leanne Graham"));
        assert_eq!(again.to_string(), "Email already exists");
    }

    #[test]
    fn a_person_that_breaks_the_rules_makes_no_user() {
        let error = block_on(service(|| Ok(Some(person("none")))).create_user(id())).unwrap_err();
        assert!(matches!(&error, DomainError::Validation(_)), "{error:?}");
        assert_eq!(error.to_string(), "Invalid email format");
    }

    #[test]
    fn a_person_that_the_directory_does_not_have_is_not_found() {
        let service = service(|| Ok(None));
        for error in
            [block_on(service.get(id())).unwrap_err(), block_on(service.create_user(id())).unwrap_err()]
        {
            assert_eq!(error.to_string(), "Person 7 not found");
        }
    }

    #[test]
    fn each_error_of_the_directory_is_the_one_of_the_domain() {
        let retry_after = Duration::from_secs(9);
        let away = service(move || Err(DirectoryError::Unavailable { retry_after, source: "open".into() }));
        let error = block_on(away.get(id())).unwrap_err();
        assert!(matches!(error, DomainError::Unavailable { retry_after: after, .. } if after == retry_after));
        let error = block_on(service(|| Err(DirectoryError::TimedOut("slow".into()))).get(id())).unwrap_err();
        assert!(matches!(error, DomainError::UpstreamTimedOut(_)), "{error:?}");
        let error = block_on(service(|| Err(DirectoryError::Failed("500".into()))).get(id())).unwrap_err();
        assert!(matches!(error, DomainError::UpstreamFailed(_)), "{error:?}");
    }
}
