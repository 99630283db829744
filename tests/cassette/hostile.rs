//! Files that must not hurt: each is a typed error, or gives what is documented, and stays as it was.

use crate::support::{base, closed_port, fixtures, standard};
use roster_cassette::{RecordMode, VcrError};
use std::fs;

/// What opening a file ends in.
enum End {
    /// It counts as absent.
    Absent,
    /// It opens, with so many interactions.
    Opens(usize),
    /// It cannot be read, for a reason that says this, on this line.
    Unreadable(&'static str, usize),
    /// It is more than is allowed.
    Limit,
}

use End::{Absent, Limit, Opens, Unreadable};

const REQUEST: &str = "{body: null, headers: {}, method: GET, uri: 'http://h/'}";

/// A cassette of one interaction with this response.
fn answering(response: &str) -> Vec<u8> {
    format!("interactions:\n- request: {REQUEST}\n  response: {response}\nversion: 1\n").into_bytes()
}

/// A cassette of one interaction with this request.
fn asking(request: &str) -> Vec<u8> {
    let response = "{body: {string: ''}, headers: {}, status: {code: 200, message: OK}}";
    format!("interactions:\n- request: {request}\n  response: {response}\nversion: 1\n").into_bytes()
}

fn check(name: &str, bytes: &[u8], end: &End) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    for mode in [RecordMode::None, RecordMode::Once, RecordMode::NewEpisodes, RecordMode::All] {
        match (standard(folder.path(), mode).build().use_cassette(name), end) {
            (Ok(cassette), Absent) => assert_eq!(cassette.requests().len(), 0, "{name}"),
            (Ok(cassette), Opens(count)) => assert_eq!(cassette.requests().len(), *count, "{name}"),
            (Err(VcrError::Unreadable { reason, line, .. }), Unreadable(says, at)) => {
                assert!(reason.contains(says), "{name}: {reason}");
                assert_eq!(line, *at, "{name}: {reason}");
            }
            (Err(VcrError::Limit { .. }), Limit) => {}
            (outcome, _) => panic!("{name}: {outcome:?}"),
        }
    }
    assert_eq!(fs::read(&path).unwrap(), bytes, "{name}: the file was changed");
}

#[test]
fn the_hostile_files_of_the_fixtures_do_no_harm() {
    for (name, end) in [
        ("bad_base64.yaml", Unreadable("not Base64", 5)),
        ("bad_utf8.yaml", Unreadable("not UTF-8", 2)),
        ("deep_nesting.yaml", Limit),
        ("empty.yaml", Absent),
        ("header_injection.yaml", Unreadable("the header `X`", 3)),
        ("missing_interactions.yaml", Unreadable("`interactions` is missing", 1)),
        ("python_tag_exec.yaml", Unreadable("!!python/object/apply:os.system", 2)),
        ("truncated.yaml", Unreadable("the request has no `uri`", 35)),
    ] {
        check(name, &fs::read(fixtures().join("hostile").join(name)).unwrap(), &end);
    }
}

#[test]
fn other_hostile_yaml_does_no_harm() {
    let laughs: String = (0..9)
        .map(|n| format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(",")))
        .skip(1)
        .collect();
    let cases: Vec<(&str, Vec<u8>, End)> = vec![
        ("comment.yaml", b"# nothing yet\n".to_vec(), Absent),
        ("null.yaml", b"null\n".to_vec(), Unreadable("nothing where a mapping", 1)),
        ("list.yaml", b"- request: {}\n".to_vec(), Unreadable("before 1.0", 1)),
        ("text.yaml", b"just words\n".to_vec(), Unreadable("text where a mapping", 1)),
        ("version_99.yaml", b"interactions: []\nversion: 99\n".to_vec(), Unreadable("version 99", 2)),
        ("no_version.yaml", b"interactions: []\n".to_vec(), Opens(0)),
        ("interactions_null.yaml", b"interactions:\nversion: 1\n".to_vec(), Opens(0)),
        ("interactions_map.yaml", b"interactions: {}\n".to_vec(), Unreadable("not a list", 1)),
        ("ruby.yaml", b"http_interactions: []\n".to_vec(), Unreadable("Ruby", 1)),
        (
            "laughs.yaml",
            format!("a0: &a0 [lol]\n{laughs}interactions: []\n").into_bytes(),
            Unreadable("alias", 2),
        ),
        ("anchor.yaml", b"interactions: &all []\nversion: 1\n".to_vec(), Opens(0)),
        ("merge.yaml", b"x: &x {a: 1}\ninteractions: []\ny: {<<: *x}\n".to_vec(), Unreadable("alias", 3)),
        ("twice.yaml", b"interactions: []\ninteractions: []\n".to_vec(), Unreadable("stands twice", 2)),
        (
            "two_documents.yaml",
            b"interactions: []\n---\ninteractions: []\n".to_vec(),
            Unreadable("second YAML document", 2),
        ),
        ("tab.yaml", b"interactions:\n\t- x\n".to_vec(), Unreadable("not valid YAML", 2)),
        ("utf16.yaml", b"\xff\xfei\0n\0".to_vec(), Unreadable("UTF-16", 1)),
        ("nul.yaml", b"interactions: \0\n".to_vec(), Unreadable("", 1)),
        ("deep_block.yaml", (0..200).map(|n| " ".repeat(n) + "a:\n").collect::<String>().into_bytes(), Limit),
        ("deep_flow_map.yaml", "{a: ".repeat(5000).into_bytes(), Limit),
        ("many.yaml", [b"interactions:\n".to_vec(), b"- {}\n".repeat(10_001)].concat(), Limit),
        ("json_list.json", b"[]".to_vec(), Unreadable("before 1.0", 1)),
        ("json_deep.json", "[".repeat(100_000).into_bytes(), Limit),
        ("json_cut.json", b"{\"interactions\": [\n".to_vec(), Unreadable("not valid JSON", 2)),
        (
            "json_twice.json",
            b"{\"interactions\": [],\n\"interactions\": []}".to_vec(),
            Unreadable("stands twice", 2),
        ),
        ("json_blank.json", b" \n".to_vec(), Absent),
        ("json_scalar.json", b"1e999".to_vec(), Unreadable("text where a mapping", 1)),
    ];
    for (name, bytes, end) in cases {
        check(name, &bytes, &end);
    }
}

