use crate::middleware::CassetteMiddleware;
use crate::session::Session;
use crate::{RecordMode, RecordedRequest, RecordedResponse, VcrError};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use std::path::Path;
use std::sync::Arc;

/// An open cassette: what a test plays from or records to, until [`finish`](Self::finish).
///
/// Dropped without `finish`, it saves what was recorded as well as it can and says on standard error what
/// went wrong; a test that panics saves too, unless `record_on_exception(false)`.
#[derive(Debug)]
#[must_use = "a cassette is saved when it is finished or dropped, so it must live as long as its test"]
pub struct Cassette {
    session: Arc<Session>,
    finished: bool,
}

/// What a cassette did, in interactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// How many recorded ones were played; each counts once, however often it was.
    pub played: usize,
    /// How many were recorded.
    pub recorded: usize,
    /// How many were in the cassette and not played; in mode `all`, where nothing plays, none.
    pub unplayed: usize,
    /// How many requests were still under way; they are not in the cassette.
    pub in_flight: usize,
    /// Whether the file was written.
    pub saved: bool,
    /// `METHOD uri` of each that was not played.
    pub unplayed_requests: Vec<String>,
}

impl Cassette {
    pub(crate) fn new(session: Session) -> Self {
        Self { session: Arc::new(session), finished: false }
    }

    /// A client that sends everything through this cassette.
    ///
    /// A client that follows redirects by itself shows the cassette only the last response. To record each
    /// hop, as vcrpy does, give it [`Policy::none`](reqwest::redirect::Policy::none) and put a
    /// [`RedirectMiddleware`](crate::RedirectMiddleware) before [`middleware`](Self::middleware).
    pub fn client(&self, base: reqwest::Client) -> ClientWithMiddleware {
        ClientBuilder::new(base).with(self.middleware()).build()
    }

    /// This cassette as a middleware: the last of its chain, so that what it records is what is sent.
    pub fn middleware(&self) -> CassetteMiddleware {
        CassetteMiddleware::new(Arc::clone(&self.session))
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        self.session.path()
    }

    /// The mode in force.
    pub fn record_mode(&self) -> RecordMode {
        self.session.mode()
    }

    /// The requests on the tape, as filtered: first those of the file, then those recorded in this session.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.session.interactions().into_iter().map(|(request, _)| request).collect()
    }

    /// The responses on the tape, in the order of the requests.
    pub fn responses(&self) -> Vec<RecordedResponse> {
        self.session.interactions().into_iter().map(|(_, response)| response).collect()
    }

    /// Whether everything that was in the file when it was opened has been played.
    pub fn all_played(&self) -> bool {
        self.session.report().unplayed == 0
    }

    /// Saves what was recorded, if anything, and tells what was done. Requests that come later fail.
    ///
    /// # Errors
    /// Nothing is written where something looks like a secret ([`VcrError::LeakRefused`]), where JSON should
    /// hold a binary body ([`VcrError::NotText`]), or where another process left an unreadable file. With
    /// `require_all_played`, [`VcrError::Unplayed`] comes after the file was saved.
    #[expect(
        clippy::unused_async,
        reason = "a place to wait for requests under way, without changing its callers"
    )]
    pub async fn finish(mut self) -> Result<Report, VcrError> {
        self.finished = true;
        self.session.finish()
    }
}

impl Drop for Cassette {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let panicking = std::thread::panicking();
        if panicking && !self.session.records_on_exception() {
            self.session.close();
            return;
        }
        let path = self.session.path().display().to_string();
        match self.session.finish() {
            Ok(report) if report.saved && !panicking => {
                eprintln!(
                    "the cassette {path} was saved when it was dropped; `finish` it to see what goes wrong"
                );
            }
            // The panic says more than what it left undone.
            Ok(_) | Err(VcrError::Unplayed { .. }) if panicking => {}
            Ok(_) => {}
            Err(error) => eprintln!("the cassette {path} was dropped without `finish`: {error}"),
        }
    }
}
