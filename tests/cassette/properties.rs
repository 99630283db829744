//! What is written reads back the same, for any bytes, here and in PyYAML.

use crate::support::python::{python, script};
use crate::support::upstream::Upstream;
use crate::support::{base, standard};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use roster_cassette::{RecordMode, RecordedRequest, RecordedResponse, Serializer, Vcr};
use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Bytes of all kinds: any at all, text of every script, and what YAML has a special view of.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let odd = prop_oneof![
        Just("null"),
        Just("~"),
        Just("yes"),
        Just("1_000"),
        Just("12:30:45"),
        Just("2026-01-01"),
        Just("="),
        Just("<<"),
        Just("!!binary |"),
        Just("- a\n- b"),
        Just("---\n...\n"),
        Just("  x  "),
        Just("\n\n"),
        Just("a\r\nb\rc"),
        Just("\u{85}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}"),
        Just("# x: y"),
        Just("'\"\\"),
        Just("\u{1f680}\u{10ffff}"),
    ];
    prop_oneof![
        vec(any::<u8>(), 0..200),
        any::<String>().prop_map(String::into_bytes),
        vec(prop_oneof![odd.prop_map(str::to_owned), ".{0,5}"], 0..6)
            .prop_map(|parts| parts.concat().into_bytes()),
    ]
}

fn header() -> impl Strategy<Value = (String, Vec<u8>)> {
    let byte = prop_oneof![9 => 0x20_u8..0x7f, 3 => 0x80_u8..=0xff, 1 => Just(b'\t')];
    let name = prop_oneof![
        "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}",
        Just("yes".to_owned()),
        Just("null".into()),
        Just("1e3".into())
    ];
    let value = prop_oneof![vec(byte, 0..60), "[ -~é☃🚀]{0,20}".prop_map(String::into_bytes)];
    (name, value)
}

fn interaction() -> impl Strategy<Value = (RecordedRequest, RecordedResponse)> {
    let method = "[A-Z]{1,8}|[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}";
    let request = (method, "[ -~é☃]{0,30}", vec(header(), 0..5), bytes());
    let response = (100_u16..1000, "[ -~é☃]{0,20}", vec(header(), 0..6), bytes());
    (request, response).prop_map(|((method, path, names, body), (status, message, headers, answer))| {
        let path = path.replace(['?', '#'], "/");
        let mut request = RecordedRequest {
            method,
            uri: format!("http://h.example/{path}"),
            body: body.into(),
            ..RecordedRequest::default()
        };
        for (name, value) in names {
            if !request.headers.contains(&name) {
                request.headers.append(&name, &value).unwrap();
            }
        }
        let mut response =
            RecordedResponse { status, message, body: answer.into(), ..RecordedResponse::default() };
        for (name, value) in headers {
            response.headers.append(&name, &value).unwrap();
        }
        (request, response)
    })
}

/// Everything an interaction holds, in an order of its own, as lines that Python can make too.
fn described(number: usize, (request, response): &(RecordedRequest, RecordedResponse)) -> String {
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut out, byte| {
            write!(out, "{byte:02x}").unwrap();
            out
        })
    };
    let headers = |headers: &roster_cassette::Headers| {
        let lines = headers.iter().map(|(name, values)| {
            let values: Vec<_> = values.iter().map(|value| hex(value.as_bytes())).collect();
            format!("{name}={}", values.join(","))
        });
        let mut lines: Vec<_> = lines.collect();
        lines.sort();
        lines.join(";")
    };
    format!(
        "{number} {} {} [{}] {} / {} {} [{}] {}\n",
        request.method,
        hex(request.uri.as_bytes()),
        headers(&request.headers),
        hex(&request.body),
        response.status,
        hex(response.message.as_bytes()),
        headers(&response.headers),
        hex(&response.body),
    )
}

/// Writes interactions through the crate as a user could: by hooks that put them in the place of real ones.
async fn write(
    folder: &Path,
    name: &str,
    upstream: &Upstream,
    interactions: Vec<(RecordedRequest, RecordedResponse)>,
) {
    let (requests, responses): (Vec<_>, Vec<_>) = interactions.into_iter().unzip();
    let count = requests.len();
    let (requests, responses) =
        (std::sync::Mutex::new(requests.into_iter()), std::sync::Mutex::new(responses.into_iter()));
    let vcr = Vcr::builder()
        .cassette_library_dir(folder)
        .record_mode(RecordMode::Once)
        .filter_headers([""; 0])
        .leak_gate(false)
        .before_record_request(move |_| requests.lock().unwrap().next())
        .before_record_response(move |_| responses.lock().unwrap().next())
        .build();
    let cassette = vcr.use_cassette(name).unwrap();
    let client = cassette.client(base());
    for _ in 0..count {
        client.get(&upstream.url).send().await.unwrap();
    }
    assert_eq!(cassette.finish().await.unwrap().recorded, count);
}

