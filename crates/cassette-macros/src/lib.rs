//! The attribute of `roster-cassette`, which re-exports it; use it from there.

mod arguments;
mod expand;

use proc_macro::TokenStream;
use syn::{ItemFn, parse_macro_input};

/// Gives an asynchronous test a cassette: opens it, hands its client to the test, and finishes it.
///
/// It stands above the attribute that makes the function a test. The arguments, all optional:
///
/// * the name of the cassette; without it, the name of the function and `.yaml`;
/// * `vcr = …`, an expression for the `Vcr` it is opened with; without it, `Vcr::default()`, whose cassettes
///   lie in `tests/cassettes`.
///
/// Each parameter of the function is a `ClientWithMiddleware`, a `CassetteMiddleware` to build a client of
/// one's own with, or a `&Cassette`; or whatever else implements `FromCassette`. The test fails, with the
/// error's message, where the cassette cannot be opened or finished.
#[proc_macro_attribute]
pub fn use_cassette(arguments: TokenStream, function: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as arguments::Arguments);
    let function = parse_macro_input!(function as ItemFn);
    expand::expand(&arguments, function).unwrap_or_else(syn::Error::into_compile_error).into()
}
