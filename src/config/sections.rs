//! The sections of the file that every provider shares: `log`, `poll`, and the keys that any account may have.

use std::{collections::BTreeMap, time::Duration};

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
    /// The least important level that is logged; the flag --log.level wins.
    pub(super) level: Option<LogLevel>,
}

/// How accounts are polled. Every key may stand in any account, too.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PollSection {
    /// From the start of one poll to the start of the next, and the deadline of one poll. At least 1s.
    interval: Option<Span>,
    /// The deadline of one part.
    timeout: Option<Span>,
    /// A part without success for this long is stale.
    stale_after: Option<Span>,
    /// The most label sets of an account that are served; the rest is folded, the sum kept.
    #[schemars(range(min = 1, max = MAX_SERIES))]
    max_series: Option<usize>,
    /// How long after a month's end it is read again, daily.
    restatement: Option<Span>,
    /// Whether an answer far smaller than the last is held back.
    plausibility: Option<bool>,
    /// Requests a second to the API, at the most. The default differs by provider.
    #[schemars(range(min = *PACE.start(), max = *PACE.end()))]
    requests_per_second: Option<f64>,
    /// Requests to the API at the same time, at the most. The default differs by provider.
    #[schemars(range(min = *CONCURRENCY.start(), max = *CONCURRENCY.end()))]
    concurrency: Option<usize>,
}

/// The keys that every account may have beside those of `poll` and its provider's own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CommonSection {
    /// The IANA name of the time zone in which the account is billed.
    pub(super) timezone: Option<String>,
    /// The last day on which the credential is valid, YYYY-MM-DD.
    pub(super) credential_expires: Option<Day>,
    /// Which of the provider's dimensions the three labels show.
    pub(super) dimensions: Option<DimensionsSection>,
    /// Dimensions that become labels of their own; `tag:KEY` becomes `tag_key`.
    pub(super) extra_labels: Option<Vec<String>>,
    /// Names to show, by label and then by id; where a dimension has no id, by the value as sent.
    pub(super) aliases: Option<BTreeMap<String, BTreeMap<String, Text>>>,
    /// How long after its local end a day is taken as closed.
    pub(super) day_closes_after: Option<Span>,
}

/// The names of dimensions for the three labels.
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

/// No span of time in this file is longer: it keeps every sum of a time and a span within the calendar.
pub(super) const MAX_SPAN: Duration = Duration::from_hours(366 * 24);
const SECOND: Duration = Duration::from_secs(1);
const MAX_SERIES: usize = 10_000_000;
const PACE: std::ops::RangeInclusive<f64> = 0.001..=10_000.0;
const CONCURRENCY: std::ops::RangeInclusive<usize> = 1..=64;
/// Label values are cut at this many characters; a name that is cut could meet another one.
pub(super) const MAX_NAME: usize = 200;

impl PollSection {
    /// Tells and drops what is out of bounds.
    pub(super) fn check(&mut self, place: &str, loader: &mut Loader<'_>) {
        let mut tell = |key: &str, wrong: bool, message: String| {
            if wrong {
                loader.diagnostics.push(join(place, key), message);
            }
            wrong
        };
        for (key, span, least) in [
            ("interval", &mut self.interval, SECOND),
            ("timeout", &mut self.timeout, SECOND),
            ("stale_after", &mut self.stale_after, SECOND),
            ("restatement", &mut self.restatement, Duration::ZERO),
        ] {
            let wrong = span.is_some_and(|Span(span)| span < least || span > MAX_SPAN);
            if tell(key, wrong, bounds(least)) {
                *span = None;
            }
        }
        let wrong = |series| !(1..=MAX_SERIES).contains(&series);
        if tell(
            "max_series",
            self.max_series.is_some_and(wrong),
            format!("must be from 1 to {MAX_SERIES}"),
        ) {
            self.max_series = None;
        }
        let wrong = |pace| !PACE.contains(&pace);
        if tell(
            "requests_per_second",
            self.requests_per_second.is_some_and(wrong),
            format!("must be from {} to {}", PACE.start(), PACE.end()),
        ) {
            self.requests_per_second = None;
        }
        let wrong = |places| !CONCURRENCY.contains(&places);
        if tell(
            "concurrency",
            self.concurrency.is_some_and(wrong),
            format!(
                "must be from {} to {}",
                CONCURRENCY.start(),
                CONCURRENCY.end()
            ),
        ) {
            self.concurrency = None;
        }
    }

    /// What is written here, and for the rest what is written below.
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

    /// The settings, where every key has a value; the provider says the last two.
    pub(super) fn settle(&self, wiring: &ProviderEntry) -> Option<Poll> {
        Some(Poll {
            interval: self.interval?.0,
            timeout: self.timeout?.0,
            stale_after: self.stale_after?.0,
            max_series: self.max_series?,
            restatement: self.restatement?.0,
            plausibility: self.plausibility?,
            requests_per_second: self
                .requests_per_second
                .unwrap_or(wiring.defaults.requests_per_second),
            concurrency: self.concurrency.unwrap_or(wiring.defaults.concurrency),
        })
    }
}

pub(super) fn bounds(least: Duration) -> String {
    format!(
        "must be from {} to 366days",
        humantime::format_duration(least)
    )
}
