//! How tests are registered, and what they are given.

use std::fmt::Display;
use std::future::Future;

use libtest_mimic::Trial;

use super::conduct::conduct;
use super::database::Backend;

/// The tests of one module.
pub(crate) struct Suite {
    module: &'static str,
    trials: Vec<Trial>,
}

/// Registers the tests of a module: `suite![a_user_is_created, an_email_is_unique];`. One that is missing
/// here is dead code, which the compiler tells.
///
/// A test is an `async fn` of one argument that says what it needs: a [`Roster`](super::Roster) runs once for
/// each database, on a database of its own. One without an argument needs nothing.
macro_rules! suite {
    ($($test:ident),+ $(,)?) => {
        pub(crate) fn suite() -> Vec<libtest_mimic::Trial> {
            let suite = $crate::kit::Suite::of(module_path!());
            $(let suite = suite.with(stringify!($test), $test);)+
            suite.into_trials()
        }
    };
}
pub(crate) use suite;

impl Suite {
    /// No tests yet.
    pub(crate) fn of(module: &'static str) -> Self {
        Self { module, trials: Vec::new() }
    }

    /// With this test too.
    #[must_use]
    pub(crate) fn with<Needs>(mut self, name: &str, test: impl Test<Needs>) -> Self {
        let module = self.module.split_once("::").map_or("", |(_, module)| module);
        self.trials.extend(test.trials(&format!("{module}::{name}")));
        self
    }

    /// For the harness.
    pub(crate) fn into_trials(self) -> Vec<Trial> {
        self.trials
    }
}

/// What a test is given, made anew for each.
pub(crate) trait Given: Sized + 'static {
    /// On which databases a test is run that is given this.
    const BACKENDS: &'static [Backend];

    /// Makes it; or tells why it cannot be had on this machine.
    fn given(on: Backend) -> impl Future<Output = Result<Self, String>>;
}

/// A function that can be registered.
pub(crate) trait Test<Needs> {
    /// One for each database.
    fn trials(self, name: &str) -> Vec<Trial>;
}

impl<F, Fut> Test<()> for F
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    fn trials(self, name: &str) -> Vec<Trial> {
        vec![trial(name, move || async move {
            self().await;
            Ok(())
        })]
    }
}

impl<F, G, Fut> Test<(G,)> for F
where
    F: FnOnce(G) -> Fut + Copy + Send + 'static,
    G: Given,
    Fut: Future<Output = ()>,
{
    fn trials(self, name: &str) -> Vec<Trial> {
        let on = |&backend: &Backend| {
            trial(format!("{name} [{backend}]"), move || async move {
                self(G::given(backend).await?).await;
                Ok(())
            })
        };
        G::BACKENDS.iter().map(on).collect()
    }
}

/// A test by its full name. It tells with an error what it needs and cannot have.
pub(crate) fn trial<F, Fut>(name: impl Display, test: F) -> Trial
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<(), String>>,
{
    let name = name.to_string();
    Trial::ignorable_test(name.clone(), move || conduct(&name, test))
}
