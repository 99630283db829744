//! The contract of a publisher, on a real server: each promise is a test, on a server of its own.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, StorageType};
use async_trait::async_trait;
use libtest_mimic::Trial;
use roster_domain::EventId;
use roster_domain::ports::{EventPublisher, HealthCheck};
use roster_domain::testing::contract::{PUBLISHER, StagedBroker};
use roster_events_nats::{Nats, NatsConfig, NatsPublisher};
use tokio::time::{sleep, timeout};

use super::{PATIENCE, messages};
use crate::kit::{Backend, Given, OwnNats, trial};

pub(super) fn suite() -> Vec<Trial> {
    let behaviours = PUBLISHER.iter().map(|behaviour| {
        let check = behaviour.check;
        trial(format!("nats::contract::{}", behaviour.name), move || async move {
            check(&Staged::new(OwnNats::given(Backend::Sqlite).await?).await).await;
            Ok(())
        })
    });
    behaviours.collect()
}

struct Staged {
    server: OwnNats,
    nats: Nats,
    publisher: NatsPublisher,
}

impl Staged {
    async fn new(server: OwnNats) -> Self {
        let nats = Nats::connect(NatsConfig::new(server.url())).await.expect("the URL is one");
        let staged = Self { publisher: nats.publisher(), nats, server };
        staged.connected().await;
        staged
    }

    async fn connected(&self) {
        let connected = async {
            while self.nats.check().await.is_err() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, connected).await.expect("there is a connection");
    }
}

#[async_trait]
impl StagedBroker for Staged {
    fn publisher(&self) -> &dyn EventPublisher {
        &self.publisher
    }

    async fn kept(&self) -> Vec<EventId> {
        let messages = messages(&self.server.client().await, "ROSTER").await;
        let id = |text: &str| text.parse::<uuid::Uuid>().expect("it is a UUID");
        messages.iter().map(|message| id(&message.id).into()).collect()
    }

    async fn refuse_the_longest_names(&self) {
        let small = Config {
            name: "ROSTER".to_owned(),
            subjects: vec!["roster.users.*".to_owned()],
            storage: StorageType::File,
            max_message_size: 1_000,
            duplicate_window: Duration::from_secs(120),
            ..Config::default()
        };
        self.server.client().await.create_stream(small).await.expect("there is no stream yet");
    }

    async fn take_away(&self) {
        self.server.kill().await;
    }

    async fn bring_back(&self) {
        self.server.resume().await;
        self.connected().await;
    }
}