fn read(folder: &Path, name: &str) -> String {
    let vcr = standard(folder, RecordMode::None)
        .filter_headers([""; 0])
        .filter_post_data_parameters([""; 0])
        .build();
    let cassette = vcr.use_cassette(name).unwrap();
    let all = cassette.requests().into_iter().zip(cassette.responses()).enumerate();
    all.map(|(number, interaction)| described(number, &interaction)).collect()
}

/// The same description from the file as vcrpy's own loader sees it.
const DESCRIBE: &str = r#"
import os, sys
from vcr.serializers import yamlserializer
folder = sys.argv[1]
def raw(value):
    return b"" if value is None else value if isinstance(value, bytes) else value.encode()
def headers(headers):
    for name in headers: assert isinstance(name, str), name
    return ";".join(sorted(name + "=" + ",".join(raw(v).hex() for v in values) for name, values in headers.items()))
for name in sorted(os.listdir(folder), key=lambda name: int(name.split(".")[0])):
    for number, i in enumerate(yamlserializer.deserialize(open(os.path.join(folder, name), encoding="utf-8").read())["interactions"]):
        q, r = i["request"], i["response"]
        assert isinstance(q["method"], str) and isinstance(q["uri"], str) and isinstance(r["status"]["code"], int)
        print(f'{number} {q["method"]} {raw(q["uri"]).hex()} [{headers(q["headers"])}] {raw(q["body"]).hex()} / '
              f'{r["status"]["code"]} {raw(r["status"]["message"]).hex()} [{headers(r["headers"])}] {raw(r["body"]["string"]).hex()}')
"#;

/// 2 000 interactions, in 100 files.
#[test]
fn what_is_written_reads_back_the_same_here_and_in_pyyaml() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let upstream = runtime.block_on(Upstream::counting());
    let cases = RefCell::new((0, String::new()));
    TestRunner::new(Config { cases: 100, ..Config::default() })
        .run(&vec(interaction(), 20), |interactions| {
            let mut cases = cases.borrow_mut();
            let name = format!("{}.yaml", cases.0);
            let before: String = interactions.iter().enumerate().map(|(n, it)| described(n, it)).collect();
            runtime.block_on(write(folder.path(), &name, &upstream, interactions));
            prop_assert_eq!(read(folder.path(), &name), before.as_str());
            cases.0 += 1;
            cases.1 += &before;
            Ok(())
        })
        .unwrap();
    let (files, expected) = cases.into_inner();
    assert_eq!((files, expected.lines().count()), (100, 2000));
    if let Some(python) = python() {
        let said = script(python, DESCRIBE, &[folder.path()]);
        for (ours, theirs) in expected.lines().zip(said.lines()) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(expected.lines().count(), said.lines().count());
    }
}

/// Load, save, load: the same interactions; and the second save has the bytes of the first.
#[test]
fn a_second_save_has_the_bytes_of_the_first() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let upstream = runtime.block_on(Upstream::counting());
    let number = RefCell::new(0);
    TestRunner::new(Config { cases: 50, ..Config::default() })
        .run(&vec(interaction(), 5), |interactions| {
            let number = number.replace_with(|number| *number + 1);
            let (first, second) = (format!("{number}-first.yaml"), format!("{number}-second.yaml"));
            runtime.block_on(write(folder.path(), &first, &upstream, interactions));
            let vcr = standard(folder.path(), RecordMode::None)
                .filter_headers([""; 0])
                .filter_post_data_parameters([""; 0]);
            let loaded = vcr.build().use_cassette(&first).unwrap();
            let again = loaded.requests().into_iter().zip(loaded.responses()).collect();
            runtime.block_on(write(folder.path(), &second, &upstream, again));
            let bytes = |name| fs::read(folder.path().join(name)).unwrap();
            prop_assert_eq!(bytes(first), bytes(second));
            Ok(())
        })
        .unwrap();
}

/// JSON holds the same, as long as everything is text.
#[test]
fn json_reads_back_the_same_for_any_text() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let upstream = runtime.block_on(Upstream::start(|_, _| crate::support::upstream::ok("x")));
    let number = RefCell::new(0);
    TestRunner::new(Config { cases: 100, ..Config::default() })
        .run(&(any::<String>(), any::<String>()), |(request, response)| {
            let name = format!("{}.json", number.replace_with(|number| *number + 1));
            let answer = response.clone();
            let vcr = Vcr::builder()
                .cassette_library_dir(folder.path())
                .record_mode(RecordMode::Once)
                .serializer(Serializer::Json)
                .leak_gate(false)
                .before_record_response(move |mut response| {
                    response.set_body(answer.clone());
                    Some(response)
                })
                .build();
            runtime.block_on(async {
                let cassette = vcr.use_cassette(&name).unwrap();
                cassette.client(base()).post(&upstream.url).body(request.clone()).send().await.unwrap();
                cassette.finish().await.unwrap();
            });
            let read =
                Vcr::builder().cassette_library_dir(folder.path()).build().use_cassette(&name).unwrap();
            prop_assert_eq!(&read.requests()[0].body, request.as_bytes());
            prop_assert_eq!(&read.responses()[0].body, response.as_bytes());
            Ok(())
        })
        .unwrap();
}
