//! Databases that are full already.

use std::path::PathBuf;

use crate::kit::{Backend, Database};

/// A database with so many users, who have no events: `user7@example.org` is called `User 7`, and has the id 7.
pub(super) struct Seeded {
    pub(super) database: Database,
    pub(super) users: usize,
}

/// A copy of it, which is measured and removed.
pub(super) struct Copied {
    pub(super) url: String,
    place: Place,
}

enum Place {
    File(PathBuf),
    Name(Database, String),
}

impl Seeded {
    pub(super) async fn new(on: Backend, users: usize) -> Result<Self, String> {
        eprintln!("{on}: {users} users are made");
        let database = Database::migrated(on).await?;
        match on {
            Backend::Postgres => {
                let those = format!(
                    "INSERT INTO users (email, name, name_key) SELECT \
                     'user' || n || '@example.org', 'User ' || n, 'user ' || n FROM generate_series(1, {users}) n"
                );
                for statement in [&*those, "VACUUM (ANALYZE) users"] {
                    database.execute(statement).await;
                }
            }
            Backend::Sqlite => {
                let those = format!(
                    "INSERT INTO users (email, name, name_key) WITH RECURSIVE of(n) AS \
                     (SELECT 1 UNION ALL SELECT n + 1 FROM of WHERE n < {users}) SELECT \
                     'user' || n || '@example.org', 'User ' || n, 'user ' || n FROM of; ANALYZE; \
                     PRAGMA wal_checkpoint(TRUNCATE)"
                );
                database.execute(&those).await;
            }
        }
        Ok(Self { database, users })
    }

    pub(super) async fn copy(&self) -> Copied {
        if self.database.backend() == Backend::Sqlite {
            let copy = self.database.path().with_file_name("copy.db");
            std::fs::copy(self.database.path(), &copy).expect("the file can be copied");
            return Copied { url: format!("sqlite:{}", copy.display()), place: Place::File(copy) };
        }
        let (server, name) = self.database.server();
        let copy = format!("{name}_copy");
        for statement in [&*format!("CREATE DATABASE {copy} TEMPLATE {name}"), "CHECKPOINT"] {
            server.execute(statement).await.expect("a database can be copied");
        }
        Copied { url: server.url(&copy).into(), place: Place::Name(self.database.clone(), copy) }
    }
}

impl Copied {
    /// Removes it, as nobody is at work on it any more.
    pub(super) async fn remove(self) {
        match self.place {
            Place::Name(of, name) => of.server().0.drop_database(&name).await,
            Place::File(path) => {
                for suffix in ["", "-wal", "-shm"] {
                    // Which of them there are is SQLite's business.
                    let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
                }
            }
        }
    }
}
