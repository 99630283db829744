use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;

/// What was found and what it looks like.
pub(super) struct Found<'a> {
    pub(super) kind: &'static str,
    pub(super) text: &'a str,
}

/// Prefixes that issuers give their keys, with the length and alphabet of what follows.
const PREFIXES: [(&str, usize, &str, &str); 14] = [
    ("AKIA", 16, "", "an AWS access key"),
    ("ASIA", 16, "", "an AWS access key"),
    ("ghp_", 36, "", "a GitHub token"),
    ("gho_", 36, "", "a GitHub token"),
    ("ghu_", 36, "", "a GitHub token"),
    ("ghs_", 36, "", "a GitHub token"),
    ("ghr_", 36, "", "a GitHub token"),
    ("github_pat_", 40, "_", "a GitHub token"),
    ("glpat-", 20, "-_", "a GitLab token"),
    ("xoxb-", 20, "-", "a Slack token"),
    ("xoxp-", 20, "-", "a Slack token"),
    ("AIza", 35, "-_", "a Google API key"),
    ("sk_live_", 16, "", "a Stripe key"),
    ("rk_live_", 16, "", "a Stripe key"),
];

/// Members and parameters whose value is made by a machine, by the end of their names.
const KEYS: [&str; 21] = [
    "access_token",
    "accesstoken",
    "refresh_token",
    "id_token",
    "auth_token",
    "authtoken",
    "api_token",
    "private_token",
    "security_token",
    "session_token",
    "api_key",
    "apikey",
    "auth_key",
    "access_key",
    "account_key",
    "service_key",
    "client_key",
    "secret_key",
    "private_key",
    "signing_key",
    "encryption_key",
];

/// The same whose value somebody may have thought up.
const PASSWORDS: [&str; 9] =
    ["password", "passwd", "pwd", "passphrase", "passcode", "db_pass", "database_pass", "key_pass", "secret"];

/// No name and no value is looked at further than this, in characters.
const LONGEST: usize = 512;

/// Where a text stands: it depends on that how much a secret looks like one.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) header: bool,
    /// Whether it is a part of a request. A password is sent in one; what answers it more often tells of passwords.
    pub(super) request: bool,
}

/// Everything in `text` that looks like a secret; what does so in two ways is there twice.
pub(super) fn all(text: &str, place: Place) -> impl Iterator<Item = Found<'_>> {
    private_keys(text)
        .chain(prefixed(text))
        .chain(json_web_tokens(text))
        .chain(credentials(text, place.header))
        .chain(named(text, place.request))
        .chain(parts(text, place.request))
}

fn private_keys(text: &str) -> impl Iterator<Item = Found<'_>> {
    text.split("-----BEGIN ").skip(1).filter_map(|rest| {
        let (label, _) = rest.split_once("-----")?;
        let text = rest.split_once("-----END").map_or(label, |(key, _)| key);
        label.ends_with("PRIVATE KEY").then_some(Found { kind: "a private key (PEM)", text })
    })
}

fn prefixed(text: &str) -> impl Iterator<Item = Found<'_>> {
    PREFIXES.iter().flat_map(move |(prefix, length, extra, kind)| {
        starts(text, prefix).filter_map(move |at| {
            let rest = &text[at + prefix.len()..];
            let run = run(rest, |byte| byte.is_ascii_alphanumeric() || extra.as_bytes().contains(&byte));
            let upper = *length != 16
                || !prefix.starts_with('A')
                || (run == 16 && !rest[..run].contains(|c: char| c.is_ascii_lowercase()));
            (run >= *length && upper).then(|| Found { kind, text: &text[at..at + prefix.len() + run] })
        })
    })
}

/// Three parts of Base64 of which the first is a JSON object with `alg` (RFC 7519, section 3; RFC 7515,
/// section 4.1.1).
fn json_web_tokens(text: &str) -> impl Iterator<Item = Found<'_>> {
    starts(text, "eyJ").filter_map(|at| {
        let rest = &text[at..];
        let token = &rest[..run(rest, |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))];
        let mut parts = token.split('.');
        let head = URL_SAFE_NO_PAD.decode(parts.next()?).ok()?;
        let signed = parts.next().is_some_and(|part| part.len() >= 4) && parts.next().is_some();
        let says_how = String::from_utf8_lossy(&head).contains("\"alg\"");
        (signed && says_how).then_some(Found { kind: "a JSON Web Token", text: token })
    })
}

