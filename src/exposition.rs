//! Views to bytes: every metric name and HELP text of the project, rendered and compressed once per change.

use std::sync::Arc;

use bytes::Bytes;
use prometheus_client::{encoding::text, registry::Registry};
use tokio::sync::OnceCell;

use crate::{
    exposition::{
        deflate::{Packed, Packer, stored},
        formats::BothFormats,
    },
    view::{
        View,
        budgets::{BudgetSet, BudgetSpend},
    },
};

mod budgets;
mod deflate;
mod encode;
mod families;
mod forecasts;
mod formats;
mod history;
mod live;
mod process;
pub mod publisher;
mod reference;
mod render_thread;
mod samples;
mod self_metrics;

pub use families::{FAMILIES, Kind, MetricFamily};
pub use history::{OnProgress, Written, write_past};
pub use live::{Live, LiveSource, Reload};
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

/// Everything that changes only with a poll or the calendar, rendered from one state of every account and compressed.
///
/// Gauges are the same bytes in both formats; their text is decompressed for the first client that does not accept gzip.
/// Prometheus always does, and a text of 10 to 20 times the size need not be kept for nobody. The counters of polls, far
/// fewer, are there in each format.
#[derive(Debug, Default)]
pub struct Rendered {
    gauges: Arc<Packed>,
    counters: BothFormats,
    text: OnceCell<Bytes>,
}

/// The header of a gzip member: deflate, no name, no time, unknown system.
const GZIP_HEADER: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
const END_OF_OPEN_METRICS: &str = "# EOF\n";

impl Rendered {
    /// Renders and compresses what all accounts show, and what they have spent of the budgets.
    pub fn new(views: &Arc<[View]>, money: &BudgetSet, spent: &[BudgetSpend<'_>]) -> Self {
        let mut registry = Registry::default();
        encode::register(&mut registry, views);
        forecasts::register(&mut registry, views);
        budgets::register(&mut registry, money, spent);
        self_metrics::register(&mut registry, views);
        let mut packer = Packer::new(1 << 20);
        text::encode_registry(&mut packer, &registry).expect("writing to a packer cannot fail");
        let counters = BothFormats::new(self_metrics::poll_counters(views));
        Self::of(packer.finish(), counters)
    }

    fn of(gauges: Packed, counters: BothFormats) -> Self {
        Self {
            gauges: Arc::new(gauges),
            counters,
            text: OnceCell::new(),
        }
    }

    /// The body of one response, in pieces that are sent one after the other.
    pub async fn plain(&self, live: &Live, format: Format) -> [Bytes; 4] {
        let text = self.text.get_or_init(|| async {
            let packed = Arc::clone(&self.gauges);
            let unpacked = tokio::task::spawn_blocking(move || packed.text()).await;
            // The runtime is shutting down; this is one of its last responses.
            unpacked.unwrap_or_else(|_| self.gauges.text())
        });
        [
            text.await.clone(),
            self.counters.of(format).text.clone(),
            live.requests(format).text.clone(),
            live.process(format).into(),
        ]
    }

    /// The body of one response as one gzip member, in pieces.
    pub fn gzip(&self, live: &Live, format: Format) -> [Bytes; 5] {
        let counters = &self.counters.of(format).packed;
        let requests = &live.requests(format).packed;
        let process = live.process(format);
        let mut checksum = self.gauges.checksum.clone();
        checksum.combine(&counters.checksum);
        checksum.combine(&requests.checksum);
        checksum.update(process.as_bytes());
        let length = self.gauges.length + counters.length + requests.length + process.len();
        let mut end = stored(process.as_bytes());
        end.extend_from_slice(&checksum.finalize().to_le_bytes());
        // The format has the length modulo 2^32.
        end.extend_from_slice(&(length as u64).to_le_bytes()[..4]);
        [
            Bytes::from_static(GZIP_HEADER),
            self.gauges.deflated.clone(),
            counters.deflated.clone(),
            requests.deflated.clone(),
            end.into(),
        ]
    }

    /// The text of the gauges.
    pub fn plain_text(&self) -> Bytes {
        self.gauges.text()
    }

    /// The length of the text of the gauges, in bytes.
    pub fn len(&self) -> usize {
        self.gauges.length
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
    use crate::exposition::{publisher::AccountSet, samples::Samples};

    #[tokio::test]
    async fn cached_and_live_part_are_one_gzip_member() {
        let nobody = AccountSet::new(Vec::new(), BudgetSet::default(), String::new()).into();
        let live = LiveSource::new().live(&nobody, Reload::default());
        for text in ["", "x", &"cloudspend ".repeat(100_000)] {
            let counter = Samples::single(families::CPU, Some(1.0));
            let rendered = Rendered::of(Packed::new(text), BothFormats::new([counter]));
            let body = rendered.gzip(&live, Format::OpenMetrics).concat();
            let mut decoder = flate2::bufread::GzDecoder::new(body.as_slice());
            let mut got = String::new();
            decoder.read_to_string(&mut got).unwrap();
            assert!(
                decoder.into_inner().is_empty(),
                "one member and nothing else"
            );
            let plain = rendered.plain(&live, Format::OpenMetrics).await.concat();
            assert_eq!(got.as_bytes(), plain);
            assert!(got.starts_with(text) && got.ends_with(END_OF_OPEN_METRICS));
        }
    }
}
