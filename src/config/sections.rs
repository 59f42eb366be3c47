//! The sections of the file that every provider shares: `log`, `poll`, and the keys that any account may have.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    load::Loader,
    scalar::{Day, Span},
    yaml::join,
};
use crate::{
    account::Poll,
    provider::{config::Text, registry::ProviderEntry},
    telemetry::LogLevel,
};

/// What is logged.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogSection {
    /// The lowest level that is logged. The flag --log.level overrides it.
    pub(super) level: Option<LogLevel>,
}

/// How accounts are polled. Any account may override any key.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PollSection {
    /// Time from the start of one poll to the start of the next, and the deadline of one poll. At least 1s.
    interval: Option<Span>,
    /// How long a stream of rows may send nothing, and the deadline of any other request, its retries included.
    timeout: Option<Span>,
    /// A part without success for this long is stale.
    stale_after: Option<Span>,
    /// Maximum number of label sets of an account that are served. The rest is aggregated into `other`, so totals stay exact.
    #[schemars(range(min = 1, max = MAX_SERIES))]
    max_series: Option<usize>,
    /// How long after its end a month is still fetched, once a day, since providers restate it.
    restatement: Option<Span>,
    /// Whether a suspiciously small response is ignored until two more polls confirm it.
    plausibility: Option<bool>,
    /// Maximum number of requests per second to the API.
    #[schemars(range(min = *REQUEST_RATE.start(), max = *REQUEST_RATE.end()))]
    requests_per_second: Option<f64>,
    /// Maximum number of concurrent requests to the API.
    #[schemars(range(min = *CONCURRENCY.start(), max = *CONCURRENCY.end()))]
    concurrency: Option<usize>,
}

/// The keys that every account may have besides those of `poll` and of its provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommonSection {
    /// The value of the label `provider`; the provider's name by default.
    #[schemars(extend("pattern" = "^[a-z0-9_-]{1,63}$"))]
    pub(super) provider_label: Option<String>,
    /// The IANA name of the time zone in which the account is billed.
    pub(super) timezone: Option<String>,
    /// The last day on which the credential is valid, YYYY-MM-DD.
    pub(super) credential_expires: Option<Day>,
    /// Which of the provider's dimensions the labels customer, project and product show.
    pub(super) dimensions: Option<DimensionsSection>,
    /// Dimensions that become additional labels. `tag:KEY` becomes `tag_key`.
    pub(super) extra_labels: Option<Vec<String>>,
    /// Names to show, by label and then by id, or by the value as sent where the dimension has no id.
    pub(super) aliases: Option<BTreeMap<String, BTreeMap<String, Text>>>,
    /// PEM file with the authorities that this account's servers, and its proxy, are verified against in place of the
    /// system's. Read again when it changes.
    pub(super) ca_file: Option<PathBuf>,
    /// How long after its end in local time a day counts as closed.
    pub(super) day_closes_after: Option<Span>,
}

/// The dimensions that the three labels show.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DimensionsSection {
    /// Shown by the label `customer`.
    pub(super) customer: Option<String>,
    /// Shown by the label `project`.
    pub(super) project: Option<String>,
    /// Shown by the label `product`.
    pub(super) product: Option<String>,
}

/// The longest duration in this file: it keeps every sum of a time and a duration within the calendar.
pub(super) const MAX_SPAN: Duration = Duration::from_hours(366 * 24);
const SECOND: Duration = Duration::from_secs(1);
const MAX_SERIES: usize = 10_000_000;
const REQUEST_RATE: std::ops::RangeInclusive<f64> = 0.001..=10_000.0;
const CONCURRENCY: std::ops::RangeInclusive<usize> = 1..=64;
/// Label values are cut at this many characters; two longer names could become the same one.
pub(super) const MAX_NAME: usize = 200;

impl PollSection {
    /// Reports and drops values that are out of bounds.
    pub(super) fn check(&mut self, place: &str, loader: &mut Loader<'_>) {
        let mut report = |key: &str, wrong: Option<String>, message: &str| {
            if let Some(value) = &wrong {
                loader
                    .diagnostics
                    .push_value(join(place, key), message, value);
            }
            wrong.is_some()
        };
        for (key, span, least) in [
            ("interval", &mut self.interval, SECOND),
            ("timeout", &mut self.timeout, SECOND),
            ("stale_after", &mut self.stale_after, SECOND),
            ("restatement", &mut self.restatement, Duration::ZERO),
        ] {
            let wrong = span.filter(|Span(span)| *span < least || *span > MAX_SPAN);
            let wrong = wrong.map(|Span(span)| humantime::format_duration(span).to_string());
            if report(key, wrong, &bounds(least)) {
                *span = None;
            }
        }
        let wrong = self.max_series.filter(|n| !(1..=MAX_SERIES).contains(n));
        if report(
            "max_series",
            wrong.map(|n| n.to_string()),
            &format!("must be from 1 to {MAX_SERIES}"),
        ) {
            self.max_series = None;
        }
        let wrong = self
            .requests_per_second
            .filter(|rate| !REQUEST_RATE.contains(rate));
        let (least, most) = (REQUEST_RATE.start(), REQUEST_RATE.end());
        if report(
            "requests_per_second",
            wrong.map(|rate| rate.to_string()),
            &format!("must be from {least} to {most}"),
        ) {
            self.requests_per_second = None;
        }
        let wrong = self.concurrency.filter(|n| !CONCURRENCY.contains(n));
        let (least, most) = (CONCURRENCY.start(), CONCURRENCY.end());
        if report(
            "concurrency",
            wrong.map(|n| n.to_string()),
            &format!("must be from {least} to {most}"),
        ) {
            self.concurrency = None;
        }
    }

    /// These settings, and for those that are absent the ones of `below`.
    pub(super) fn over(&self, below: &Self) -> Self {
        Self {
            interval: self.interval.or(below.interval),
            timeout: self.timeout.or(below.timeout),
            stale_after: self.stale_after.or(below.stale_after),
            max_series: self.max_series.or(below.max_series),
            restatement: self.restatement.or(below.restatement),
            plausibility: self.plausibility.or(below.plausibility),
            requests_per_second: self.requests_per_second.or(below.requests_per_second),
            concurrency: self.concurrency.or(below.concurrency),
        }
    }

    /// The complete settings; `None` where a key has no value. Three have defaults by provider.
    pub(super) fn resolve(&self, entry: &ProviderEntry) -> Option<Poll> {
        Some(Poll {
            interval: self.interval?.0,
            timeout: self.timeout?.0,
            stale_after: self.stale_after?.0,
            max_series: self.max_series?,
            restatement: self
                .restatement
                .map_or(entry.defaults.restatement, |Span(span)| span),
            plausibility: self.plausibility?,
            requests_per_second: self
                .requests_per_second
                .unwrap_or(entry.defaults.requests_per_second),
            concurrency: self.concurrency.unwrap_or(entry.defaults.concurrency),
        })
    }
}

pub(super) fn bounds(least: Duration) -> String {
    format!(
        "must be from {} to 366days",
        humantime::format_duration(least)
    )
}
