//! Views to bytes: every metric name and HELP text of the project, rendered and compressed once per change.

use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use prometheus_client::{encoding::text, registry::Registry};

use crate::{
    budget::{Money, Spent},
    snapshot::Cell,
    window::View,
};

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
pub use live::{Live, Process, Reload};
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
pub struct Rendered {
    text: Bytes,
    /// The text as raw deflate that ends at a byte border and is not finished.
    deflated: Bytes,
    checksum: Crc,
}

/// The header of a gzip member: deflate, no name, no time, unknown system.
const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const END_OF_OPEN_METRICS: &str = "# EOF\n";

impl Rendered {
    /// Renders and compresses what all accounts show, and what they have spent of the budgets.
    pub fn new(views: &Arc<[View]>, money: &Money, spent: &[Spent<'_>]) -> Self {
        let mut registry = Registry::default();
        series::register(&mut registry, views);
        forecasts::register(&mut registry, views);
        budgets::register(&mut registry, money, spent);
        about::register(&mut registry, views);
        let mut text = String::new();
        text::encode_registry(&mut text, &registry).expect("a String takes every text");
        let mut checksum = Crc::new();
        checksum.update(text.as_bytes());
        Self {
            deflated: deflate(text.as_bytes(), FlushCompress::Sync).into(),
            checksum,
            text: text.into(),
        }
    }

    /// The body of one answer, in pieces that are sent one behind the other.
    pub fn plain(&self, live: &Live, format: Format) -> [Bytes; 2] {
        [self.text.clone(), live.text(format).into()]
    }

    /// The body of one answer as one gzip member, in pieces.
    pub fn gzip(&self, live: &Live, format: Format) -> [Bytes; 3] {
        let live = live.text(format);
        let mut end = deflate(live.as_bytes(), FlushCompress::Finish);
        let mut checksum = Crc::new();
        checksum.update(live.as_bytes());
        let mut whole = Crc::new();
        whole.combine(&self.checksum);
        whole.combine(&checksum);
        end.extend_from_slice(&whole.sum().to_le_bytes());
        end.extend_from_slice(&whole.amount().to_le_bytes());
        [
            Bytes::from_static(GZIP_HEADER),
            self.deflated.clone(),
            end.into(),
        ]
    }

    /// The text without its live part.
    pub fn plain_text(&self) -> Bytes {
        self.text.clone()
    }

    /// The length of the text without its live part, in bytes.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing was rendered yet.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
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

/// Renders the live part: counters and the process.
pub fn live(cells: &[Arc<Cell>], process: &Process, reload: &Reload) -> Live {
    Live::new(cells, process, reload)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn cached_and_live_part_are_one_gzip_member() {
        for text in ["", "x", &"cloudspend ".repeat(100_000)] {
            let mut checksum = Crc::new();
            checksum.update(text.as_bytes());
            let rendered = Rendered {
                deflated: deflate(text.as_bytes(), FlushCompress::Sync).into(),
                checksum,
                text: text.to_owned().into(),
            };
            let live = live(&[], &Process::default(), &Reload::default());
            let body = rendered.gzip(&live, Format::OpenMetrics).concat();
            let mut decoder = flate2::bufread::GzDecoder::new(body.as_slice());
            let mut got = String::new();
            decoder.read_to_string(&mut got).unwrap();
            assert!(
                decoder.into_inner().is_empty(),
                "one member, nothing behind it"
            );
            assert_eq!(
                got.as_bytes(),
                rendered.plain(&live, Format::OpenMetrics).concat()
            );
            assert!(got.ends_with(END_OF_OPEN_METRICS));
        }
    }
}
