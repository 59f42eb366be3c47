//! The collectors of what the exporter says about its accounts: periods, ages, failures, counts.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

use crate::exposition::families::{
    CREDENTIAL_EXPIRY, DATA, DURATION, FAILING_PARTS, FOLDED_RATIO, FOLDED_SERIES, LAST_ATTEMPT,
    LAST_SUCCESS, MetricFamily, OLDEST_SUCCESS, PARTS, PERIOD_END, PERIOD_START, POLL_SUCCESS,
    PREVIOUS_DAY_START, ROWS, SERIES, WITHHELD_PARTS,
};
use crate::exposition::samples::{Labels, Samples};
use crate::{charge::start_of_day, view::View};

type Read = fn(&View) -> Option<f64>;

/// Each family with what it reads from an account; absent where that is unknown.
const FAMILIES: &[(MetricFamily, Read)] = &[
    (PERIOD_START, |view| {
        view.billing_period.map(|(start, _)| seconds(start))
    }),
    (PERIOD_END, |view| {
        view.billing_period.map(|(_, end)| seconds(end))
    }),
    (PREVIOUS_DAY_START, |view| view.previous_day.map(seconds)),
    (POLL_SUCCESS, |view| {
        Some(f64::from(u8::from(view.state.status.success)))
    }),
    (LAST_ATTEMPT, |view| {
        view.state.status.last_attempt.map(seconds)
    }),
    (LAST_SUCCESS, |view| {
        view.state.status.last_success.map(seconds)
    }),
    (PARTS, |view| Some(view.health.parts as f64)),
    (FAILING_PARTS, |view| Some(view.health.failing_parts as f64)),
    (OLDEST_SUCCESS, |view| {
        view.health.oldest_success.map(seconds)
    }),
    (DATA, |view| view.health.data_until.map(seconds)),
    (DURATION, |view| {
        view.state
            .status
            .duration
            .map(|duration| duration.as_secs_f64())
    }),
    (ROWS, |view| {
        Some(view.state.status.rows.unwrap_or_default() as f64)
    }),
    (SERIES, |view| Some(view.labels.len() as f64)),
    (FOLDED_SERIES, |view| Some(view.folded.series as f64)),
    (FOLDED_RATIO, |view| Some(view.folded.cost_ratio)),
    (CREDENTIAL_EXPIRY, |view| {
        let day = view.account.credential_expires?;
        // The day itself is the last one on which it is valid.
        Some(seconds(start_of_day(
            day.tomorrow().ok()?,
            &view.account.zone,
        )))
    }),
];

/// Registers every family that an account says about itself.
pub(super) fn register(registry: &mut Registry, views: &Arc<[View]>) {
    for &(name, read) in FAMILIES {
        registry.register_collector(Box::new(About {
            name,
            read,
            views: Arc::clone(views),
        }));
        if name == FAILING_PARTS {
            registry.register_collector(Box::new(withheld_parts(views)));
        }
    }
}

/// The parts that lack a month, by the window that lacks them.
fn withheld_parts(views: &[View]) -> Samples {
    let of_view = |view: &View| {
        let parts = view.health.withheld?;
        let sample = |window: &str, parts: usize| -> (Labels, f64) {
            let labels = vec![
                ("provider", view.account.provider_name.as_str().to_owned()),
                ("account", view.account.name.clone()),
                ("window", window.to_owned()),
            ];
            (labels, parts as f64)
        };
        Some([
            sample("month_to_date", parts.month_to_date),
            sample("previous_month", parts.previous_month),
        ])
    };
    Samples {
        name: WITHHELD_PARTS,
        samples: views.iter().filter_map(of_view).flatten().collect(),
    }
}

struct About {
    name: MetricFamily,
    read: Read,
    views: Arc<[View]>,
}

impl Collector for About {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if self.views.iter().all(|view| (self.read)(view).is_none()) {
            return Ok(());
        }
        let mut metric =
            encoder.encode_descriptor(self.name.name, self.name.help, None, MetricType::Gauge)?;
        for view in self.views.iter() {
            if let Some(value) = (self.read)(view) {
                let labels = [
                    ("provider", view.account.provider_name.as_str()),
                    ("account", view.account.name.as_str()),
                ];
                ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.name)
    }
}

/// An instant as Prometheus writes it: seconds since 1970, with fractions.
pub(super) fn seconds(instant: Timestamp) -> f64 {
    instant.as_millisecond() as f64 / 1e3
}
