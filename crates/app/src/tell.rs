use std::io::Write;

/// Writes a line for whoever watches. Where nobody can be told, as a disk is full or a reader is gone, nothing ends
/// for it.
pub(crate) fn tell(mut to: impl Write, line: &str) {
    let _ = to.write_all(format!("{line}\n").as_bytes());
}
