//! `/docs` in a real browser, for which only `just test-docs` asks: Debian's `chromium` and `chromium-driver`.

use libtest_mimic::Trial;

use crate::kit::{Backend, Browser, Database, Program, USERS, new_token, trial};

pub(crate) fn suite() -> Vec<Trial> {
    let of = |on: Backend| {
        trial(
            format!("docs::browser::a_reader_authorizes_and_sends_a_request_through_the_page [{on}]"),
            move || a_reader_authorizes_and_sends_a_request_through_the_page(on),
        )
    };
    Backend::ALL.iter().map(|&on| of(on).with_ignored_flag(true)).collect()
}

async fn a_reader_authorizes_and_sends_a_request_through_the_page(on: Backend) -> Result<(), String> {
    let browser = Browser::open().await?;
    let database = Database::migrated(on).await?;
    let (tokens, token) = new_token("users:read,users:write").await;
    let program = Program::serving(&database).and(["--tokens-file".as_ref(), tokens.as_os_str()]);
    let roster = program.serve().await;

    browser.go_to(&format!("http://{}/docs", roster.address())).await;
    let create = "#operations-users-createUser";
    browser.click(&format!("{create} .opblock-summary-control")).await;
    browser.click(&format!("{create} .execute")).await;
    let status = format!("{create} .live-responses-table .response .response-col_status");
    browser.shows(&status, "401").await;

    browser.click(".auth-wrapper .authorize").await;
    browser.type_into(".auth-container input", &token).await;
    browser.click(".auth-btn-wrapper .authorize").await;
    browser.click(".auth-btn-wrapper .btn-done").await;
    browser.click(&format!("{create} .execute")).await;
    browser.shows(&status, "201").await;
    browser.shows(&format!("{create} .live-responses-table .response .microlight"), "ada@example.org").await;

    let list = roster.get(USERS).header("Authorization", &format!("Bearer {token}")).await.page();
    assert_eq!(list.items[0].email, "ada@example.org");
    // The 401 is told by the browser as well; whatever else is amiss, such as what the page may not load, is a fault.
    let complaints = browser.complaints().await;
    assert!(complaints.iter().all(|complaint| complaint.contains("401")), "{complaints:?}");
    Ok(())
}
