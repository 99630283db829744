//! `/docs/problems`: what each kind of error means. The `type` of every problem leads to its entry.

use std::fmt::Write;

use crate::http::problem::Code;

const HEAD: &str = "\
<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Problems · Roster API</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 46rem; padding: 0 1rem; }
section { border-top: 1px solid #8884; padding: .5rem 0 1rem; }
section:target { outline: 2px solid #48c; outline-offset: .5rem; }
h2 a { color: inherit; text-decoration: none; }
h2 a:hover { text-decoration: underline; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem; }
</style>
</head>
<body>
<h1>Problems</h1>
<p>Every error of the API is a problem (<a href=\"https://www.rfc-editor.org/rfc/rfc9457\">RFC 9457</a>), as
<code>application/problem+json</code>. Its <code>error</code> is one of those below, its <code>type</code> leads here,
and its <code>request_id</code> finds it in the log. <a href=\"/docs\">The API</a> says which operation can end in which.</p>
";

/// The page.
pub(super) fn render() -> String {
    let mut page = HEAD.to_owned();
    for code in Code::ALL {
        let explained = code.explained();
        let (status, name) = (code.status(), code.name());
        // Writing to a text cannot fail.
        let _ = write!(
            page,
            "<section id=\"{name}\">\n<h2><a href=\"#{name}\">{}</a></h2>\n\
             <p><code>{name}</code>, status {status}</p>\n<dl>\n\
             <dt>When</dt><dd>{}</dd>\n<dt>What to do</dt><dd>{}</dd>\n\
             <dt>For example</dt><dd><samp>{}</samp></dd>\n</dl>\n</section>\n",
            escape(code.title()),
            escape(explained.when),
            escape(explained.remedy),
            escape(explained.example),
        );
    }
    page + "</body>\n</html>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_an_entry_that_its_type_leads_to() {
        let page = render();
        for code in Code::ALL {
            let anchor = code.explained_at().replace("/docs/problems#", "");
            assert_eq!(page.matches(&format!("<section id=\"{anchor}\">")).count(), 1, "{anchor}");
            let explained = code.explained();
            for text in [code.title(), explained.when, explained.remedy, explained.example] {
                assert!(!text.is_empty() && page.contains(&escape(text)), "{anchor}: {text}");
            }
        }
        assert!(!page.contains("<script"));
    }
}
