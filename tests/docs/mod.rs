//! What tells clients of the API: its description, and its pages.

mod openapi;

/// All tests of it.
pub(crate) fn suite() -> Vec<libtest_mimic::Trial> {
    openapi::suite()
}
