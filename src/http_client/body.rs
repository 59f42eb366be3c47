//! The body of a response as it arrives: decompressed, and checked for completeness by how it is framed.

use std::{future::poll_fn, pin::Pin};

use bytes::Bytes;
use http::{HeaderMap, Response, Version, header};
use http_body::Body as _;

use super::{gzip::Gzip, status::body_error};
use crate::error::ProviderError;

/// A body that is still being read.
#[derive(Debug)]
pub(super) struct Body {
    frames: reqwest::Body,
    place: String,
    gzip: Option<Gzip>,
    /// Whether its end can be known.
    framed: bool,
    /// Whether its last frame is marked as the last, as in HTTP/2.
    has_end_mark: bool,
    /// The declared length in bytes, before decompression.
    length: Option<u64>,
    /// How many of them have arrived.
    arrived: u64,
}

impl Body {
    /// The body of a response. One with a content coding that was not requested is `malformed`.
    pub(super) fn new(response: reqwest::Response, place: String) -> Result<Self, ProviderError> {
        let gzip = match encoding(response.headers()) {
            Encoding::Identity => None,
            Encoding::Gzip => Some(Gzip::default()),
            Encoding::Other => {
                return Err(ProviderError::malformed(format!(
                    "{place}: the response is compressed, but not with gzip"
                )));
            }
        };
        Ok(Self {
            gzip,
            ..Self::as_stored(response, place)
        })
    }

    /// The body of a response as it was sent: a content coding is a property of what is stored.
    pub(super) fn as_stored(response: reqwest::Response, place: String) -> Self {
        let (head, frames) = Response::from(response).into_parts();
        let length = frames.size_hint().exact();
        Self {
            framed: is_framed(head.version, &head.headers, length),
            has_end_mark: head.version >= Version::HTTP_2,
            length,
            arrived: 0,
            frames,
            place,
            gzip: None,
        }
    }

    /// The declared length in bytes, before decompression.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether its end can be known.
    pub(super) fn is_framed(&self) -> bool {
        self.framed
    }

    /// Refuses a body whose end cannot be known: one of HTTP/1 without a length, which ends with the connection. If its
    /// content has no end mark either, such as lines of JSON, a body that is cut between two of them looks complete, and
    /// the sum would be too small without an error.
    pub(super) fn require_framing(&self) -> Result<(), ProviderError> {
        if self.framed {
            return Ok(());
        }
        Err(ProviderError::truncated(format!(
            "{}: the response has no length and ends with the connection, so it cannot be known to be complete",
            self.place
        )))
    }

    /// The next chunk, never an empty one; `None` at the end of a complete body.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, ProviderError> {
        loop {
            if let Some(gzip) = &mut self.gzip
                && let Some(chunk) = gzip.chunk().map_err(|_| self.invalid_gzip())?
            {
                return Ok(Some(chunk));
            }
            match (self.next_frame().await?, &mut self.gzip) {
                (Some(chunk), _) if chunk.is_empty() => {}
                (Some(chunk), None) => return Ok(Some(chunk)),
                (Some(chunk), Some(gzip)) => gzip.push(chunk),
                // A server that compresses may declare it for a body without a single byte, too.
                (None, Some(_)) if self.framed && self.arrived == 0 => return Ok(None),
                (None, Some(gzip)) if !gzip.is_complete() => {
                    return Err(ProviderError::truncated(format!(
                        "{}: the compressed response was cut off",
                        self.place
                    )));
                }
                (None, _) => return Ok(None),
            }
        }
    }

    /// The next bytes as they were sent, before decompression.
    async fn next_frame(&mut self) -> Result<Option<Bytes>, ProviderError> {
        loop {
            let frame = poll_fn(|context| Pin::new(&mut self.frames).poll_frame(context)).await;
            let Some(frame) = frame else {
                return self.check_complete().map(|()| None);
            };
            let frame = frame.map_err(|error| body_error(&self.place, error))?;
            // Trailers are not needed.
            if let Ok(chunk) = frame.into_data() {
                self.arrived += chunk.len() as u64;
                return Ok(Some(chunk));
            }
        }
    }

    /// Refuses a body that stopped before its end. hyper reports no error where an HTTP/2 stream is reset, or its
    /// connection closed, with `NO_ERROR`: a server may do so when it needs no more of the request. A proxy whose
    /// upstream fails does the same in the middle of a body.
    fn check_complete(&self) -> Result<(), ProviderError> {
        let place = &self.place;
        match self.length {
            Some(length) if self.arrived != length => Err(ProviderError::truncated(format!(
                "{place}: received {} of {length} bytes of the response",
                self.arrived
            ))),
            None if self.has_end_mark && !self.frames.is_end_stream() => Err(
                ProviderError::truncated(format!("{place}: the response was reset before its end")),
            ),
            _ => Ok(()),
        }
    }

    fn invalid_gzip(&self) -> ProviderError {
        ProviderError::malformed(format!(
            "{}: the response cannot be decompressed",
            self.place
        ))
    }
}

/// The content coding of a body.
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

/// Whether the end of a body can be known: by its length, its chunks, or the frames of HTTP/2.
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

#[cfg(test)]
mod tests;
