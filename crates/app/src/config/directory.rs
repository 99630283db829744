use std::env;

/// Where people are looked up.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Directory")]
pub struct DirectoryConfig {
    /// The external directory, asked at URL/users/ID; a bearer token for it is read from the variable
    /// `DIRECTORY_TOKEN` alone
    #[arg(
        id = "directory-url",
        long,
        env = "DIRECTORY_URL",
        global = true,
        hide_env_values = true,
        value_name = "URL",
        help = "The external directory, asked at URL/users/ID; a bearer token for it is read from DIRECTORY_TOKEN"
    )]
    pub url: Option<String>,
}

impl DirectoryConfig {
    /// The setting that says where the directory is.
    pub const URL: &'static str = "--directory-url (DIRECTORY_URL)";

    /// The token that the directory asks for. There is no flag for it: everybody on the machine could read it.
    pub fn bearer_token() -> Option<String> {
        env::var("DIRECTORY_TOKEN").ok().filter(|token| !token.is_empty())
    }
}
