use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Info, PullConsumer};
use async_nats::jetstream::stream::Stream;
use async_trait::async_trait;
use futures_core::future::BoxFuture;
use futures_util::{FutureExt, TryStreamExt};
use metrics::gauge;
use roster_domain::BoxError;
use roster_domain::ports::EventSource;
use roster_domain::services::InboundService;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, info, warn};

use crate::batch::{Batch, Stop, is_stopped};
use crate::config::LONGEST_PAUSE;
use crate::streams::{INBOUND, Name};
use crate::{Nats, SetupError, unreadable};

/// The durable consumer.
const CONSUMER: &str = "roster";

/// How many events are fetched at once.
const BATCH: usize = 64;

/// How long the server holds a request for an event that is not there yet.
const FETCH: Duration = Duration::from_secs(1);

/// How often the server is asked whether the events of a holder that died were settled.
const LOOK: Duration = Duration::from_millis(250);

/// How often it is asked whether all that it delivered came here, and how much is to come.
const CHECK: Duration = Duration::from_secs(5);

const PENDING: &str = "roster_inbound_events_pending";

/// Brings events of others, from the stream `DIRECTORY`.
#[derive(Clone)]
pub struct NatsSource {
    nats: Nats,
    /// A connection of its own, once it is needed: an event may end it.
    own: Arc<Mutex<Option<Nats>>>,
}

#[async_trait]
impl EventSource for NatsSource {
    async fn run(&self, inbound: InboundService, stop: BoxFuture<'static, ()>) {
        let stop: Stop = stop.shared();
        let _measured = Measured;
        let mut pauses = self.nats.config.pauses();
        let mut told = String::new();
        while !is_stopped(&stop) {
            let began = Instant::now();
            let Err(cause) = self.session(&inbound, &stop).await else { break };
            if began.elapsed() > self.nats.config.ack_wait {
                pauses = self.nats.config.pauses();
                told.clear();
            }
            if told != cause.to_string() {
                told = cause.to_string();
                error!(cause = told, "no events of others come in");
            }
            tokio::select! {
                () = sleep(pauses.next().unwrap_or(LONGEST_PAUSE)) => {}
                () = stop.clone() => {}
            }
        }
    }
}

/// For as long as this program takes in events, it measures how many are to come.
struct Measured;

impl Drop for Measured {
    fn drop(&mut self) {
        gauge!(PENDING).set(0.0);
    }
}

/// Where nothing is in hand here, nothing is to be in hand.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn check(info: &Info) -> Result<(), BoxError> {
    gauge!(PENDING).set(info.num_pending as f64);
    let lost = info.num_ack_pending;
    if lost == 0 { Ok(()) } else { Err(format!("{lost} events were delivered, and did not come").into()) }
}

impl NatsSource {
    pub(crate) fn new(nats: Nats) -> Self {
        Self { nats, own: Arc::default() }
    }

    /// Handles events until it is told to stop, or something is wrong with the connection or the stream.
    async fn session(&self, inbound: &InboundService, stop: &Stop) -> Result<(), BoxError> {
        let session = Session { nats: self.own().await? };
        session.take_in(inbound, stop).await?;
        Ok(session.nats.client.flush().await?)
    }

    async fn own(&self) -> Result<Nats, SetupError> {
        let mut own = self.own.lock().await;
        if let Some(nats) = own.as_ref().filter(|nats| !nats.has_ended()) {
            return Ok(nats.clone());
        }
        Ok(own.insert(self.nats.another().await?).clone())
    }
}

/// Events come in, until something is wrong with the connection or the stream.
struct Session {
    nats: Nats,
}

impl Session {
    async fn take_in(&self, inbound: &InboundService, stop: &Stop) -> Result<(), BoxError> {
        self.nats.connected().await?;
        let (stream, mut consumer) = self.open().await?;
        let dead_letters = self.nats.dead_letters();
        let connection = self.nats.connection();
        unreadable::put_aside(&self.nats, &stream, &mut consumer).await?;
        self.wait_for_the_dead(&mut consumer, stop).await?;
        info!("events of others come in");
        let mut checked = Instant::now();
        while !is_stopped(stop) {
            let fetched = self.fetch(&consumer).await?;
            // What was sent into a connection that was lost comes again, and is not to be overtaken.
            if self.nats.connection() != connection {
                return Err("the connection to the NATS server was made anew".into());
            }
            let batch = Batch::new(fetched, &self.nats.config, &dead_letters);
            batch.handle(inbound, stop).await?;
            if !is_stopped(stop) && checked.elapsed() > CHECK {
                checked = Instant::now();
                check(consumer.info().await?)?;
            }
        }
        Ok(())
    }

    async fn open(&self) -> Result<(Stream, PullConsumer), BoxError> {
        self.nats.stream(Name::DeadLetters).await?;
        let stream = self.nats.stream(Name::Directory).await?;
        if Name::outlives_receipts(&stream.cached_info().config) {
            warn!("the stream DIRECTORY keeps events for longer than it is remembered that they took effect");
        }
        let consumer = self.consumer(&stream).await?;
        Ok((stream, consumer))
    }

    async fn consumer(&self, stream: &Stream) -> Result<PullConsumer, BoxError> {
        let config = Config {
            durable_name: Some(CONSUMER.to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.nats.config.ack_wait,
            // What fails too often is put aside here, with its reason, and not by the server, without one.
            max_deliver: -1,
            max_ack_pending: 4 * i64::try_from(BATCH).unwrap_or(i64::MAX),
            filter_subject: INBOUND.to_owned(),
            ..Config::default()
        };
        // One that is there is made to be as it should.
        Ok(stream.create_consumer(config).await?)
    }

    /// Waits until no event is in the hands of a holder that died. The server delivers those again, before all
    /// others, once their time is over: to fetch earlier would be to overtake them.
    async fn wait_for_the_dead(&self, consumer: &mut PullConsumer, stop: &Stop) -> Result<(), BoxError> {
        let over = Instant::now() + self.nats.config.ack_wait + LOOK;
        while Instant::now() < over && !is_stopped(stop) {
            if consumer.info().await?.num_ack_pending == 0 {
                break;
            }
            tokio::select! {
                () = sleep_until(over.min(Instant::now() + LOOK)) => {}
                () = stop.clone() => {}
            }
        }
        Ok(())
    }

    /// All events that are there, up to a batch; or the next one, where there is none yet. Each request is read to
    /// its end: what the server sent to one that nobody reads any more would be missed until its time is over.
    async fn fetch(&self, consumer: &PullConsumer) -> Result<Vec<Message>, BoxError> {
        // Less than the client's own patience, at whose end there would just be no event.
        let late = FETCH + Duration::from_secs(2);
        let available = consumer.fetch().max_messages(BATCH).messages().await?;
        let available: Vec<_> = timeout(late, available.try_collect()).await??;
        if !available.is_empty() {
            return Ok(available);
        }
        let next = consumer.batch().max_messages(1).expires(FETCH).messages().await?;
        timeout(late, next.try_collect()).await?
    }
}
