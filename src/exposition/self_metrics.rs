//! Collectors of what the exporter reports about its accounts: periods, ages, failures, counts.

use std::{fmt, sync::Arc};

use jiff::Timestamp;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
    registry::Registry,
};

use crate::{
    charge::start_of_day,
    exposition::{
        families::{
            CREDENTIAL_EXPIRY, DATA, DURATION, FAILING_PARTS, FAILURES, FOLDED_RATIO,
            FOLDED_SERIES, GROWTH, LAST_ATTEMPT, LAST_SUCCESS, MISSING_ROWS, MetricFamily,
            NEXT_POLL, OLDEST_SUCCESS, PARTS, PERIOD_END, PERIOD_START, POLL_SUCCESS, POLLS,
            PREVIOUS_DAY_START, ROWS, SERIES, SKIPPED_PARTS, WITHHELD_PARTS,
        },
        samples::{Labels, Samples, account_labels},
    },
    view::View,
};

type Read = fn(&View) -> Option<f64>;

/// Each family with the value that it reads from an account; absent where that is unknown.
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
    (NEXT_POLL, |view| view.state.status.next_poll.map(seconds)),
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

/// Registers every gauge about accounts.
pub(super) fn register(registry: &mut Registry, views: &Arc<[View]>) {
    for &(family, read) in FAMILIES {
        registry.register_collector(Box::new(AccountGauge {
            family,
            read,
            views: Arc::clone(views),
        }));
        if family == FAILING_PARTS {
            registry.register_collector(Box::new(withheld_parts(views)));
            registry.register_collector(Box::new(skipped_parts(views)));
            registry.register_collector(Box::new(missing_rows(views)));
            registry.register_collector(Box::new(unusual_growth(views)));
        }
    }
}

/// The parts that lack a month, by the window that lacks them.
fn withheld_parts(views: &[View]) -> Samples {
    let of_view = |view: &View| {
        let parts = view.health.withheld?;
        let sample = |window: &str, parts: usize| -> (Labels, f64) {
            let labels = account_labels(&view.account, [("window", window.to_owned())]);
            (labels, parts as f64)
        };
        Some([
            sample("month_to_date", parts.month_to_date),
            sample("previous_month", parts.previous_month),
        ])
    };
    Samples {
        family: WITHHELD_PARTS,
        samples: views.iter().filter_map(of_view).flatten().collect(),
    }
}

/// The parts that the last poll skipped.
fn skipped_parts(views: &[View]) -> Samples {
    let sample = |view: &View| {
        let labels = account_labels(&view.account, []);
        (labels, view.state.skipped.len() as f64)
    };
    Samples {
        family: SKIPPED_PARTS,
        samples: views.iter().map(sample).collect(),
    }
}

/// The rows that lack a cost basis.
fn missing_rows(views: &[View]) -> Samples {
    let of_view = |view: &View| -> Vec<(Labels, f64)> {
        let missing = view.health.missing.iter();
        missing
            .filter_map(|(measure, rows)| {
                let basis = ("cost", measure.cost_basis()?.to_owned());
                Some((account_labels(&view.account, [basis]), *rows as f64))
            })
            .collect()
    };
    Samples {
        family: MISSING_ROWS,
        samples: views.iter().flat_map(of_view).collect(),
    }
}

/// Whether a month has grown unusually within the last day.
fn unusual_growth(views: &[View]) -> Samples {
    let sample = |view: &View| {
        let grown = !view.health.growth.as_ref()?.is_empty();
        let labels = account_labels(&view.account, []);
        Some((labels, f64::from(u8::from(grown))))
    };
    Samples {
        family: GROWTH,
        samples: views.iter().filter_map(sample).collect(),
    }
}

/// The counters that move together with the gauges: all are read from the same states.
pub(super) fn poll_counters(views: &[View]) -> [Samples; 2] {
    let polls = views.iter().map(|view| {
        let polls = view.state.counts.polls();
        (account_labels(&view.account, []), polls as f64)
    });
    let failures = views.iter().flat_map(|view| {
        view.state.counts.failures().map(|(reason, count)| {
            let reason = ("reason", reason.as_str().to_owned());
            (account_labels(&view.account, [reason]), count as f64)
        })
    });
    [
        Samples {
            family: POLLS,
            samples: polls.collect(),
        },
        Samples {
            family: FAILURES,
            samples: failures.collect(),
        },
    ]
}

struct AccountGauge {
    family: MetricFamily,
    read: Read,
    views: Arc<[View]>,
}

impl Collector for AccountGauge {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if self.views.iter().all(|view| (self.read)(view).is_none()) {
            return Ok(());
        }
        let mut metric = encoder.encode_descriptor(
            self.family.name,
            self.family.help,
            None,
            MetricType::Gauge,
        )?;
        for view in self.views.iter() {
            if let Some(value) = (self.read)(view) {
                let labels = [
                    ("provider", view.account.provider_label.as_str()),
                    ("account", view.account.name.as_str()),
                ];
                ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for AccountGauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.family.name)
    }
}

/// An instant as Prometheus writes it: seconds since 1970, with fractions.
pub(super) fn seconds(instant: Timestamp) -> f64 {
    instant.as_millisecond() as f64 / 1e3
}
