use std::collections::BTreeSet;

use futures_util::future::{join, join_all};
use futures_util::{StreamExt, TryStreamExt};

use super::behaviours;
use super::cancellation::{POLLS, drop_after, give_way};
use super::given::{commit, email, many, name, named, new, prefix, receipt, rename, time, user};
use crate::ports::{UserRepository, UserRepositoryError as Error};
use crate::{
    Order, Page, PageLimit, Precondition, Receipt, User, UserChanges, UserFilter, UserId, UserQuery, Version,
    Written,
};

/// The names of the behaviours, handed to another macro.
#[doc(hidden)]
#[macro_export]
macro_rules! __users_behaviours {
    ([$($then:tt)+] $($with:tt)*) => {
        $($then)+! { [
            a_created_user_reads_back_the_same,
            an_absent_user_is_none,
            users_are_found_by_many_emails_at_once,
            of_reads_at_once_each_has_its_own_answer,
            of_pages_at_once_each_is_what_was_asked_for,
            a_dropped_read_leaves_others_their_answers,
            any_text_that_the_rules_allow_is_kept,
            a_taken_email_is_refused_and_changes_nothing,
            of_fifty_concurrent_creates_of_one_email_one_wins,
            ids_are_never_reused,
            an_update_changes_what_it_names_and_nothing_else,
            an_update_that_changes_nothing_leaves_the_version,
            an_update_under_a_clock_that_went_back_keeps_the_time,
            an_update_to_a_taken_email_is_refused_and_changes_nothing,
            an_absent_user_is_neither_updated_nor_deleted,
            a_write_takes_effect_at_the_versions_it_names,
            a_write_at_another_version_is_refused_and_changes_nothing,
            another_version_is_told_before_a_taken_email,
            of_concurrent_updates_at_one_version_one_wins,
            no_update_is_lost_under_concurrent_conditional_writers,
            concurrent_updates_at_any_version_all_count,
            a_deleted_user_is_gone_and_its_email_free,
            of_concurrent_deletes_one_wins,
            pages_follow_each_other_in_both_orders,
            pages_neither_skip_nor_repeat_while_users_come_and_go,
            a_filter_by_email_is_exact,
            a_filter_by_name_is_a_prefix_in_any_case,
            wildcards_in_a_filter_stand_for_themselves,
            a_total_counts_what_the_filter_holds_for,
            many_creates_have_an_outcome_each,
            no_creates_have_no_outcomes,
            an_export_has_every_user_in_the_order_of_ids,
            an_export_is_a_snapshot_that_holds_up_no_writer,
            an_export_that_is_dropped_harms_nothing,
            a_repeated_receipt_brings_back_the_first_outcome,
            a_receipt_works_for_every_write,
            a_receipt_that_changed_no_user_changes_none_later,
            a_receipt_for_something_else_is_refused,
            a_receipt_is_free_again_when_it_expires,
            a_write_that_fails_leaves_its_receipt_free,
            receipts_of_different_scopes_are_apart,
            many_creates_honour_a_receipt_each,
            of_concurrent_writes_with_one_receipt_one_takes_effect,
            a_dropped_write_takes_effect_wholly_or_not_at_all,
        ] $($with)* }
    };
}

__users_behaviours! {
    [behaviours]
    /// What a [`UserRepository`] promises.
    USERS: UsersCheck(users)
}

async fn found(users: &dyn UserRepository, id: UserId) -> User {
    users.find(id).await.expect("users can be read").expect("the user is there")
}

async fn list(users: &dyn UserRepository, query: UserQuery) -> Page<User> {
    users.list(&query).await.expect("users can be listed")
}

async fn all(users: &dyn UserRepository) -> Vec<User> {
    users.export().try_concat().await.expect("users can be exported")
}

fn limit(limit: i64) -> PageLimit {
    PageLimit::new(limit).unwrap()
}

async fn a_created_user_reads_back_the_same(users: &dyn UserRepository) {
    let created = users.create(new("ada"), commit(1)).await.unwrap();
    let Written::Now(ada) = created else {
        panic!("the create took effect: {created:?}");
    };

    assert_eq!(ada, User::created(ada.id, new("ada"), time(1)));
    assert_eq!(found(users, ada.id).await, ada);
    assert_eq!(users.find_by_email(&ada.email).await.unwrap(), Some(ada));
}

async fn an_absent_user_is_none(users: &dyn UserRepository) {
    for id in [1, i64::MAX] {
        assert_eq!(users.find(UserId::new(id).unwrap()).await.unwrap(), None);
    }
    assert_eq!(users.find_by_email(&email("nobody@example.org")).await.unwrap(), None);
}

