//! Redirects, followed outside of the cassette.

use crate::support::upstream::{Upstream, ok, with};
use crate::support::{base, standard, vcr_error};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use roster_cassette::{Cassette, RecordMode, RedirectMiddleware, VcrError};

async fn upstream() -> Upstream {
    Upstream::start(|request, _| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path.strip_prefix("/to/").and_then(|rest| rest.split_once('/')) {
            Some((status, location)) => {
                with(&format!("{status} Moved"), &format!("Location: {location}\r\n"), b"elsewhere")
            }
            None if path == "/loop" => with("302 Found", "Location: /loop\r\n", b""),
            None => ok(request),
        }
    })
    .await
}

fn client(cassette: &Cassette, redirects: RedirectMiddleware) -> ClientWithMiddleware {
    ClientBuilder::new(base()).with(redirects).with(cassette.middleware()).build()
}

#[tokio::test]
async fn every_hop_is_recorded_and_plays_again() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    for mode in [RecordMode::Once, RecordMode::None] {
        let cassette =
            standard(folder.path(), mode).require_all_played(true).build().use_cassette("a.yaml").unwrap();
        let response = client(&cassette, RedirectMiddleware::new())
            .get(format!("{}/to/302//to/307//end?x=1", upstream.url))
            .send()
            .await
            .unwrap();
        assert_eq!((response.status().as_u16(), response.url().path()), (200, "/end"));
        assert_eq!(cassette.requests().len(), 3);
        cassette.finish().await.unwrap();
    }
    assert_eq!(upstream.requests().len(), 3);
}

#[tokio::test]
async fn the_method_and_the_body_follow_as_the_status_says() {
    let folder = tempfile::tempdir().unwrap();
    let upstream = upstream().await;
    let cassette = standard(folder.path(), RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let client = client(&cassette, RedirectMiddleware::new());
    for (method, status, expected, body) in [
        ("POST", 301, "GET", ""),
        ("POST", 302, "GET", ""),
        ("PUT", 302, "PUT", "body"),
        ("PUT", 303, "GET", ""),
        ("POST", 307, "POST", "body"),
        ("DELETE", 308, "DELETE", "body"),
    ] {
        let method = http::Method::from_bytes(method.as_bytes()).unwrap();
        let request = client.request(method, format!("{}/to/{status}//end", upstream.url)).body("body");
        let text = request.header("content-type", "text/plain").send().await.unwrap().text().await.unwrap();
        assert!(text.starts_with(&format!("{expected} /end ")), "{status}: {text}");
        assert_eq!(text.split("\r\n\r\n").nth(1), Some(body), "{status}: {text}");
        assert_eq!(text.contains("text/plain"), !body.is_empty(), "{status}: {text}");
    }
}

#[tokio::test]
async fn credentials_do_not_follow_to_another_origin() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (upstream().await, upstream().await);
    let cassette = standard(folder.path(), RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let client = client(&cassette, RedirectMiddleware::new());
    for (url, follows) in [
        (format!("{}/to/302//end", here.url), true),
        (format!("{}/to/302/{}/end", here.url, there.url), false),
    ] {
        let request = client.get(url).bearer_auth("opensesame").header("cookie", "a=1").header("x-kept", "1");
        let text = request.send().await.unwrap().text().await.unwrap().to_lowercase();
        assert!(text.contains("x-kept"), "{text}");
        assert_eq!((text.contains("opensesame"), text.contains("a=1")), (follows, follows), "{text}");
    }
}

#[tokio::test]
async fn too_many_redirects_and_origins_that_are_not_allowed_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let (here, there) = (upstream().await, upstream().await);
    let cassette = standard(folder.path(), RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let elsewhere = format!("{}/to/302/{}/end", here.url, there.url);
    for (redirects, url, says) in [
        (RedirectMiddleware::new().limit(3), format!("{}/loop", here.url), "3 redirects were followed"),
        (RedirectMiddleware::new().same_origin_only(), elsewhere.clone(), "not allowed"),
        (RedirectMiddleware::new(), format!("{}/to/302/ftp://h/", here.url), "not allowed"),
    ] {
        let error = client(&cassette, redirects).get(url).send().await.unwrap_err();
        assert!(matches!(vcr_error(&error), VcrError::Redirect { .. }), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let allowed = RedirectMiddleware::new().allow_origins([there.url.parse().unwrap()]);
    assert_eq!(client(&cassette, allowed).get(elsewhere).send().await.unwrap().status(), 200);
    assert_eq!(there.requests().len(), 1);
}
