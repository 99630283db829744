use std::env;

use anyhow::anyhow;

/// Where people are looked up.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Directory")]
pub(crate) struct DirectoryConfig {
    /// The external directory.
    #[arg(
        id = "directory-url",
        long,
        env = "DIRECTORY_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help = "The external directory, asked at URL/users/ID: https, or http on this machine alone. \
                A bearer token for it is read from the variable DIRECTORY_TOKEN"
    )]
    pub url: Option<String>,
}

impl DirectoryConfig {
    /// The setting that says where the directory is.
    pub(crate) const URL: &'static str = "--directory-url (DIRECTORY_URL)";

    /// The variable that the token is read from.
    pub(crate) const TOKEN: &'static str = "DIRECTORY_TOKEN";

    /// The token that the directory asks for. There is no flag for it: everybody on the machine could read it.
    ///
    /// # Errors
    ///
    /// Where it could not stand in a header.
    pub(crate) fn bearer_token() -> anyhow::Result<Option<String>> {
        let Some(token) = env::var_os(Self::TOKEN).filter(|token| !token.is_empty()) else {
            return Ok(None);
        };
        let token =
            token.into_string().ok().filter(|token| token.bytes().all(|byte| byte.is_ascii_graphic()));
        token.map(Some).ok_or_else(|| anyhow!("must be visible ASCII characters"))
    }
}
