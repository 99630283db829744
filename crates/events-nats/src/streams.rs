//! The streams: how they are made, and whether those that are there will do.

use std::time::Duration;

use async_nats::jetstream::response::Response;
use async_nats::jetstream::stream::{
    Config, DiscardPolicy, RawMessage, RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};
use roster_domain::{BoxError, InboundEvent};
use serde_json::Value;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Within how long an event that is published again is not kept twice, at the least.
const DUPLICATES: Duration = Duration::from_secs(120);

/// One of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// What happened here.
    Roster,
    /// What others tell us.
    Directory,
    /// What others told us, and can never succeed.
    DeadLetters,
}

/// Where events of others are published.
pub(crate) const INBOUND: &str = "directory.people.*";
/// Where dead letters are published.
pub(crate) const DEAD_LETTERS: &str = "roster.dead-letters";

impl Name {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Roster => "ROSTER",
            Self::Directory => "DIRECTORY",
            Self::DeadLetters => "ROSTER_DEAD_LETTERS",
        }
    }

    const fn subject(self) -> &'static str {
        match self {
            Self::Roster => "roster.users.*",
            Self::Directory => INBOUND,
            Self::DeadLetters => DEAD_LETTERS,
        }
    }

    /// How long the stream keeps a message. Inbound events are forgotten before their receipts are, so that none
    /// can take effect twice; dead letters wait for somebody.
    const fn max_age(self) -> Duration {
        match self {
            Self::Roster => Duration::from_secs(7 * DAY.as_secs()),
            Self::Directory => Duration::from_secs(5 * DAY.as_secs()),
            Self::DeadLetters => Duration::ZERO,
        }
    }

    /// Within how long the same is not kept twice. Whoever makes a dead letter may die before its event is acknowledged,
    /// and nobody know of that until the event is forgotten.
    const fn duplicate_window(self) -> Duration {
        match self {
            Self::Roster | Self::Directory => DUPLICATES,
            Self::DeadLetters => Self::Directory.max_age(),
        }
    }

    fn config(self) -> Config {
        Config {
            name: self.as_str().to_owned(),
            subjects: vec![self.subject().to_owned()],
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::New,
            duplicate_window: self.duplicate_window(),
            max_age: self.max_age(),
            ..Config::default()
        }
    }

    /// The stream, made where it is not there. One that is there is not changed.
    ///
    /// # Errors
    ///
    /// Also where the one that is there would lose or refuse what it is for.
    pub(crate) async fn open(self, context: &Context) -> Result<Stream, BoxError> {
        let stream = context.get_or_create_stream(self.config()).await?;
        match self.unfit(&stream.cached_info().config) {
            Some(why) => Err(format!("the stream {} {why}", self.as_str()).into()),
            None => Ok(stream),
        }
    }

    /// The message that is asked for, as JSON, whatever its headers are; `None` where it is not there.
    pub(crate) async fn message(
        self,
        context: &Context,
        asked: &Value,
    ) -> Result<Option<RawMessage>, BoxError> {
        match context.request(format!("STREAM.MSG.GET.{}", self.as_str()), asked).await? {
            Response::Ok(Value::Object(mut shown)) => {
                Ok(shown.remove("message").map(serde_json::from_value).transpose()?)
            }
            Response::Ok(_) => Ok(None),
            Response::Err { error } if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
            Response::Err { error } => Err(error.into()),
        }
    }

    /// Why a stream of this name will not do.
    pub(crate) fn unfit(self, config: &Config) -> Option<&'static str> {
        if !config.subjects.iter().any(|subject| covers(subject, self.subject())) {
            Some("has other subjects")
        } else if config.storage != StorageType::File {
            Some("is kept in memory alone")
        } else if config.retention != RetentionPolicy::Limits {
            Some("forgets messages that somebody has read")
        } else if config.no_ack || config.sealed {
            Some("acknowledges no message")
        } else if self == Self::Directory && config.deny_delete {
            Some("has messages that cannot be deleted")
        } else if config.duplicate_window < DUPLICATES {
            Some("has a duplicate window under two minutes")
        } else {
            None
        }
    }

    /// Whether a stream of dead letters forgets one before its event is forgotten.
    pub(crate) fn keeps_twice(config: &Config) -> bool {
        config.duplicate_window < Self::Directory.max_age()
    }

    /// Whether a message that a stream has no more was removed by somebody, and will soon be taken again: what a limit
    /// removed was there, and may be missed for longer than others can wait.
    pub(crate) fn takes_again_soon(config: &Config) -> bool {
        config.discard == DiscardPolicy::New && config.duplicate_window <= DUPLICATES
    }

    /// Whether a stream keeps inbound events for longer than their receipts are kept, so that one that is
    /// delivered late could take effect twice.
    pub(crate) fn outlives_receipts(config: &Config) -> bool {
        config.max_age.is_zero() || config.max_age >= InboundEvent::REMEMBERED
    }
}

/// Whether every subject that fits `narrow` fits `wide` as well. A `*` is any token, a `>` all that follow.
fn covers(wide: &str, narrow: &str) -> bool {
    let (mut wide, mut narrow) = (wide.split('.'), narrow.split('.'));
    loop {
        match (wide.next(), narrow.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_covers_what_fits_it() {
        for (wide, narrow) in
            [("a.b.*", "a.b.*"), ("a.>", "a.b.*"), (">", "a"), ("a.*", "a.b"), ("a.b", "a.b")]
        {
            assert!(covers(wide, narrow), "{wide} {narrow}");
        }
        for (wide, narrow) in [("a.b", "a.*"), ("a.*", "a"), ("a.b.c", "a.b.*"), ("a.>", "a"), ("b.>", "a.b")]
        {
            assert!(!covers(wide, narrow), "{wide} {narrow}");
        }
    }

    #[test]
    fn a_stream_that_loses_what_it_is_for_will_not_do() {
        for name in [Name::Roster, Name::Directory, Name::DeadLetters] {
            assert_eq!(name.unfit(&name.config()), None);
            let unfit = |change: fn(&mut Config)| {
                let mut config = name.config();
                change(&mut config);
                name.unfit(&config).is_some()
            };
            assert!(unfit(|config| config.subjects = vec!["other.*".to_owned()]));
            assert!(unfit(|config| config.storage = StorageType::Memory));
            assert!(unfit(|config| config.retention = RetentionPolicy::WorkQueue));
            assert!(unfit(|config| config.no_ack = true));
            assert!(unfit(|config| config.duplicate_window = Duration::from_secs(1)));
        }
    }

    #[test]
    fn the_stream_of_inbound_events_forgets_before_receipts_do() {
        assert!(!Name::outlives_receipts(&Name::Directory.config()));
        assert!(Name::outlives_receipts(&Config { max_age: Duration::ZERO, ..Config::default() }));
    }
}
