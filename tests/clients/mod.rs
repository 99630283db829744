//! Clients that others generate from the API's description.

mod python;

/// All tests of them.
pub(crate) fn suite() -> Vec<libtest_mimic::Trial> {
    python::suite()
}
