use std::str::FromStr;

/// When requests are recorded and when they are replayed; vcrpy's record modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordMode {
    /// Records everything while there is no cassette; once there is one, replays it and refuses anything
    /// else.
    Once,
    /// Replays what is recorded and records the rest.
    NewEpisodes,
    /// Replays only. Nothing is sent, and nothing is written.
    None,
    /// Sends everything. What is recorded anew takes the place of what it matches; the rest of the cassette
    /// stays.
    All,
}

/// A record mode by a name that is none.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no record mode; there are once, new_episodes, none and all")]
pub struct UnknownMode(String);

/// The environment variable that decides before the program does.
pub(crate) const VARIABLE: &str = "VCR_RECORD_MODE";

impl RecordMode {
    /// The name, as in vcrpy.
    pub fn name(self) -> &'static str {
        match self {
            Self::Once => "once",
            Self::NewEpisodes => "new_episodes",
            Self::None => "none",
            Self::All => "all",
        }
    }

    /// The mode in force: that of the variable `VCR_RECORD_MODE`, else the one chosen, else `none` under
    /// `CI`, else `once`.
    pub(crate) fn in_force(
        chosen: Option<Self>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, UnknownMode> {
        let set = |name| variable(name).filter(|value| !value.trim().is_empty());
        if let Some(name) = set(VARIABLE) {
            return name.trim().parse();
        }
        let ci = set("CI")
            .is_some_and(|value| !["0", "false", "no"].contains(&value.trim().to_lowercase().as_str()));
        Ok(chosen.unwrap_or(if ci { Self::None } else { Self::Once }))
    }
}

impl std::fmt::Display for RecordMode {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.name())
    }
}

impl FromStr for RecordMode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        match name {
            "once" => Ok(Self::Once),
            "new_episodes" | "any" => Ok(Self::NewEpisodes),
            "none" => Ok(Self::None),
            "all" => Ok(Self::All),
            _ => Err(UnknownMode(name.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_force(chosen: Option<RecordMode>, variables: &[(&str, &str)]) -> Result<RecordMode, UnknownMode> {
        let find = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        RecordMode::in_force(chosen, find)
    }

    #[test]
    fn the_variable_comes_first_then_the_choice_then_ci() {
        assert_eq!(in_force(None, &[]), Ok(RecordMode::Once));
        assert_eq!(in_force(None, &[("CI", "true")]), Ok(RecordMode::None));
        assert_eq!(in_force(None, &[("CI", "false")]), Ok(RecordMode::Once));
        assert_eq!(in_force(Some(RecordMode::All), &[("CI", "1")]), Ok(RecordMode::All));
        let both = [("CI", "1"), ("VCR_RECORD_MODE", "new_episodes")];
        assert_eq!(in_force(Some(RecordMode::All), &both), Ok(RecordMode::NewEpisodes));
        assert!(in_force(None, &[("VCR_RECORD_MODE", "sometimes")]).is_err());
    }
}
