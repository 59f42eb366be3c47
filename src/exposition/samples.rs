//! The collectors of families with few samples, which are collected before they are rendered.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::{
    account::Account,
    counters::{RequestTimes, TIME_BOUNDS},
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
        ("provider", account.provider_label.clone()),
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
        let is_counter = self.family.kind == Kind::Counter;
        let (name, kind) = if is_counter {
            let name = self.family.name.trim_end_matches("_total");
            (name, MetricType::Counter)
        } else {
            (self.family.name, MetricType::Gauge)
        };
        let mut metric = encoder.encode_descriptor(name, self.family.help, None, kind)?;
        // A single sample without labels has no braces.
        if let [(labels, value)] = self.samples.as_slice()
            && labels.is_empty()
        {
            return if is_counter {
                ConstCounter::new(*value).encode(metric)
            } else {
                ConstGauge::new(*value).encode(metric)
            };
        }
        for (labels, value) in &self.samples {
            let sample = metric.encode_family(labels)?;
            if is_counter {
                ConstCounter::new(*value).encode(sample)?;
            } else {
                ConstGauge::new(*value).encode(sample)?;
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

impl From<Samples> for Box<dyn Collector> {
    fn from(samples: Samples) -> Self {
        Box::new(samples)
    }
}

/// A histogram of request times.
pub(super) struct Histograms {
    pub(super) family: MetricFamily,
    pub(super) samples: Vec<(Labels, RequestTimes)>,
}

impl Collector for Histograms {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if self.samples.is_empty() {
            return Ok(());
        }
        let (name, help) = (self.family.name, self.family.help);
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (labels, times) in &self.samples {
            // The encoder adds the buckets up.
            let bounds = TIME_BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<(f64, u64)> = bounds.zip(times.buckets).collect();
            metric
                .encode_family(labels)?
                .encode_histogram::<NoLabelSet>(times.sum, times.count(), &buckets, None)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Histograms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.family.name)
    }
}

impl From<Histograms> for Box<dyn Collector> {
    fn from(histograms: Histograms) -> Self {
        Box::new(histograms)
    }
}