#[test]
fn a_response_or_request_that_no_client_may_see_is_refused() {
    let response = |status: &str, headers: &str| {
        answering(&format!("{{body: {{string: ''}}, headers: {headers}, status: {status}}}"))
    };
    let request = |method: &str, uri: &str| {
        asking(&format!("{{body: null, headers: {{}}, method: {method}, uri: {uri}}}"))
    };
    let cases = [
        ("status_99.yaml", response("{code: 99, message: x}", "{}"), Unreadable("100 to 999", 3)),
        ("status_1000.yaml", response("{code: 1000, message: x}", "{}"), Unreadable("100 to 999", 3)),
        (
            "status_huge.yaml",
            response("{code: 99999999999999999999999999, message: x}", "{}"),
            Unreadable("100 to 999", 3),
        ),
        ("status_float.yaml", response("{code: 2e2, message: x}", "{}"), Unreadable("100 to 999", 3)),
        ("status_text.yaml", response("{code: '200', message: null}", "{}"), Opens(1)),
        (
            "reason.yaml",
            response("{code: 200, message: \"OK\\r\\nX: y\"}", "{}"),
            Unreadable("reason phrase", 3),
        ),
        (
            "name.yaml",
            response("{code: 200, message: OK}", "{'X Y': [a]}"),
            Unreadable("the header `X Y`", 3),
        ),
        (
            "name_crlf.yaml",
            response("{code: 200, message: OK}", "{\"X\\r\\nY\": [a]}"),
            Unreadable("the header", 3),
        ),
        (
            "value_nul.yaml",
            response("{code: 200, message: OK}", "{X: [\"a\\0\"]}"),
            Unreadable("the header `X`", 3),
        ),
        (
            "value_map.yaml",
            response("{code: 200, message: OK}", "{X: [{a: b}]}"),
            Unreadable("the header `X`", 3),
        ),
        (
            "value_scalar.yaml",
            response("{code: 200, message: OK}", "{X: 1, Y: [2, null], Z: null, V: []}"),
            Opens(1),
        ),
        ("headers_list.yaml", response("{code: 200, message: OK}", "[a]"), Unreadable("not a mapping", 3)),
        ("no_status.yaml", answering("{body: {string: ''}, headers: {}}"), Unreadable("no `status`", 3)),
        ("no_response.yaml", answering("null"), Unreadable("the response is nothing", 3)),
        ("ftp.yaml", request("GET", "'ftp://h/'"), Unreadable("http and https", 2)),
        ("file.yaml", request("GET", "'file:///etc/passwd'"), Unreadable("http and https", 2)),
        ("relative.yaml", request("GET", "/users"), Unreadable("absolute", 2)),
        ("method.yaml", request("\"GET / HTTP/1.1\\r\\nX: \"", "'http://h/'"), Unreadable("not a method", 2)),
        ("uri_crlf.yaml", request("GET", "\"http://h/\\r\\nX: y\""), Unreadable("no URI may have", 2)),
        ("no_uri.yaml", asking("{method: GET}"), Unreadable("no `uri`", 2)),
    ];
    for (name, bytes, end) in cases {
        check(name, &bytes, &end);
    }
}

