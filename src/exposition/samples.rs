//! The collector of a family whose few samples are gathered before it is rendered.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::exposition::families::{Kind, MetricFamily};

/// The labels of one sample.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A family with all its samples; without any it is not rendered at all.
pub(super) struct Samples {
    pub(super) name: MetricFamily,
    pub(super) samples: Vec<(Labels, f64)>,
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if self.samples.is_empty() {
            return Ok(());
        }
        let (name, kind) = match self.name.kind {
            Kind::Gauge => (self.name.name, MetricType::Gauge),
            Kind::Counter => (
                self.name.name.trim_end_matches("_total"),
                MetricType::Counter,
            ),
        };
        let mut metric = encoder.encode_descriptor(name, self.name.help, None, kind)?;
        // A single sample without labels stands without braces, too.
        if let [(labels, value)] = self.samples.as_slice()
            && labels.is_empty()
        {
            return match self.name.kind {
                Kind::Gauge => ConstGauge::new(*value).encode(metric),
                Kind::Counter => ConstCounter::new(*value).encode(metric),
            };
        }
        for (labels, value) in &self.samples {
            let sample = metric.encode_family(labels)?;
            match self.name.kind {
                Kind::Gauge => ConstGauge::new(*value).encode(sample)?,
                Kind::Counter => ConstCounter::new(*value).encode(sample)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.name)
    }
}
