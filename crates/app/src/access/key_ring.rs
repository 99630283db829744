//! Where the keys come from that sign JWTs, and how they stay fresh.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, anyhow};
use reqwest::Client;
use reqwest::header::ACCEPT;
use roster_domain::chain;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, sleep};
use url::Url;

use super::jwks::Keys;
use super::watched;
use crate::config::JwksSource;
use crate::outage::Outage;
use crate::outgoing;

/// How soon they are fetched again: after a failure, and where another token names a key that is not known.
const PAUSE: Duration = Duration::from_secs(10);

const CONNECT: Duration = Duration::from_secs(1);
const WHOLE: Duration = Duration::from_secs(3);

/// The most bytes that are taken.
const MAX_BYTES: usize = 256 * 1024;

const WHAT: &str = "the keys of JWTs are fetched";

/// The keys of a file or of a URL.
#[derive(Clone)]
pub(super) enum KeyRing {
    File(watch::Receiver<Arc<Keys>>),
    Url(Arc<Remote>),
}

impl KeyRing {
    /// Reads the file; or begins to fetch what the URL has, `every` so often.
    pub(super) fn start(source: &JwksSource, every: Duration) -> anyhow::Result<Self> {
        match source {
            JwksSource::File(path) => {
                Ok(Self::File(watched::watch(path, Keys::parse, "keys of JWTs are what their file says")?))
            }
            JwksSource::Url(url) => {
                let remote = Arc::new(Remote::new(url.clone())?);
                tokio::spawn(remote.clone().keep_fresh(every));
                Ok(Self::Url(remote))
            }
        }
    }

    /// Whether keys could be had when they were last asked for, or are asked for the first time.
    pub(super) fn is_well(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Url(remote) => remote.is_well.load(Ordering::Relaxed),
        }
    }

    /// Keys among which there is the one that a token names, if there is such a key; `None` where no keys could be
    /// had so far.
    pub(super) async fn keys(&self, id: Option<&str>) -> Option<Arc<Keys>> {
        match self {
            Self::File(keys) => Some(keys.borrow().clone()),
            Self::Url(remote) => remote.keys(id).await,
        }
    }
}

/// The keys of a URL, which are had again and again. Those that were had last outlive its outages.
pub(super) struct Remote {
    client: Client,
    url: Url,
    keys: watch::Sender<Option<Arc<Keys>>>,
    is_well: AtomicBool,
    /// Whoever fetches holds it, so that others wait for that instead of asking, too.
    fetching: Arc<Mutex<Fetching>>,
}

struct Fetching {
    /// When keys were fetched because a token named one that was not known.
    asked: Option<Instant>,
    outage: Outage,
}

impl Remote {
    fn new(url: Url) -> anyhow::Result<Self> {
        let client = outgoing::client(&url).connect_timeout(CONNECT).timeout(WHOLE);
        let client = client.build().context("a client cannot be made")?;
        let fetching = Arc::new(Mutex::new(Fetching { asked: None, outage: Outage::of(WHAT) }));
        Ok(Self { client, url, keys: watch::Sender::new(None), is_well: AtomicBool::new(true), fetching })
    }

    async fn keys(self: &Arc<Self>, id: Option<&str>) -> Option<Arc<Keys>> {
        if !self.has(id) {
            let mut fetching = self.fetching.clone().lock_owned().await;
            // Whoever had it before may have brought the key, or asked for it in vain a moment ago.
            let in_vain = fetching.asked.is_some_and(|asked| asked.elapsed() < PAUSE);
            if !in_vain && !self.has(id) {
                fetching.asked = Some(Instant::now());
                let remote = self.clone();
                // As a task, as whoever waits for it may hang up: nobody would have the key, nor ask for it soon.
                let _ = tokio::spawn(async move { remote.fetch(&mut fetching.outage).await }).await;
            }
        }
        self.keys.borrow().clone()
    }

    /// Whether the keys that are known have the one that a token names.
    fn has(&self, id: Option<&str>) -> bool {
        self.keys.borrow().as_ref().is_some_and(|keys| id.is_none() || keys.find(id).is_some())
    }

    async fn keep_fresh(self: Arc<Self>, every: Duration) {
        loop {
            let is_well = self.fetch(&mut self.fetching.lock().await.outage).await;
            sleep(if is_well { every } else { PAUSE.min(every) }).await;
        }
    }

    /// Fetches the keys, and tells whether that went well.
    async fn fetch(&self, outage: &mut Outage) -> bool {
        let asked = self.ask().await;
        self.is_well.store(asked.is_ok(), Ordering::Relaxed);
        match asked {
            Ok(keys) => {
                self.keys.send_replace(Some(Arc::new(keys)));
                outage.is_over();
                true
            }
            Err(error) => {
                outage.failed(chain(&*error));
                false
            }
        }
    }

    async fn ask(&self) -> anyhow::Result<Keys> {
        let request =
            self.client.get(self.url.clone()).header(ACCEPT, "application/jwk-set+json, application/json");
        // The URL may hold a secret.
        let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
        if response.status() != 200 {
            return Err(anyhow!("{:?} answers {}", JwksSource::Url(self.url.clone()), response.status()));
        }
        let body = outgoing::body(&mut response, MAX_BYTES).await?;
        let text = String::from_utf8(body).context("the answer is no text")?;
        Keys::parse(&text).with_context(|| format!("{:?}", JwksSource::Url(self.url.clone())))
    }
}