async fn users_are_found_by_many_emails_at_once(users: &dyn UserRepository) {
    let there = many(users, 3).await;
    let nobody = (0..500).map(|nth| email(&format!("nobody{nth}@example.org")));
    let asked: Vec<_> = [&there[2], &there[0], &there[2]].map(|user| user.email.clone()).into();

    let found = users.find_by_emails(&nobody.chain(asked).collect::<Vec<_>>()).await.unwrap();

    assert_eq!(found, [there[0].clone(), there[2].clone()]);
    assert_eq!(users.find_by_emails(&[]).await.unwrap(), []);
}

/// How often reads are made at once: a store may read by another way once it has one.
const TIMES: usize = 5;

async fn of_reads_at_once_each_has_its_own_answer(users: &dyn UserRepository) {
    let there = many(users, 20).await;
    let absent = [UserId::new(1_000_000).unwrap(), UserId::new(i64::MAX).unwrap()].map(|id| (id, None));
    let each = there.iter().map(|user| (user.id, Some(user.clone())));
    let asked: Vec<_> = each.clone().chain(absent).chain(each.rev()).collect();

    for _ in 0..TIMES {
        let answers = join_all(asked.iter().map(|(id, _)| users.find(*id))).await;
        for (answer, (_, expected)) in answers.into_iter().zip(&asked) {
            assert_eq!(answer.unwrap(), *expected);
        }
    }
}

async fn of_pages_at_once_each_is_what_was_asked_for(users: &dyn UserRepository) {
    let there = many(users, 9).await;
    let nobody = UserFilter { email: Some(email("nobody@example.org")), ..UserFilter::default() };
    let filters =
        [UserFilter::default(), UserFilter { email: Some(there[4].email.clone()), ..nobody.clone() }, nobody];
    let mut queries = Vec::new();
    for filter in filters {
        for order in [Order::Ascending, Order::Descending] {
            for after in [None, Some(there[0].id), Some(there[3].id), Some(there[8].id)] {
                for limit in [1, 3, 100].map(limit) {
                    queries.push(UserQuery {
                        filter: filter.clone(),
                        order,
                        after,
                        limit,
                        with_total: false,
                    });
                }
            }
        }
    }
    let mut alone = Vec::new();
    for query in &queries {
        alone.push(list(users, query.clone()).await);
    }

    for _ in 0..TIMES {
        let together = join_all(queries.iter().map(|query| users.list(query))).await;
        for ((page, expected), query) in together.into_iter().zip(&alone).zip(&queries) {
            assert_eq!(page.unwrap(), *expected, "{query:?}");
        }
    }
}

async fn a_dropped_read_leaves_others_their_answers(users: &dyn UserRepository) {
    let (ada, bob) = (user(users, "ada").await, user(users, "bob").await);
    for polls in POLLS {
        let (dropped, read) = (drop_after(polls, users.find(ada.id)), found(users, bob.id));
        assert_eq!(join(dropped, read).await.1, bob);
        let query = UserQuery::default();
        let (dropped, read) = (drop_after(polls, users.list(&query)), list(users, query.clone()));
        assert_eq!(join(dropped, read).await.1.items, [ada.clone(), bob.clone()]);
    }
}

async fn any_text_that_the_rules_allow_is_kept(users: &dyn UserRepository) {
    let longest = "界".repeat(200);
    let names =
        ["O'Neil \"Bob\" \\ %_;--", "Ana Lívia 👩‍👩‍👧‍👦", "אליאב ח'טיב", "$1 ? :name {}", "ß İ Σς", &longest];
    for (nth, called) in names.into_iter().enumerate() {
        let created = users.create(named(&format!("x{nth}+'\"\\%_é"), called), commit(0)).await;
        let created = created.unwrap().into_inner();
        assert_eq!(created.name.as_str(), called);
        assert_eq!(found(users, created.id).await, created);
    }
}

async fn a_taken_email_is_refused_and_changes_nothing(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;

    let again = users.create(named("ada", "Another Ada"), commit(1)).await;

    assert!(matches!(again, Err(Error::EmailTaken)), "{again:?}");
    assert_eq!(all(users).await, [ada]);
}

async fn of_fifty_concurrent_creates_of_one_email_one_wins(users: &dyn UserRepository) {
    let outcomes = join_all((0..50).map(|_| users.create(new("ada"), commit(0)))).await;

    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for outcome in lost {
        assert!(matches!(outcome, Err(Error::EmailTaken)), "{outcome:?}");
    }
    assert_eq!(all(users).await.len(), 1);
}

