//! The use cases: each a struct of `Arc<dyn Port>`, which binaries of any kind can call.

mod users;

pub use users::UserService;
