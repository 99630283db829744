//! The feed of events, held to the contract.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::http::Http;
use super::user::{TIMESTAMP, User, members};

/// Where events are.
pub(crate) const EVENTS: &str = "/api/v1/events";

/// Generous: it is there to end what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

const EVENT: [&str; 9] =
    ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "position", "data"];

/// A UUID of version 7 (RFC 9562 §5.7).
static UUID_V7: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$").unwrap()
});

/// An event, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) position: i64,
    /// What comes after `roster.user.` in its type.
    pub(crate) change: String,
    pub(crate) user: User,
}

/// A page of the feed.
#[derive(Debug, Clone)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<Event>,
    /// Where the `Link` to the next page leads, relative to this one.
    pub(crate) link: Option<String>,
    /// `Roster-Position`.
    pub(crate) position: i64,
}

impl Event {
    /// Reads what was `told` in an answer, and holds it to the contract.
    #[track_caller]
    pub(super) fn read(event: &Value, told: &str) -> Self {
        assert_eq!(members(event), EVENT.into(), "{told}");
        let user = User::read(&event["data"], told);
        let text = |member: &str| match event[member].as_str() {
            Some(text) => text.to_owned(),
            None => panic!("{member} is no string: {told}"),
        };
        assert_eq!(event["specversion"], json!("1.0"), "{told}");
        assert_eq!(event["source"], json!("/roster"), "{told}");
        assert_eq!(event["subject"], json!(format!("users/{}", user.id)), "{told}");
        assert_eq!(event["datacontenttype"], json!("application/json"), "{told}");
        let (id, kind, time) = (text("id"), text("type"), text("time"));
        assert!(UUID_V7.is_match(&id), "{id} is no UUID of version 7: {told}");
        assert!(TIMESTAMP.is_match(&time), "{time} is no time: {told}");
        let change = kind.strip_prefix("roster.user.").unwrap_or_else(|| panic!("type {kind}: {told}"));
        match change {
            "created" => assert!(user.version == 1 && time == user.created_at, "{told}"),
            "updated" => assert!(user.version > 1 && time == user.updated_at, "{told}"),
            "deleted" => assert!(time >= user.updated_at, "{told}"),
            _ => panic!("type {kind}: {told}"),
        }
        let position = event["position"].as_i64().filter(|position| *position >= 1);
        let position = position.unwrap_or_else(|| panic!("position: {told}"));
        Self { id, position, change: change.to_owned(), user }
    }

    /// What it did, in short: `created 1`.
    pub(crate) fn told(&self) -> String {
        format!("{} {}", self.change, self.user.version)
    }
}

impl Answer {
    /// An answer with a page of the feed.
    #[track_caller]
    pub(crate) fn events(&self) -> EventPage {
        let body = self.json_as(200, "application/cloudevents-batch+json");
        let events = body.as_array().unwrap_or_else(|| panic!("no array: {}", self.told()));
        let events: Vec<_> = events.iter().map(|event| Event::read(event, &self.told())).collect();
        let position = self.position();
        assert!(events.last().is_none_or(|last| last.position <= position), "{}", self.told());
        EventPage { events, link: self.next(), position }
    }
}

impl Http {
    /// The part of the feed that a query asks for.
    pub(crate) async fn feed(&self, query: &str) -> EventPage {
        self.get(&format!("{EVENTS}?{query}")).await.events()
    }

    /// Waits until the newest event has this position: it may get it a moment after the change.
    pub(crate) async fn fed_up_to(&self, position: i64) {
        let fed = async {
            while self.feed("limit=1").await.position < position {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, fed).await.unwrap_or_else(|_| panic!("nothing has position {position}"));
    }

    /// The events after a position, by the links of pages of this size, until there is none.
    pub(crate) async fn follow(&self, after: i64, limit: usize) -> Vec<Event> {
        let mut target = format!("{EVENTS}?after={after}&limit={limit}");
        let mut all = Vec::new();
        loop {
            let page = self.get(&target).await.events();
            assert!(page.link.is_none() || page.events.len() == limit, "{target}: a page is cut short");
            assert!(page.events.len() <= limit, "{target}: a page is too long");
            all.extend(page.events);
            let Some(link) = page.link else { return all };
            target = self.resolve(&target, &link);
        }
    }

    /// All events up to one that is made for this purpose, and left out: no change before it is missing.
    pub(crate) async fn all_events(&self) -> Vec<Event> {
        static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let last = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let last = self.user(&format!("last-event-{last}")).await;
        let all = async {
            loop {
                let mut all = self.follow(0, 1_000).await;
                if all.last().is_some_and(|event| event.user == last) {
                    all.pop();
                    return all;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, all).await.expect("every change gets its event")
    }
}

/// Positions follow each other from `first` on, no event comes twice, and each user's events are in the order of
/// its versions.
#[track_caller]
pub(crate) fn assert_in_order(events: &[Event], first: i64) {
    let positions: Vec<_> = events.iter().map(|event| event.position).collect();
    let expected: Vec<_> = (first..).take(events.len()).collect();
    assert_eq!(positions, expected, "positions have gaps, or disorder");
    let mut ids: Vec<_> = events.iter().map(|event| &event.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), events.len(), "an event comes twice");
    let mut versions = BTreeMap::new();
    for event in events {
        let user = &event.user;
        let next = versions.get(&user.id).map(|version| version + i64::from(event.change != "deleted"));
        assert!(next.is_none_or(|next| next == user.version), "{event:?} after version {versions:?}");
        versions.insert(user.id, user.version);
    }
}
