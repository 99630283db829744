//! The servers of these tests themselves: what a run takes for a leftover of another.

use crate::kit::{OnPostgres, Run, suite};

suite![a_sweep_spares_the_server_of_a_run_that_lives];

async fn a_sweep_spares_the_server_of_a_run_that_lives(OnPostgres(database): OnPostgres) {
    // What the next run does at its beginning, while this one is under way.
    Run::sweep().await;
    database.execute("SELECT 1").await;
}