#[test]
fn dialects_of_other_versions_and_editors_open() {
    let old_httpx = "{content: '{}', headers: {content-type: application/json}, http_version: HTTP/1.1, status_code: 201}";
    let crlf = String::from_utf8(fs::read(fixtures().join("data/10_yaml_torture.yaml")).unwrap()).unwrap();
    let with_mark =
        [b"\xef\xbb\xbf".to_vec(), fs::read(fixtures().join("data/01_get_users.yaml")).unwrap()].concat();
    let iterator = "{body: !!python/object/apply:builtins.iter {args: [[!!binary aGk=, ho, 33]], state: 0}, headers: {A: !!python/tuple [b]}, method: !!python/unicode 'PUT', uri: !!python/str 'http://h/'}";
    let cases = [
        ("old_httpx.yaml", answering(old_httpx), Opens(1)),
        ("crlf.yaml", crlf.replace('\n', "\r\n").into_bytes(), Opens(20)),
        ("mark.yaml", with_mark, Opens(4)),
        ("iterator.yaml", asking(iterator), Opens(1)),
        (
            "bytes_io.yaml",
            asking(
                "{body: !!python/object/new:_io.BytesIO {state: !!python/tuple [!!binary aGk=, 0, null]}, headers: null, method: PUT, uri: 'http://h/'}",
            ),
            Opens(1),
        ),
        (
            "object_body.yaml",
            asking("{body: {a: [1, 'x', null]}, headers: {}, method: PUT, uri: 'http://h/'}"),
            Opens(1),
        ),
    ];
    for (name, bytes, end) in cases {
        check(name, &bytes, &end);
    }
    let folder = tempfile::tempdir().unwrap();
    let body_of = |text: Vec<u8>| {
        fs::write(folder.path().join("a.yaml"), text).unwrap();
        standard(folder.path(), RecordMode::None).build().use_cassette("a.yaml").unwrap().requests()[0]
            .body
            .clone()
    };
    assert_eq!(body_of(asking(iterator)), "hiho!");
    assert_eq!(
        body_of(asking("{body: {a: [1, 'x', null]}, method: PUT, uri: 'http://h/'}")),
        r#"{"a": [1, "x", null]}"#
    );
}

#[tokio::test]
async fn a_body_that_unpacks_without_end_is_an_error_and_not_a_full_memory() {
    let folder = tempfile::tempdir().unwrap();
    let bomb = std::process::Command::new("python3")
        .args([
            "-c",
            "import base64, gzip; print(base64.b64encode(gzip.compress(bytes(20_000_000))).decode())",
        ])
        .output()
        .unwrap();
    let bomb = String::from_utf8(bomb.stdout).unwrap();
    let response = format!(
        "{{body: {{string: !!binary '{}'}}, headers: {{content-encoding: [gzip]}}, status: {{code: 200, message: OK}}}}",
        bomb.trim()
    );
    fs::write(folder.path().join("bomb.yaml"), answering(&response)).unwrap();
    let cassette = standard(folder.path(), RecordMode::None).build().use_cassette("bomb.yaml").unwrap();
    let error = cassette.client(base()).get("http://h/").send().await.unwrap_err();
    assert!(matches!(VcrError::of(&error), Some(VcrError::Limit { .. })), "{error}");
}

/// An unreadable file is an error before any request could be made.
#[tokio::test]
async fn an_empty_file_in_mode_none_is_an_absent_cassette_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("empty.yaml"), "").unwrap();
    let cassette = standard(folder.path(), RecordMode::None).build().use_cassette("empty.yaml").unwrap();
    let error = cassette.client(base()).get(closed_port()).send().await.unwrap_err();
    assert!(matches!(VcrError::of(&error), Some(VcrError::NotFound(_))), "{error}");
}

/// Not a fuzzer's depth, but its manner: what becomes of a file with bytes changed, cut or doubled is never a
/// panic.
#[test]
fn files_with_damage_anywhere_open_or_fail_but_never_panic() {
    use proptest::prelude::*;
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "data/02_binary.yaml",
        "data/10_yaml_torture.yaml",
        "data/06_post_filtered.yaml",
        "data/12_json_serializer.json",
    ];
    let files = names.map(|name| (name, fs::read(fixtures().join(name)).unwrap()));
    let damage =
        (0..files.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..4, any::<[u8; 3]>());
    proptest::test_runner::TestRunner::new(ProptestConfig { cases: 2000, ..ProptestConfig::default() })
        .run(&damage, |(file, at, to, kind, bytes)| {
            let (name, mut text) = files[file].clone();
            let (at, to) = (at.index(text.len()), to.index(text.len()));
            let (at, to) = (at.min(to), at.max(to));
            match kind {
                0 => text[at] = bytes[0],
                1 => text.truncate(at),
                2 => drop(text.drain(at..to)),
                _ => drop(text.splice(at..at, bytes)),
            }
            let path = folder.path().join(name.replace('/', "-"));
            fs::write(&path, &text).unwrap();
            let opened = standard(folder.path(), RecordMode::None).build().use_cassette(&path);
            let typed = matches!(opened, Ok(_) | Err(VcrError::Unreadable { .. } | VcrError::Limit { .. }));
            prop_assert!(typed, "{opened:?}");
            Ok(())
        })
        .unwrap();
}
