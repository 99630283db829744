//! Fields of a line as plain text, as quick to write as can be: each request has a line.

use std::fmt::{self, Debug, Write};
use std::mem;

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// `message name=value`: what `tracing-subscriber` writes where there are no colours. It goes by way of them, and takes
/// twice as long.
pub(super) struct Plain;

impl<'writer> FormatFields<'writer> for Plain {
    fn format_fields<R: RecordFields>(&self, to: Writer<'writer>, fields: R) -> fmt::Result {
        let mut written = Written { to: Escaped(to), is_empty: true, result: Ok(()) };
        fields.record(&mut written);
        written.result
    }
}

struct Written<'writer> {
    to: Escaped<Writer<'writer>>,
    is_empty: bool,
    result: fmt::Result,
}

impl Visit for Written<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let name = field.name();
        // Where a line of the `log` crate is from.
        if self.result.is_err() || name.starts_with("log.") {
            return;
        }
        let blank = if mem::take(&mut self.is_empty) { "" } else { " " };
        self.result = match name {
            "message" => write!(self.to, "{blank}{value:?}"),
            name => write!(self.to, "{blank}{name}={value:?}"),
        };
    }
}

/// What nobody makes a line of their own of, or a command to a terminal, whatever they have us write.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((before, control)) = rest.find(char::is_control).map(|at| rest.split_at(at)) {
            let mut after = control.chars();
            self.0.write_str(before)?;
            after.next().map_or(Ok(()), |control| write!(self.0, "{}", control.escape_default()))?;
            rest = after.as_str();
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;
    use tracing::{info, info_span};

    use super::*;
    use crate::telemetry::logging::Said;

    /// What is logged, without the time and the level.
    fn logged(said: impl FnOnce()) -> String {
        let log = Said::default();
        let to = log.clone();
        let lines = tracing_subscriber::fmt().with_target(false).without_time().with_ansi(false);
        with_default(lines.fmt_fields(Plain).with_writer(move || to.clone()).finish(), said);
        let log = log.text();
        log.trim_start().strip_prefix("INFO ").unwrap().to_owned()
    }

    #[test]
    fn a_line_has_its_message_and_fields_and_those_around_it() {
        let text = logged(|| {
            let span = info_span!("request", id = %"a-request", principal = tracing::field::Empty);
            span.record("principal", "ada");
            span.in_scope(|| info!(method = %"GET", route = "/users", status = 200, "answered"));
        });
        assert_eq!(
            text,
            "request{id=a-request principal=\"ada\"}: answered method=GET route=\"/users\" status=200\n"
        );
    }

    #[test]
    fn nobody_ends_a_line_or_commands_a_terminal() {
        let text = logged(|| info!(cause = %"a\nb", "\u{1b}[31mred\u{9b}\r\u{7f}é"));
        assert_eq!(text, "\\u{1b}[31mred\\u{9b}\\r\\u{7f}é cause=a\\nb\n");
    }

    #[test]
    fn where_a_line_of_the_log_crate_is_from_leaves_nothing_behind() {
        let text = logged(|| info!(log.target = "a", log.line = 7, "from elsewhere"));
        assert_eq!(text, "from elsewhere\n");
    }
}
