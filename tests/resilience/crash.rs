//! A service that is killed while it works.

use std::collections::{BTreeMap, BTreeSet};

use roster_domain::{Change, User as Stored};

use crate::kit::{Database, Http, Program, USERS, User, new_user, suite};

suite![every_acknowledged_user_is_there_with_one_event_after_a_crash];

const ROUNDS: usize = 5;
const WRITERS: usize = 8;
/// How many users each round acknowledges before the service is killed amid the next ones.
const ACKNOWLEDGED: usize = 40;

async fn every_acknowledged_user_is_there_with_one_event_after_a_crash(database: Database) {
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let roster = Program::serving(&database).serve().await;
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write((*roster).clone(), format!("{round}-{writer}"), told.clone())))
            .collect();
        drop(told);
        for _ in 0..ACKNOWLEDGED {
            acknowledged.push(heard.recv().await.expect("the service works until it is killed"));
        }
        roster.kill().await;
        for writer in writers {
            writer.await.expect("a writer sees right answers, or none");
        }
        while let Some(user) = heard.recv().await {
            acknowledged.push(user);
        }
    }

    let roster = Program::serving(&database).serve().await;
    let stored = all(&roster).await;
    for user in &acknowledged {
        assert_eq!(stored.get(&user.id), Some(user), "an acknowledged user is lost or changed");
    }
    let events = roster.events().await;
    let created: Vec<i64> = events
        .iter()
        .map(|event| match &event.change {
            Change::UserCreated(Stored { id, .. }) => id.get(),
            other => panic!("nobody asked for {other:?}"),
        })
        .collect();
    assert_eq!(created.len(), stored.len(), "users and events are one to one");
    assert_eq!(created.into_iter().collect::<BTreeSet<_>>(), stored.into_keys().collect());
}

/// Creates users until the service is gone.
async fn write(http: Http, name: String, told: tokio::sync::mpsc::UnboundedSender<User>) {
    for nth in 0.. {
        match http.post(USERS, &new_user(&format!("{name}-{nth}"))).attempt().await {
            Ok(answer) => told.send(answer.user(201)).unwrap(),
            Err(_) => return,
        }
    }
}

async fn all(http: &Http) -> BTreeMap<i64, User> {
    let mut all = BTreeMap::new();
    let mut target = format!("{USERS}?limit=100");
    loop {
        let page = http.get(&target).await.page();
        all.extend(page.items.into_iter().map(|user| (user.id, user)));
        let Some(next) = page.next else { return all };
        target = format!("{USERS}?limit=100&after={next}");
    }
}
