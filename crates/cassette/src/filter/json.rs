use super::Filter;
use crate::interaction::RecordedRequest;
use crate::json::{self, Json, Kind, Member};

/// Filters the members of the given names in values that follow each other; everything else keeps its bytes.
pub(super) fn filter(text: &str, values: &[Json<'_>], edit: &Edit<'_>) -> String {
    let mut out = String::with_capacity(text.len());
    let end = values.iter().fold(0, |at, value| {
        out.push_str(&text[at..value.span.start]);
        edit.value(&mut out, text, value, true);
        value.span.end
    });
    out.push_str(&text[end..]);
    out
}

pub(super) struct Edit<'a> {
    pub(super) filters: &'a [Filter],
    pub(super) nested: bool,
    pub(super) request: &'a RecordedRequest,
}

impl Edit<'_> {
    fn value(&self, out: &mut String, text: &str, value: &Json<'_>, top: bool) {
        match &value.kind {
            Kind::Map(members) if (top || self.nested) && !members.is_empty() => {
                self.map(out, text, value, members);
            }
            Kind::List(items) if self.nested => {
                let end = items.iter().fold(value.span.start, |at, item| {
                    out.push_str(&text[at..item.span.start]);
                    self.value(out, text, item, false);
                    item.span.end
                });
                out.push_str(&text[end..value.span.end]);
            }
            _ => out.push_str(&text[value.span.clone()]),
        }
    }

    /// Every member keeps its own blanks, but the first that stays gets those of the first.
    fn map(&self, out: &mut String, text: &str, map: &Json<'_>, members: &[Member<'_>]) {
        let blanks = &text[map.span.start + 1..members[0].key_start];
        let mut kept = 0;
        let mut end = map.span.start;
        out.push('{');
        for member in members {
            let before = if kept == 0 { blanks } else { between(text, end, member.key_start) };
            end = member.value.span.end;
            let start = out.len();
            out.push_str(if kept == 0 { "" } else { "," });
            out.push_str(before);
            out.push_str(&text[member.key_start..member.value.span.start]);
            if self.member(out, text, member) {
                kept += 1;
            } else {
                out.truncate(start);
            }
        }
        out.push_str(if kept == 0 { "}" } else { &text[end..map.span.end] });
    }

    /// Writes the member's value; false where the member goes.
    fn member(&self, out: &mut String, text: &str, member: &Member<'_>) -> bool {
        let Some(filter) = self.filters.iter().rev().find(|filter| filter.name() == member.key) else {
            self.value(out, text, &member.value, false);
            return true;
        };
        let value = match &member.value.kind {
            Kind::Text(value) => value,
            _ => &text[member.value.span.clone()],
        };
        filter.apply(value, self.request).map(|value| json::push_string(out, &value)).is_some()
    }
}

/// What stands between the comma after `end` and `start`.
fn between(text: &str, end: usize, start: usize) -> &str {
    text[end..start].split_once(',').map_or("", |(_, blanks)| blanks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filtered(text: &str, filters: &[Filter], nested: bool) -> String {
        let edit = Edit { filters, nested, request: &RecordedRequest::default() };
        filter(text, &json::parse_many(text, 64).unwrap(), &edit)
    }

    #[test]
    fn members_go_and_everything_else_keeps_its_bytes() {
        let filters = ["password".into(), "token".into()];
        let text = r#" {"username": "bob", "password": "p", "n": 1.50, "token": {"a": 1}} "#;
        assert_eq!(filtered(text, &filters, true), r#" {"username": "bob", "n": 1.50} "#);
        assert_eq!(filtered(r#"{"password": 1, "a": 2}"#, &filters, true), r#"{"a": 2}"#);
        assert_eq!(filtered(r#"{"password": 1}"#, &filters, true), "{}");
        assert_eq!(filtered("{\n  \"token\": 1,\n  \"a\": 2\n}", &filters, true), "{\n  \"a\": 2\n}");
    }

    #[test]
    fn nested_members_go_unless_told_otherwise() {
        let filters = ["password".into()];
        let text = r#"{"user": {"password": "x"}, "all": [{"password": "y", "a": 1}]}"#;
        assert_eq!(filtered(text, &filters, true), r#"{"user": {}, "all": [{"a": 1}]}"#);
        assert_eq!(filtered(text, &filters, false), text);
    }

    #[test]
    fn a_list_of_strings_equal_to_the_name_is_left_alone() {
        assert_eq!(filtered(r#"["password", "x"]"#, &["password".into()], true), r#"["password", "x"]"#);
    }

    #[test]
    fn a_replacement_is_a_string_and_escaped_names_are_found() {
        let filters = [("p", "a\"b").into()];
        assert_eq!(
            filtered(r#"{"p": 1, "\u0070": [2]}"#, &filters, true),
            r#"{"p": "a\"b", "\u0070": "a\"b"}"#
        );
    }

    #[test]
    fn each_line_of_ndjson_is_filtered() {
        let text = "{\"p\":1,\"a\":1}\n{\"p\":2}\n";
        assert_eq!(filtered(text, &["p".into()], true), "{\"a\":1}\n{}\n");
    }
}
