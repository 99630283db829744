use super::{Session, State, take_in};
use crate::format::{Entry, NotText, write};
use crate::interaction::{Interaction, RecordedResponse};
use crate::matcher::Prepared;
use crate::session::tape::Tape;
use crate::store::{self, Lock};
use crate::{RecordMode, VcrError};

impl Session {
    /// Writes the file if there is something to write; tells whether it did.
    pub(super) fn save(&self) -> Result<bool, VcrError> {
        let state = self.state();
        let recorded: Vec<_> = state.tape.recorded().collect();
        let unused = self.config.drop_unused_requests && state.tape.loaded().any(|(.., played)| !played);
        let replays = self.mode != RecordMode::All;
        if self.mode == RecordMode::None || (recorded.is_empty() && !(unused && replays)) {
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
            self.text(&self.merged(&theirs, &recorded), &extra)?
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

    /// In mode `all` what was recorded here takes the place of theirs; else theirs comes first.
    fn merged(&self, theirs: &Tape, recorded: &[(&Prepared, &RecordedResponse)]) -> Vec<Interaction> {
        let replaces = self.mode == RecordMode::All;
        let old = theirs
            .loaded()
            .filter(|(old, ..)| !replaces || recorded.iter().all(|(new, _)| !theirs.agree(new, old)));
        let new = recorded
            .iter()
            .filter(|(new, _)| replaces || theirs.loaded().all(|(old, ..)| !theirs.agree(new, old)));
        let old = old.map(|(request, response, _)| interaction(request, response));
        old.chain(new.map(|(request, response)| interaction(request, response))).collect()
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
        let findings = self.config.leak_gate.inspect(&hidden, &filters.post_data);
        if !findings.is_empty() {
            return Err(VcrError::LeakRefused { path: self.path.clone(), findings });
        }
        write(&hidden, extra, self.serializer)
            .map_err(|NotText(what)| VcrError::NotText { path: self.path.clone(), what })
    }
}

fn interaction(request: &Prepared, response: &RecordedResponse) -> Interaction {
    Interaction { request: request.request.clone(), response: response.clone() }
}
