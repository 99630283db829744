//! The use cases: each a struct of `Arc<dyn Port>`, which binaries of any kind can call.

mod feed;
mod users;

pub use feed::FeedService;
pub use users::UserService;
