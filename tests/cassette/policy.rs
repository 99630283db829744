//! Modes, repeats, limits, hooks and reports, against a real socket.

use crate::support::upstream::{Upstream, ok, with};
use crate::support::{base, closed_port, standard, vcr_error};
use reqwest_middleware::ClientWithMiddleware;
use roster_cassette::{Filter, Matcher, RecordMode, Serializer, Vcr, VcrBuilder, VcrError};
use std::fs;
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;

struct Test {
    folder: TempDir,
    upstream: Upstream,
}

impl Test {
    async fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), upstream: Upstream::counting().await }
    }

    fn vcr(&self, mode: RecordMode) -> VcrBuilder {
        standard(self.folder.path(), mode)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.upstream.url)
    }

    /// Sends GETs through the cassette `a.yaml`, finishes it, and returns the bodies.
    async fn run(&self, vcr: VcrBuilder, paths: &[&str]) -> Vec<String> {
        let cassette = vcr.build().use_cassette("a.yaml").unwrap();
        let client = cassette.client(base());
        let mut bodies = Vec::new();
        for path in paths {
            bodies.push(get(&client, &self.url(path)).await.unwrap_or_else(|error| kind(&error).to_owned()));
        }
        cassette.finish().await.unwrap();
        bodies
    }

    fn file(&self) -> String {
        fs::read_to_string(self.folder.path().join("a.yaml")).unwrap()
    }

    fn sent(&self) -> usize {
        self.upstream.requests().len()
    }
}

async fn get(client: &ClientWithMiddleware, url: &str) -> reqwest_middleware::Result<String> {
    Ok(client.get(url).send().await?.text().await?)
}