async fn ids_are_never_reused(users: &dyn UserRepository) {
    let mut last = user(users, "first").await.id;
    for round in 0..3 {
        users.delete(last, Precondition::Any, commit(1)).await.unwrap();
        let next = user(users, &format!("next{round}")).await.id;
        assert!(next > last, "{next} comes after {last}");
        last = next;
    }
}

async fn an_update_changes_what_it_names_and_nothing_else(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    let bob = user(users, "bob").await;
    let moved = UserChanges { email: Some(email("countess@example.org")), ..UserChanges::default() };

    let renamed = users.update(ada.id, rename("Ada King"), Precondition::Any, commit(5)).await;
    let renamed = renamed.unwrap().into_inner();
    let expected = User { name: name("Ada King"), updated_at: time(5), version: ada.version.next(), ..ada };
    assert_eq!(renamed, expected);

    let moved = users.update(renamed.id, moved, Precondition::Any, commit(6)).await.unwrap().into_inner();
    let expected = User {
        email: email("countess@example.org"),
        updated_at: time(6),
        version: renamed.version.next(),
        ..renamed
    };
    assert_eq!(moved, expected);
    assert_eq!(all(users).await, [moved, bob]);
}

async fn an_update_that_changes_nothing_leaves_the_version(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    for same in [UserChanges::default(), new("ada").into()] {
        let outcome = users.update(ada.id, same, Precondition::Any, commit(5)).await.unwrap();
        assert_eq!(outcome, Written::Now(ada.clone()));
        assert_eq!(found(users, ada.id).await, ada);
    }
}

async fn an_update_under_a_clock_that_went_back_keeps_the_time(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;

    let updated = users.update(ada.id, rename("Ada King"), Precondition::Any, commit(-60)).await;

    assert_eq!(updated.unwrap().into_inner().updated_at, ada.updated_at);
    assert_eq!(found(users, ada.id).await.updated_at, ada.updated_at);
}

async fn an_update_to_a_taken_email_is_refused_and_changes_nothing(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    let bob = user(users, "bob").await;

    let outcome = users.update(bob.id, named("ada", "Bob").into(), Precondition::Any, commit(5)).await;

    assert!(matches!(outcome, Err(Error::EmailTaken)), "{outcome:?}");
    assert_eq!(all(users).await, [ada, bob]);
}

async fn an_absent_user_is_neither_updated_nor_deleted(users: &dyn UserRepository) {
    let gone = user(users, "gone").await.id;
    users.delete(gone, Precondition::Any, commit(1)).await.unwrap();
    for precondition in [Precondition::Any, Precondition::OneOf(vec![Version::FIRST])] {
        let updated = users.update(gone, rename("Nobody"), precondition.clone(), commit(2)).await;
        assert!(matches!(updated, Err(Error::NotFound(id)) if id == gone), "{updated:?}");
        let deleted = users.delete(gone, precondition, commit(2)).await;
        assert!(matches!(deleted, Err(Error::NotFound(id)) if id == gone), "{deleted:?}");
    }
}

async fn a_write_takes_effect_at_the_versions_it_names(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    let either = Precondition::OneOf(vec![ada.version.next().next(), ada.version]);

    let updated = users.update(ada.id, rename("Ada King"), either, commit(1)).await.unwrap().into_inner();
    let only = Precondition::OneOf(vec![updated.version]);
    let deleted = users.delete(ada.id, only, commit(2)).await.unwrap();

    assert_eq!(deleted, Written::Now(updated));
    assert_eq!(users.find(ada.id).await.unwrap(), None);
}

async fn a_write_at_another_version_is_refused_and_changes_nothing(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    for versions in [vec![], vec![ada.version.next()]] {
        let stale = Precondition::OneOf(versions);
        let changes = [rename("Ada King"), UserChanges::default()];
        for changes in changes {
            let updated = users.update(ada.id, changes, stale.clone(), commit(1)).await;
            assert!(
                matches!(updated, Err(Error::PreconditionFailed { current }) if current == ada.version),
                "{updated:?}"
            );
        }
        let deleted = users.delete(ada.id, stale, commit(1)).await;
        assert!(
            matches!(deleted, Err(Error::PreconditionFailed { current }) if current == ada.version),
            "{deleted:?}"
        );
    }
    assert_eq!(all(users).await, [ada]);
}

