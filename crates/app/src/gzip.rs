//! gzip (RFC 1952), a part at a time.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};

/// Compresses parts, each so that it can be read as soon as it arrives.
pub(crate) struct Gzip(GzEncoder<Vec<u8>>);

impl Default for Gzip {
    fn default() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::fast()))
    }
}

impl Gzip {
    pub(crate) fn part(&mut self, plain: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(plain)?;
        self.0.flush()?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    /// What comes after the last part.
    pub(crate) fn end(self) -> io::Result<Vec<u8>> {
        self.0.finish()
    }
}

/// Decompresses parts. Several compressed files, one after the other, are one.
pub(crate) struct Gunzip(MultiGzDecoder<Vec<u8>>);

impl Default for Gunzip {
    fn default() -> Self {
        Self(MultiGzDecoder::new(Vec::new()))
    }
}

impl Gunzip {
    /// How much is best decompressed at once: a part may become a thousand times as long.
    pub(crate) const PART: usize = 512;

    /// What a part holds; up to where it is broken, where it is.
    pub(crate) fn part(&mut self, compressed: &[u8]) -> (Vec<u8>, io::Result<()>) {
        let read = self.0.write_all(compressed).and_then(|()| self.0.flush());
        (std::mem::take(self.0.get_mut()), read)
    }

    /// What comes after the last part, and whether all that was compressed is there.
    pub(crate) fn end(&mut self) -> (Vec<u8>, io::Result<()>) {
        let whole = self.0.try_finish();
        (std::mem::take(self.0.get_mut()), whole)
    }
}
