use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};

/// All but what RFC 3986 §2.3 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The percent-encoding of a text (RFC 3986 §2.1), without what need not be encoded.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The same of a byte that may be part of a character.
pub(crate) fn push(out: &mut String, byte: u8) {
    out.extend(percent_encode(&[byte], RESERVED));
}
