use std::time::Duration;

use futures_util::future::join_all;

use super::StagedDirectory;
use super::behaviours;
use super::cancellation::{POLLS, drop_after};
use crate::ports::DirectoryError;
use crate::testing::Condition;
use crate::{DirectoryId, DirectoryPerson};

/// The names of the behaviours, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __directory_behaviours {
    ([$($then:tt)+] $($with:tt)*) => {
        $($then)+! { [
            a_person_is_told_as_the_directory_has_it,
            an_absent_person_is_none,
            a_directory_that_fails_has_failed,
            a_directory_that_says_nothing_takes_too_long,
            a_directory_that_talks_nonsense_has_failed,
            another_person_than_was_asked_for_is_a_failure,
            a_directory_that_keeps_failing_is_left_alone,
            absent_people_are_no_reason_to_leave_a_directory_alone,
            calls_at_once_have_an_answer_each,
            a_dropped_call_harms_no_later_one,
        ] $($with)* }
    };
}

__directory_behaviours! {
    [behaviours]
    /// What a [`Directory`](crate::ports::Directory) promises.
    DIRECTORY: DirectoryCheck(staged)
}

/// As often as a directory may be asked, at most, before it is left alone.
const OFTEN: usize = 100;

fn id(number: i64) -> DirectoryId {
    DirectoryId::new(number).unwrap()
}

fn person(number: i64) -> DirectoryPerson {
    DirectoryPerson {
        id: id(number),
        name: format!("Person {number}"),
        email: format!("person{number}@example.org"),
        username: format!("person{number}"),
    }
}

/// Asks for a person that is there, while the directory fares so.
async fn asked(staged: &dyn StagedDirectory, condition: Condition) -> DirectoryError {
    staged.add(person(1)).await;
    staged.fare(condition).await;
    let found = staged.directory().find(id(1)).await;
    found.expect_err("a directory in trouble is of no help")
}

async fn a_person_is_told_as_the_directory_has_it(staged: &dyn StagedDirectory) {
    let odd = DirectoryPerson {
        name: "  Zoë \"O'Neil\" 李 👩‍👩‍👧\n".to_owned(),
        email: " Not.An@E-Mail ".to_owned(),
        username: String::new(),
        ..person(2)
    };
    let last = person(i64::MAX);
    for one in [&odd, &person(1), &last] {
        staged.add(one.clone()).await;
    }

    for one in [person(1), odd, last] {
        assert_eq!(staged.directory().find(one.id).await.unwrap(), Some(one));
    }
}

async fn an_absent_person_is_none(staged: &dyn StagedDirectory) {
    assert_eq!(staged.directory().find(id(1)).await.unwrap(), None);
    staged.add(person(1)).await;
    for absent in [2, 11, i64::MAX] {
        assert_eq!(staged.directory().find(id(absent)).await.unwrap(), None);
    }
}

async fn a_directory_that_fails_has_failed(staged: &dyn StagedDirectory) {
    let error = asked(staged, Condition::Failing).await;
    assert!(matches!(error, DirectoryError::Failed(_)), "{error:?}");

    staged.fare(Condition::Well).await;
    let found = staged.directory().find(id(1)).await.expect("one failure is forgiven");
    assert_eq!(found, Some(person(1)));
}

async fn a_directory_that_says_nothing_takes_too_long(staged: &dyn StagedDirectory) {
    let error = asked(staged, Condition::Silent).await;
    assert!(matches!(error, DirectoryError::TimedOut(_)), "{error:?}");
}

async fn a_directory_that_talks_nonsense_has_failed(staged: &dyn StagedDirectory) {
    let error = asked(staged, Condition::TalkingNonsense).await;
    assert!(matches!(error, DirectoryError::Failed(_)), "{error:?}");
}

async fn another_person_than_was_asked_for_is_a_failure(staged: &dyn StagedDirectory) {
    let error = asked(staged, Condition::TellingOfSomebodyElse).await;
    assert!(matches!(error, DirectoryError::Failed(_)), "{error:?}");
}

async fn a_directory_that_keeps_failing_is_left_alone(staged: &dyn StagedDirectory) {
    staged.add(person(1)).await;
    staged.fare(Condition::Failing).await;
    for _ in 0..OFTEN {
        match staged.directory().find(id(1)).await {
            Err(DirectoryError::Failed(_)) => {}
            Err(DirectoryError::Unavailable { retry_after, .. }) => {
                assert!(retry_after > Duration::ZERO, "it is told when to try again");
                return;
            }
            other => panic!("it fails: {other:?}"),
        }
    }
    panic!("it was asked {OFTEN} times, and failed as often");
}

async fn absent_people_are_no_reason_to_leave_a_directory_alone(staged: &dyn StagedDirectory) {
    staged.add(person(1)).await;
    for _ in 0..OFTEN {
        assert_eq!(staged.directory().find(id(2)).await.unwrap(), None);
    }
    assert_eq!(staged.directory().find(id(1)).await.unwrap(), Some(person(1)));
}

async fn calls_at_once_have_an_answer_each(staged: &dyn StagedDirectory) {
    for number in [1, 3, 5, 7] {
        staged.add(person(number)).await;
    }

    let found = join_all((1..=8).map(|number| staged.directory().find(id(number)))).await;

    for (number, found) in (1..).zip(found) {
        assert_eq!(found.unwrap(), (number % 2 == 1).then(|| person(number)));
    }
}

async fn a_dropped_call_harms_no_later_one(staged: &dyn StagedDirectory) {
    staged.add(person(1)).await;
    for polls in POLLS {
        drop_after(polls, staged.directory().find(id(1))).await;
        assert_eq!(staged.directory().find(id(1)).await.unwrap(), Some(person(1)));
    }
}
