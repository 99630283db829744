use super::{Session, State, take_in};
use crate::format::{Entry, NotText, write};
use crate::interaction::{Interaction, RecordedResponse};
use crate::matcher::Prepared;
use crate::session::tape::Tape;
use crate::store::{self, Lock};
use crate::{Matcher, RecordMode, VcrError};

impl Session {
    /// Writes the file if there is something to write; tells whether it did.
    pub(super) fn save(&self) -> Result<bool, VcrError> {
        let state = self.state();
        let recorded = state.tape.recorded().count();
        let unused = self.config.drop_unused_requests && state.tape.loaded().any(|(.., played)| !played);
        let replays = self.mode != RecordMode::All;
        if self.mode == RecordMode::None || (recorded == 0 && !(unused && replays)) {
            return Ok(false);
        }
        let _lock = Lock::hold(&self.path)?;
        let stored = store::load(&self.path, self.serializer, &self.config.limits)?;
        let before = stored.bytes.clone();
        let text = if stored.bytes == self.original {
            self.text(&self.chosen(&state), &self.extra)?
        } else {
            // Another process has written meanwhile: what it recorded stays, and what it has not is added.
            let mut theirs = Tape::new(self.config.match_on.clone(), self.config.strict_query);
            let extra = take_in(stored, &self.config, &mut theirs)?;
            self.text(&self.merged(&state, &theirs), &extra)?
        };
        if before.as_deref() != Some(text.as_bytes()) {
            store::replace(&self.path, &text)?;
        }
        Ok(true)
    }

    /// What of the file stays, and then what was recorded.
    fn chosen(&self, State { tape, .. }: &State) -> Vec<Interaction> {
        let drop_unused = self.config.drop_unused_requests;
        let stays = |request: &Prepared, played: bool| match self.mode {
            RecordMode::All => !drop_unused && tape.recorded().all(|(made, _)| !tape.agree(made, request)),
            _ => played || !drop_unused,
        };
        let old = tape.loaded().filter(|(request, _, played)| stays(request, *played));
        let old = old.map(|(request, response, _)| interaction(request, response));
        old.chain(tape.recorded().map(|(request, response)| interaction(request, response))).collect()
    }

    /// In mode `all` what was recorded here takes the place of theirs; else theirs comes first. What they have added
    /// since this session began gives way, or is given way to, only where it is the same request.
    fn merged(&self, State { tape, .. }: &State, theirs: &Tape) -> Vec<Interaction> {
        let replaces = self.mode == RecordMode::All;
        let same = |a: &Prepared, b: &Prepared| is_same(a, b) && tape.agree(a, b);
        let mut known: Vec<_> = tape.loaded().map(|(request, ..)| request).collect();
        let mut added = Vec::new();
        let mut merged = Vec::new();
        for (old, response, _) in theirs.loaded() {
            let is_added = !take(&mut known, |it| same(it, old));
            let agree = |new| if is_added { same(new, old) } else { tape.agree(new, old) };
            if !replaces || tape.recorded().all(|(new, _)| !agree(new)) {
                merged.push(interaction(old, response));
            }
            added.extend(is_added.then_some(old));
        }
        let new = tape.recorded().filter(|(new, _)| replaces || !take(&mut added, |it| same(new, it)));
        merged.extend(new.map(|(request, response)| interaction(request, response)));
        merged
    }

    /// The text of the file, once no secret is seen in it.
    fn text(&self, chosen: &[Interaction], extra: &[Entry]) -> Result<String, VcrError> {
        let filters = &self.config.filters;
        let mut hidden = chosen.to_vec();
        for interaction in &mut hidden {
            filters.response_headers(&interaction.request, &mut interaction.response);
            filters.sensitive.hide(interaction);
        }
        let hidden: Vec<_> = hidden.iter().collect();
        let findings = self.config.leak_gate.inspect(&hidden, filters);
        if !findings.is_empty() {
            return Err(VcrError::LeakRefused { path: self.path.clone(), findings });
        }
        let text = write(&hidden, extra, self.serializer);
        let text = text.map_err(|NotText(what)| VcrError::NotText { path: self.path.clone(), what })?;
        self.check_limits(hidden.len(), text.len())?;
        Ok(text)
    }

