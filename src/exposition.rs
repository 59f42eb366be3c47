//! Views to bytes: every metric name and HELP text of the project, rendered and compressed once per change.

use std::sync::Arc;

use bytes::Bytes;
use prometheus_client::{encoding::text, registry::Registry};
use tokio::sync::OnceCell;

use crate::exposition::deflate::{Packed, Packer, stored};
use crate::view::{
    View,
    budgets::{Money, Spent},
};

mod budgets;
mod deflate;
mod encode;
mod families;
mod forecasts;
mod history;
mod live;
pub mod publisher;
mod reference;
mod render_thread;
mod samples;
mod self_metrics;

pub use crate::exposition::families::{FAMILIES, Kind, MetricFamily};
pub use history::{GoOn, Written, write_past};
pub use live::{Live, Reload, Source};
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

/// Everything that changes only with a poll or the calendar, compressed. It holds gauges alone, so that the same bytes
/// are right in both formats.
///
/// The text itself is made again when the first client wants it that takes no gzip: Prometheus always takes it, and a
/// text of 10 to 20 times the size need not be held for nobody.
#[derive(Debug, Default)]
pub struct Rendered {
    packed: Arc<Packed>,
    text: OnceCell<Bytes>,
}

/// The header of a gzip member: deflate, no name, no time, unknown system.
const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const END_OF_OPEN_METRICS: &str = "# EOF\n";

impl Rendered {
    /// Renders and compresses what all accounts show, and what they have spent of the budgets.
    pub fn new(views: &Arc<[View]>, money: &Money, spent: &[Spent<'_>]) -> Self {
        let mut registry = Registry::default();
        encode::register(&mut registry, views);
        forecasts::register(&mut registry, views);
        budgets::register(&mut registry, money, spent);
        self_metrics::register(&mut registry, views);
        let mut packer = Packer::new(1 << 20);
        text::encode_registry(&mut packer, &registry).expect("a packer takes every text");
        Self::of(packer.finish())
    }

    fn of(packed: Packed) -> Self {
        Self {
            packed: Arc::new(packed),
            text: OnceCell::new(),
        }
    }

    /// The body of one answer, in pieces that are sent one behind the other.
    pub async fn plain(&self, live: &Live, format: Format) -> [Bytes; 3] {
        let text = self.text.get_or_init(|| async {
            let packed = Arc::clone(&self.packed);
            let unpacked = tokio::task::spawn_blocking(move || packed.text()).await;
            // The runtime is about to end; this is one of its last answers.
            unpacked.unwrap_or_else(|_| self.packed.text())
        });
        [
            text.await.clone(),
            live.counted(format).text.clone(),
            live.process(format).into(),
        ]
    }

    /// The body of one answer as one gzip member, in pieces.
    pub fn gzip(&self, live: &Live, format: Format) -> [Bytes; 4] {
        let counted = &live.counted(format).packed;
        let process = live.process(format);
        let mut whole = self.packed.checksum.clone();
        whole.combine(&counted.checksum);
        whole.update(process.as_bytes());
        let length = (self.packed.length + counted.length + process.len()) as u64;
        let mut end = stored(process.as_bytes());
        end.extend_from_slice(&whole.finalize().to_le_bytes());
        // The format wants the length modulo 2^32.
        end.extend_from_slice(&length.to_le_bytes()[..4]);
        [
            Bytes::from_static(GZIP_HEADER),
            self.packed.deflated.clone(),
            counted.deflated.clone(),
            end.into(),
        ]
    }

    /// The text without its live part.
    pub fn plain_text(&self) -> Bytes {
        self.packed.text()
    }

    /// The length of the text without its live part, in bytes.
    pub fn len(&self) -> usize {
        self.packed.length
    }

    /// Whether nothing was rendered yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn cached_and_live_part_are_one_gzip_member() {
        let live = Source::new().live(&[], Reload::default());
        for text in ["", "x", &"cloudspend ".repeat(100_000)] {
            let rendered = Rendered::of(Packed::new(text));
            let body = rendered.gzip(&live, Format::OpenMetrics).concat();
            let mut decoder = flate2::bufread::GzDecoder::new(body.as_slice());
            let mut got = String::new();
            decoder.read_to_string(&mut got).unwrap();
            assert!(
                decoder.into_inner().is_empty(),
                "one member, nothing behind it"
            );
            let plain = rendered.plain(&live, Format::OpenMetrics).await.concat();
            assert_eq!(got.as_bytes(), plain);
            assert!(got.starts_with(text) && got.ends_with(END_OF_OPEN_METRICS));
        }
    }
}
