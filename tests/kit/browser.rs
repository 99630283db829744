//! A real Chromium without a window, which chromedriver drives (W3C `WebDriver`).

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::process::{self, Process};
use super::run::Run;

/// Generous: a page of a megabyte of script, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// By this name an element is known (`WebDriver` §12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one page, which reaches nothing but this machine.
pub(crate) struct Browser {
    driver: Option<Process>,
    id: u32,
    client: Client,
    session: String,
    folder: PathBuf,
}

impl Browser {
    /// Opens one; or tells why there is none.
    pub(crate) async fn open() -> Result<Self, String> {
        for program in ["chromedriver", "chromium"] {
            let found = Command::new(program).arg("--version").output().await;
            found.map_err(|error| format!("They need chromium and chromedriver: {program}: {error}."))?;
        }
        let mut driver = Process::start(Command::new("chromedriver").arg("--port=0"));
        let port = driver.wait_for("chromedriver listens", |said| port(&said.stdout)).await;
        let (client, folder) = (Client::new(), Run::current().folder().new_folder());
        let arguments = [
            "--headless=new".to_owned(),
            // Which root may not have.
            "--no-sandbox".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1".to_owned(),
            format!("--user-data-dir={}", folder.display()),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": {"args": arguments},
            "goog:loggingPrefs": {"browser": "SEVERE"},
        }}});
        let sessions = format!("http://127.0.0.1:{port}/session");
        let session = ask(&client, &sessions, &wanted).await.expect("a session begins");
        let name = session["sessionId"].as_str().expect("a session has a name");
        let id = session["capabilities"]["goog:processID"].as_u64().and_then(|id| id.try_into().ok());
        let id = id.expect("the browser is a process");
        process::begins(id);
        Ok(Self { driver: Some(driver), id, client, session: format!("{sessions}/{name}"), folder })
    }

    /// Opens a page.
    pub(crate) async fn go_to(&self, url: &str) {
        self.ask("url", &json!({"url": url})).await.expect("the page can be opened");
    }

    /// Clicks what this selector of CSS finds, once it is there and can be clicked.
    pub(crate) async fn click(&self, selector: &str) {
        let click = async || {
            let element = self.find(selector).await?;
            self.ask(&format!("element/{element}/click"), &json!({})).await
        };
        until(selector, click).await;
    }

    /// Types into what this selector finds.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let types = async || {
            let element = self.find(selector).await?;
            self.ask(&format!("element/{element}/value"), &json!({"text": text})).await
        };
        until(selector, types).await;
    }

    /// Waits until what this selector finds shows this text.
    pub(crate) async fn shows(&self, selector: &str, text: &str) {
        let read = json!({"script": "return document.querySelector(arguments[0])?.innerText ?? null", "args": [selector]});
        let shown = async || {
            let shown = self.ask("execute/sync", &read).await?;
            if shown.as_str().is_some_and(|shown| shown.contains(text)) { Ok(shown) } else { Err(shown) }
        };
        until(&format!("{text} at {selector}"), shown).await;
    }

    /// What the browser found fault with so far.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log =
            self.ask("se/log", &json!({"type": "browser"})).await.expect("the browser's log can be read");
        log.as_array().into_iter().flatten().map(|entry| entry["message"].to_string()).collect()
    }

    async fn find(&self, selector: &str) -> Result<String, Value> {
        let found = self.ask("element", &json!({"using": "css selector", "value": selector})).await?;
        Ok(found[ELEMENT].as_str().expect("an element has a name").to_owned())
    }

    async fn ask(&self, command: &str, parameters: &Value) -> Result<Value, Value> {
        ask(&self.client, &format!("{}/{command}", self.session), parameters).await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends with its session, and the driver after it.
        let end = self.client.delete(&self.session).send();
        let (driver, id, folder) = (self.driver.take(), self.id, self.folder.clone());
        Run::current().before_the_end(async move {
            drop(end.await);
            drop(driver);
            process::ended(id);
            drop(std::fs::remove_dir_all(folder));
        });
    }
}

/// What a command has for an answer; or what is wrong with it.
async fn ask(client: &Client, url: &str, parameters: &Value) -> Result<Value, Value> {
    let answer = client.post(url).body(parameters.to_string()).send().await.expect("chromedriver answers");
    let succeeded = answer.status().is_success();
    let mut body: Value =
        serde_json::from_slice(&answer.bytes().await.expect("it answers whole")).expect("in JSON");
    if succeeded { Ok(body["value"].take()) } else { Err(body) }
}

/// Tries again, as a page takes its time.
async fn until<F: Future<Output = Result<Value, Value>>>(what: &str, mut attempt: impl FnMut() -> F) {
    let mut last = Value::Null;
    let done = async {
        while let Err(reason) = attempt().await {
            last = reason;
            sleep(Duration::from_millis(100)).await;
        }
    };
    let in_time = timeout(PATIENCE, done).await.is_ok();
    assert!(in_time, "{what}: {last}");
}

fn port(said: &str) -> Option<u16> {
    let (_, after) = said.split_once("successfully on port ")?;
    after.split('.').next()?.trim().parse().ok()
}