    /// Nothing is written that would not be read again.
    fn check_limits(&self, interactions: usize, bytes: usize) -> Result<(), VcrError> {
        let limits = &self.config.limits;
        store::check_size(&self.path, bytes as u64, limits)?;
        let most = limits.interactions;
        if interactions <= most {
            return Ok(());
        }
        let path = self.path.display();
        let what = format!(
            "the cassette {path} has {interactions} interactions; {most} are allowed (`max_interactions`)"
        );
        Err(VcrError::Limit { what })
    }
}

fn interaction(request: &Prepared, response: &RecordedResponse) -> Interaction {
    Interaction { request: request.request.clone(), response: response.clone() }
}

/// What is compared need not tell two requests apart: the body mostly is not.
fn is_same(a: &Prepared, b: &Prepared) -> bool {
    [Matcher::Method, Matcher::Uri, Matcher::Body].iter().all(|matcher| matcher.agrees(a, b, true))
}

/// Takes out the first that is wanted; tells whether there was one.
fn take<T>(from: &mut Vec<T>, is_wanted: impl FnMut(&T) -> bool) -> bool {
    from.iter().position(is_wanted).map(|at| from.remove(at)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RecordedRequest;
    use crate::builder::Config;
    use crate::session::Decision;
    use std::path::Path;
    use std::sync::Arc;

    fn open(path: &Path, mode: RecordMode) -> Arc<Session> {
        Arc::new(Session::open(path.to_owned(), mode, Arc::new(Config::default())).unwrap())
    }

    /// Sends a request with this body and, where it is not played, records an answer.
    fn send(session: &Arc<Session>, body: &'static str, answer: &'static str) {
        let request = RecordedRequest {
            method: "POST".into(),
            uri: "http://h/".into(),
            body: body.into(),
            ..RecordedRequest::default()
        };
        if let Decision::Record(recording) = session.decide(request).unwrap() {
            recording.keep(RecordedResponse {
                status: 200,
                body: answer.into(),
                ..RecordedResponse::default()
            });
        }
    }

    /// The body of each request in the file, and that of its answer.
    fn saved(path: &Path) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let interactions = open(path, RecordMode::None).interactions();
        interactions.iter().map(|(it, answer)| text(&it.body) + ":" + &text(&answer.body)).collect()
    }

    #[test]
    fn what_another_has_saved_takes_the_place_of_the_same_request_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        let first = open(&path, RecordMode::NewEpisodes);
        send(&first, "poll", "1");
        first.finish().unwrap();
        let (one, two) = (open(&path, RecordMode::NewEpisodes), open(&path, RecordMode::NewEpisodes));
        for body in ["poll", "poll", "from one"] {
            send(&one, body, "one");
        }
        // The first of these plays what was there when both were opened, and the second is also that of `one`.
        for body in ["poll", "poll", "poll", "from two"] {
            send(&two, body, "two");
        }
        one.finish().unwrap();
        two.finish().unwrap();
        assert_eq!(saved(&path), ["poll:1", "poll:one", "from one:one", "poll:two", "from two:two"]);
    }

    #[test]
    fn what_is_recorded_anew_takes_the_place_of_what_was_there_and_not_of_what_another_has_added() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        let first = open(&path, RecordMode::Once);
        send(&first, "old", "0");
        first.finish().unwrap();
        let (one, two) = (open(&path, RecordMode::NewEpisodes), open(&path, RecordMode::All));
        for body in ["old", "from one", "from both"] {
            send(&one, body, "one");
        }
        for body in ["from two", "from both"] {
            send(&two, body, "two");
        }
        one.finish().unwrap();
        two.finish().unwrap();
        assert_eq!(saved(&path), ["from one:one", "from two:two", "from both:two"]);
    }
}
