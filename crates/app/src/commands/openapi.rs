//! `roster openapi`: the API's description, for whoever has no server at hand.

use super::print;
use crate::failure::Failure;
use crate::http::openapi::render;

/// Prints the API's description. Nothing that is set is opened for it.
///
/// # Errors
///
/// Where it cannot be written.
pub(crate) fn openapi() -> Result<(), Failure> {
    Ok(print(&format!("{}\n", render()))?)
}
