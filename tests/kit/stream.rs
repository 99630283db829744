//! A client of server-sent events, as the HTML standard has them (§9.2), which holds each to the contract.

use std::collections::VecDeque;
use std::time::Duration;

use reqwest::Response;
use tokio::time::timeout;

use super::answer::Answer;
use super::feed::Event;

/// Generous: it is there to end what hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The feed as it comes.
pub(crate) struct Stream {
    response: Response,
    /// `Roster-Position`, when the stream began.
    pub(crate) position: i64,
    /// What is no whole line yet.
    bytes: Vec<u8>,
    /// The lines of what is no whole event yet.
    lines: Vec<String>,
    said: VecDeque<Said>,
}

/// What a stream says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Event(Event),
    /// A sign of life.
    Comment,
    /// How long to wait before connecting again, in milliseconds.
    Retry(u64),
}

impl Stream {
    pub(super) fn of(response: Response, head: &Answer) -> Self {
        assert_eq!(head.header("content-type"), "text/event-stream", "{}", head.told());
        assert_eq!(head.header("cache-control"), "no-cache", "{}", head.told());
        let (bytes, lines, said) = (Vec::new(), Vec::new(), VecDeque::new());
        Self { response, position: head.position(), bytes, lines, said }
    }

    /// What is said next; `None` where the stream has ended as it should.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        while self.said.is_empty() {
            let chunk = timeout(PATIENCE, self.response.chunk()).await.expect("a stream never is silent");
            let Some(chunk) = chunk.expect("a stream is not torn") else {
                assert!(self.bytes.is_empty() && self.lines.is_empty(), "a stream ends amid an event");
                return None;
            };
            for byte in chunk {
                self.take(byte);
            }
        }
        self.said.pop_front()
    }

    /// The next event, whatever else is said before.
    pub(crate) async fn event(&mut self) -> Event {
        let event = async {
            loop {
                match self.next().await.expect("the stream goes on") {
                    Said::Event(event) => return event,
                    Said::Comment | Said::Retry(_) => {}
                }
            }
        };
        timeout(PATIENCE, event).await.expect("an event comes")
    }

    /// That many events.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.event().await);
        }
        events
    }

    fn take(&mut self, byte: u8) {
        if byte != b'\n' {
            self.bytes.push(byte);
            return;
        }
        let line = String::from_utf8(std::mem::take(&mut self.bytes)).expect("a stream is UTF-8");
        if line.is_empty() {
            let lines = std::mem::take(&mut self.lines);
            self.said.extend(dispatch(&lines));
        } else if line.starts_with(':') {
            self.said.push_back(Said::Comment);
        } else {
            self.lines.push(line);
        }
    }
}

/// What lines say that an empty line ends.
fn dispatch(lines: &[String]) -> Option<Said> {
    let field = |name: &str| {
        let named = lines.iter().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let values: Vec<_> = named.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect();
        (!values.is_empty()).then(|| values.join("\n"))
    };
    if let Some(retry) = field("retry") {
        assert_eq!(lines.len(), 1, "{lines:?}");
        return Some(Said::Retry(retry.parse().expect("a number of milliseconds")));
    }
    let data = field("data")?;
    let event = Event::read(&serde_json::from_str(&data).expect("data is JSON"), &data);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(field("id"), Some(event.position.to_string()), "{lines:?}");
    assert_eq!(field("event"), Some(format!("roster.user.{}", event.change)), "{lines:?}");
    Some(Said::Event(event))
}
