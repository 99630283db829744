//! What the pure parts of a request take: to parse and judge a body, to write one, a cursor, and to play a cassette.

use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use reqwest::Client;
use roster::parts;
use roster_cassette::Vcr;
use roster_domain::{Email, Name, NewUser, Page, PageLimit, Position, Timestamp, User, UserId, UserQuery};

const BODY: &[u8] = br#"{"email": "  Ada.Lovelace@Example.ORG ", "name": "Ada Lovelace"}"#;
const BROKEN: &[u8] = br#"{"email": "not-an-email", "name": " x "}"#;
const PERSON: &str = "https://jsonplaceholder.typicode.com/users/1";

fn user(nth: i64) -> User {
    let email = Email::parse(&format!("user{nth}@example.org")).unwrap();
    let new = NewUser { email, name: Name::parse(&format!("User {nth}")).unwrap() };
    User::created(
        UserId::new(nth).unwrap(),
        new,
        Timestamp::from_micros(1_763_900_000_000_000 + nth).unwrap(),
    )
}

fn of_twenty() -> Page<User> {
    Page::cut((1..=21).map(user).collect(), PageLimit::default(), None, Position::START)
}

fn requests(c: &mut Criterion) {
    c.bench_function("read a new user", |b| b.iter(|| parts::new_user(black_box(BODY)).unwrap()));
    c.bench_function("refuse a new user", |b| {
        b.iter(|| assert!(parts::new_user(black_box(BROKEN)).is_none()))
    });
    let query = UserQuery::default();
    let last = UserId::new(123_456).unwrap();
    let cursor = parts::cursor(&query, last);
    c.bench_function("read a cursor", |b| {
        b.iter(|| parts::begins_after(black_box(&query), black_box(&cursor)).unwrap());
    });
}

fn answers(c: &mut Criterion) {
    let query = UserQuery::default();
    c.bench_function("write a user", |b| {
        b.iter_batched(|| user(7), |user| parts::user(user).unwrap(), BatchSize::SmallInput);
    });
    c.bench_function("write a page of 20", |b| {
        b.iter_batched(of_twenty, |page| parts::page(page, &query).unwrap(), BatchSize::SmallInput);
    });
    c.bench_function("write a cursor", |b| {
        b.iter(|| parts::cursor(black_box(&query), black_box(UserId::new(123_456).unwrap())));
    });
}

fn cassettes(c: &mut Criterion) {
    // The client is built with what the service turns on in it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cassettes");
    let vcr = Vcr::builder().cassette_library_dir(folder).allow_playback_repeats(true).build();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    c.bench_function("open a cassette and play it", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let cassette = vcr.use_cassette("directory_person_found.yaml").unwrap();
                let answer = cassette.client(Client::new()).get(PERSON).send().await.unwrap();
                assert_eq!(answer.status(), 200);
                cassette.finish().await.unwrap()
            })
        });
    });
    let cassette = vcr.use_cassette("directory_person_found.yaml").unwrap();
    let client = cassette.client(Client::new());
    c.bench_function("play an answer again", |b| {
        b.iter(|| runtime.block_on(async { client.get(PERSON).send().await.unwrap().text().await.unwrap() }));
    });
}

criterion_group!(benches, requests, answers, cassettes);
criterion_main!(benches);
