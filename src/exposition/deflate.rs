//! Text as raw deflate, in pieces that can be concatenated into one gzip member.

use std::fmt;

use bytes::Bytes;
use crc32fast::Hasher;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// How much text is compressed at once: large enough to be efficient, small enough for the processor's cache.
const PORTION: usize = 64 << 10;

/// A text as raw deflate that ends at a byte boundary and is not finished.
#[derive(Debug, Default)]
pub(super) struct Packed {
    pub(super) deflated: Bytes,
    pub(super) checksum: Hasher,
    /// The length of the text, in bytes.
    pub(super) length: usize,
}

impl Packed {
    /// Compresses a text.
    pub(super) fn new(text: &str) -> Self {
        let mut packer = Packer::new(text.len() / 8);
        packer.add(text);
        packer.finish()
    }

    /// The text again.
    pub(super) fn text(&self) -> Bytes {
        let mut text = Vec::with_capacity(self.length);
        let mut decompress = Decompress::new(false);
        decompress
            .decompress_vec(&self.deflated, &mut text, FlushDecompress::Sync)
            .expect("what was compressed here can be decompressed");
        debug_assert_eq!(text.len(), self.length);
        text.into()
    }
}

/// Compresses a text that is never held as a whole.
pub(super) struct Packer {
    compress: Compress,
    deflated: Vec<u8>,
    checksum: Hasher,
    length: usize,
    /// What was written and is not compressed yet.
    portion: String,
}

impl Packer {
    /// A packer with room for so many compressed bytes; it grows when needed.
    pub(super) fn new(room: usize) -> Self {
        Self {
            // Compressed once and sent often; a higher level takes much longer for little gain.
            compress: Compress::new(Compression::new(3), false),
            deflated: Vec::with_capacity(room + 64),
            checksum: Hasher::new(),
            length: 0,
            portion: String::with_capacity(PORTION + 4096),
        }
    }

    fn add(&mut self, text: &str) {
        self.checksum.update(text.as_bytes());
        self.length += text.len();
        self.compress_chunk(text.as_bytes(), FlushCompress::None);
    }

    fn compress_chunk(&mut self, mut text: &[u8], flush: FlushCompress) {
        loop {
            let before = self.compress.total_in();
            self.compress
                .compress_vec(text, &mut self.deflated, flush)
                .expect("compressing into memory cannot fail");
            let read = usize::try_from(self.compress.total_in() - before)
                .expect("no more than the text was read");
            text = &text[read..];
            // Everything was taken, and a flush is complete, only if there is room left.
            if text.is_empty() && self.deflated.len() < self.deflated.capacity() {
                return;
            }
            self.deflated.reserve(self.deflated.len().max(64));
        }
    }

    /// Compresses the rest up to a byte boundary.
    pub(super) fn finish(mut self) -> Packed {
        self.empty_portion();
        self.compress_chunk(&[], FlushCompress::Sync);
        self.deflated.shrink_to_fit();
        Packed {
            deflated: self.deflated.into(),
            checksum: self.checksum,
            length: self.length,
        }
    }

    fn empty_portion(&mut self) {
        let portion = std::mem::take(&mut self.portion);
        self.add(&portion);
        self.portion = portion;
        self.portion.clear();
    }
}

impl fmt::Write for Packer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.portion.push_str(text);
        if self.portion.len() >= PORTION {
            self.empty_portion();
        }
        Ok(())
    }
}

/// The longest block that deflate stores as it is.
const MAX_STORED: usize = 0xffff;

/// The last blocks of raw deflate that begins at a byte border: the text as it is, since it is short and sent once.
pub(super) fn stored(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let (block, after) = rest.split_at(rest.len().min(MAX_STORED));
        let length = u16::try_from(block.len()).expect("a block is at most 65,535 bytes long");
        out.push(u8::from(after.is_empty()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
        rest = after;
        if rest.is_empty() {
            return out;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fmt::Write, io::Read};

    use super::*;

    #[test]
    fn a_text_of_any_length_written_in_any_pieces_comes_back() {
        for piece in ["x", "cloudspend ", &"€".repeat(50_000)] {
            for pieces in [0, 1, 2, 7, 1000] {
                let mut packer = Packer::new(0);
                for _ in 0..pieces {
                    packer.write_str(piece).unwrap();
                }
                let done = packer.finish();
                let text = piece.repeat(pieces);
                assert!(done.text() == text.as_bytes());
                assert_eq!(done.length, text.len());
                let mut checksum = Hasher::new();
                checksum.update(text.as_bytes());
                assert_eq!(done.checksum.clone().finalize(), checksum.finalize());
            }
        }
    }

    #[test]
    fn stored_blocks_hold_a_text_of_any_length() {
        for length in [0, 1, MAX_STORED, MAX_STORED + 1, 3 * MAX_STORED] {
            let text = "x".repeat(length);
            let mut got = String::new();
            let blocks = stored(text.as_bytes());
            let mut decoder = flate2::bufread::DeflateDecoder::new(blocks.as_slice());
            decoder.read_to_string(&mut got).unwrap();
            assert!(got == text && decoder.into_inner().is_empty(), "{length}");
        }
    }
}