fn kind(error: &reqwest_middleware::Error) -> &'static str {
    match vcr_error(error) {
        VcrError::NotFound(_) => "not found",
        VcrError::AlreadyPlayed(_) => "already played",
        VcrError::NoMatch(_) => "no match",
        VcrError::NothingSimilar(_) => "nothing similar",
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn once_records_every_request_while_there_is_no_cassette_and_then_only_plays() {
    let test = Test::new().await;
    assert_eq!(test.run(test.vcr(RecordMode::Once), &["/a", "/a", "/b"]).await, ["0", "1", "2"]);
    let again = test.run(test.vcr(RecordMode::Once), &["/b", "/a", "/a", "/a", "/c"]).await;
    assert_eq!(again, ["2", "0", "1", "already played", "no match"]);
    assert_eq!(test.sent(), 3);
}

#[tokio::test]
async fn new_episodes_plays_what_is_there_and_records_the_rest_without_playing_it() {
    let test = Test::new().await;
    test.run(test.vcr(RecordMode::Once), &["/a"]).await;
    let bodies = test.run(test.vcr(RecordMode::NewEpisodes), &["/a", "/a", "/b", "/b"]).await;
    assert_eq!(bodies, ["0", "1", "2", "3"]);
    let bodies = test.run(test.vcr(RecordMode::None), &["/a", "/a", "/b", "/b", "/b"]).await;
    assert_eq!(bodies, ["0", "1", "2", "3", "already played"]);
}

#[tokio::test]
async fn none_sends_no_packet_and_writes_nothing() {
    let test = Test::new().await;
    assert_eq!(test.run(test.vcr(RecordMode::None), &["/a"]).await, ["not found"]);
    test.run(test.vcr(RecordMode::Once), &["/a"]).await;
    let before = test.file();
    assert_eq!(test.run(test.vcr(RecordMode::None), &["/a", "/b"]).await, ["0", "no match"]);
    assert_eq!((test.file(), test.sent()), (before, 1));

    // Nobody listens there: had a packet been sent, the error would be one of connecting.
    let cassette = test.vcr(RecordMode::None).build().use_cassette("a.yaml").unwrap();
    let error = cassette.client(base()).get(closed_port()).send().await.unwrap_err();
    assert!(matches!(vcr_error(&error), VcrError::NoMatch(_)), "{error}");
}

#[tokio::test]
async fn all_sends_everything_and_replaces_what_it_records_anew() {
    let test = Test::new().await;
    test.run(test.vcr(RecordMode::Once), &["/a", "/b"]).await;
    assert_eq!(test.run(test.vcr(RecordMode::All), &["/a", "/c"]).await, ["2", "3"]);
    let bodies = test.run(test.vcr(RecordMode::None), &["/a", "/b", "/c", "/a"]).await;
    assert_eq!(bodies, ["2", "1", "3", "already played"]);
    test.run(test.vcr(RecordMode::All).drop_unused_requests(true), &["/c"]).await;
    assert_eq!(test.run(test.vcr(RecordMode::None), &["/c", "/a"]).await, ["4", "no match"]);
}

#[tokio::test]
async fn repeats_play_the_first_match_and_are_served_from_memory_while_recording() {
    let test = Test::new().await;
    let repeats = |mode| test.vcr(mode).allow_playback_repeats(true);
    assert_eq!(test.run(repeats(RecordMode::Once), &["/a", "/a", "/a"]).await, ["0", "0", "0"]);
    assert_eq!(test.run(repeats(RecordMode::None), &["/a", "/a", "/a"]).await, ["0", "0", "0"]);
    assert_eq!((test.sent(), test.file().matches("- request:").count()), (1, 1));
}

#[tokio::test]
async fn unused_interactions_are_dropped_when_asked() {
    let test = Test::new().await;
    test.run(test.vcr(RecordMode::Once), &["/a", "/b", "/c"]).await;
    test.run(test.vcr(RecordMode::Once).drop_unused_requests(true), &["/b"]).await;
    assert_eq!(test.run(test.vcr(RecordMode::None), &["/b", "/a"]).await, ["1", "no match"]);
}

#[tokio::test]
async fn what_was_not_played_is_reported_and_fails_where_that_is_asked() {
    let test = Test::new().await;
    test.run(test.vcr(RecordMode::Once), &["/a", "/b"]).await;
    let open = |vcr: VcrBuilder| vcr.build().use_cassette("a.yaml").unwrap();
    let cassette = open(test.vcr(RecordMode::Once));
    get(&cassette.client(base()), &test.url("/b")).await.unwrap();
    assert!(!cassette.all_played());
    let report = cassette.finish().await.unwrap();
    assert_eq!((report.played, report.unplayed, report.recorded, report.in_flight), (1, 1, 0, 0));
    assert_eq!(report.unplayed_requests, [format!("GET {}", test.url("/a"))]);

    let error = open(test.vcr(RecordMode::Once).require_all_played(true)).finish().await.unwrap_err();
    assert!(matches!(&error, VcrError::Unplayed { requests, .. } if requests.len() == 2), "{error}");
    assert!(
        error.to_string().contains("/a") && error.to_string().contains("drop_unused_requests"),
        "{error}"
    );
}

#[tokio::test]
async fn ignored_hosts_go_to_the_network_even_in_mode_none_and_are_never_recorded() {
    let test = Test::new().await;
    for vcr in [
        test.vcr(RecordMode::None).ignore_localhost(true),
        test.vcr(RecordMode::Once).ignore_hosts(["127.0.0.1"]),
    ] {
        assert_eq!(test.run(vcr, &["/a"]).await.len(), 1);
    }
    assert_eq!(test.sent(), 2);
    assert!(!test.folder.path().join("a.yaml").exists());
}

#[tokio::test]
async fn hooks_change_what_is_kept_or_keep_it_out_and_never_the_real_request() {
    let test = Test::new().await;
    let vcr = |mode| {
        test.vcr(mode)
            .before_record_request(|mut request| {
                request.uri = request.uri.split("/v").next().unwrap_or_default().to_owned() + "/v";
                (request.method != "DELETE").then_some(request)
            })
            .before_record_response(|mut response| {
                response.set_body("changed");
                (response.status == 200).then_some(response)
            })
    };
    let cassette = vcr(RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let client = cassette.client(base());
    assert_eq!(get(&client, &test.url("/v1")).await.unwrap(), "0");
    client.delete(test.url("/v1")).send().await.unwrap();
    cassette.finish().await.unwrap();
    assert!(test.upstream.requests()[0].starts_with("GET /v1 "));
    assert!(!test.file().contains("DELETE") && test.file().contains("changed"));
    assert_eq!(test.run(vcr(RecordMode::None), &["/v2", "/v3"]).await, ["changed", "already played"]);
}

#[tokio::test]
async fn a_tighter_filter_does_not_break_an_old_cassette() {
    let test = Test::new().await;
    test.run(test.vcr(RecordMode::Once), &["/a?key=1&b=2"]).await;
    let tighter = test
        .vcr(RecordMode::None)
        .filter_query_parameters(["key"])
        .filter_headers(["x-anything"])
        .match_on([Matcher::Uri, Matcher::Headers, Matcher::Body]);
    assert_eq!(test.run(tighter, &["/a?key=2&b=2"]).await, ["0"]);
}

#[tokio::test]
async fn the_request_that_is_sent_keeps_what_filters_take_out_of_the_cassette() {
    let test = Test::new().await;
    let vcr = test.vcr(RecordMode::Once).filter_query_parameters([("key", "K")]);
    let cassette = vcr.build().use_cassette("a.yaml").unwrap();
    let request = cassette.client(base()).post(test.url("/login?key=abc")).bearer_auth("opensesame");
    request.body("user=bob&password=hunter2").send().await.unwrap();
    cassette.finish().await.unwrap();
    let sent = &test.upstream.requests()[0];
    for secret in ["key=abc", "Bearer opensesame", "password=hunter2"] {
        assert!(sent.contains(secret), "{sent}");
        assert!(!test.file().contains(secret), "{}", test.file());
    }
    assert!(test.file().contains("user=bob") && test.file().contains("key=K"));
}

#[tokio::test]
async fn the_body_is_compared_only_where_that_is_asked() {
    let test = Test::new().await;
    let by_body = |mode| test.vcr(mode).match_on(Matcher::DEFAULT.into_iter().chain([Matcher::Body]));
    let post = async |vcr: VcrBuilder, bodies: &[&'static str]| {
        let cassette = vcr.build().use_cassette("a.yaml").unwrap();
        let mut answers = Vec::new();
        for body in bodies {
            let request =
                cassette.client(base()).post(test.url("/")).header("content-type", "application/json");
            answers.push(match request.body(*body).send().await {
                Ok(response) => response.text().await.unwrap(),
                Err(error) => kind(&error).to_owned(),
            });
        }
        cassette.finish().await.unwrap();
        answers
    };
    post(by_body(RecordMode::Once), &[r#"{"a":1,"b":2}"#, r#"{"a":2}"#]).await;
    let played = post(by_body(RecordMode::None), &[r#"{"a":2}"#, r#"{"b": 2, "a": 1}"#, r#"{"a":3}"#]).await;
    assert_eq!(played, ["1", "0", "no match"]);
    assert_eq!(post(test.vcr(RecordMode::None), &[r#"{"other":0}"#]).await, ["0"]);
}

#[tokio::test]
async fn a_matcher_of_ones_own_decides_with_the_others() {
    let test = Test::new().await;
    test.run(test.vcr(RecordMode::Once), &["/a-1"]).await;
    let length = Matcher::custom("uri length", |made, recorded| made.uri.len() == recorded.uri.len());
    let vcr = || test.vcr(RecordMode::None).match_on([Matcher::Method, length.clone()]);
    assert_eq!(test.run(vcr(), &["/a-22"]).await, ["no match"]);
    assert_eq!(test.run(vcr(), &["/b-2"]).await, ["0"]);
}

#[tokio::test]
async fn a_connection_that_fails_is_returned_and_leaves_nothing_behind() {
    let test = Test::new().await;
    let cassette = test.vcr(RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let error = cassette.client(base()).get(closed_port()).send().await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    let report = cassette.finish().await.unwrap();
    assert_eq!((report.recorded, report.in_flight, report.saved), (0, 0, false));
    assert!(!test.folder.path().join("a.yaml").exists());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_an_error_and_is_not_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let broken = Upstream::start(|_, _| b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_vec()).await;
    let cassette = standard(folder.path(), RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    cassette.client(base()).get(&broken.url).send().await.unwrap_err();
    assert_eq!(cassette.finish().await.unwrap().recorded, 0);
}

#[tokio::test]
async fn a_body_larger_than_allowed_is_a_typed_error() {
    let folder = tempfile::tempdir().unwrap();
    let large = Upstream::start(|_, _| ok(&"x".repeat(2000))).await;
    let vcr = standard(folder.path(), RecordMode::Once).max_body_bytes(1999).build();
    let cassette = vcr.use_cassette("a.yaml").unwrap();
    let error = cassette.client(base()).get(&large.url).send().await.unwrap_err();
    assert!(
        matches!(vcr_error(&error), VcrError::Limit { what } if what.contains("max_body_bytes")),
        "{error}"
    );
}

/// Seen to fail where limits were held as a cassette was read, and not before.
#[tokio::test]
async fn a_cassette_that_could_not_be_read_again_is_not_written() {
    let test = Test::new().await;
    for (name, vcr) in [
        ("max_cassette_bytes", test.vcr(RecordMode::Once).max_cassette_bytes(100).build()),
        ("max_interactions", test.vcr(RecordMode::Once).max_interactions(1).build()),
    ] {
        let cassette = vcr.use_cassette("a.yaml").unwrap();
        let client = cassette.client(base());
        for path in ["/1", "/2"] {
            client.get(test.url(path)).send().await.unwrap();
        }
        let error = cassette.finish().await.unwrap_err();
        assert!(matches!(&error, VcrError::Limit { what } if what.contains(name)), "{error}");
        assert!(!test.folder.path().join("a.yaml").exists());
    }
}

/// Seen to fail where only a body that is a stream was measured.
#[tokio::test]
async fn an_upload_larger_than_allowed_is_a_typed_error_and_is_not_sent() {
    let test = Test::new().await;
    let vcr = test.vcr(RecordMode::Once).max_body_bytes(1999).build();
    let cassette = vcr.use_cassette("a.yaml").unwrap();
    let client = cassette.client(base());
    client.post(test.url("/")).body("x".repeat(1999)).send().await.unwrap();
    let error = client.post(test.url("/")).body("x".repeat(2000)).send().await.unwrap_err();
    assert!(matches!(vcr_error(&error), VcrError::Limit { .. }), "{error}");
    assert_eq!(test.sent(), 1);

    let vcr = test.vcr(RecordMode::Once).max_body_bytes(1).before_record_request(|_| None).build();
    let past = vcr.use_cassette("b.yaml").unwrap();
    past.client(base()).post(test.url("/")).body("x".repeat(2000)).send().await.unwrap();
    assert_eq!(test.sent(), 2, "what is not recorded may have any size");
}

/// Seen to fail where what stayed packed lost the header that says so: it was played as it was.
#[tokio::test]
async fn a_body_that_unpacks_to_more_than_allowed_says_so_when_it_is_played() {
    let folder = tempfile::tempdir().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&[b'x'; 2000]).unwrap();
    let packed = packed.finish().unwrap();
    let bomb = Upstream::start(move |_, _| with("200 OK", "Content-Encoding: gzip\r\n", &packed)).await;
    let open =
        |mode| standard(folder.path(), mode).max_body_bytes(1999).build().use_cassette("a.yaml").unwrap();
    let cassette = open(RecordMode::Once);
    cassette.client(base()).get(&bomb.url).send().await.unwrap();
    cassette.finish().await.unwrap();
    let error = open(RecordMode::None).client(base()).get(&bomb.url).send().await.unwrap_err();
    assert!(matches!(vcr_error(&error), VcrError::Limit { what } if what.contains("unpacks")), "{error}");
}

#[tokio::test]
async fn an_upload_that_is_a_stream_is_sent_whole_and_recorded() {
    let test = Test::new().await;
    let cassette = test.vcr(RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let stream = reqwest::Body::wrap_stream(chunks(&["one,", "two"]));
    let answer = cassette.client(base()).post(test.url("/")).body(stream).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "0");
    cassette.finish().await.unwrap();
    assert!(test.upstream.requests()[0].ends_with("one,two"), "{:?}", test.upstream.requests());
    assert!(test.file().contains("body: \"one,two\""));
}

fn chunks(
    texts: &[&'static str],
) -> impl futures_core::Stream<Item = Result<&'static str, std::io::Error>> + use<> {
    struct Chunks(Vec<&'static str>);
    impl futures_core::Stream for Chunks {
        type Item = Result<&'static str, std::io::Error>;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(self.0.pop().map(Ok))
        }
    }
    Chunks(texts.iter().rev().copied().collect())
}

#[tokio::test]
async fn the_answer_played_has_the_url_of_the_request_and_an_unusual_reason() {
    let folder = tempfile::tempdir().unwrap();
    let odd = Upstream::start(|_, _| with("299 Quite Fine", "X-A: 1\r\nX-A: 2\r\n", b"x")).await;
    let url = format!("{}/path?q=1", odd.url);
    for mode in [RecordMode::Once, RecordMode::None] {
        let cassette = standard(folder.path(), mode).build().use_cassette("a.yaml").unwrap();
        let response = cassette.client(base()).get(&url).send().await.unwrap();
        assert_eq!(response.url().as_str(), url);
        assert_eq!(response.headers().get_all("x-a").iter().count(), 2);
        let reason = response.extensions().get::<hyper::ext::ReasonPhrase>().unwrap();
        assert_eq!(reason.as_bytes(), b"Quite Fine");
        cassette.finish().await.unwrap();
    }
}

#[tokio::test]
async fn a_test_that_panics_saves_unless_told_otherwise() {
    let test = Test::new().await;
    for (record, name) in [(true, "kept.yaml"), (false, "lost.yaml")] {
        let (vcr, url) = (test.vcr(RecordMode::Once).record_on_exception(record).build(), test.url("/a"));
        let task = tokio::spawn(async move {
            let cassette = vcr.use_cassette(name).unwrap();
            cassette.client(base()).get(url).send().await.unwrap();
            panic!("the test fails here");
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(test.folder.path().join(name).exists(), record, "{name}");
    }
}

#[tokio::test]
async fn a_cassette_that_is_dropped_is_saved_and_one_that_is_finished_lets_nothing_in() {
    let test = Test::new().await;
    let cassette = test.vcr(RecordMode::Once).build().use_cassette("a.yaml").unwrap();
    let client = cassette.client(base());
    get(&client, &test.url("/a")).await.unwrap();
    drop(cassette);
    assert!(test.file().contains("/a"));
    let error = get(&client, &test.url("/b")).await.unwrap_err();
    assert!(matches!(vcr_error(&error), VcrError::Finished { .. }), "{error}");
    assert_eq!(test.sent(), 1);
}

#[tokio::test]
async fn what_else_a_file_holds_is_kept_when_it_is_rewritten() {
    let test = Test::new().await;
    let metadata = "metadata:\n  list: [1.5, true, ~, \"yes\"]\n  note: yes\n  raw: !!binary /w==\n";
    fs::write(
        test.folder.path().join("a.yaml"),
        format!("interactions: []\n{metadata}other: 1_000\nversion: 1\n"),
    )
    .unwrap();
    test.run(test.vcr(RecordMode::NewEpisodes), &["/a"]).await;
    let file = test.file();
    for line in [
        "metadata:\n",
        "    - 1.5\n    - true\n    - null\n    - \"yes\"\n",
        "  note: yes\n",
        "  raw: !!binary |\n    /w==\n",
        "other: 1_000\n",
    ] {
        assert!(file.contains(line), "{line:?} is not in\n{file}");
    }
    test.run(test.vcr(RecordMode::NewEpisodes), &["/a", "/b"]).await;
    assert!(test.file().contains("other: 1_000\n"));
}

#[tokio::test]
async fn a_binary_body_does_not_go_into_json_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let binary = Upstream::start(|_, _| with("200 OK", "", b"\xff\xfe")).await;
    let vcr = standard(folder.path(), RecordMode::Once).serializer(Serializer::Json).build();
    let cassette = vcr.use_cassette("a").unwrap();
    cassette.client(base()).get(&binary.url).send().await.unwrap();
    let error = cassette.finish().await.unwrap_err();
    assert!(matches!(&error, VcrError::NotText { .. }), "{error}");
    assert!(!folder.path().join("a").exists());
}

#[tokio::test]
async fn the_error_shows_the_closest_requests_what_differs_and_what_to_do() {
    let test = Test::new().await;
    test.run(test.vcr(RecordMode::Once), &["/users/1?page=1", "/users/2", "/orders"]).await;
    let cassette =
        test.vcr(RecordMode::None).filter_query_parameters(["key"]).build().use_cassette("a.yaml").unwrap();
    let error = get(&cassette.client(base()), &test.url("/users/1?page=2&key=s3cr3t")).await.unwrap_err();
    let unanswered = vcr_error(&error).unanswered().unwrap();
    assert_eq!((unanswered.recorded, unanswered.played, unanswered.closest.len()), (3, 0, 3));
    assert_eq!(unanswered.closest[0].differences[0].matcher, "query");
    let message = error.to_string();
    for part in [
        "/users/1?page=2: no recording of it; the closest differs in query; record mode `none`",
        "a.yaml",
        "match on:     method, scheme, host, port, path, query",
        "interactions: 3 recorded, 0 played",
        "query differs: page=2 now, page=1 recorded",
        "path differs: /users/1 now, /users/2 recorded",
        "VCR_RECORD_MODE=new_episodes",
    ] {
        assert!(message.contains(part), "{part:?} is not in\n{message}");
    }
    assert!(!message.contains("s3cr3t"), "{message}");
}

#[tokio::test]
async fn each_kind_of_missing_answer_says_how_to_mend_it() {
    let test = Test::new().await;
    let message = async |name: &str, vcr: VcrBuilder, url: String| {
        let cassette = vcr.build().use_cassette(name).unwrap();
        let client = cassette.client(base());
        let _ = client.get(&url).send().await;
        client.get(&url).send().await.unwrap_err().to_string()
    };
    test.run(test.vcr(RecordMode::Once), &["/a"]).await;
    let absent = message("absent.yaml", test.vcr(RecordMode::None), test.url("/a")).await;
    assert!(absent.contains("there is no cassette") && absent.contains("VCR_RECORD_MODE=once"), "{absent}");
    let again = message("a.yaml", test.vcr(RecordMode::Once), test.url("/a")).await;
    assert!(
        again.contains("its one recording was played already") && again.contains("allow_playback_repeats"),
        "{again}"
    );
    let path_only = test.vcr(RecordMode::None).match_on([Matcher::Path]);
    let other = message("a.yaml", path_only, "https://elsewhere.example/x".to_owned()).await;
    assert!(other.contains("nothing like it") && other.contains("ignore_hosts"), "{other}");
}

/// Everything the document configures can be said, word for word.
#[test]
fn the_configuration_of_the_document_is_expressible_one_to_one() {
    let vcr = Vcr::builder()
        .cassette_library_dir("tests/cassettes")
        .record_mode("once".parse().unwrap())
        .match_on(["method", "scheme", "host", "port", "path", "query"].map(|name| name.parse().unwrap()))
        .filter_headers(["authorization"])
        .filter_post_data_parameters(["password", "token"])
        .build();
    assert_eq!(vcr.path(Path::new("users.yaml")), Path::new("tests/cassettes/users.yaml"));
    assert!(format!("{vcr:?}").contains("[method, scheme, host, port, path, query]"), "{vcr:?}");
    assert_eq!(format!("{:?}", Filter::from("password")), "Filter(\"password\": remove)");
}
