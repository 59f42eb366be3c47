//! Views to bytes: every metric name and HELP text of the project, rendered and compressed once per change.

use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use prometheus_client::{encoding::text, registry::Registry};

use crate::{budget::Money, window::View};
use live::Block;

mod about;
mod budgets;
mod forecasts;
mod gathered;
mod history;
mod live;
mod names;
mod reference;
mod series;

pub use history::{GoOn, Written, write_past};
pub use live::{Live, Reload, Source};
pub use names::{FAMILIES, Kind, Name};
pub use reference::reference;

/// The two text formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `OpenMetrics` 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Text,
}

impl Format {
    /// The value of the header Content-Type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything that changes only with a poll or the calendar, as bytes. It holds gauges alone, so that the same
/// bytes are right in both formats.
#[derive(Debug, Default)]
pub struct Rendered(Block);

/// The header of a gzip member: deflate, no name, no time, unknown system.
const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const END_OF_OPEN_METRICS: &str = "# EOF\n";

impl Rendered {
    /// Renders and compresses what all accounts show.
    pub fn new(views: Vec<View>, money: &Money) -> Self {
        let views: Arc<[View]> = views.into();
        let mut registry = Registry::default();
        series::register(&mut registry, &views);
        forecasts::register(&mut registry, &views);
        budgets::register(&mut registry, &views, money);
        about::register(&mut registry, &views);
        let mut text = String::new();
        text::encode_registry(&mut text, &registry).expect("a String takes every text");
        Self(Block::new(text))
    }

    /// The body of one answer, in pieces that are sent one behind the other.
    pub fn plain(&self, live: &Live, format: Format) -> [Bytes; 3] {
        [
            self.0.text.clone(),
            live.counted(format).text.clone(),
            live.process(format).into(),
        ]
    }

    /// The body of one answer as one gzip member, in pieces.
    pub fn gzip(&self, live: &Live, format: Format) -> [Bytes; 4] {
        let counted = live.counted(format);
        let process = live.process(format);
        let mut last = Crc::new();
        last.update(process.as_bytes());
        let mut whole = Crc::new();
        for checksum in [&self.0.checksum, &counted.checksum, &last] {
            whole.combine(checksum);
        }
        let mut end = stored(process.as_bytes());
        end.extend_from_slice(&whole.sum().to_le_bytes());
        end.extend_from_slice(&whole.amount().to_le_bytes());
        [
            Bytes::from_static(GZIP_HEADER),
            self.0.deflated.clone(),
            counted.deflated.clone(),
            end.into(),
        ]
    }

    /// The text without its live part.
    pub fn plain_text(&self) -> Bytes {
        self.0.text.clone()
    }

    /// The length of the text without its live part, in bytes.
    pub fn len(&self) -> usize {
        self.0.text.len()
    }

    /// Whether nothing was rendered yet.
    pub fn is_empty(&self) -> bool {
        self.0.text.is_empty()
    }
}

/// Raw deflate at the level that is best for a text that is compressed once and sent often.
fn deflate(text: &[u8], end: FlushCompress) -> Vec<u8> {
    let mut compress = Compress::new(Compression::new(3), false);
    let mut out = Vec::with_capacity(text.len() / 8 + 64);
    loop {
        let read = usize::try_from(compress.total_in()).expect("no more than the text was read");
        let status = compress
            .compress_vec(&text[read..], &mut out, end)
            .expect("compressing into memory cannot fail");
        // A flush is complete only if it left room in the output.
        let done = match end {
            FlushCompress::Finish => status == Status::StreamEnd,
            _ => out.len() < out.capacity(),
        };
        if done {
            return out;
        }
        out.reserve(out.capacity().max(64));
    }
}

/// The longest block that deflate stores as it is.
const LONGEST_STORED: usize = 0xffff;

/// The last blocks of raw deflate that begins at a byte border: the text as it is, since it is short and sent once.
fn stored(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    loop {
        let (block, after) = rest.split_at(rest.len().min(LONGEST_STORED));
        let length = u16::try_from(block.len()).expect("a block is no longer than 16 bits tell");
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
    use std::io::Read;

    use super::*;

    #[test]
    fn cached_and_live_part_are_one_gzip_member() {
        let live = Source::new().live(&[], Reload::default());
        for text in ["", "x", &"cloudspend ".repeat(100_000)] {
            let rendered = Rendered(Block::new(text.to_owned()));
            let body = rendered.gzip(&live, Format::OpenMetrics).concat();
            let got = unzipped(&body);
            assert_eq!(
                got.as_bytes(),
                rendered.plain(&live, Format::OpenMetrics).concat()
            );
            assert!(got.ends_with(END_OF_OPEN_METRICS));
        }
    }

    #[test]
    fn stored_blocks_hold_a_text_of_any_length() {
        for length in [0, 1, LONGEST_STORED, LONGEST_STORED + 1, 3 * LONGEST_STORED] {
            let text = "x".repeat(length);
            let mut got = String::new();
            let blocks = stored(text.as_bytes());
            let mut decoder = flate2::bufread::DeflateDecoder::new(blocks.as_slice());
            decoder.read_to_string(&mut got).unwrap();
            assert!(got == text && decoder.into_inner().is_empty(), "{length}");
        }
    }

    fn unzipped(body: &[u8]) -> String {
        let mut decoder = flate2::bufread::GzDecoder::new(body);
        let mut got = String::new();
        decoder.read_to_string(&mut got).unwrap();
        assert!(
            decoder.into_inner().is_empty(),
            "one member, nothing behind it"
        );
        got
    }
}
