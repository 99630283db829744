//! What holds for whatever is imported: asserted, for a fuzzer and for its seeds.

use bytes::Bytes;
use roster_domain::NewUser;
use serde_json::json;

use super::reader::{Line, Next};
use super::{Format, Reader};
use crate::gzip::Gzip;

/// An import reads the same in whatever parts it comes, compressed or not; and users that it has read read the same
/// when they are written again. Of the input, the first byte says how long parts are.
pub(crate) fn imports(format: Format, input: &[u8]) {
    let Some((&first, bytes)) = input.split_first() else { return };
    let size = usize::from(first) + 1;
    let whole = lines(format, false, bytes, bytes.len().max(1));
    let told = told(&whole);
    assert_eq!(told, self::told(&lines(format, false, bytes, size)), "in parts of {size}");
    assert_eq!(told, self::told(&lines(format, false, bytes, 1)), "byte by byte");
    if let Some(compressed) = compressed(bytes) {
        assert_eq!(
            told,
            self::told(&lines(format, true, &compressed, size)),
            "compressed, in parts of {size}"
        );
    }
    for line in &whole {
        if let Err(refused) = line {
            assert!(!refused.is_of_server(), "{refused}");
        }
    }
    assert!(whole.len() <= bytes.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1);
    let users: Vec<_> = whole.into_iter().filter_map(Result::ok).collect();
    let written = users.iter().map(|user| object(user).to_string()).collect::<Vec<_>>().join("\n");
    let again = lines(Format::Ndjson, false, written.as_bytes(), size).into_iter().filter_map(Result::ok);
    assert_eq!(again.collect::<Vec<_>>(), users);
}

fn object(user: &NewUser) -> serde_json::Value {
    json!({"email": user.email.as_str(), "name": user.name.as_str()})
}

/// The lines of an import that comes in parts of this size.
pub(super) fn lines(format: Format, is_gzip: bool, bytes: &[u8], size: usize) -> Vec<Line> {
    let mut reader = Reader::new(format, is_gzip);
    let (mut found, mut parts) = (Vec::new(), bytes.chunks(size));
    loop {
        match (reader.next(), reader.is_complete()) {
            (Next::Line(line), _) => found.push(line),
            (Next::Later, _) => {}
            (Next::Nothing, true) => return found,
            (Next::Nothing, false) => match parts.next() {
                Some(part) => reader.push(Bytes::copy_from_slice(part)),
                None => reader.complete(),
            },
        }
    }
}

fn told(lines: &[Line]) -> Vec<String> {
    let told = |line: &Line| match line {
        Ok(user) => object(user).to_string(),
        Err(refused) => refused.to_string(),
    };
    lines.iter().map(told).collect()
}

fn compressed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut gzip = Gzip::default();
    let mut compressed = gzip.part(bytes).ok()?;
    compressed.extend(gzip.end().ok()?);
    Some(compressed)
}
