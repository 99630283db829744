//! JWTs: which are taken, and every way to make one that is not.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::READ;
use crate::kit::{
    Database, EVENTS, OnSqlite, Program, Roster, SigningKey, USERS, encode, jwks, message, new_user, suite,
};

suite![
    a_jwt_of_each_algorithm_lets_its_subject_in,
    scopes_are_words_or_an_array_and_those_of_others_count_for_nothing,
    each_claim_is_looked_at,
    clocks_may_be_apart_a_little,
    no_signature_is_none,
    a_public_key_is_no_secret_to_sign_with,
    the_key_decides_the_algorithm,
    a_key_that_comes_with_the_token_is_nobodys,
    what_a_header_calls_critical_is_refused,
    what_is_no_jwt_is_refused,
    a_stream_ends_once_its_jwt_has_expired,
    a_subject_that_may_be_an_email_has_another_name_in_the_log,
];

const ISSUER: &str = "https://id.example.org/";
const AUDIENCE: &str = "roster";

/// A service that takes JWTs of three keys, one for each algorithm.
struct Taking {
    roster: Roster,
    keys: [SigningKey; 3],
    _folder: TempDir,
}

impl Taking {
    async fn on(database: &Database) -> Self {
        let keys = [SigningKey::rsa("r"), SigningKey::ec("e"), SigningKey::ed("d")];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jwks.json");
        std::fs::write(&file, jwks(&keys.each_ref())).unwrap();
        let program = Program::serving(database).and(["--jwks".as_ref(), file.as_os_str()]);
        let program = program.and(["--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE]);
        Self { roster: program.and(["--log", "info,roster=debug"]).serve().await, keys, _folder: folder }
    }

    async fn takes(&self, token: &str) {
        self.roster.get(READ).bearer(token).await.page();
    }

    async fn refuses(&self, token: &str, why: &str) {
        let answer = self.roster.get(READ).bearer(token).await;
        assert_eq!(answer.status(), 401, "{why}: {}", answer.told());
        answer.error(401, "unauthenticated");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains(r#"error="invalid_token""#), "{why}: {challenge}");
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// What a good token says, with other things in their places; null takes one away.
fn claims(others: &Value) -> Value {
    let mut claims =
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": now() + 600, "scope": "users:read"});
    for (name, value) in others.as_object().cloned().unwrap_or_default() {
        claims[&name] = value;
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

async fn a_jwt_of_each_algorithm_lets_its_subject_in(database: Database) {
    let taking = Taking::on(&database).await;
    for key in &taking.keys {
        taking.takes(&key.token(&claims(&json!({})))).await;
        let write = taking.roster.post(USERS, &new_user("ada")).bearer(&key.token(&claims(&json!({})))).await;
        write.error_saying(403, "forbidden", "This takes the scope users:write");
        let expired = taking.roster.get(READ).bearer(&key.token(&claims(&json!({"exp": now() - 60})))).await;
        expired.error_saying(401, "unauthenticated", "The bearer token has expired");
    }
    taking.roster.get(READ).await.error_saying(401, "unauthenticated", "A bearer token is needed");
    // An API token is nothing where there is no file of them.
    taking.refuses("roster_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "an API token").await;
    let exit = taking.roster.stop().await;
    assert!(
        exit.stderr.lines().any(|line| line.contains("answered") && line.contains("jwt:ada")),
        "{exit:?}"
    );
}

async fn scopes_are_words_or_an_array_and_those_of_others_count_for_nothing(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    let [_, _, key] = &taking.keys;
    for scope in [json!("openid users:read  orders:write"), json!(["users:read", "orders:write"])] {
        taking.takes(&key.token(&claims(&json!({"scope": scope})))).await;
    }
    for scope in [
        json!(""),
        json!("users"),
        json!("users:read,users:write"),
        json!(["users:read users:write"]),
        json!([]),
        json!(null),
    ] {
        let answer = taking.roster.get(READ).bearer(&key.token(&claims(&json!({"scope": scope})))).await;
        answer.error(403, "forbidden");
    }
    taking.refuses(&key.token(&claims(&json!({"scope": 7}))), "a scope that is a number").await;
}

async fn each_claim_is_looked_at(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    let [_, key, _] = &taking.keys;
    for others in [
        json!({"iss": null}),
        json!({"iss": "https://id.example.org"}),
        json!({"iss": [ISSUER]}),
        json!({"iss": 7}),
        json!({"aud": null}),
        json!({"aud": "others"}),
        json!({"aud": []}),
        json!({"aud": ["others", "roster2"]}),
        json!({"aud": {"roster": true}}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"exp": null}),
        json!({"exp": now() - 60}),
        json!({"exp": (now() + 600).to_string()}),
        json!({"exp": -1}),
        json!({"nbf": now() + 60}),
        json!({"nbf": "soon"}),
        json!({"nbf": -1}),
    ] {
        taking.refuses(&key.token(&claims(&others)), &others.to_string()).await;
    }
    for others in [
        json!({"aud": ["others", AUDIENCE]}),
        json!({"nbf": now() - 60}),
        json!({"exp": 1e15}),
        json!({"exp": 1.844_674_407_370_95e19}),
        json!({"other": {}}),
    ] {
        taking.takes(&key.token(&claims(&others))).await;
    }
}

async fn clocks_may_be_apart_a_little(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    let [_, key, _] = &taking.keys;
    taking.takes(&key.token(&claims(&json!({"exp": now() - 1})))).await;
    taking.takes(&key.token(&claims(&json!({"nbf": now() + 25})))).await;
    taking.refuses(&key.token(&claims(&json!({"exp": now() - 31}))), "over the leeway").await;
    taking.refuses(&key.token(&claims(&json!({"nbf": now() + 50}))), "before the leeway").await;
}

async fn no_signature_is_none(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    for kid in ["r", "e", "d"] {
        for algorithm in ["none", "None", "NONE", "nOnE", ""] {
            let unsigned = message(&json!({"alg": algorithm, "kid": kid}), &claims(&json!({})));
            for signature in ["", "AA"] {
                taking.refuses(&format!("{unsigned}.{signature}"), algorithm).await;
            }
        }
    }
    for key in &taking.keys {
        let token = key.token(&claims(&json!({})));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        taking.refuses(&format!("{signed}."), "the signature was taken away").await;
        taking.refuses(signed, "two parts").await;
        let payload = encode(claims(&json!({"scope": "users:write"})).to_string());
        let (header, _) = signed.split_once('.').unwrap();
        taking.refuses(&format!("{header}.{payload}.{signature}"), "another payload").await;
        let empty = encode(vec![0; 64]);
        taking.refuses(&format!("{signed}.{empty}"), "a signature of zeros").await;
    }
}

async fn a_public_key_is_no_secret_to_sign_with(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    for key in &taking.keys {
        let jwk = key.jwk();
        let kid = jwk["kid"].as_str().unwrap();
        // Whatever bytes somebody may take for the key: of the set, and of its parts.
        let parts = ["n", "x"].iter().filter_map(|part| jwk[*part].as_str());
        let raw = parts.clone().map(decoded).collect::<Vec<_>>();
        let texts = [jwk.to_string(), jwks(&[key])].into_iter().chain(parts.map(str::to_owned));
        let secrets = texts.map(String::into_bytes).chain(raw).chain([Vec::new()]);
        for secret in secrets {
            for (name, algorithm) in
                [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)]
            {
                let signed = message(&json!({"alg": name, "kid": kid}), &claims(&json!({})));
                let tag = hmac::sign(&hmac::Key::new(algorithm, &secret), signed.as_bytes());
                taking.refuses(&format!("{signed}.{}", encode(tag)), name).await;
            }
        }
    }
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

async fn the_key_decides_the_algorithm(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    for key in &taking.keys {
        for algorithm in ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "HS256"] {
            for kid in ["r", "e", "d"] {
                let token = key.token_with(&json!({"alg": algorithm, "kid": kid}), &claims(&json!({})));
                if algorithm == key.algorithm() && key.jwk()["kid"] == kid {
                    taking.takes(&token).await;
                } else {
                    taking
                        .refuses(&token, &format!("{algorithm} of {kid}, signed by {}", key.algorithm()))
                        .await;
                }
            }
        }
        let nameless = key.token_with(&json!({"alg": key.algorithm()}), &claims(&json!({})));
        taking.refuses(&nameless, "no key is named, and there are three").await;
    }
}

async fn a_key_that_comes_with_the_token_is_nobodys(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    let [_, known, _] = &taking.keys;
    let own = SigningKey::ec("e");
    for more in [
        json!({"kid": "e"}),
        json!({"kid": "e", "jwk": own.jwk()}),
        json!({"jwk": own.jwk()}),
        json!({"kid": "e", "jku": "http://127.0.0.1:9/jwks"}),
        json!({"kid": "e", "x5u": "http://127.0.0.1:9/x"}),
        json!({"kid": "../../../../dev/null"}),
        json!({"kid": "e' OR 1=1"}),
        json!({"kid": ["e"]}),
    ] {
        let mut header = more.clone();
        header["alg"] = json!("ES256");
        taking.refuses(&own.token_with(&header, &claims(&json!({}))), &more.to_string()).await;
    }
    // What is beside the point does no harm to a good one.
    let header = json!({"alg": "ES256", "kid": "e", "jwk": own.jwk(), "jku": "http://127.0.0.1:9/"});
    taking.takes(&known.token_with(&header, &claims(&json!({})))).await;
}

async fn what_a_header_calls_critical_is_refused(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    let [_, key, _] = &taking.keys;
    for more in [
        json!({"crit": ["exp"]}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"crit": []}),
        json!({"crit": "exp"}),
        json!({"zip": "DEF"}),
        json!({"enc": "A128GCM"}),
        json!({"typ": "logout+jwt"}),
        json!({"typ": "dpop+jwt"}),
        json!({"typ": 7}),
    ] {
        let mut header = json!({"alg": "ES256", "kid": "e"});
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        taking.refuses(&key.token_with(&header, &claims(&json!({}))), &more.to_string()).await;
    }
    for kind in ["JWT", "jwt", "at+jwt", "application/at+jwt"] {
        taking
            .takes(&key.token_with(&json!({"alg": "ES256", "kid": "e", "typ": kind}), &claims(&json!({}))))
            .await;
    }
}

async fn what_is_no_jwt_is_refused(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    let [_, key, _] = &taking.keys;
    let good = key.token(&claims(&json!({})));
    let header = json!({"alg": "ES256", "kid": "e"});
    let twice = r#"{"alg":"none","alg":"ES256","kid":"e"}"#;
    for token in [
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{good}.{good}"),
        format!("{good}="),
        good.replace('.', ".."),
        format!("{}.{}.AA", encode(twice), encode(claims(&json!({})).to_string())),
        key.token_with(&json!([]), &claims(&json!({}))),
        key.token_with(&header, &json!([])),
        key.token_with(&header, &json!("ada")),
        key.token(&claims(&json!({"filler": "x".repeat(7_000)}))),
    ] {
        taking.refuses(&token, &token).await;
    }
    taking.takes(&key.token(&claims(&json!({"filler": "x".repeat(5_000)})))).await;
    taking.takes(&good).await;
}

async fn a_stream_ends_once_its_jwt_has_expired(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    let [_, key, _] = &taking.keys;
    let token = |exp: u64| key.token(&claims(&json!({"exp": exp, "scope": "events:read users:write"})));
    // With the leeway, some seconds are left.
    let brief = token(now() - 25);
    let mut stream = taking.roster.get(EVENTS).bearer(&brief).stream().await.expect("a stream");
    taking.roster.post(USERS, &new_user("ada")).bearer(&token(now() + 600)).await.user(201);
    assert_eq!(stream.event().await.change, "created");
    while stream.next().await.is_some() {}
    let again = taking.roster.get(EVENTS).bearer(&brief).stream().await.err().expect("no stream");
    again.error_saying(401, "unauthenticated", "The bearer token has expired");
}

async fn a_subject_that_may_be_an_email_has_another_name_in_the_log(OnSqlite(database): OnSqlite) {
    let taking = Taking::on(&database).await;
    let [_, key, _] = &taking.keys;
    taking.takes(&key.token(&claims(&json!({"sub": "ada@example.org"})))).await;
    taking.takes(&key.token(&claims(&json!({"sub": "auth0|1"})))).await;
    let log = taking.roster.stop().await.stderr;
    assert!(
        !log.contains("ada@example.org") && log.contains("jwt:#") && log.contains("jwt:auth0|1"),
        "{log}"
    );
}
