//! The program `roster`.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A request takes some sixty small pieces of memory and gives them back: the system's allocator would be a tenth
/// of what it costs.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    roster::run()
}
