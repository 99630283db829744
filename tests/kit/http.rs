//! A client as plain as `curl`: it follows no redirect, retries nothing and decodes nothing.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::answer::Answer;
use super::stream::Stream;
use super::user::User;

/// Where users are.
pub(crate) const USERS: &str = "/api/v1/users";

/// Where the user with this id is, or would be.
pub(crate) fn user_path(id: impl std::fmt::Display) -> String {
    format!("{USERS}/{id}")
}

/// A body that creates a user, with an e-mail made of `local`.
pub(crate) fn new_user(local: &str) -> Value {
    json!({"email": format!("{local}@example.org"), "name": format!("Name of {local}")})
}

/// The head of a request that creates a user, with these lines in it, as its bytes.
pub(crate) fn creating(lines: &str) -> String {
    format!("POST {USERS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{lines}\r\n")
}

/// A request that creates a user, with these lines in its head, as its head and its body.
pub(crate) fn creation(lines: &str, local: &str) -> (String, String) {
    let body = new_user(local).to_string();
    (creating(&format!("Content-Length: {}\r\n{lines}", body.len())), body)
}

/// How long a client keeps a connection on which it asks nothing: less than the service does, which might end it just
/// as it is asked.
const IDLE: Duration = Duration::from_secs(3);

/// A client of one service.
#[derive(Clone)]
pub(crate) struct Http {
    client: Client,
    base: Url,
}

/// A request that is sent when it is awaited.
pub(crate) struct Request {
    builder: RequestBuilder,
    told: String,
}

impl Http {
    /// A client of the service at `base`.
    pub(crate) fn new(base: &str) -> Self {
        let client = Client::builder().redirect(Policy::none()).pool_idle_timeout(IDLE).build();
        let client = client.expect("a client can be made");
        Self { client, base: Url::parse(base).expect("a base URL") }
    }

    /// `127.0.0.1:PORT`, for what needs a socket.
    pub(crate) fn address(&self) -> String {
        self.base.authority().to_owned()
    }

    /// Where a reference in an answer leads that was got from `from`: a path, with its query.
    pub(crate) fn resolve(&self, from: &str, reference: &str) -> String {
        let from = self.base.join(from).expect("a URL");
        let target = from.join(reference).expect("a reference");
        assert_eq!(target.authority(), self.base.authority(), "{reference} leads elsewhere");
        target.query().map_or_else(|| target.path().to_owned(), |query| format!("{}?{query}", target.path()))
    }

    /// A request of any kind; `target` may be relative, as in a `Location`.
    pub(crate) fn request(&self, method: &str, target: &str) -> Request {
        let method: Method = method.parse().expect("a method");
        let url = self.base.join(target).expect("a URL");
        Request { told: format!("{method} {target}"), builder: self.client.request(method, url) }
    }

    pub(crate) fn get(&self, target: &str) -> Request {
        self.request("GET", target)
    }

    pub(crate) fn post(&self, target: &str, body: &Value) -> Request {
        self.request("POST", target).json(body)
    }

    pub(crate) fn put(&self, target: &str, body: &Value) -> Request {
        self.request("PUT", target).json(body)
    }

    /// With a merge patch.
    pub(crate) fn patch(&self, target: &str, body: &Value) -> Request {
        self.request("PATCH", target).body("application/merge-patch+json", body.to_string())
    }

    pub(crate) fn delete(&self, target: &str) -> Request {
        self.request("DELETE", target)
    }

    /// A user that is there, with an e-mail made of `local`.
    pub(crate) async fn user(&self, local: &str) -> User {
        self.post(USERS, &new_user(local)).await.user(201)
    }

    /// What it says of how it is, once it hears from its database: a busy machine may keep it from that for seconds.
    pub(crate) async fn readiness(&self) -> Value {
        loop {
            let answer = self.get("/readyz").await;
            if answer.status() != 503 {
                return answer.json(200);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Users that are there: `user0`, `user1`, …
    pub(crate) async fn users(&self, count: usize) -> Vec<User> {
        let mut users = Vec::with_capacity(count);
        for nth in 0..count {
            users.push(self.user(&format!("user{nth}")).await);
        }
        users
    }
}

impl Request {
    /// With a header; a second one of the same name is a line of its own.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.told = format!("{} ({name}: {value})", self.told);
        self.builder = self.builder.header(name, value);
        self
    }

    /// With this credential.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// With this body.
    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        self.told = format!("{} {}", self.told, excerpt(&body));
        self.builder = self.builder.header(CONTENT_TYPE, content_type).body(body);
        self
    }

    /// With this body, and no word on what it is.
    pub(crate) fn untyped_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.builder = self.builder.body(body.into());
        self
    }

    /// With a JSON body.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// The feed as server-sent events; or the answer that came in its place.
    pub(crate) async fn stream(self) -> Result<Stream, Answer> {
        let Self { builder, told } = self.header("Accept", "text/event-stream");
        let response = builder.send().await.unwrap_or_else(|error| panic!("{told}: {error:?}"));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        if status != 200 {
            let body = response.bytes().await.unwrap_or_else(|error| panic!("{told}: {error:?}"));
            return Err(Answer::new(told, status, headers, body.to_vec()));
        }
        Ok(Stream::of(response, &Answer::new(told, status, headers, Vec::new())))
    }

    /// The answer; or why there was none.
    pub(crate) async fn attempt(self) -> Result<Answer, reqwest::Error> {
        let response = self.builder.send().await?;
        let (status, headers): (_, HeaderMap) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        Ok(Answer::new(self.told, status, headers, body))
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let told = self.told.clone();
            self.attempt().await.unwrap_or_else(|error| panic!("{told}: {error:?}"))
        })
    }
}

fn excerpt(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}
