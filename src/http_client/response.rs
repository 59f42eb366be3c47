//! The body of an answer as it arrives: decompressed here, and known to be whole or not by how it was framed.

use std::{collections::VecDeque, future::poll_fn, pin::Pin};

use bytes::{Buf, Bytes};
use flate2::{Decompress, FlushDecompress, Status};
use http::{HeaderMap, Response, Version, header};
use http_body::Body as _;

use crate::{error::ProviderError, http_client::status::body_fault};

/// How much is decompressed at once, so that a few bytes which stand for many do not fill the memory.
const PIECE: usize = 64 * 1024;
/// The window of gzip: 32 KiB.
const WINDOW_BITS: u8 = 15;

/// A body that is still being read.
#[derive(Debug)]
pub(super) struct Body {
    frames: reqwest::Body,
    place: String,
    gzip: Option<Gzip>,
    framed: bool,
    /// Whether its last frame says that it is the last, as in HTTP/2.
    marked: bool,
    /// How many bytes it was said to have, before decompression.
    length: Option<u64>,
    /// How many of them have arrived.
    arrived: u64,
}

impl Body {
    /// The body of an answer. One that is compressed in a way that was not asked for is `malformed`.
    pub(super) fn of(answer: reqwest::Response, place: String) -> Result<Self, ProviderError> {
        let gzip = match encoding(answer.headers()) {
            Encoding::Identity => None,
            Encoding::Gzip => Some(Gzip::default()),
            Encoding::Other => {
                return Err(ProviderError::malformed(format!(
                    "{place}: the answer is compressed, but not by gzip"
                )));
            }
        };
        let (head, frames) = Response::from(answer).into_parts();
        let length = frames.size_hint().exact();
        Ok(Self {
            framed: is_framed(head.version, &head.headers, length),
            marked: head.version >= Version::HTTP_2,
            length,
            arrived: 0,
            frames,
            place,
            gzip,
        })
    }

    /// Refuses a body whose end nothing tells: one of HTTP/1 without a length that ends when the connection does. If
    /// what it holds has no end of its own, such as lines of JSON, one that was cut between two of them looks whole,
    /// and would be a sum that is silently too small.
    pub(super) fn must_be_framed(&self) -> Result<(), ProviderError> {
        if self.framed {
            return Ok(());
        }
        Err(ProviderError::truncated(format!(
            "{}: the answer tells no length and ends with the connection, so that nothing tells if it is whole",
            self.place
        )))
    }

    /// The next piece, never an empty one; `None` at the end, if it is one.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, ProviderError> {
        loop {
            if let Some(gzip) = &mut self.gzip
                && let Some(piece) = gzip.piece().map_err(|Garbage| self.garbage())?
            {
                return Ok(Some(piece));
            }
            match (self.arrives().await?, &mut self.gzip) {
                (Some(chunk), _) if chunk.is_empty() => {}
                (Some(chunk), None) => return Ok(Some(chunk)),
                (Some(chunk), Some(gzip)) => gzip.waiting.push_back(chunk),
                (None, Some(gzip)) if !gzip.is_whole() => {
                    return Err(ProviderError::truncated(format!(
                        "{}: the compressed answer broke off",
                        self.place
                    )));
                }
                (None, _) => return Ok(None),
            }
        }
    }

    /// What comes next, as it was sent.
    async fn arrives(&mut self) -> Result<Option<Bytes>, ProviderError> {
        loop {
            let frame = poll_fn(|context| Pin::new(&mut self.frames).poll_frame(context)).await;
            let Some(frame) = frame else {
                return self.must_be_whole().map(|()| None);
            };
            let frame = frame.map_err(|error| body_fault(&self.place, error))?;
            // Trailers hold nothing that is needed here.
            if let Ok(chunk) = frame.into_data() {
                self.arrived += chunk.len() as u64;
                return Ok(Some(chunk));
            }
        }
    }

    /// Refuses a body that stopped before its end. hyper reports no error where a stream of HTTP/2 is reset, or its
    /// connection goes away, with `NO_ERROR`: a server may do so when it wants no more of the request. A proxy whose
    /// upstream breaks does the same in the middle of a body.
    fn must_be_whole(&self) -> Result<(), ProviderError> {
        let place = &self.place;
        match self.length {
            Some(length) if self.arrived != length => Err(ProviderError::truncated(format!(
                "{place}: {} of {length} bytes of the answer arrived",
                self.arrived
            ))),
            None if self.marked && !self.frames.is_end_stream() => Err(ProviderError::truncated(
                format!("{place}: the answer was reset before its end"),
            )),
            _ => Ok(()),
        }
    }

    fn garbage(&self) -> ProviderError {
        ProviderError::malformed(format!("{}: the answer cannot be decompressed", self.place))
    }
}

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Other,
}