async fn another_version_is_told_before_a_taken_email(users: &dyn UserRepository) {
    user(users, "ada").await;
    let bob = user(users, "bob").await;
    let stale = Precondition::OneOf(vec![bob.version.next()]);

    let outcome = users.update(bob.id, new("ada").into(), stale, commit(1)).await;

    assert!(matches!(outcome, Err(Error::PreconditionFailed { .. })), "{outcome:?}");
}

async fn of_concurrent_updates_at_one_version_one_wins(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    let at_first = || Precondition::OneOf(vec![ada.version]);
    let rivals = (0..20).map(|n| users.update(ada.id, rename(&format!("Rival {n}")), at_first(), commit(1)));

    let (won, lost): (Vec<_>, Vec<_>) = join_all(rivals).await.into_iter().partition(Result::is_ok);

    assert_eq!(won.len(), 1);
    for outcome in lost {
        assert!(matches!(outcome, Err(Error::PreconditionFailed { .. })), "{outcome:?}");
    }
    let winner = won.into_iter().next().unwrap().unwrap().into_inner();
    assert_eq!(found(users, ada.id).await, winner);
}

async fn no_update_is_lost_under_concurrent_conditional_writers(users: &dyn UserRepository) {
    let counter = users.create(named("counter", "count 0"), commit(0)).await.unwrap().into_inner();
    let writers = (0..8).map(|_| async {
        for _ in 0..5 {
            count_one_more(users, counter.id).await;
        }
    });
    join_all(writers).await;

    let last = found(users, counter.id).await;
    assert_eq!(last.name.as_str(), "count 40");
    assert_eq!(last.version.get(), 41);
}

