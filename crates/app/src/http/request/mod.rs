//! What is read of a request, by whatever resource.

pub(in crate::http) mod accept;
pub(in crate::http) mod conditional;
pub(in crate::http) mod cursor;
pub(in crate::http) mod idempotency;
pub(in crate::http) mod json;
pub(in crate::http) mod path;
pub(in crate::http) mod position;
pub(in crate::http) mod query;
