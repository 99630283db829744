//! Record and replay of HTTP for tests: to Rust what [vcrpy](https://vcrpy.readthedocs.io) is to Python.
//!
//! The first run of a test talks to the real service and writes what was said into a *cassette*, a YAML file
//! to commit. Every later run plays the cassette: fast, offline, and always the same. The files are vcrpy's,
//! both ways: what vcrpy recorded plays here, and what is recorded here plays in vcrpy.
//!
//! It is a middleware of [`reqwest_middleware`], so it works with any code that takes a
//! [`ClientWithMiddleware`](reqwest_middleware::ClientWithMiddleware).
//!
//! # In two minutes
//!
//! The attribute, when a client is all a test needs. The cassette has the name of the function, in
//! `tests/cassettes`:
//!
//! ```
//! use reqwest_middleware::ClientWithMiddleware;
//! use roster_cassette::use_cassette;
//!
//! # std::thread::spawn(|| {
//! #[use_cassette] // or #[use_cassette("users.yaml")], or #[use_cassette("users.yaml", vcr = my_vcr())]
//! # /*
//! #[tokio::test]
//! # */
//! async fn a_user_is_found(client: ClientWithMiddleware) {
//!     let user = client.get("https://api.example/users/1").send().await.unwrap();
//!     assert!(user.text().await.unwrap().contains("Leanne Graham"));
//! }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(a_user_is_found());
//! # }).join().unwrap();
//! ```
//!
//! The same by hand, with everything vcrpy's configuration has:
//!
//! ```
//! use roster_cassette::{Matcher, RecordMode, Vcr};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let vcr = Vcr::builder()
//!     .cassette_library_dir("tests/cassettes")
//!     .record_mode(RecordMode::Once)
//!     .match_on([Matcher::Method, Matcher::Scheme, Matcher::Host, Matcher::Port, Matcher::Path, Matcher::Query])
//!     .filter_headers(["authorization"])
//!     .filter_post_data_parameters(["password", "token"])
//!     .build();
//!
//! let cassette = vcr.use_cassette("users.yaml")?;
//! let client = cassette.client(reqwest::Client::new());
//!
//! let user = client.get("https://api.example/users/1").bearer_auth("s3cr3t").send().await?;
//! assert_eq!(user.status(), 200);
//!
//! let report = cassette.finish().await?;
//! assert_eq!((report.played, report.recorded, report.unplayed), (1, 0, 0));
//! # Ok(())
//! # }
//! ```
//!
//! # For those who know vcrpy
//!
//! | vcrpy | here |
//! |---|---|
//! | `vcr.VCR(...)` | [`Vcr::builder()`](Vcr::builder)`… .build()` |
//! | `with my_vcr.use_cassette("a.yaml") as cass:` | [`let cassette = vcr.use_cassette("a.yaml")?`](Vcr::use_cassette) … [`cassette.finish().await?`](Cassette::finish) |
//! | `@my_vcr.use_cassette` | [`#[use_cassette]`](macro@use_cassette), whose default name ends in `.yaml` |
//! | `record_mode="once"`, `"new_episodes"`, `"none"`, `"all"` | [`record_mode(RecordMode::Once)`](VcrBuilder::record_mode) … |
//! | `match_on=[...]`, `register_matcher` | [`match_on([...])`](VcrBuilder::match_on), [`Matcher::custom`] |
//! | `filter_headers`, `filter_query_parameters`, `filter_post_data_parameters` | the same names; each item is `"name"`, `("name", "replacement")` or [`Filter::compute`] |
//! | `filter_sensitive_data={"<TOKEN>": token}` | [`filter_sensitive_data([("<TOKEN>", token)])`](VcrBuilder::filter_sensitive_data) |
//! | `before_record_request`, `before_record_response` | the same names; `None` leaves it out |
//! | `ignore_hosts`, `ignore_localhost`, `allow_playback_repeats`, `drop_unused_requests`, `record_on_exception` | the same names |
//! | `cass.requests`, `cass.responses`, `cass.all_played` | [`requests()`](Cassette::requests), [`responses()`](Cassette::responses), [`all_played()`](Cassette::all_played) |
//! | `serializer="json"` | a name that ends in `.json`, or [`serializer(Serializer::Json)`](VcrBuilder::serializer) |
//!
//! | mode | no cassette yet | a cassette |
//! |---|---|---|
//! | `once` | records everything | plays; anything else is an error |
//! | `new_episodes` | records everything | plays what it has, records the rest |
//! | `none` | an error at the first request | plays; anything else is an error |
//! | `all` | records everything | sends everything, and replaces what it records anew |
//!
//! `VCR_RECORD_MODE=all cargo test` overrides whatever the code says. Where nothing says anything, the mode
//! is `once`, but **`none` where `CI` is set**: no packet leaves.
//!
//! # What is different, and why
//!
//! * **A leak is refused.** Before a cassette is written it is searched for what looks like a secret: bearer
//!   tokens, JSON Web Tokens, cloud keys, private keys, what is named as a password or as a key, and your own
//!   [`canaries`](VcrBuilder::canaries). If one is found, [`finish`](Cassette::finish) fails, says where, and
//!   writes nothing.
//! * **Filters see more.** Body fields are filtered at any depth and in any `+json`; without any header
//!   filter, the usual secrets (`authorization`, cookies, API keys) are taken out. A filtered request states
//!   the length it has, not the one it had. The request that is sent is never touched.
//! * **A cassette that cannot be read is an error**, in every mode, and is never overwritten. A file is
//!   replaced whole or not at all, and two processes that record the same one lose nothing.
//! * **Bodies are kept decoded**, with their `Content-Encoding` removed; [`store_raw`](VcrBuilder::store_raw)
//!   keeps them as they came.
//! * **A session does not play what it has just recorded**, unless repeats are allowed.
//! * [`require_all_played`](VcrBuilder::require_all_played) fails a test that leaves recorded interactions
//!   unplayed.
//!
//! As in vcrpy, the **body is not compared** unless you ask: two different POSTs to one URL are answered in
//! the order they were recorded. Add [`Matcher::Body`] to tell them apart.
//!
//! # Redirects
//!
//! reqwest follows redirects below its middlewares, where no cassette sees the hops. To record each of them,
//! as vcrpy does, let [`RedirectMiddleware`] follow them instead. The attribute's client does.
//!
//! # When something is missing
//!
//! An error names the closest recorded requests and what differs, and inside a client's error
//! [`VcrError::of`] finds it:
//!
//! ```
//! use roster_cassette::{RecordMode, Vcr, VcrError};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let vcr = Vcr::builder().cassette_library_dir("tests/cassettes").record_mode(RecordMode::None).build();
//! let cassette = vcr.use_cassette("users.yaml")?;
//! let client = cassette.client(reqwest::Client::new());
//!
//! let error = client.get("https://api.example/users/2").send().await.unwrap_err();
//! assert!(matches!(VcrError::of(&error), Some(VcrError::NoMatch(_))));
//! assert_eq!(
//!     error.to_string(),
//!     "\
//! GET https://api.example/users/2: no recording of it; the closest differs in path; record mode `none` adds nothing to a cassette
//!
//!   cassette:     tests/cassettes/users.yaml
//!   record mode:  none
//!   match on:     method, scheme, host, port, path, query
//!   interactions: 1 recorded, 0 played
//!
//! Closest recorded requests:
//!   1. GET https://api.example/users/1
//!      path differs: /users/2 now, /users/1 recorded
//!
//! How to fix:
//!   * If the request changed on purpose: record it with VCR_RECORD_MODE=new_episodes, or everything anew with VCR_RECORD_MODE=all.
//!   * If the difference is new at every run (a time, a random id): leave it out of `match_on`, or even it out in `before_record_request`."
//! );
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! gzip and deflate are always decoded; `brotli` and `zstd` add theirs. TLS comes with the features of your own
//! `reqwest`; `ring` is for one that leaves the choice of cryptography to the program (`rustls-no-provider`).
//!
//! A cassette of many megabytes loads slowly in a debug build, where the YAML parser is not optimized. This in
//! `Cargo.toml` helps:
//!
//! ```toml
//! [profile.dev.package.saphyr-parser]
//! opt-level = 3
//! ```

#![expect(
    clippy::indexing_slicing,
    reason = "places are those of what was found in the same text just before; a fuzz target holds that none is beyond"
)]

mod builder;
mod cassette;
mod coding;
mod error;
mod filter;
mod format;
mod from_cassette;
mod headers;
mod interaction;
mod json;
mod leak;
mod matcher;
mod middleware;
mod mode;
mod percent;
mod redirect;
mod session;
mod store;
mod tls;
mod vcr;

#[cfg(any(test, fuzzing))]
pub mod fuzzing;

pub use builder::VcrBuilder;
pub use cassette::{Cassette, Report};
pub use error::{Closest, Difference, Unanswered, VcrError};
pub use filter::Filter;
pub use format::Serializer;
pub use from_cassette::FromCassette;
pub use headers::{Headers, InvalidHeader};
pub use interaction::{RecordedRequest, RecordedResponse};
pub use leak::{Finding, secret_in};
pub use matcher::{CustomMatcher, Matcher, UnknownMatcher};
pub use middleware::CassetteMiddleware;
pub use mode::{RecordMode, UnknownMode};
pub use redirect::RedirectMiddleware;
pub use roster_cassette_macros::use_cassette;
pub use vcr::Vcr;
