use crate::RecordMode;
use std::fmt;
use std::path::PathBuf;

/// A request that no recorded interaction answers, and why.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Unanswered {
    /// `METHOD uri`, as filtered.
    pub request: String,
    /// The cassette's file.
    pub cassette: PathBuf,
    /// Whether that file was there when the session began.
    pub found: bool,
    /// The mode in force.
    pub mode: RecordMode,
    /// The names of the matchers.
    pub match_on: Vec<String>,
    /// How many interactions the cassette holds.
    pub recorded: usize,
    /// How many of them were played.
    pub played: usize,
    /// How many recorded interactions agree in everything but were played already.
    pub used_up: usize,
    /// At most three recorded requests that come closest, the closest first.
    pub closest: Vec<Closest>,
}

/// A recorded request that is like the one made.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Closest {
    /// `METHOD uri`, as filtered.
    pub request: String,
    /// Its number in the cassette, from 1.
    pub interaction: usize,
    /// Whether it was played already.
    pub played: bool,
    /// In what it differs.
    pub differences: Vec<Difference>,
}

/// One part in which two requests differ.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Difference {
    /// The name of the matcher.
    pub matcher: String,
    /// The part of the request that was made.
    pub made: String,
    /// The part of the recorded one.
    pub recorded: String,
}

/// Why there is no answer; as long as no cassette was found, that alone counts.
#[derive(Clone, Copy)]
enum Reason {
    NotFound,
    AlreadyPlayed,
    NoMatch,
    NothingSimilar,
}

impl Unanswered {
    /// The error of the kind that fits.
    pub(crate) fn into_error(self) -> super::VcrError {
        use super::VcrError;
        match self.reason() {
            Reason::NotFound => VcrError::NotFound(self.into()),
            Reason::AlreadyPlayed => VcrError::AlreadyPlayed(self.into()),
            Reason::NoMatch => VcrError::NoMatch(self.into()),
            Reason::NothingSimilar => VcrError::NothingSimilar(self.into()),
        }
    }

    fn reason(&self) -> Reason {
        match (self.found, self.used_up, self.closest.is_empty()) {
            (false, ..) => Reason::NotFound,
            (true, 1.., _) => Reason::AlreadyPlayed,
            (true, 0, false) => Reason::NoMatch,
            (true, 0, true) => Reason::NothingSimilar,
        }
    }

    fn headline(&self, reason: Reason) -> String {
        let Self { request, mode, .. } = self;
        let why = match reason {
            Reason::NotFound => {
                return format!(
                    "{request}: there is no cassette to play, and record mode `{mode}` records none"
                );
            }
            Reason::AlreadyPlayed if self.used_up == 1 => "its one recording was played already".to_owned(),
            Reason::AlreadyPlayed => {
                format!("all {} recordings of it were played already", self.used_up)
            }
            Reason::NoMatch => {
                format!("no recording of it; the closest differs in {}", self.closest_differs_in())
            }
            Reason::NothingSimilar => "the cassette holds nothing like it".to_owned(),
        };
        format!("{request}: {why}; record mode `{mode}` adds nothing to a cassette")
    }

    fn closest_differs_in(&self) -> String {
        let names =
            self.closest.first().map(|closest| closest.differences.iter().map(|it| it.matcher.as_str()));
        names.map(|names| names.collect::<Vec<_>>().join(" and ")).unwrap_or_default()
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason();
        writeln!(out, "{}\n", self.headline(reason))?;
        writeln!(out, "  cassette:     {}", self.cassette.display())?;
        writeln!(out, "  record mode:  {}", self.mode)?;
        writeln!(out, "  match on:     {}", self.match_on.join(", "))?;
        writeln!(out, "  interactions: {} recorded, {} played", self.recorded, self.played)?;
        if matches!(reason, Reason::NoMatch) {
            writeln!(out, "\nClosest recorded requests:")?;
            for closest in &self.closest {
                write!(out, "{closest}")?;
            }
        }
        write!(out, "\nHow to fix:")?;
        advice(reason).iter().try_for_each(|line| write!(out, "\n  * {line}"))
    }
}

impl fmt::Display for Closest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let played = if self.played { " (played already)" } else { "" };
        writeln!(out, "  {}. {}{played}", self.interaction, self.request)?;
        for Difference { matcher, made, recorded } in &self.differences {
            let shown = |text: &str| {
                if text.is_empty() { "nothing".to_owned() } else { text.to_owned() }
            };
            writeln!(out, "     {matcher} differs: {} now, {} recorded", shown(made), shown(recorded))?;
        }
        Ok(())
    }
}

fn advice(reason: Reason) -> &'static [&'static str] {
    match reason {
        Reason::NotFound => &[
            "Record it: run the test once with VCR_RECORD_MODE=once, and commit the file.",
            "If it exists, check the name and `cassette_library_dir`; both are relative to the package.",
        ],
        Reason::AlreadyPlayed => &[
            "If the same answer may come each time: `allow_playback_repeats(true)`.",
            "If the request is new: record it with VCR_RECORD_MODE=new_episodes.",
        ],
        Reason::NoMatch => &[
            "If the request changed on purpose: record it with VCR_RECORD_MODE=new_episodes, or everything anew with \
             VCR_RECORD_MODE=all.",
            "If the difference is new at every run (a time, a random id): leave it out of `match_on`, or even it out in \
             `before_record_request`.",
        ],
        Reason::NothingSimilar => &[
            "To record it: run once with VCR_RECORD_MODE=new_episodes.",
            "If it should never be recorded: `ignore_hosts` or `ignore_localhost`.",
        ],
    }
}