/// `Bearer` and a token, or `Basic` and Base64 of a user and a password (RFC 6750, section 2.1; RFC 7617,
/// section 2).
fn credentials(text: &str, header: bool) -> impl Iterator<Item = Found<'_>> {
    let lower = text.to_ascii_lowercase();
    let schemes = ["bearer", "token", "basic"];
    let places = schemes.map(|scheme| starts(&lower, scheme).map(|at| (scheme, at)).collect::<Vec<_>>());
    places.into_iter().flatten().filter_map(move |(scheme, at)| {
        let after = &text[at + scheme.len()..];
        let blanks = run(after, |byte| byte == b' ' || byte == b'+');
        let rest = &after[blanks..];
        let token = &rest[..run(rest, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte))];
        let parameter = rest[token.len()..].starts_with('"') || token.trim_end_matches('=').contains('=');
        let secret = match scheme {
            "basic" => is_basic(token),
            "token" => header && at == 0 && is_random(token, 16),
            _ => {
                is_random(token, if header && at == 0 { 8 } else { 16 })
                    || header && at == 0 && is_word(token)
            }
        };
        let kind = if scheme == "basic" { "a password (Basic)" } else { "a bearer token" };
        (blanks > 0 && !parameter && secret).then_some(Found { kind, text: token })
    })
}

fn is_basic(token: &str) -> bool {
    token.len() >= 4
        && STANDARD.decode(token).is_ok_and(|pair| {
            std::str::from_utf8(&pair)
                .is_ok_and(|pair| pair.contains(':') && !pair.contains(char::is_control))
        })
}

/// Members and parameters of a telling name.
fn named(text: &str, request: bool) -> impl Iterator<Item = Found<'_>> {
    let signs = text.match_indices([':', '=']).chain(text.match_indices("%3D"));
    signs.filter_map(move |(at, sign)| {
        let name = name_before(&text[..at]);
        let value = || value_after(&text[at + sign.len()..], sign);
        // People write `my password: none yet`.
        let is_prose = sign == ":" && !text[..at].trim_end().ends_with(['"', '\'']);
        told_by(&name, value, request && !is_prose)
    })
}

/// The same of the parts of a form (RFC 7578, section 4.2).
fn parts(text: &str, request: bool) -> impl Iterator<Item = Found<'_>> {
    text.match_indices(" name=").filter_map(move |(at, sign)| {
        let head = start(&text[at + sign.len()..]);
        let name = name_before(value_after(head, sign));
        let value = || head.split_once("\r\n\r\n").map_or("", |(_, content)| content);
        told_by(&name, || value().split("\r\n").next().unwrap_or_default(), request)
    })
}

/// The value of what has this name, where that is a secret: a key looks random, a password that is sent may be any
/// word.
fn told_by<'a>(name: &str, value: impl FnOnce() -> &'a str, request: bool) -> Option<Found<'a>> {
    let is_one_of = |names: &[&str]| names.iter().any(|known| ends_with_words(name, known));
    let (is_key, is_password) = (is_one_of(&KEYS), is_one_of(&PASSWORDS));
    if !is_key && !is_password {
        return None;
    }
    let text = value();
    let value = percent_decode_str(text).decode_utf8_lossy();
    let shortest = if is_key && !request { 12 } else { 8 };
    let random = is_random(&value, shortest) && !value.contains(char::is_whitespace);
    let kind = if is_password { "a password" } else { "the value of a field that holds secrets" };
    (random || is_password && request && !is_placeholder(&value)).then_some(Found { kind, text })
}

