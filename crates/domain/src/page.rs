//! Lists, a page at a time, by keyset: a page begins after an id, so that rows which come or go
//! between two pages neither shift the next page nor repeat on it.

use crate::{Email, NamePrefix, Position, User, UserId, Violation};

/// Which users to list, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserQuery {
    /// Only users that all of these hold for.
    pub filter: UserFilter,
    /// In which order of ids.
    pub order: Order,
    /// Begin after this id, in the query's order; at the first user where `None`.
    pub after: Option<UserId>,
    /// How many users at the most.
    pub limit: PageLimit,
    /// Whether to count all users that the filter holds for, on whatever page.
    pub with_total: bool,
}

/// What users must have to be listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserFilter {
    /// Exactly this e-mail.
    pub email: Option<Email>,
    /// A name that begins so.
    pub name: Option<NamePrefix>,
}

impl UserFilter {
    /// Whether `user` is to be listed.
    pub fn matches(&self, user: &User) -> bool {
        self.email.as_ref().is_none_or(|email| *email == user.email)
            && self.name.as_ref().is_none_or(|name| name.matches(&user.name))
    }
}

/// The order of a list, by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// How many entities a page has at the most: 1 … 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u8);

impl PageLimit {
    /// The most that may be asked for.
    pub const MAX: u8 = 100;

    /// # Errors
    ///
    /// A violation of the field `limit` where it is not between 1 and [`PageLimit::MAX`].
    pub fn new(limit: i64) -> Result<Self, Violation> {
        let within = u8::try_from(limit).ok().filter(|limit| (1..=Self::MAX).contains(limit));
        within.map(Self).ok_or_else(|| out_of_range(Self::MAX.into()))
    }

    /// The limit as a number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for PageLimit {
    fn default() -> Self {
        Self(20)
    }
}

/// How many events a part of the feed has at the most: 1 … 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedLimit(u16);

impl FeedLimit {
    /// The most that may be asked for.
    pub const MAX: u16 = 1000;

    /// # Errors
    ///
    /// A violation of the field `limit` where it is not between 1 and [`FeedLimit::MAX`].
    pub fn new(limit: i64) -> Result<Self, Violation> {
        let within = u16::try_from(limit).ok().filter(|limit| (1..=Self::MAX).contains(limit));
        within.map(Self).ok_or_else(|| out_of_range(Self::MAX))
    }

    /// The limit as a number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for FeedLimit {
    fn default() -> Self {
        Self(100)
    }
}

fn out_of_range(max: u16) -> Violation {
    Violation::new("limit", format!("Limit must be between 1 and {max}"))
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on the page, in the order that was asked for.
    pub items: Vec<T>,
    /// Whether there is more after the last of `items`.
    pub more: bool,
    /// How many there are on all pages, where that was asked.
    pub total: Option<u64>,
    /// The position of the newest event of the feed when the page was read, or shortly before: whoever reads the
    /// events after it misses no change to what is on the page.
    pub newest: Position,
}

impl<T> Page<T> {
    /// A page of at most `limit` of `items`, which are one more than that where there is a next page.
    pub fn cut(mut items: Vec<T>, limit: PageLimit, total: Option<u64>, newest: Position) -> Self {
        let most = usize::from(limit.get());
        let more = items.len() > most;
        items.truncate(most);
        Self { items, more, total, newest }
    }
}
