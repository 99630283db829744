//! The use cases: each a struct of `Arc<dyn Port>`, which binaries of any kind can call.

mod directory;
mod feed;
mod import;
mod inbound;
mod relay;
mod users;

pub use directory::DirectoryService;
pub use feed::{FeedPage, FeedService};
pub use import::{Import, ImportOptions, ImportService, Imported, Outcome};
pub use inbound::{Attempt, InboundService};
pub use relay::{RelayService, Relayed};
pub use users::UserService;
