//! Which trace something belongs to, across programs.

use std::fmt;

/// A place in a distributed trace, as one program hands it to the next (W3C Trace Context, level 1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    parent: String,
    state: Option<String>,
}

impl TraceContext {
    /// How long a `traceparent` of version 00 is.
    const PARENT_LENGTH: usize = 55;

    /// The most characters of a `tracestate` that are handed on (§3.3.1.5).
    const MAX_STATE_LENGTH: usize = 512;

    /// Reads a `traceparent` (§3.2) and the `tracestate` (§3.3) beside it. `None` where the first is none; a bad or
    /// long `tracestate` is left out. A later version is read as 00, as far as that goes (§4.3).
    pub fn parse(parent: &str, state: Option<&str>) -> Option<Self> {
        let (version, rest) = parent.split_once('-')?;
        let is_later = version != "00";
        if !is_hex(version, 2)
            || version == "ff"
            || !parent.is_ascii()
            || rest.len() < Self::PARENT_LENGTH - 3
        {
            return None;
        }
        let (rest, more) = rest.split_at(Self::PARENT_LENGTH - 3);
        let mut parts = rest.split('-');
        let (trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?);
        let is_whole = parts.next().is_none() && (more.is_empty() || is_later && more.starts_with('-'));
        let is_valid = is_id(trace, 32) && is_id(span, 16) && is_hex(flags, 2) && is_whole;
        let state = state.map(str::trim).filter(|state| is_state(state)).map(str::to_owned);
        is_valid.then(|| Self { parent: format!("00-{rest}"), state })
    }

    /// Reads what [`Display`](fmt::Display) wrote.
    pub fn parse_line(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            Some((parent, state)) => Self::parse(parent, Some(state)),
            None => Self::parse(line, None),
        }
    }

    /// The trace, and the step of it: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
    pub fn traceparent(&self) -> &str {
        &self.parent
    }

    /// The trace alone: `4bf92f3577b34da6a3ce929d0e0e4736`.
    pub fn trace_id(&self) -> &str {
        self.parent.split('-').nth(1).unwrap_or_default()
    }

    /// What those on the way added of their own.
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }
}

impl fmt::Display for TraceContext {
    /// In one line: the `traceparent`, and the `tracestate` after a space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parent)?;
        self.state.as_ref().map_or(Ok(()), |state| write!(f, " {state}"))
    }
}

/// An id of so many digits; one of zeroes alone is none.
fn is_id(text: &str, digits: usize) -> bool {
    is_hex(text, digits) && text.bytes().any(|byte| byte != b'0')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_state(text: &str) -> bool {
    (1..=TraceContext::MAX_STATE_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_read_and_told_as_it_was() {
        for state in [None, Some("a=1"), Some("a=1, b@c=2 3")] {
            let context = TraceContext::parse(PARENT, state).unwrap();
            assert_eq!((context.traceparent(), context.tracestate()), (PARENT, state));
            assert_eq!(TraceContext::parse_line(&context.to_string()), Some(context));
        }
    }

    #[test]
    fn what_is_no_traceparent_is_none() {
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ] {
            assert_eq!(TraceContext::parse(bad, None), None, "{bad}");
        }
    }

    #[test]
    fn a_later_version_is_read_as_the_first() {
        for later in [PARENT.replacen("00", "cc", 1), PARENT.replacen("00", "cc", 1) + "-what-will-be"] {
            assert_eq!(TraceContext::parse(&later, None), TraceContext::parse(PARENT, None));
        }
    }

    #[test]
    fn a_bad_tracestate_is_left_out() {
        for bad in ["", " ", "a=\u{7}", "ä=1", &"x".repeat(513)] {
            assert_eq!(TraceContext::parse(PARENT, Some(bad)).unwrap().tracestate(), None, "{bad:?}");
        }
    }
}