fn encoding(headers: &HeaderMap) -> Encoding {
    let mut found = Encoding::Identity;
    let values = headers.get_all(header::CONTENT_ENCODING);
    for word in values
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
    {
        found = match (found, word.trim().to_ascii_lowercase().as_str()) {
            (found, "" | "identity") => found,
            (Encoding::Identity, "gzip" | "x-gzip") => Encoding::Gzip,
            _ => Encoding::Other,
        };
    }
    found
}

/// Whether the end of a body is told: by a length, by chunks, or by the frames of HTTP/2.
fn is_framed(version: Version, headers: &HeaderMap, length: Option<u64>) -> bool {
    let last_coding = headers
        .get_all(header::TRANSFER_ENCODING)
        .iter()
        .next_back()
        .map(|value| {
            let codings = value.to_str().unwrap_or_default();
            codings.rsplit(',').next().unwrap_or_default().trim()
        });
    match last_coding {
        _ if version >= Version::HTTP_2 => true,
        Some(coding) => coding.eq_ignore_ascii_case("chunked"),
        None => length.is_some(),
    }
}

/// What cannot be decompressed: no gzip, or a checksum that does not fit.
#[derive(Debug, PartialEq, Eq)]
struct Garbage;

/// A gzip body of one or more members, each of which ends with a checksum and its length.
#[derive(Debug, Default)]
struct Gzip {
    member: Option<Decompress>,
    members: u64,
    waiting: VecDeque<Bytes>,
    /// Whether the decompressor may hold more than it could give at once.
    brimming: bool,
}

impl Gzip {
    /// The next piece of what has arrived; `None` where more must arrive first.
    fn piece(&mut self) -> Result<Option<Bytes>, Garbage> {
        let mut piece = Vec::new();
        loop {
            let input = self.waiting.front().map_or(&[][..], |chunk| chunk);
            if input.is_empty() && !(self.brimming && self.member.is_some()) {
                return Ok(None);
            }
            let member = self
                .member
                .get_or_insert_with(|| Decompress::new_gzip(WINDOW_BITS));
            let read_before = member.total_in();
            piece.reserve_exact(PIECE);
            let status = member
                .decompress_vec(input, &mut piece, FlushDecompress::None)
                .map_err(|_| Garbage)?;
            let read = usize::try_from(member.total_in() - read_before).unwrap_or(usize::MAX);
            self.brimming = piece.len() == piece.capacity();
            if status == Status::StreamEnd {
                self.member = None;
                self.members += 1;
            } else if read == 0 && piece.is_empty() && !input.is_empty() {
                return Err(Garbage);
            }
            if let Some(chunk) = self.waiting.front_mut() {
                chunk.advance(read.min(chunk.len()));
                if chunk.is_empty() {
                    self.waiting.pop_front();
                }
            }
            if !piece.is_empty() {
                return Ok(Some(Bytes::from(piece)));
            }
        }
    }

