//! How one test is run: within a deadline, with what it said kept until it is known whether it failed.

use std::any::Any;
use std::cell::RefCell;
use std::fmt::Write as _;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Completion, Failed};
use tokio::time::timeout;

use super::process::Log;
use super::run::Run;
use super::scale::deadline;

thread_local! {
    /// What the test of this thread said when it panicked.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

tokio::task_local! {
    /// The logs of the processes that a test started.
    static LOGS: Arc<Mutex<Vec<Log>>>;
}

/// Keeps a test's panic for its report, where the standard hook would print it amid those of other tests.
pub(crate) fn catch_panics() {
    let standard = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if LOGS.try_with(|_| ()).is_err() {
            return standard(panic);
        }
        PANIC.with_borrow_mut(|told| {
            told.get_or_insert_with(|| panic.to_string());
        });
    }));
}

/// Shows this log if the present test fails.
pub(super) fn show_on_failure(log: &Log) {
    // A process started outside of a test has no test to fail with.
    let _ = LOGS.try_with(|logs| logs.lock().unwrap_or_else(PoisonError::into_inner).push(log.clone()));
}

/// Runs a test to its end, on the thread of the harness.
pub(super) fn conduct<F, Fut>(name: &str, test: F) -> Result<Completion, Failed>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<(), String>>,
{
    let run = Run::current();
    let logs = Arc::<Mutex<Vec<Log>>>::default();
    let deadline = deadline();
    let bounded = async { timeout(deadline, test()).await };
    let outcome = catch_unwind(AssertUnwindSafe(|| run.handle().block_on(LOGS.scope(logs.clone(), bounded))));
    let failure = match outcome {
        Ok(Ok(Ok(()))) => return Ok(Completion::Completed),
        Ok(Ok(Err(missing))) => {
            run.is_untested(name, &missing);
            return Ok(Completion::ignored_with("not tested: see the end of this report"));
        }
        Ok(Err(_)) => format!("{name} did not end within {} seconds", deadline.as_secs()),
        Err(panic) => PANIC.take().unwrap_or_else(|| message(&*panic)),
    };
    let logs = std::mem::take(&mut *logs.lock().unwrap_or_else(PoisonError::into_inner));
    Err(with_logs(failure, &logs).into())
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref().copied()).unwrap_or("the test panicked").to_owned()
}

fn with_logs(mut report: String, logs: &[Log]) -> String {
    for (nth, log) in logs.iter().enumerate() {
        let _ = write!(report, "\n--- process {} of this test ---\n{log}", nth + 1);
    }
    report
}
