//! The contract of a directory, on the adapter and a stand-in for the service behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use libtest_mimic::Trial;
use roster_directory_http::{DirectoryConfig, HttpDirectory};
use roster_domain::DirectoryPerson;
use roster_domain::ports::Directory;
use roster_domain::testing::Condition;
use roster_domain::testing::contract::{DIRECTORY, StagedDirectory};
use serde_json::json;

use crate::kit::{Reply, StandIn, trial};

pub(super) fn suite() -> Vec<Trial> {
    let behaviours = DIRECTORY.iter().map(|behaviour| {
        let check = behaviour.check;
        trial(format!("directory::contract::{}", behaviour.name), move || async move {
            check(&Staged::new().await).await;
            Ok(())
        })
    });
    behaviours.collect()
}

struct Staged {
    directory: HttpDirectory,
    service: Arc<Mutex<Service>>,
    _stand_in: StandIn,
}

#[derive(Default)]
struct Service {
    condition: Condition,
    people: BTreeMap<String, DirectoryPerson>,
}

impl Staged {
    async fn new() -> Self {
        let service: Arc<Mutex<Service>> = Arc::default();
        let asked = service.clone();
        let stand_in = StandIn::by(move |head| asked.lock().unwrap().answer(head)).await;
        let mut config = DirectoryConfig::new(&stand_in.url()).unwrap();
        config.first_pause = Duration::from_millis(1);
        Self { directory: HttpDirectory::new(config).unwrap(), service, _stand_in: stand_in }
    }
}

impl Service {
    fn answer(&self, head: &str) -> Reply {
        let id = head.split(' ').nth(1).and_then(|path| path.strip_prefix("/users/")).unwrap_or_default();
        match self.condition {
            Condition::Well => self.people.get(id).map_or_else(|| Reply::json(404, "{}"), record),
            Condition::Failing => Reply::json(500, "{}"),
            Condition::Silent => Reply::Nothing,
            Condition::TalkingNonsense => Reply::json(200, r#"{"id": 1, "name": "Ada"#),
            Condition::TellingOfSomebodyElse => {
                let other = self.people.values().next().expect("there is somebody");
                let id = roster_domain::DirectoryId::new(other.id.get() + 1).expect("it is an id");
                record(&DirectoryPerson { id, ..other.clone() })
            }
        }
    }
}

/// A person, as the directory sends it.
fn record(person: &DirectoryPerson) -> Reply {
    let DirectoryPerson { id, name, email, username } = person;
    let record = json!({"id": id.get(), "name": name, "email": email, "username": username});
    Reply::json(200, &record.to_string())
}

#[async_trait]
impl StagedDirectory for Staged {
    fn directory(&self) -> &dyn Directory {
        &self.directory
    }

    async fn add(&self, person: DirectoryPerson) {
        self.service.lock().unwrap().people.insert(person.id.to_string(), person);
    }

    async fn fare(&self, condition: Condition) {
        self.service.lock().unwrap().condition = condition;
    }
}