    /// Whether the body may end here. An empty one is no gzip: it was cut before its first byte.
    fn is_whole(&self) -> bool {
        self.member.is_none() && self.members > 0 && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{Compression, write::GzEncoder};
    use http::HeaderValue;

    use super::*;

    fn zipped(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    /// What a body in chunks of a size becomes, and whether it is whole.
    fn read(body: &[u8], size: usize) -> Result<(Vec<u8>, bool), Garbage> {
        let mut gzip = Gzip::default();
        let mut text = Vec::new();
        for chunk in body.chunks(size) {
            gzip.waiting.push_back(Bytes::copy_from_slice(chunk));
            while let Some(piece) = gzip.piece()? {
                assert!(!piece.is_empty() && piece.len() <= PIECE);
                text.extend_from_slice(&piece);
            }
        }
        Ok((text, gzip.is_whole()))
    }

    #[test]
    fn chunks_may_be_cut_anywhere_and_members_follow_each_other() {
        let long: Vec<u8> = (0..500_000_u32).flat_map(u32::to_le_bytes).collect();
        for text in [&b""[..], b"a", b"{\"a\":1}\n{\"a\":2}\n", &long] {
            let body = zipped(text);
            for size in [1, 2, 7, 4096, body.len()] {
                if body.len() / size < 100_000 {
                    assert_eq!(read(&body, size), Ok((text.to_vec(), true)));
                }
            }
        }
        let two = [zipped(b"one"), zipped(b""), zipped(b"two")].concat();
        for size in 1..two.len() {
            assert_eq!(read(&two, size), Ok((b"onetwo".to_vec(), true)));
        }
    }

    #[test]
    fn a_body_that_is_cut_is_never_whole() {
        let body = zipped(b"{\"a\":1}\n{\"a\":2}\n");
        for cut in 0..body.len() {
            for size in [1, 64] {
                let (_, whole) = read(&body[..cut], size).unwrap();
                assert!(!whole, "{cut}");
            }
        }
    }

    #[test]
    fn every_changed_byte_of_what_is_compressed_is_found() {
        let body = zipped(b"{\"a\":1}\n{\"a\":2}\n");
        // The header's first ten bytes hold a time and a system, which say nothing about the content.
        for at in 10..body.len() {
            let mut body = body.clone();
            body[at] ^= 0x10;
            assert!(
                !matches!(read(&body, 64), Ok((_, true))),
                "byte {at} does not matter"
            );
        }
        for garbage in [&b"plain text"[..], b"<html>", &[0; 40]] {
            assert_eq!(read(garbage, 64), Err(Garbage));
        }
        let trailing = [&zipped(b"a")[..], b"trailing"].concat();
        assert_eq!(read(&trailing, 64), Err(Garbage));
    }

    #[test]
    fn a_little_that_stands_for_much_comes_piece_by_piece() {
        let body = zipped(&vec![b' '; 100 << 20]);
        let mut gzip = Gzip::default();
        gzip.waiting.push_back(Bytes::from(body));
        let mut length = 0;
        while let Some(piece) = gzip.piece().unwrap() {
            assert!(piece.len() <= PIECE);
            length += piece.len();
        }
        assert_eq!(length, 100 << 20);
        assert!(gzip.is_whole());
    }

    #[test]
    fn the_end_of_a_body_is_told_or_not() {
        for (version, transfer, length, want) in [
            (Version::HTTP_11, None, Some(7), true),
            (Version::HTTP_11, None, Some(0), true),
            (Version::HTTP_11, Some("chunked"), None, true),
            (Version::HTTP_11, Some("gzip, Chunked"), None, true),
            (Version::HTTP_11, Some("gzip"), None, false),
            (Version::HTTP_11, Some("gzip"), Some(7), false),
            (Version::HTTP_11, None, None, false),
            (Version::HTTP_10, None, None, false),
            (Version::HTTP_2, None, None, true),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(transfer) = transfer {
                headers.insert(
                    header::TRANSFER_ENCODING,
                    HeaderValue::from_static(transfer),
                );
            }
            assert_eq!(
                is_framed(version, &headers, length),
                want,
                "{version:?} {transfer:?} {length:?}"
            );
        }
    }

    #[test]
    fn only_gzip_was_asked_for() {
        for (values, want) in [
            (&[][..], Encoding::Identity),
            (&["identity"], Encoding::Identity),
            (&["gzip"], Encoding::Gzip),
            (&["X-GZIP"], Encoding::Gzip),
            (&["identity, gzip"], Encoding::Gzip),
            (&["gzip", "gzip"], Encoding::Other),
            (&["br"], Encoding::Other),
            (&["deflate, gzip"], Encoding::Other),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(value));
            }
            assert_eq!(encoding(&headers), want, "{values:?}");
        }
    }
}
