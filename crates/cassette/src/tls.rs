//! Whose cryptography the TLS of a test's clients takes, where reqwest leaves that to the program.

/// Chooses ring, unless the program has chosen already. A reqwest built with `rustls-no-provider`, by whatever
/// crate of a workspace, makes no client before somebody chose.
#[cfg(feature = "ring")]
pub(crate) fn choose_provider() {
    // An error says that there is a choice already, which stands.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Leaves the choice to the program.
#[cfg(not(feature = "ring"))]
pub(crate) fn choose_provider() {}
