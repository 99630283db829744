use std::env;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use roster_domain::chain;
use tokio::runtime::Handle;
use url::Url;

use crate::outage::Outage;
use crate::outgoing;

/// The most bytes of an answer that are read.
const ANSWER: usize = 64 * 1024;

/// Sends requests to the collector. The exporters' threads have no runtime: what they send is sent on another.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    runtime: Handle,
    outage: Mutex<Outage>,
}

impl Client {
    pub(super) fn new(endpoint: &Url, runtime: &Handle) -> anyhow::Result<Self> {
        let http =
            outgoing::client(endpoint).timeout(patience()).build().context("a client cannot be made")?;
        let outage = Mutex::new(Outage::of("traces and measurements are sent"));
        Ok(Self { http, runtime: runtime.clone(), outage })
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let http = self.http.clone();
        // The runtime may end before the answer is here, with the program: that says nothing of the collector.
        let answer = self.runtime.spawn(async move { send(&http, request).await }).await?;
        let mut outage = self.outage.lock().unwrap_or_else(PoisonError::into_inner);
        match &answer {
            Ok(answer) if answer.status().is_success() => outage.is_over(),
            Ok(answer) => outage.failed(format!("the collector answered {}", answer.status())),
            Err(error) => outage.failed(chain(&**error)),
        }
        drop(outage);
        answer
    }
}

async fn send(http: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let mut answer = http.execute(request.try_into()?).await.map_err(reqwest::Error::without_url)?;
    let body = outgoing::body(&mut answer, ANSWER).await?;
    let mut whole = Response::builder().status(answer.status()).body(body.into())?;
    *whole.headers_mut() = std::mem::take(answer.headers_mut());
    Ok(whole)
}

/// How long the collector may take: what the variable says, in milliseconds, or 10 s.
fn patience() -> Duration {
    let told = env::var("OTEL_EXPORTER_OTLP_TIMEOUT").ok().and_then(|told| told.parse().ok());
    Duration::from_millis(told.unwrap_or(10_000))
}
