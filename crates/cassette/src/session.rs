//! One use of a cassette: what is played, what is recorded, and what is saved in the end.

mod save;
mod tape;

use crate::builder::Config;
use crate::cassette::Report;
use crate::error::{Closest, Difference, Unanswered};
use crate::format::{Entry, Serializer};
use crate::interaction::{Interaction, RecordedRequest, RecordedResponse};
use crate::matcher::Prepared;
use crate::store::{self, Stored};
use crate::{Matcher, RecordMode, VcrError, coding};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tape::Tape;

/// A cassette in use, shared by its handle and its middlewares.
pub(crate) struct Session {
    config: Arc<Config>,
    path: PathBuf,
    serializer: Serializer,
    mode: RecordMode,
    /// Whether there was a cassette when the session began.
    found: bool,
    /// The bytes it was, to notice that another process has written since.
    original: Option<Vec<u8>>,
    extra: Vec<Entry>,
    state: Mutex<State>,
}

struct State {
    tape: Tape,
    finished: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub(crate) enum Decision {
    /// It goes to the network, and past the cassette.
    PassBy,
    /// This is its response.
    Play(RecordedResponse),
    /// It goes to the network, and its response here.
    Record(Recording),
}

/// The place on the tape of a response that is still to come. Places are taken in the order of the requests,
/// so that requests that race are recorded in the same order again. Dropped, it leaves nothing on the tape.
#[derive(Debug)]
pub(crate) struct Recording {
    session: Arc<Session>,
    place: usize,
}

impl Session {
    pub(crate) fn open(path: PathBuf, mode: RecordMode, config: Arc<Config>) -> Result<Self, VcrError> {
        let serializer = config.serializer.unwrap_or_else(|| Serializer::of(&path));
        let stored = store::load(&path, serializer, &config.limits)?;
        let found = stored.document.is_some();
        let original = stored.bytes.clone();
        let mut tape = Tape::new(config.match_on.clone(), config.strict_query);
        let extra = take_in(stored, &config, &mut tape)?;
        let state = Mutex::new(State { tape, finished: false });
        Ok(Self { config, path, serializer, mode, found, original, extra, state })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn mode(&self) -> RecordMode {
        self.mode
    }

    pub(crate) fn records_on_exception(&self) -> bool {
        self.config.record_on_exception
    }

    pub(crate) fn body_limit(&self) -> usize {
        self.config.limits.body_bytes
    }

    /// Whether a request goes past the cassette whatever its body is.
    pub(crate) fn ignores(&self, uri: &str) -> bool {
        self.config.filters.ignored.contains(uri)
    }

    pub(crate) fn decide(self: &Arc<Self>, request: RecordedRequest) -> Result<Decision, VcrError> {
        let Some(filtered) = self.config.filters.request(request) else {
            return Ok(Decision::PassBy);
        };
        let summary = self.config.filters.sensitive.hidden(&filtered).summary();
        let made = Prepared::new(filtered).map_err(VcrError::Filtered)?;
        let mut state = self.state();
        if state.finished {
            return Err(VcrError::Finished { path: self.path.clone(), request: summary });
        }
        if let Some(response) = self.play(&mut state.tape, &made) {
            drop(state);
            return self.playable(response, &made.request).map(Decision::Play);
        }
        if self.mode == RecordMode::None || (self.mode == RecordMode::Once && self.found) {
            return Err(self.unanswered(&state.tape, &made, summary).into_error());
        }
        let place = state.tape.reserve(made);
        Ok(Decision::Record(Recording { session: Arc::clone(self), place }))
    }

    fn play(&self, tape: &mut Tape, made: &Prepared) -> Option<RecordedResponse> {
        match self.mode {
            RecordMode::All => None,
            _ => tape.play(made, self.config.allow_playback_repeats),
        }
    }

    /// The response as a client is to see it. What was stored raw is played raw.
    fn playable(
        &self,
        mut response: RecordedResponse,
        request: &RecordedRequest,
    ) -> Result<RecordedResponse, VcrError> {
        if self.config.store_raw {
            response.headers.remove("transfer-encoding");
            return Ok(response);
        }
        let limit = self.body_limit();
        let too_large = |_| VcrError::Limit {
            what: format!(
                "the body recorded for {} unpacks to more than {limit} bytes (`max_body_bytes`)",
                self.config.filters.sensitive.hidden(request).summary()
            ),
        };
        coding::decode(&mut response, &request.method, limit).map_err(too_large)?;
        Ok(response)
    }

    /// The response as it is kept.
    fn kept(&self, mut response: RecordedResponse, request: &RecordedRequest) -> Option<RecordedResponse> {
        if !self.config.store_raw {
            // What unpacks to too much stays packed; playing it will say so.
            let _ = coding::decode(&mut response, &request.method, self.body_limit());
        }
        self.config.filters.response(response)
    }

    pub(crate) fn report(&self) -> Report {
        let state = self.state();
        let (played, unplayed) = state.tape.played_and_unplayed();
        let unplayed: Vec<_> = match self.mode {
            RecordMode::All => Vec::new(),
            _ => unplayed
                .into_iter()
                .map(|it| self.config.filters.sensitive.hidden(&it.request).summary())
                .collect(),
        };
        Report {
            played,
            recorded: state.tape.recorded().count(),
            unplayed: unplayed.len(),
            in_flight: state.tape.in_flight(),
            saved: false,
            unplayed_requests: unplayed,
        }
    }

    /// Everything on the tape, in order.
    pub(crate) fn interactions(&self) -> Vec<(RecordedRequest, RecordedResponse)> {
        let state = self.state();
        let loaded = state.tape.loaded().map(|(request, response, _)| (request, response));
        loaded
            .chain(state.tape.recorded())
            .map(|(it, response)| (it.request.clone(), response.clone()))
            .collect()
    }

    /// Lets no more requests in, and saves nothing.
    pub(crate) fn close(&self) {
        self.state().finished = true;
    }

    pub(crate) fn finish(&self) -> Result<Report, VcrError> {
        self.close();
        let mut report = self.report();
        report.saved = self.save()?;
        if self.config.require_all_played && report.unplayed > 0 {
            return Err(VcrError::Unplayed { path: self.path.clone(), requests: report.unplayed_requests });
        }
        Ok(report)
    }

    fn unanswered(&self, tape: &Tape, made: &Prepared, request: String) -> Unanswered {
        let (played, unplayed) = tape.played_and_unplayed();
        Unanswered {
            request,
            cassette: self.path.clone(),
            found: self.found,
            mode: self.mode,
            match_on: self.config.match_on.iter().map(|matcher| matcher.name().to_owned()).collect(),
            recorded: played + unplayed.len(),
            played,
            used_up: tape.used_up(made),
            closest: tape.closest(made).into_iter().map(|near| self.closest(made, &near)).collect(),
        }
    }

    fn closest(&self, made: &Prepared, near: &tape::Near<'_>) -> Closest {
        let sensitive = &self.config.filters.sensitive;
        let hidden = |prepared: &Prepared| Prepared::new(sensitive.hidden(&prepared.request));
        let shown = |matcher: &Matcher, prepared: &Prepared| match hidden(prepared) {
            Ok(hidden) => matcher.shown(&hidden, self.config.strict_query),
            Err(reason) => reason,
        };
        let differences = near.differing.iter().map(|matcher| Difference {
            matcher: matcher.name().to_owned(),
            made: shown(matcher, made),
            recorded: shown(matcher, near.request),
        });
        Closest {
            request: sensitive.hidden(&near.request.request).summary(),
            interaction: near.place + 1,
            played: near.played,
            differences: differences.collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A hook that panicked has changed nothing by halves.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Session {
    /// What is on the tape is left out: secrets are back on it.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Session")
            .field("path", &self.path)
            .field("mode", &self.mode)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// Keeps the response.
    pub(crate) fn keep(self, response: RecordedResponse) {
        let request = self.session.state().tape.request(self.place).clone();
        if let Some(response) = self.session.kept(response, &request) {
            self.session.state().tape.fill(self.place, response);
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.session.state().tape.abandon(self.place);
    }
}

/// Puts what was stored on the tape, filtered as new requests are; gives back what else the file held.
fn take_in(stored: Stored, config: &Config, tape: &mut Tape) -> Result<Vec<Entry>, VcrError> {
    let Some(document) = stored.document else {
        return Ok(Vec::new());
    };
    for mut interaction in document.interactions {
        config.filters.sensitive.restore(&mut interaction);
        let Interaction { request, response } = interaction;
        if let (Some(request), Some(response)) =
            (config.filters.request(request), config.filters.response(response))
        {
            tape.load(Prepared::new(request).map_err(VcrError::Filtered)?, response);
        }
    }
    Ok(document.extra)
}
