//! Which recorded request answers which: the judge is vcrpy's own matchers.

use crate::support::python::{python, script};
use crate::support::{base, standard, vcr_error};
use roster_cassette::{Matcher, RecordMode, VcrError};
use std::fs;

/// Recorded and made; the hosts do not exist.
const PAIRS: [(&str, &str); 44] = [
    ("http://h.example/", "http://h.example"),
    ("http://h.example", "http://h.example/"),
    ("http://h.example/a", "http://h.example/a/"),
    ("http://h.example/a", "http://h.example/A"),
    ("http://h.example/a", "http://H.Example/a"),
    ("HTTP://h.example/a", "http://h.example/a"),
    ("http://h.example:80/a", "http://h.example/a"),
    ("https://h.example:443/a", "https://h.example/a"),
    ("http://h.example:8080/a", "http://h.example/a"),
    ("https://h.example/a", "http://h.example/a"),
    ("http://h.example/a?x=1&y=2", "http://h.example/a?y=2&x=1"),
    ("http://h.example/a?x=1&x=2", "http://h.example/a?x=2&x=1"),
    ("http://h.example/a?x=1", "http://h.example/a?x=1&x=1"),
    ("http://h.example/a?x=a+b", "http://h.example/a?x=a%20b"),
    ("http://h.example/a?x=%2B", "http://h.example/a?x=+"),
    ("http://h.example/a?x=%C3%A9", "http://h.example/a?x=é"),
    ("http://h.example/a?x=%E9", "http://h.example/a?x=%EF%BF%BD"),
    ("http://h.example/a?x=%zz", "http://h.example/a?x=%25zz"),
    ("http://h.example/a?flag", "http://h.example/a"),
    ("http://h.example/a?flag", "http://h.example/a?other"),
    ("http://h.example/a?x=", "http://h.example/a"),
    ("http://h.example/a?x=&y=1", "http://h.example/a?y=1"),
    ("http://h.example/a?=1", "http://h.example/a"),
    ("http://h.example/a?x=1;y=2", "http://h.example/a?x=1&y=2"),
    ("http://h.example/a?x=1&", "http://h.example/a?&x=1"),
    ("http://h.example/a?x==1", "http://h.example/a?x=%3D1"),
    ("http://h.example/a?x=1?y", "http://h.example/a?x=1%3Fy"),
    ("http://h.example/a?X=1", "http://h.example/a?x=1"),
    ("http://h.example/a?a[]=1", "http://h.example/a?a%5B%5D=1"),
    ("http://h.example/a#x", "http://h.example/a#y"),
    ("http://h.example/a?x=1#y", "http://h.example/a?x=1"),
    ("http://user:pw@h.example/a", "http://h.example/a"),
    ("http://h.example/a;v=1", "http://h.example/a;v=2"),
    ("http://h.example/a;v=1", "http://h.example/a"),
    ("http://h.example/a;v=1/b", "http://h.example/a;v=2/b"),
    ("http://h.example/a%2Fb", "http://h.example/a/b"),
    ("http://h.example/a%2fb", "http://h.example/a%2Fb"),
    ("http://h.example/%7Ea", "http://h.example/~a"),
    ("http://h.example/a%20b", "http://h.example/a+b"),
    ("http://h.example//a", "http://h.example/a"),
    ("http://h.example/a/../b", "http://h.example/b"),
    ("http://[::1]:9/a", "http://[::1]:9/a"),
    ("http://[::1]:9/a", "http://[::2]:9/a"),
    ("http://h.example/a'b", "http://h.example/a%27b"),
];

/// Where vcrpy tells apart what RFC 3986, section 6.2.2, calls the same.
const SAME_HERE_ONLY: [usize; 3] = [36, 37, 40];

const JUDGE: &str = r#"
import json, sys
from vcr import matchers
from vcr.request import Request
six = [matchers.method, matchers.scheme, matchers.host, matchers.port, matchers.path, matchers.query]
for recorded, made in json.load(open(sys.argv[1])):
    a, b = (Request("GET", uri, None, {}) for uri in (made, recorded))
    print(int(matchers.requests_match(a, b, six)), int(matchers.requests_match(a, b, [matchers.uri])))
"#;

async fn plays(recorded: &str, made: &str, matchers: &[Matcher]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "interactions:\n- request: {{method: GET, uri: \"{recorded}\"}}\n  response: {{body: {{string: x}}, status: \
         {{code: 200}}}}\n"
    );
    fs::write(folder.path().join("a.yaml"), text).unwrap();
    let vcr = standard(folder.path(), RecordMode::None).match_on(matchers.iter().cloned()).build();
    let cassette = vcr.use_cassette("a.yaml").unwrap();
    match cassette.client(base()).get(made).send().await {
        Ok(_) => true,
        Err(error) => {
            let expected = matches!(vcr_error(&error), VcrError::NoMatch(_) | VcrError::NothingSimilar(_));
            assert!(expected, "{recorded} {made}: {error}");
            false
        }
    }
}

#[tokio::test]
async fn two_uris_match_where_they_do_in_vcrpy_and_where_they_are_one_uri_spelled_twice() {
    let Some(python) = python() else { return };
    let list = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(&list, &PAIRS.to_vec()).unwrap();
    let said = script(python, JUDGE, &[list.path()]);
    let verdicts: Vec<_> = said.lines().collect();
    assert_eq!(verdicts.len(), PAIRS.len());
    for (number, ((recorded, made), verdict)) in PAIRS.iter().zip(verdicts).enumerate() {
        let here = plays(recorded, made, &Matcher::DEFAULT).await;
        let there = verdict.starts_with('1');
        assert_eq!(
            here,
            there || SAME_HERE_ONLY.contains(&number),
            "{number}: {recorded} {made}: vcrpy says {there}"
        );
        if verdict.ends_with('1') {
            assert!(
                plays(recorded, made, &[Matcher::Uri]).await,
                "{number}: {recorded} {made}: by the whole URI"
            );
        }
    }
}
