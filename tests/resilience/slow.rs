//! A network to PostgreSQL that delays, is narrow, or loses what it was sent.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{RECOVERED, unavailable, until, works_again};
use crate::kit::{
    Database, Gateway, OnPostgres, Program, Roster, USERS, in_time, new_user, patient_url, suite, user_path,
};

suite![
    what_is_delayed_a_little_is_answered_all_the_same,
    a_server_that_is_slow_to_let_in_whoever_checks_it_is_ready_all_the_same,
    what_is_delayed_beyond_the_deadline_is_unavailable,
    what_a_narrow_network_cannot_pass_in_time_is_unavailable,
    what_is_cut_off_amid_a_delay_is_unavailable,
    what_is_swallowed_is_unavailable_and_leaves_nothing_behind,
];

/// A service behind a gateway that has opened as many connections as it does for some requests at once, and how many files and
/// sockets it has open then.
struct Behind {
    roster: Roster,
    gateway: Gateway,
    open_files: usize,
    _database: Database,
}

impl Behind {
    async fn a_gateway(OnPostgres(database): OnPostgres) -> Self {
        let gateway = Gateway::to(database.url()).await;
        let url = gateway.url(database.url());
        let mut roster = Program::by_default(&url).and(["--request-timeout", "2"]).serve().await;
        roster.users(40).await;
        works_again(&roster).await;
        let open_files = roster.process().open_files();
        Self { roster, gateway, open_files, _database: database }
    }

    /// Every kind of request is unavailable, by its deadline; a second round as well.
    async fn is_unavailable(&self) {
        for nth in 0..2 {
            let (user, asked) = (user_path(1), Instant::now());
            let requests = [
                self.roster.get(USERS),
                self.roster.get(&user),
                self.roster.post(USERS, &new_user(&format!("slow{nth}"))),
                self.roster.put(&user, &new_user(&format!("slower{nth}"))),
                self.roster.delete(&user_path(100)),
                self.roster.get("/readyz"),
            ];
            let answers = join_all(requests.map(IntoFuture::into_future)).await;
            eprintln!("answered within {:?}", asked.elapsed());
            assert!(asked.elapsed() < in_time(Duration::from_millis(2_200)), "{:?}", asked.elapsed());
            answers.iter().for_each(unavailable);
        }
    }

    /// Once the network is well again, so is the service, and it holds no more than before.
    async fn recovers(mut self) {
        self.gateway.open();
        works_again(&self.roster).await;
        let before = self.open_files;
        let process = self.roster.process();
        // Some connections of clients come to it.
        until("it has let go of what it held", async || process.open_files() <= before + 8).await;
    }
}

async fn what_is_delayed_a_little_is_answered_all_the_same(given: OnPostgres) {
    let behind = Behind::a_gateway(given).await;
    behind.gateway.delay(Duration::from_millis(30));
    let answers = join_all((0..16).map(|_| behind.roster.get(USERS).into_future())).await;
    assert!(answers.iter().all(|answer| answer.status() == 200));
    behind.roster.user("late").await;
    behind.recovers().await;
}

/// Seen to fail where a check that had no time left gave up what it was opening.
async fn a_server_that_is_slow_to_let_in_whoever_checks_it_is_ready_all_the_same(
    OnPostgres(database): OnPostgres,
) {
    let gateway = Gateway::to(database.url()).await;
    let roster = Program::by_default(&patient_url(&gateway.url(database.url()))).serve().await;
    // Opening a connection takes five round trips of half a second at the least, and asking something two: a check ends
    // after two seconds, and has none at hand yet.
    gateway.delay(Duration::from_millis(250));
    roster.get("/readyz").await.error(503, "unavailable");
    until("it is ready", async || roster.get("/readyz").await.status() == 200).await;
}

/// Seen to fail where a request had a deadline of a minute (the answers came after 32 s).
async fn what_is_delayed_beyond_the_deadline_is_unavailable(given: OnPostgres) {
    let behind = Behind::a_gateway(given).await;
    behind.gateway.delay(Duration::from_secs(8));
    behind.is_unavailable().await;
    behind.recovers().await;
}

async fn what_a_narrow_network_cannot_pass_in_time_is_unavailable(given: OnPostgres) {
    let behind = Behind::a_gateway(given).await;
    behind.gateway.narrow(10);
    behind.is_unavailable().await;
    behind.recovers().await;
}

async fn what_is_cut_off_amid_a_delay_is_unavailable(given: OnPostgres) {
    let behind = Behind::a_gateway(given).await;
    behind.gateway.delay(Duration::from_secs(60));
    let requests = (0..16).map(|_| behind.roster.get(USERS).into_future());
    let cut = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        behind.gateway.cut();
    };
    let asked = Instant::now();
    let (answers, ()) = futures_util::join!(join_all(requests), cut);
    assert!(asked.elapsed() < in_time(RECOVERED), "{:?}", asked.elapsed());
    answers.iter().for_each(unavailable);
    behind.recovers().await;
}

async fn what_is_swallowed_is_unavailable_and_leaves_nothing_behind(given: OnPostgres) {
    let behind = Behind::a_gateway(given).await;
    behind.gateway.silence();
    behind.is_unavailable().await;
    behind.recovers().await;
}
