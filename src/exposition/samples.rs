//! The collector of a family with few samples, which are collected before it is rendered.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::{
    account::Account,
    exposition::families::{Kind, MetricFamily},
};

/// The labels of one sample.
pub(super) type Labels = Vec<(&'static str, String)>;

/// A family with all its samples; without any it is not rendered at all.
pub(super) struct Samples {
    pub(super) family: MetricFamily,
    pub(super) samples: Vec<(Labels, f64)>,
}

impl Samples {
    /// A family with one sample without labels, or with none.
    pub(super) fn single(family: MetricFamily, value: Option<f64>) -> Self {
        Self {
            family,
            samples: value
                .map(|value| (Labels::new(), value))
                .into_iter()
                .collect(),
        }
    }
}

/// The labels of a sample about an account, and others behind them.
pub(super) fn account_labels(
    account: &Account,
    others: impl IntoIterator<Item = (&'static str, String)>,
) -> Labels {
    let mut labels = vec![
        ("provider", account.provider_name.as_str().to_owned()),
        ("account", account.name.clone()),
    ];
    labels.extend(others);
    labels
}

impl Collector for Samples {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if self.samples.is_empty() {
            return Ok(());
        }
        let (name, kind) = match self.family.kind {
            Kind::Gauge => (self.family.name, MetricType::Gauge),
            Kind::Counter => (
                self.family.name.trim_end_matches("_total"),
                MetricType::Counter,
            ),
        };
        let mut metric = encoder.encode_descriptor(name, self.family.help, None, kind)?;
        // A single sample without labels has no braces.
        if let [(labels, value)] = self.samples.as_slice()
            && labels.is_empty()
        {
            return match self.family.kind {
                Kind::Gauge => ConstGauge::new(*value).encode(metric),
                Kind::Counter => ConstCounter::new(*value).encode(metric),
            };
        }
        for (labels, value) in &self.samples {
            let sample = metric.encode_family(labels)?;
            match self.family.kind {
                Kind::Gauge => ConstGauge::new(*value).encode(sample)?,
                Kind::Counter => ConstCounter::new(*value).encode(sample)?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.family.name)
    }
}