/// The name in front of a sign, in small letters with `_` between its words: `user_api_key` for `user[apiKey]`.
fn name_before(text: &str) -> String {
    let text = text.trim_end().trim_end_matches(['"', '\'', '\\']);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.[]%".contains(byte);
    let length = text.bytes().rev().take(LONGEST).take_while(is_name).count();
    let mut words = String::new();
    let mut inside = false;
    for character in percent_decode_str(&text[text.len() - length..]).decode_utf8_lossy().chars() {
        if !character.is_ascii_alphanumeric() || inside && character.is_ascii_uppercase() {
            words.push('_');
        }
        if character.is_ascii_alphanumeric() {
            words.push(character.to_ascii_lowercase());
        }
        inside = character.is_ascii_lowercase() || character.is_ascii_digit();
    }
    words.truncate(words.trim_end_matches('_').len());
    words
}

fn ends_with_words(name: &str, words: &str) -> bool {
    name.strip_suffix(words).is_some_and(|before| before.is_empty() || before.ends_with('_'))
}

/// The value after a sign: what is in its quotes, or goes on to the next parameter or member.
fn value_after<'a>(text: &'a str, sign: &str) -> &'a str {
    let text = start(text).trim_start();
    let bare = text.trim_start_matches('\\');
    let in_string = bare.len() < text.len();
    if let Some(quote) = bare.chars().next().filter(|first| ['"', '\''].contains(first)) {
        let mut escaped = false;
        let closes = |character| {
            let closes = character == quote && (in_string || !escaped);
            escaped = character == '\\' && !escaped;
            closes
        };
        let value = bare[1..].split(closes).next().unwrap_or_default();
        return if in_string { value.trim_end_matches('\\') } else { value };
    }
    let ends = |character: char| character.is_whitespace() || "&\"',;<>{}[]\\".contains(character);
    let value = bare.split(ends).next().unwrap_or_default();
    // A sign that is encoded is part of an address inside another, and so is what follows it.
    if sign == "%3D" { value.split("%26").next().unwrap_or_default() } else { value }
}

fn start(text: &str) -> &str {
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}

/// Letters and digits mixed, as people rarely write and machines always do.
fn is_random(text: &str, shortest: usize) -> bool {
    text.len() >= shortest
        && text.contains(|c: char| c.is_ascii_digit())
        && text.contains(|c: char| c.is_ascii_alphabetic())
        && !is_placeholder(text)
}

/// A credential of letters only, as in `Bearer opensesame`.
fn is_word(text: &str) -> bool {
    text.len() >= 8 && !is_placeholder(text)
}

fn is_placeholder(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let few_letters = text.bytes().collect::<std::collections::BTreeSet<_>>().len() <= 2;
    let none = ["null", "none", "nil", "undefined", "true", "false"];
    let brackets = [("<", ">"), ("{{", "}}"), ("${", "}"), ("[", "]")];
    let known = [
        "redacted",
        "filtered",
        "placeholder",
        "example",
        "dummy",
        "masked",
        "hidden",
        "removed",
        "sanitized",
    ];
    few_letters
        || none.contains(&&*lower)
        || brackets.iter().any(|(open, close)| text.starts_with(open) && text.ends_with(close))
        || known.iter().any(|word| lower.contains(word))
}

/// Where `wanted` starts in `text`, not in the middle of a word.
fn starts<'a>(text: &'a str, wanted: &'a str) -> impl Iterator<Item = usize> + 'a {
    let fresh = |at: usize| at == 0 || !text.as_bytes()[at - 1].is_ascii_alphanumeric();
    text.match_indices(wanted).map(|(at, _)| at).filter(move |at| fresh(*at))
}

