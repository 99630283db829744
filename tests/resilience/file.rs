//! The file of SQLite on a disk that is full, that may not be written, or in the hands of another program.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tempfile::{TempDir, tempdir};
use tokio::time::{sleep, timeout};

use super::{SECONDS, unavailable};
use crate::kit::{
    Backend, Given, Http, OnSqlite, Program, USERS, User, all_users, is_alone, new_user, suite, times,
    user_path,
};

suite![
    a_full_disk_refuses_writes_until_there_is_room,
    a_file_that_may_not_be_written_is_told_at_the_start,
    a_program_that_holds_the_file_is_waited_for_and_then_told_of,
    eight_writers_wait_their_turn_and_none_is_refused,
    a_file_that_is_no_longer_there_is_told_of_until_it_is,
];

/// A small disk of its own, in memory. Only root can have one, or who may become root.
struct Disk(TempDir);

/// A command, by root.
fn as_root(command: &str) -> Command {
    if rustix::process::geteuid().is_root() {
        return Command::new(command);
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["--non-interactive", command]);
    sudo
}

impl Disk {
    /// Of 2 MiB; or why there can be none.
    fn new() -> Result<Self, String> {
        let folder = tempdir().expect("a folder can be made");
        let owner = fs::metadata(folder.path()).expect("it is there").uid();
        let options = format!("size=2m,mode=700,uid={owner}");
        let mounted =
            as_root("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder.path()).output();
        match mounted {
            Ok(mounted) if mounted.status.success() => Ok(Self(folder)),
            Ok(mounted) => Err(format!(
                "A small disk needs root, or sudo that asks for nothing: {}.",
                String::from_utf8_lossy(&mounted.stderr).trim()
            )),
            Err(error) => Err(format!("A small disk needs mount: {error}.")),
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Leaves no room on it.
    fn fill(&self) {
        let filler = self.filler();
        let mut file = fs::File::create(filler).expect("a file can be made");
        // Until there is no room for one byte more.
        while file.write_all(&[0; 512]).is_ok() {}
        while file.write_all(&[0]).is_ok() {}
    }

    fn clear(&self) {
        fs::remove_file(self.filler()).expect("the file can be removed");
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Given for Disk {
    const BACKENDS: &'static [Backend] = &[Backend::Sqlite];

    async fn given(_: Backend) -> Result<Self, String> {
        Self::new()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still has files open there lets go of it later.
        let _ = as_root("umount").arg("--lazy").arg(self.path()).status();
    }
}

fn serving(file: &Path) -> Program {
    let url = format!("sqlite:{}", file.display());
    Program::by_default(&url)
}

/// Creates users until that is refused, and tells which were acknowledged.
async fn write_until_refused(http: &Http, name: &str) -> Vec<User> {
    let mut made = Vec::new();
    for nth in 0..10_000 {
        let answer = http.post(USERS, &new_user(&format!("{name}{nth}"))).await;
        if answer.status() != 201 {
            unavailable(&answer);
            return made;
        }
        made.push(answer.user(201));
    }
    panic!("the disk is never full");
}

/// With no restart, a user can be made again.
async fn writes_again(http: &Http, name: &str) -> User {
    let again = async {
        loop {
            let answer = http.post(USERS, &new_user(name)).await;
            if answer.status() == 201 {
                return answer.user(201);
            }
            unavailable(&answer);
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SECONDS, again).await.expect("the service writes again")
}

/// Seen to fail where "database or disk is full" counted as the program's own failure: it was answered with 500.
async fn a_full_disk_refuses_writes_until_there_is_room(disk: Disk) {
    let file = disk.path().join("roster.db");
    let roster = serving(&file).serve().await;
    let mut made = vec![roster.user("before").await];
    for round in 0..times(3) {
        disk.fill();
        made.extend(write_until_refused(&roster, &format!("round{round}-")).await);
        // What is there can be read, and nothing hangs.
        let stored = all_users(&roster).await;
        assert!(made.iter().all(|user| stored.get(&user.id) == Some(user)), "an acknowledged user is there");
        unavailable(&roster.delete(&user_path(made[0].id)).await);
        roster.get("/livez").await.any_body(200);

        disk.clear();

        made.push(writes_again(&roster, &format!("after{round}")).await);
    }
    let exit = roster.stop().await;
    assert_eq!(exit.code, Some(0), "{exit:?}");
    let roster = serving(&file).serve().await;
    let stored = all_users(&roster).await;
    assert!(made.iter().all(|user| stored.get(&user.id) == Some(user)), "an acknowledged user is lost");
}

/// Seen to fail where it was only tried to begin a transaction: the service started, and each write failed.
async fn a_file_that_may_not_be_written_is_told_at_the_start(OnSqlite(database): OnSqlite) {
    let ada = Program::serving(&database).serve().await.user("ada").await;
    let file = database.path();
    let may = |mode| {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("the file is ours");
    };
    may(0o444);
    let program = Program::serving(&database).by_nobody();
    for command in [Program::serving(&database).by_nobody(), program.and(["--migrate=false"])] {
        let exit = command.run().await;
        assert_eq!(exit.code, Some(2), "{exit:?}");
        let told = exit.stderr.lines().filter(|line| line.contains("--database-url (DATABASE_URL)"));
        assert!(told.count() == 1 && exit.stderr.contains("roster.db"), "{exit:?}");
    }
    let doctor = Program::with(["doctor", "--listen", "127.0.0.1:0", "--database-url", database.url()]);
    let exit = doctor.by_nobody().run().await;
    assert!(exit.code == Some(1) && exit.stdout.contains("readonly"), "{exit:?}");
    may(0o644);
    let roster = Program::serving(&database).serve().await;
    assert_eq!(roster.get(USERS).await.page().items, [ada]);
}

/// As `roster import` beside the service does for moments, and a person with SQLite's own shell for longer.
async fn a_program_that_holds_the_file_is_waited_for_and_then_told_of(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).and(["--database-statement-timeout", "2"]).serve().await;
    let ada = roster.user("ada").await;

    let holding = database.hold_for_writing();
    let moment = async {
        sleep(Duration::from_secs(1)).await;
        drop(holding);
    };
    let (bob, ()) = tokio::join!(roster.user("bob"), moment);

    let holding = database.hold_for_writing();
    let began = Instant::now();
    let waiting = join_all((0..6).map(|nth| {
        let roster = &roster;
        async move { roster.post(USERS, &new_user(&format!("waiting{nth}"))).await }
    }));
    let reading = async {
        for _ in 0..20 {
            assert_eq!(roster.get(&user_path(ada.id)).await.user(200), ada, "what is there can be read");
            sleep(Duration::from_millis(100)).await;
        }
    };
    let (refused, ()) = tokio::join!(waiting, reading);
    refused.iter().for_each(unavailable);
    eprintln!("refused after {:?}", began.elapsed());
    roster.get("/readyz").await.any_body(200);
    drop(holding);

    let last = writes_again(&roster, "last").await;
    let stored = all_users(&roster).await;
    assert!([ada, bob, last].iter().all(|user| stored.get(&user.id) == Some(user)));
    assert_eq!(roster.events().await.len(), stored.len(), "users and events are one to one");
}

async fn eight_writers_wait_their_turn_and_none_is_refused(OnSqlite(database): OnSqlite) {
    const WRITERS: usize = 8;
    let roster = Program::serving(&database).and(["--log", "warn"]).serve().await;
    let enough = 400;
    let figure = Duration::from_millis(if is_alone() { 250 } else { 2_000 });
    let made = AtomicUsize::new(0);
    let writers = (0..WRITERS).map(|writer| {
        let (roster, made) = (&roster, &made);
        async move {
            let (mut longest, mut count) = (Duration::ZERO, 0);
            while made.fetch_add(1, Ordering::Relaxed) < enough {
                let began = Instant::now();
                roster.user(&format!("writer{writer}-{count}")).await;
                (longest, count) = (longest.max(began.elapsed()), count + 1);
            }
            (longest, count)
        }
    });
    let began = Instant::now();
    let waited = join_all(writers).await;
    let longest = waited.iter().map(|(longest, _)| *longest).max().unwrap();
    let (most, least) =
        (waited.iter().map(|one| one.1).max().unwrap(), waited.iter().map(|one| one.1).min().unwrap());
    eprintln!(
        "{enough} users by {WRITERS} writers in {:?}: the longest wait {longest:?}, each made {least} to {most}",
        began.elapsed()
    );
    // Beside other tests each has its turn, too.
    assert!(least > 0 && (!is_alone() || most <= 3 * least), "{least} to {most}");
    assert!(longest < figure, "{longest:?}");
    assert_eq!(all_users(&roster).await.len(), enough);
}

/// As an operator does who clears up, or puts a backup in its place. Seen to fail where nobody looked: writes were
/// acknowledged that nobody would ever find.
async fn a_file_that_is_no_longer_there_is_told_of_until_it_is(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).serve().await;
    let ada = roster.user("ada").await;
    let (file, elsewhere) = (database.path(), database.path().with_extension("elsewhere"));
    fs::rename(&file, &elsewhere).expect("the file is ours");
    for replaced in [false, true] {
        if replaced {
            fs::copy(&elsewhere, &file).expect("the folder is ours");
        }
        roster.get(USERS).await;
        unavailable(&roster.post(USERS, &new_user("lost")).await);
        roster.get("/readyz").await.any_body(503);
    }

    fs::rename(&elsewhere, &file).expect("the file is ours");

    let bob = writes_again(&roster, "bob").await;
    roster.get("/readyz").await.any_body(200);
    assert_eq!(all_users(&roster).await.into_values().collect::<Vec<_>>(), [ada, bob]);
    assert!(roster.stop().await.stderr.contains("was removed or replaced"));
}
