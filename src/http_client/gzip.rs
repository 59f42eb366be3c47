//! Decompression of gzip while it arrives: the body of a response, or a file of an export.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};

/// How much is decompressed at once, so that a small body that expands to a large one does not fill the memory.
const MAX_CHUNK: usize = 64 * 1024;
/// The window of gzip: 32 KiB.
const WINDOW_BITS: u8 = 15;

/// It is not gzip, or a checksum is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct InvalidGzip;

/// A gzip body of one or more members, each of which ends with its checksum and length.
#[derive(Debug, Default)]
pub(crate) struct Gzip {
    member: Option<Decompress>,
    members: u64,
    input: VecDeque<Bytes>,
    /// Whether the decompressor may hold output that did not fit the last chunk.
    output_pending: bool,
}

impl Gzip {
    /// Adds bytes that have arrived.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.input.push_back(chunk);
    }

    /// The next decompressed chunk; `None` where more must arrive first.
    pub(crate) fn chunk(&mut self) -> Result<Option<Bytes>, InvalidGzip> {
        let mut output = Vec::new();
        loop {
            let input = self.input.front().map_or(&[][..], |chunk| chunk);
            if input.is_empty() && !(self.output_pending && self.member.is_some()) {
                return Ok(None);
            }
            let member = self
                .member
                .get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
            let read_before = member.total_in();
            output.reserve_exact(MAX_CHUNK);
            let status = member
                .decompress_vec(input, &mut output, FlushDecompress::None)
                .map_err(|_| InvalidGzip)?;
            let read = usize::try_from(member.total_in() - read_before).unwrap_or(usize::MAX);
            self.output_pending = output.len() == output.capacity();
            if status == Status::StreamEnd {
                self.member = None;
                self.members += 1;
            } else if read == 0 && output.is_empty() && !input.is_empty() {
                return Err(InvalidGzip);
            }
            if let Some(chunk) = self.input.front_mut() {
                chunk.advance(read.min(chunk.len()));
                if chunk.is_empty() {
                    self.input.pop_front();
                }
            }
            if !output.is_empty() {
                return Ok(Some(Bytes::from(output)));
            }
        }
    }

    /// Whether the body may end here. Nothing at all is not gzip; whether it is an empty body, its framing decides.
    pub(crate) fn is_complete(&self) -> bool {
        self.member.is_none() && self.members > 0 && self.input.is_empty()
    }
}

#[cfg(test)]
mod tests;
