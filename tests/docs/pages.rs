//! `/docs` and `/docs/problems`: pages that need nothing from elsewhere.

use crate::kit::{OnSqlite, Program, USERS, suite, user_path};

suite![
    the_page_of_the_api_has_all_that_it_needs_here,
    the_type_of_a_problem_leads_to_what_it_means,
    a_page_says_what_a_browser_may_load_for_it,
    a_file_that_is_no_part_of_the_page_is_not_found,
];

async fn the_page_of_the_api_has_all_that_it_needs_here(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).serve().await;
    for path in ["/docs", "/docs/"] {
        let page = roster.get(path).await;
        assert_eq!(page.any_body(200).header("content-type"), "text/html; charset=utf-8");
        let page = page.text();
        assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
        let needed: Vec<_> = page.split('"').filter(|part| part.starts_with("/docs/assets/")).collect();
        assert_eq!(needed.len(), 4, "{page}");
        for file in needed {
            let file = roster.get(file).await;
            file.any_body(200);
            assert_eq!(file.header("x-content-type-options"), "nosniff");
            assert!(file.text().len() > 100);
        }
        roster.request("HEAD", path).await.empty(200);
    }
}

async fn the_type_of_a_problem_leads_to_what_it_means(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).serve().await;
    let page = roster.get("/docs/problems").await;
    page.any_body(200);
    for (request, status, code) in [
        (roster.get(&user_path(7)), 404, "not_found"),
        (roster.get(&user_path("x")), 422, "validation"),
        (roster.request("PUT", USERS), 405, "method_not_allowed"),
    ] {
        let problem = request.await.error(status, code);
        let (path, anchor) = problem["type"].as_str().and_then(|about| about.split_once('#')).unwrap();
        assert_eq!(path, "/docs/problems");
        assert!(page.text().contains(&format!("id=\"{anchor}\"")), "{anchor}");
    }
}

async fn a_page_says_what_a_browser_may_load_for_it(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).serve().await;
    for (path, scripts) in [("/docs", true), ("/docs/problems", false), ("/livez", false)] {
        let policy = roster.get(path).await.any_body(200).header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{policy}");
        assert_eq!(policy.contains("script-src 'self'"), scripts, "{policy}");
    }
}

async fn a_file_that_is_no_part_of_the_page_is_not_found(OnSqlite(database): OnSqlite) {
    let roster = Program::serving(&database).serve().await;
    for file in ["index.html", "..%2f..%2fCargo.toml", "swagger-initializer.js", "x"] {
        roster.get(&format!("/docs/assets/{file}")).await.error(404, "not_found");
    }
}