/// Reads, adds one, writes at the version that was read, until that succeeds.
async fn count_one_more(users: &dyn UserRepository, id: UserId) {
    loop {
        let read = found(users, id).await;
        // Also where a store is done at once, others come between.
        give_way().await;
        let count: u32 = read.name.as_str()["count ".len()..].parse().unwrap();
        let more = rename(&format!("count {}", count + 1));
        match users.update(id, more, Precondition::OneOf(vec![read.version]), commit(1)).await {
            Ok(_) => return,
            Err(Error::PreconditionFailed { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

async fn concurrent_updates_at_any_version_all_count(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    let rivals =
        (0..20).map(|n| users.update(ada.id, rename(&format!("Rival {n}")), Precondition::Any, commit(1)));

    let outcomes = join_all(rivals).await;

    let versions: BTreeSet<_> =
        outcomes.into_iter().map(|one| one.unwrap().into_inner().version.get()).collect();
    assert_eq!(versions, (2..=21).collect());
    assert_eq!(found(users, ada.id).await.version.get(), 21);
}

async fn a_deleted_user_is_gone_and_its_email_free(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;

    let deleted = users.delete(ada.id, Precondition::Any, commit(1)).await.unwrap();

    assert_eq!(deleted, Written::Now(ada.clone()));
    assert_eq!(users.find(ada.id).await.unwrap(), None);
    assert_eq!(users.find_by_email(&ada.email).await.unwrap(), None);
    assert_eq!(all(users).await, []);
    let again = user(users, "ada").await;
    assert_ne!(again.id, ada.id);
}

async fn of_concurrent_deletes_one_wins(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;

    let outcomes = join_all((0..10).map(|_| users.delete(ada.id, Precondition::Any, commit(1)))).await;

    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for outcome in lost {
        assert!(matches!(outcome, Err(Error::NotFound(_))), "{outcome:?}");
    }
}

/// The ids of all pages, each of at most three users.
async fn paged(users: &dyn UserRepository, order: Order) -> Vec<UserId> {
    let mut ids: Vec<UserId> = Vec::new();
    loop {
        let after = ids.last().copied();
        let page = list(users, UserQuery { order, after, limit: limit(3), ..UserQuery::default() }).await;
        assert!(page.items.len() == 3 || !page.more, "a page before the last is full");
        ids.extend(page.items.iter().map(|user| user.id));
        if !page.more {
            return ids;
        }
    }
}

async fn pages_follow_each_other_in_both_orders(users: &dyn UserRepository) {
    assert_eq!(paged(users, Order::Ascending).await, []);
    let mut ids: Vec<_> = many(users, 9).await.iter().map(|user| user.id).collect();

    assert_eq!(paged(users, Order::Ascending).await, ids);
    ids.reverse();
    assert_eq!(paged(users, Order::Descending).await, ids);
    let whole = list(users, UserQuery { limit: limit(9), ..UserQuery::default() }).await;
    assert_eq!((whole.items.len(), whole.more), (9, false));
}

async fn pages_neither_skip_nor_repeat_while_users_come_and_go(users: &dyn UserRepository) {
    for order in [Order::Ascending, Order::Descending] {
        let tag = format!("{order:?}").to_lowercase();
        let all = (0..8).map(|n| (new(&format!("{tag}{n}")), commit(0))).collect();
        let made = users.create_many(all).await.unwrap();
        let mut ids: Vec<_> = made.into_iter().map(|one| one.unwrap().into_inner().id).collect();
        if order == Order::Descending {
            ids.reverse();
        }
        let first = list(users, UserQuery { order, limit: limit(3), ..UserQuery::default() }).await;
        let seen: Vec<_> = first.items.iter().map(|user| user.id).collect();
        assert_eq!(seen, ids[..3]);

        // The one that the next page begins after goes, and so does one that is still to come.
        for gone in [ids[2], ids[4]] {
            users.delete(gone, Precondition::Any, commit(1)).await.unwrap();
        }
        let late = user(users, &format!("late{tag}")).await.id;
        let rest = list(users, UserQuery { order, after: Some(ids[2]), ..UserQuery::default() }).await;

        let rest: Vec<_> = rest.items.iter().map(|user| user.id).collect();
        let mut expected = vec![ids[3], ids[5], ids[6], ids[7]];
        expected.extend((order == Order::Ascending).then_some(late));
        assert_eq!(rest, expected);
        clear(users).await;
    }
}

async fn clear(users: &dyn UserRepository) {
    for user in all(users).await {
        users.delete(user.id, Precondition::Any, commit(1)).await.unwrap();
    }
}

async fn names(users: &dyn UserRepository, filter: UserFilter) -> Vec<String> {
    let page = list(users, UserQuery { filter, ..UserQuery::default() }).await;
    page.items.into_iter().map(|user| user.name.into_string()).collect()
}

fn by_name(begin: &str) -> UserFilter {
    UserFilter { name: Some(prefix(begin)), ..UserFilter::default() }
}

async fn a_filter_by_email_is_exact(users: &dyn UserRepository) {
    many(users, 3).await;
    let by_email = |text: &str| UserFilter { email: Some(email(text)), ..UserFilter::default() };

    assert_eq!(names(users, by_email("user1@example.org")).await, ["Name of user1"]);
    assert_eq!(names(users, by_email("user@example.org")).await, [""; 0]);
    let both = UserFilter { name: Some(prefix("nobody")), ..by_email("user1@example.org") };
    assert_eq!(names(users, both).await, [""; 0]);
}

async fn a_filter_by_name_is_a_prefix_in_any_case(users: &dyn UserRepository) {
    let called =
        ["Émile Zola", "ÉMILE DURKHEIM", "Emile Ajar", "Οδός", "ΟΔΟΣ Α", "李坤", "Zoë", "zz\u{10ffff}"];
    for (nth, called) in called.into_iter().enumerate() {
        users.create(named(&format!("n{nth}"), called), commit(0)).await.unwrap();
    }
    for (prefix, expected) in [
        ("émi", vec!["Émile Zola", "ÉMILE DURKHEIM"]),
        ("ÉMILE Z", vec!["Émile Zola"]),
        ("mile", vec![]),
        ("οδος", vec!["ΟΔΟΣ Α"]),
        ("ΟΔΌΣ", vec!["Οδός"]),
        ("李", vec!["李坤"]),
        ("z", vec!["Zoë", "zz\u{10ffff}"]),
        ("ZZ\u{10ffff}", vec!["zz\u{10ffff}"]),
        ("\u{10ffff}", vec![]),
    ] {
        assert_eq!(names(users, by_name(prefix)).await, expected, "{prefix}");
    }
    assert_eq!(names(users, by_name("")).await, called);
}

async fn wildcards_in_a_filter_stand_for_themselves(users: &dyn UserRepository) {
    let called = ["100% Ada", "100 Ada", "a_b", "axb", "c\\d", "c\\\\d", "[ab]c", "*any"];
    for (nth, called) in called.into_iter().enumerate() {
        users.create(named(&format!("w{nth}"), called), commit(0)).await.unwrap();
    }
    for (prefix, expected) in [
        ("100%", vec!["100% Ada"]),
        ("%", vec![]),
        ("a_", vec!["a_b"]),
        ("_", vec![]),
        ("c\\", vec!["c\\d", "c\\\\d"]),
        ("c\\\\", vec!["c\\\\d"]),
        ("[ab]", vec!["[ab]c"]),
        ("*", vec!["*any"]),
        ("'", vec![]),
    ] {
        assert_eq!(names(users, by_name(prefix)).await, expected, "{prefix}");
    }
}

async fn a_total_counts_what_the_filter_holds_for(users: &dyn UserRepository) {
    let made = many(users, 12).await;
    let query =
        UserQuery { limit: limit(2), after: Some(made[3].id), with_total: true, ..UserQuery::default() };

    assert_eq!(list(users, query.clone()).await.total, Some(12));
    let some = UserQuery { filter: by_name("name of user1"), ..query.clone() };
    assert_eq!(list(users, some).await.total, Some(3));
    assert_eq!(list(users, UserQuery { with_total: false, ..query }).await.total, None);
}

async fn many_creates_have_an_outcome_each(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    let mut asked: Vec<_> = (0..1_000).map(|n| (new(&format!("many{n}")), commit(1))).collect();
    asked[0].0 = named("ada", "Taken before");
    asked[500].0 = named("many499", "Taken by the one before");
    asked[999].0 = named("many1", "Taken long before");

    let outcomes = users.create_many(asked.clone()).await.unwrap();

    assert_eq!(outcomes.len(), asked.len());
    let mut expected = vec![ada];
    for (nth, (outcome, (new, commit))) in outcomes.into_iter().zip(asked).enumerate() {
        if [0, 500, 999].contains(&nth) {
            assert!(matches!(outcome, Err(Error::EmailTaken)), "{nth}: {outcome:?}");
            continue;
        }
        let Ok(Written::Now(user)) = outcome else {
            panic!("{nth} was created: {outcome:?}");
        };
        assert_eq!(user, User::created(user.id, new, commit.at));
        assert!(user.id > expected.last().unwrap().id, "ids grow in the order that was asked");
        expected.push(user);
    }
    assert_eq!(all(users).await, expected);
}

async fn no_creates_have_no_outcomes(users: &dyn UserRepository) {
    assert!(users.create_many(Vec::new()).await.unwrap().is_empty());
}

async fn an_export_has_every_user_in_the_order_of_ids(users: &dyn UserRepository) {
    assert_eq!(all(users).await, []);
    let mut made = many(users, 2_500).await;
    let gone = made.remove(1_200);
    users.delete(gone.id, Precondition::Any, commit(1)).await.unwrap();

    assert_eq!(all(users).await, made);
}

async fn an_export_is_a_snapshot_that_holds_up_no_writer(users: &dyn UserRepository) {
    let made = many(users, 2_500).await;
    let mut export = users.export();
    let mut exported = export.next().await.unwrap().unwrap();
    assert!(exported.len() < made.len(), "an export comes in batches");

    let (first, last) = (made.first().unwrap().id, made.last().unwrap().id);
    users.update(last, rename("Changed"), Precondition::Any, commit(1)).await.unwrap();
    users.delete(first, Precondition::Any, commit(1)).await.unwrap();
    users.delete(made[2_000].id, Precondition::Any, commit(1)).await.unwrap();
    user(users, "late").await;

    while let Some(batch) = export.next().await {
        exported.extend(batch.unwrap());
    }
    assert_eq!(exported, made);
    assert_eq!(all(users).await.len(), 2_499);
}

async fn an_export_that_is_dropped_harms_nothing(users: &dyn UserRepository) {
    let made = many(users, 2_500).await;
    for _ in 0..30 {
        drop(users.export());
        let mut export = users.export();
        export.next().await.unwrap().unwrap();
    }
    user(users, "late").await;
    assert_eq!(all(users).await.len(), made.len() + 1);
}

async fn a_repeated_receipt_brings_back_the_first_outcome(users: &dyn UserRepository) {
    let once = || commit(0).once(receipt("first"));
    let Written::Now(first) = users.create(new("ada"), once()).await.unwrap() else {
        panic!("the first write takes effect");
    };
    users.update(first.id, rename("Ada King"), Precondition::Any, commit(1)).await.unwrap();
    assert_eq!(users.create(new("ada"), once()).await.unwrap(), Written::Before(first.clone()));

    users.delete(first.id, Precondition::Any, commit(2)).await.unwrap();
    assert_eq!(users.create(new("ada"), once()).await.unwrap(), Written::Before(first));
    assert_eq!(all(users).await, []);
}

async fn a_receipt_works_for_every_write(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    let update =
        || users.update(ada.id, rename("Ada King"), Precondition::Any, commit(1).once(receipt("update")));
    let king = update().await.unwrap().into_inner();
    assert_eq!(update().await.unwrap(), Written::Before(king.clone()));

    let nothing =
        || users.update(ada.id, rename("Ada King"), Precondition::Any, commit(2).once(receipt("nothing")));
    assert_eq!(nothing().await.unwrap(), Written::Now(king.clone()));
    users.update(ada.id, rename("Ada"), Precondition::Any, commit(3)).await.unwrap();
    assert_eq!(nothing().await.unwrap(), Written::Before(king));
    assert_eq!(found(users, ada.id).await.name, name("Ada"));

    let delete = || users.delete(ada.id, Precondition::Any, commit(4).once(receipt("delete")));
    let last = delete().await.unwrap().into_inner();
    assert_eq!(delete().await.unwrap(), Written::Before(last));

    let acknowledge = || users.acknowledge(receipt("acknowledge"), time(5));
    assert_eq!(acknowledge().await.unwrap(), Written::Now(()));
    assert_eq!(acknowledge().await.unwrap(), Written::Before(()));
}

async fn a_receipt_that_changed_no_user_changes_none_later(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    users.acknowledge(receipt("nothing"), time(0)).await.unwrap();
    let again = || commit(1).once(receipt("nothing"));

    for outcome in [
        users.create(new("bob"), again()).await,
        users.create_many(vec![(new("bob"), again())]).await.unwrap().remove(0),
        users.update(ada.id, rename("Ada King"), Precondition::Any, again()).await,
        users.delete(ada.id, Precondition::Any, again()).await,
    ] {
        assert!(matches!(outcome, Err(Error::AlreadyAcknowledged)), "{outcome:?}");
    }
    assert_eq!(all(users).await, [ada]);
}

async fn a_receipt_for_something_else_is_refused(users: &dyn UserRepository) {
    let ada = users.create(new("ada"), commit(0).once(receipt("used"))).await.unwrap().into_inner();
    let other = Receipt { fingerprint: [8; 32], ..receipt("used") };
    let once = || commit(1).once(other.clone());

    let outcomes = [
        users.create(new("bob"), once()).await,
        users.update(ada.id, rename("Ada King"), Precondition::Any, once()).await,
        users.delete(ada.id, Precondition::Any, once()).await,
        users.create_many(vec![(new("bob"), once())]).await.unwrap().remove(0),
    ];
    for outcome in outcomes {
        assert!(matches!(outcome, Err(Error::ReceiptReused)), "{outcome:?}");
    }
    let acknowledged = users.acknowledge(other, time(1)).await;
    assert!(matches!(acknowledged, Err(Error::ReceiptReused)), "{acknowledged:?}");
    assert_eq!(all(users).await, [ada]);
}

async fn a_receipt_is_free_again_when_it_expires(users: &dyn UserRepository) {
    let ada = users.create(new("ada"), commit(0).once(receipt("used"))).await.unwrap().into_inner();

    let early = users.create(new("ada"), commit(3599).once(receipt("used"))).await.unwrap();
    assert_eq!(early, Written::Before(ada.clone()));

    let later = Receipt { fingerprint: [8; 32], expires_at: time(7200), ..receipt("used") };
    let bob = users.create(new("bob"), commit(3600).once(later.clone())).await.unwrap();
    let Written::Now(bob) = bob else {
        panic!("the receipt has expired: {bob:?}");
    };
    let again = users.create(new("bob"), commit(7199).once(later)).await.unwrap();
    assert_eq!(again, Written::Before(bob.clone()));
    assert_eq!(all(users).await, [ada, bob]);
}

async fn a_write_that_fails_leaves_its_receipt_free(users: &dyn UserRepository) {
    let ada = user(users, "ada").await;
    let bob = user(users, "bob").await;
    let stale = || Precondition::OneOf(vec![Version::FIRST.next()]);
    let once = || commit(1).once(receipt("failed"));

    users.create(new("ada"), once()).await.unwrap_err();
    users.update(bob.id, new("ada").into(), Precondition::Any, once()).await.unwrap_err();
    users.update(ada.id, rename("Ada King"), stale(), once()).await.unwrap_err();
    users.delete(ada.id, stale(), once()).await.unwrap_err();

    let created = users.create(new("eve"), once()).await.unwrap();
    assert!(matches!(created, Written::Now(_)), "{created:?}");
}

async fn receipts_of_different_scopes_are_apart(users: &dyn UserRepository) {
    for scope in ["one", "two"] {
        let receipt = Receipt { scope: scope.to_owned(), ..receipt("same key") };
        let created = users.create(new(scope), commit(0).once(receipt)).await.unwrap();
        assert!(matches!(created, Written::Now(_)), "{created:?}");
    }
}

async fn many_creates_honour_a_receipt_each(users: &dyn UserRepository) {
    let once = |local: &str| (new(local), commit(0).once(receipt(local)));
    let ada = users.create(new("ada"), once("ada").1).await.unwrap().into_inner();
    users.acknowledge(receipt("nothing"), time(0)).await.unwrap();
    let old = Receipt { expires_at: time(0), ..receipt("old") };
    users.create(new("old"), commit(0).once(old)).await.unwrap();
    let other = Receipt { fingerprint: [8; 32], ..receipt("ada") };
    let asked = vec![
        once("ada"),
        once("bob"),
        (new("ada"), commit(0).once(receipt("failed"))),
        (new("zoe"), commit(0).once(receipt("nothing"))),
        once("eve"),
        once("eve"),
        (new("kim"), commit(0).once(receipt("old"))),
        (new("liz"), commit(0)),
        (new("ada"), commit(0)),
        (new("zoe"), commit(0).once(other)),
        once("max"),
    ];

    let outcomes = users.create_many(asked).await.unwrap();

    let is_made = |nth: usize| matches!(&outcomes[nth], Ok(Written::Now(_)));
    let is_as =
        |nth: usize, user: &User| matches!(&outcomes[nth], Ok(Written::Before(as_made)) if as_made == user);
    let Ok(Written::Now(eve)) = &outcomes[4] else { panic!("eve is created: {outcomes:?}") };
    assert!([1, 6, 7, 10].into_iter().all(is_made), "{outcomes:?}");
    assert!(is_as(0, &ada) && is_as(5, eve), "{outcomes:?}");
    assert!(matches!(outcomes[2], Err(Error::EmailTaken)), "{outcomes:?}");
    assert!(matches!(outcomes[3], Err(Error::AlreadyAcknowledged)), "{outcomes:?}");
    assert!(matches!(outcomes[8], Err(Error::EmailTaken)), "{outcomes:?}");
    assert!(matches!(outcomes[9], Err(Error::ReceiptReused)), "{outcomes:?}");
    let locals: Vec<_> = all(users).await.iter().map(|user| user.email.as_str().to_owned()).collect();
    let expected =
        ["ada", "old", "bob", "eve", "kim", "liz", "max"].map(|local| format!("{local}@example.org"));
    assert_eq!(locals, expected);

    let free = users.create(new("zoe"), commit(0).once(receipt("failed"))).await.unwrap();
    assert!(matches!(free, Written::Now(_)), "a create that failed leaves its receipt free: {free:?}");
    let again = users.create_many(vec![once("bob"), once("max"), once("eve")]).await.unwrap();
    assert!(again.iter().all(|outcome| matches!(outcome, Ok(Written::Before(_)))), "{again:?}");
}

async fn of_concurrent_writes_with_one_receipt_one_takes_effect(users: &dyn UserRepository) {
    let rivals = (0..10).map(|_| users.create(new("ada"), commit(0).once(receipt("same"))));

    let outcomes = join_all(rivals).await;

    let now = outcomes.iter().filter(|outcome| matches!(outcome, Ok(Written::Now(_))));
    assert_eq!(now.count(), 1, "{outcomes:?}");
    for outcome in &outcomes {
        assert!(matches!(outcome, Ok(_) | Err(Error::ReceiptInProgress)), "{outcome:?}");
    }
    assert_eq!(all(users).await.len(), 1);
}

async fn a_dropped_write_takes_effect_wholly_or_not_at_all(users: &dyn UserRepository) {
    for polls in POLLS {
        let local = format!("dropped{polls}");
        let once = || commit(0).once(receipt(&local));
        drop_after(polls, users.create(new(&local), once())).await;

        // With its receipt, the same write says which of the two it was; either way it is done now.
        let user = users.create(new(&local), once()).await.unwrap().into_inner();
        assert_eq!(found(users, user.id).await, user);
        drop_after(polls, users.update(user.id, rename("Renamed"), Precondition::Any, commit(1))).await;
        drop_after(polls, users.delete(user.id, Precondition::Any, commit(2))).await;
        drop_after(polls, users.list(&UserQuery::default())).await;
        if let Some(left) = users.find(user.id).await.unwrap() {
            let renamed = left.name == name("Renamed");
            assert_eq!(renamed, left.version > user.version, "{left:?}");
        }
    }
}
