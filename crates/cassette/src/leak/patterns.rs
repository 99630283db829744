use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

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

/// Fields and parameters whose value is a secret wherever they stand.
const NAMES: [&str; 8] = [
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "private_key",
    "secret_access_key",
    "accessToken",
    "refreshToken",
];

/// Everything in `text` that looks like a secret; what does so in two ways is there twice.
pub(super) fn all(text: &str, header: bool) -> impl Iterator<Item = Found<'_>> {
    private_keys(text)
        .chain(prefixed(text))
        .chain(json_web_tokens(text))
        .chain(credentials(text, header))
        .chain(named(text))
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

/// A member or parameter of a telling name whose value looks random.
fn named(text: &str) -> impl Iterator<Item = Found<'_>> {
    NAMES.iter().flat_map(move |name| {
        starts(text, name).filter_map(move |at| {
            let rest = text[at + name.len()..].trim_start_matches(['"', '\\', '\'']).trim_start();
            let value = rest.strip_prefix([':', '=']).or_else(|| rest.strip_prefix("%3D"))?;
            let value = value.trim_start().trim_start_matches(['\\', '"', '\'']);
            let value =
                &value[..run(value, |byte| byte.is_ascii_alphanumeric() || b"-._~+/=%".contains(&byte))];
            is_random(value, 12)
                .then_some(Found { kind: "the value of a field that holds secrets", text: value })
        })
    })
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
    let one_letter = text.bytes().collect::<std::collections::BTreeSet<_>>().len() <= 2;
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
    one_letter || known.iter().any(|word| lower.contains(word))
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

    fn finds(text: &str, header: bool) -> bool {
        all(text, header).next().is_some()
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
            assert!(finds(text, header), "{text}");
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
            assert!(!finds(text, header), "{text}");
        }
    }

    #[test]
    fn none_hides_behind_another() {
        let keys = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\nMIE\n-----END PRIVATE KEY-----\n-----BEGIN PRIVATE KEY-----\nM";
        let two = "AKIAIOSFODNN7ABCDEFG AKIAIOSFODNN7HIJKLMN";
        let texts = |text| all(text, false).map(|found| found.text.to_owned()).collect::<Vec<_>>();
        assert_eq!(texts(keys), ["PRIVATE KEY-----\nMIE\n", "PRIVATE KEY"]);
        assert_eq!(texts(two), two.split(' ').collect::<Vec<_>>());
    }
}
