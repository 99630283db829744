use super::MAX_LINE_BYTES;

/// What is too long to be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// Cuts text into lines that are not blank, whatever parts it comes in. Of a line that is too long, nothing
/// is kept.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// The next line, taken from the front of `input`; `None` where it does not end in there. The last one
    /// needs no end.
    pub(super) fn next(&mut self, input: &mut &[u8], is_last: bool) -> Option<Result<Vec<u8>, TooLong>> {
        loop {
            let mut parts = input.splitn(2, |byte| *byte == b'\n');
            self.keep(parts.next().unwrap_or_default());
            let Some(rest) = parts.next() else {
                *input = &[];
                return if is_last { self.end() } else { None };
            };
            *input = rest;
            if let Some(line) = self.end() {
                return Some(line);
            }
        }
    }

    fn keep(&mut self, part: &[u8]) {
        // One more may be the first half of the line's end.
        self.is_too_long |= self.begun.len() + part.len() > MAX_LINE_BYTES + 1;
        if self.is_too_long {
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(part);
        }
    }

    /// The line that ends here, if it is not blank.
    fn end(&mut self) -> Option<Result<Vec<u8>, TooLong>> {
        let mut line = std::mem::take(&mut self.begun);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if std::mem::take(&mut self.is_too_long) || line.len() > MAX_LINE_BYTES {
            return Some(Err(TooLong));
        }
        (!line.trim_ascii().is_empty()).then_some(Ok(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text that comes in parts of this size; too long ones are "!".
    fn cut(text: &[u8], size: usize) -> Vec<String> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        let mut take = |mut part: &[u8], is_last| {
            while let Some(line) = lines.next(&mut part, is_last) {
                found.push(line.map_or("!".to_owned(), |line| String::from_utf8(line).unwrap()));
            }
        };
        text.chunks(size).for_each(|part| take(part, false));
        take(&[], true);
        found
    }

    #[test]
    fn lines_are_the_same_in_whatever_parts_they_come() {
        let text = "one\r\n\n  \t\r\n two \nthree\n\nfour";
        for size in 1..=text.len() {
            assert_eq!(cut(text.as_bytes(), size), ["one", " two ", "three", "four"], "{size}");
        }
        assert_eq!(cut(b"", 1), [""; 0]);
        assert_eq!(cut(b"\n\n", 1), [""; 0]);
    }

    #[test]
    fn a_line_that_is_too_long_has_its_place_among_the_others() {
        for (length, fits) in
            [(MAX_LINE_BYTES, true), (MAX_LINE_BYTES + 1, false), (5 * MAX_LINE_BYTES, false)]
        {
            let long = "x".repeat(length);
            let expected = if fits { long.clone() } else { "!".to_owned() };
            for end in ["\n", "\r\n"] {
                for size in [1_000, 65_536, 1_000_000] {
                    let text = format!("a\n{long}{end}b{end}{long}");
                    assert_eq!(cut(text.as_bytes(), size), ["a", &expected, "b", &expected]);
                }
            }
        }
    }
}