fn run(text: &str, wanted: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| wanted(*byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(text: &str, place: Place) -> bool {
        all(text, place).next().is_some()
    }

    #[test]
    fn what_looks_like_a_secret_is_found() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
        for (text, header) in [
            ("Bearer s3cr3t-should-not-be-stored", true),
            ("bearer opensesame", true),
            ("Token 0123456789abcdef0123", true),
            ("Basic Ym9iOmh1bnRlcjI=", true),
            ("echoed: Bearer abcdefgh12345678", false),
            (jwt, false),
            (&format!("x={jwt}&y"), false),
            ("key AKIAIOSFODNN7ABCDEFG.", false),
            ("-----BEGIN RSA PRIVATE KEY-----\nMII", false),
            ("-----BEGIN PRIVATE KEY-----", false),
            ("ghp_0123456789abcdefghijABCDEFGHIJ456789", false),
            (r#"{"access_token": "ya29.a0AfH6SMBx9"}"#, false),
            ("http://h/?a=1&access_token=0123456789abcdef", false),
            (r#"{\"refresh_token\":\"1//0gabcdefgh123\"}"#, false),
        ] {
            assert!(finds(text, Place { header, ..Place::default() }), "{text}");
        }
    }

    #[test]
    fn what_only_speaks_of_secrets_is_not() {
        for (text, header) in [
            ("Bearer realm=\"api\", error=\"invalid_token\"", true),
            ("Basic realm=\"site\"", true),
            ("Bearer REDACTED-TOKEN-1", true),
            ("Bearer xxxxxxxxxxxxxxxx", true),
            ("Bearer <TOKEN>", true),
            ("use bearer authentication here", false),
            ("basic knowledge", false),
            ("the AKIA prefix, AKIAshort, xAKIAIOSFODNN7ABCDEFG", false),
            ("eyJ.not.token", false),
            ("-----BEGIN CERTIFICATE-----", false),
            (r#"{"token_type": "bearer", "access_token": "<TOKEN>"}"#, false),
            (r#"{"access_token": null, "next_token": "abc123abc123abc"}"#, false),
            (r#""u1-1""#, true),
        ] {
            assert!(!finds(text, Place { header, ..Place::default() }), "{text}");
        }
    }

    #[test]
    fn passwords_and_keys_are_found_by_their_names() {
        let [request, response] = [true, false].map(|request| Place { request, ..Place::default() });
        for (text, place) in [
            (r#"{"password":"Hunter22x"}"#, response),
            (r#"{"a": {"dbPassword" : "p@ss w\"1rd!"}}"#, request),
            (r#"{\"passwd\":\"opensesame\"}"#, request),
            (r#"{"password": 12345}"#, request),
            ("user=bob&user%5Bpassword%5D=%21%21hunter2", request),
            ("PASSWORD=x9!&a=1", request),
            ("grant_type=client_credentials&client_secret=open-sesame", request),
            ("http://h/?a=1&api_key=0123456789abcdef", request),
            ("http://h/?next=%2Flogin%3FapiKey%3D0123456789abcdef%26a%3D1", request),
            (r#"{"X-Api-Key": "0123456789abcdef"}"#, response),
            (r#"{"secretAccessKey": "wJalrXUtnFEMI/K7MDENG"}"#, response),
            ("--B\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\nhunter2\r\n--B--", request),
        ] {
            assert!(finds(text, place), "{text}");
        }
        for (text, place) in [
            (r#"{"password": null, "passwd": "", "pwd": true}"#, request),
            (
                r#"{"password": "<TOKEN>", "secret": "REDACTED", "pwd": "***", "passphrase": "{{password}}"}"#,
                request,
            ),
            ("password=&passwd=***&pwd=%3CACCESS_TOKEN%3E&secret=${SECRET}&api_key=<KEY>", request),
            ("I forgot my password: please help", request),
            (r#"{"password": {"type": "string", "minLength": 8}}"#, request),
            (r#"{"errors": {"password": "must have 8 letters", "secret": "required"}}"#, response),
            (
                r#"{"password_min_length": 12345678, "compass": "north-47", "invalid_token": "abc123abc123abc"}"#,
                request,
            ),
        ] {
            assert!(!finds(text, place), "{text}");
        }
    }

    #[test]
    fn none_hides_behind_another() {
        let keys = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nMIE\n-----END PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\nM";
        let two = "AKIAIOSFODNN7ABCDEFG AKIAIOSFODNN7HIJKLMN";
        let texts = |text| all(text, Place::default()).map(|found| found.text.to_owned()).collect::<Vec<_>>();
        assert_eq!(texts(keys), ["PRIVATE KEY-----\nMIE\n", "PRIVATE KEY"]);
        assert_eq!(texts(two), two.split(' ').collect::<Vec<_>>());
    }
}
