//! The requests that are measured, and which answers to them are right.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::generator::{Asked, Work};
use crate::kit::{Http, USERS, user_path};

/// How many users are on a page that is measured.
const PAGE: usize = 20;

/// A user by a random id.
#[derive(Clone, Copy)]
pub(super) struct Get(pub(super) usize);

impl Work for Get {
    fn next(&self, _: usize, nth: usize) -> Asked {
        let id = random(nth, self.0);
        Asked::new("GET", &user_path(id), "", "", move |answer| is_user(id, answer.status, answer.body))
    }
}

fn is_user(id: usize, status: u16, body: &str) -> bool {
    status == 200 && body.starts_with(&beginning(id)) && body.ends_with('}')
}

/// The beginning of a user who was seeded, whatever became of the name.
fn beginning(id: usize) -> String {
    format!(r#"{{"id":{id},"email":"user{id}@example.org","name":"#)
}

/// A page from a random place on.
pub(super) struct Pages {
    users: usize,
    cursor: Vec<u8>,
}

impl Pages {
    /// Of so many users. A cursor is opaque to clients, which have it from the page before; who is to begin
    /// anywhere makes it of one: its last eight bytes are an id. A wrong one would be refused.
    pub(super) async fn of(http: &Http, users: usize) -> Self {
        let first = http.get(&format!("{USERS}?limit={PAGE}")).await.page();
        let cursor = URL_SAFE_NO_PAD.decode(first.next.expect("there is another page")).expect("a cursor");
        Self { users, cursor }
    }
}

impl Work for Pages {
    fn next(&self, _: usize, nth: usize) -> Asked {
        let after = random(nth, self.users - PAGE);
        let mut cursor = self.cursor.clone();
        let id = cursor.len() - 8;
        cursor[id..].copy_from_slice(&(after as u64).to_be_bytes());
        let cursor = URL_SAFE_NO_PAD.encode(cursor);
        Asked::new("GET", &format!("{USERS}?limit={PAGE}&after={cursor}"), "", "", move |answer| {
            let first = answer.body.strip_prefix(r#"{"items":["#);
            answer.status == 200
                && first.is_some_and(|first| first.starts_with(&beginning(after + 1)))
                && answer.body.contains(&beginning(after + PAGE))
                && answer.body.matches(r#""version":"#).count() == PAGE
        })
    }
}

/// A user who is new; `name` sets those of one generator apart from others.
pub(super) struct Creates(pub(super) String);

impl Work for Creates {
    fn next(&self, _: usize, nth: usize) -> Asked {
        let email = format!("{}{nth:07}@example.org", self.0);
        let body = format!(r#"{{"email": "{email}", "name": "Name of {nth:07}"}}"#);
        let told = format!(r#","email":"{email}","name":"Name of {nth:07}","created_at":""#);
        Asked::new("POST", USERS, "", &body, move |answer| {
            answer.status == 201 && answer.body.contains(&told)
        })
    }
}

/// A user whose e-mail another one has, of so many.
pub(super) struct Taken(pub(super) usize);

impl Work for Taken {
    fn next(&self, _: usize, nth: usize) -> Asked {
        let body = format!(r#"{{"email": "user{}@example.org", "name": "Another"}}"#, random(nth, self.0));
        Asked::new("POST", USERS, "", &body, |answer| {
            answer.status == 400 && answer.body.contains(r#""message":"Email already exists""#)
        })
    }
}

/// A user who breaks both rules.
pub(super) struct Invalid;

impl Work for Invalid {
    fn next(&self, _: usize, nth: usize) -> Asked {
        let body = format!(r#"{{"email": "nobody{nth}", "name": "x"}}"#);
        Asked::new("POST", USERS, "", &body, |answer| {
            answer.status == 422
                && answer.body.contains("Invalid email format; Name must be at least 2 characters")
        })
    }
}

/// Which version each seeded user has by now.
#[derive(Clone)]
pub(super) struct Versions(Arc<[AtomicI64]>);

impl Versions {
    /// The first, of so many users.
    pub(super) fn of(users: usize) -> Self {
        Self((0..=users).map(|_| AtomicI64::new(1)).collect())
    }
}

/// A change of a random user, by who knows the version. So that it is known, each of so many clients changes users
/// of its own.
pub(super) struct Changes {
    pub(super) versions: Versions,
    pub(super) clients: usize,
}

impl Work for Changes {
    /// By a name that the user never had: one who is called so already is left as it is.
    fn next(&self, client: usize, nth: usize) -> Asked {
        let each = (self.versions.0.len() - 1) / self.clients;
        let id = client * each + random(nth, each);
        let versions = self.versions.clone();
        let version = versions.0[id].load(Ordering::Relaxed);
        let body = format!(r#"{{"name": "Changed {version} times"}}"#);
        let told = format!(r#","name":"Changed {version} times","created_at":""#);
        let condition = format!("If-Match: \"{version}\"\r\n");
        Asked::new("PATCH", &user_path(id), &condition, &body, move |answer| {
            versions.0[id].store(version + 1, Ordering::Relaxed);
            answer.status == 200
                && answer.body.contains(&told)
                && answer.body.ends_with(&format!(r#""version":{}}}"#, version + 1))
        })
    }
}

/// 90 reads, 8 creates and 2 changes of a hundred requests, and how long its reads took.
pub(super) struct Mix {
    pub(super) users: usize,
    pub(super) creates: Creates,
    pub(super) changes: Changes,
    pub(super) took: Arc<Mutex<Vec<Duration>>>,
}

impl Work for Mix {
    fn next(&self, client: usize, nth: usize) -> Asked {
        match nth % 50 {
            0..4 => self.creates.next(client, nth),
            4 => self.changes.next(client, nth),
            _ => {
                let (id, took) = (random(nth, self.users), self.took.clone());
                Asked::new("GET", &user_path(id), "", "", move |answer| {
                    took.lock().unwrap_or_else(PoisonError::into_inner).push(answer.took);
                    is_user(id, answer.status, answer.body)
                })
            }
        }
    }
}

/// One of the numbers from 1 to `most`, another one for each `nth`, and the same each time (`SplitMix64`).
pub(super) fn random(nth: usize, most: usize) -> usize {
    let mut mixed = (nth as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    usize::try_from((mixed ^ (mixed >> 31)) % most as u64).expect("it is less than `most`") + 1
}
