//! What tells clients of the API: its description, and its pages.

mod browser;
mod errors;
mod openapi;
mod pages;

/// All tests of it.
pub(crate) fn suite() -> Vec<libtest_mimic::Trial> {
    [browser::suite(), errors::suite(), openapi::suite(), pages::suite()].into_iter().flatten().collect()
}
