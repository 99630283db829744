//! What surrounds a request: whom it is of and whether they may, what it may take, what is seen of it, and what every
//! answer has.

pub(in crate::http) mod access;
pub(in crate::http) mod admission;
pub(in crate::http) mod answer;
pub(in crate::http) mod coding;
pub(in crate::http) mod cross_origin;
mod framing;
pub(in crate::http) mod lifecycle;
pub(in crate::http) mod limits;
mod measured;
pub(in crate::http) mod methods;
mod observed;
mod panic;
pub(in crate::http) mod request_id;
pub(in crate::http) mod security_headers;
