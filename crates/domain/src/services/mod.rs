//! The use cases: each a struct of `Arc<dyn Port>`, which binaries of any kind can call.

mod directory;
mod feed;
mod users;

pub use directory::DirectoryService;
pub use feed::FeedService;
pub use users::UserService;
