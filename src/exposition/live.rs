//! The live part of a scrape, sent behind the cached part: requests, rendered when one of them was counted, and the process,
//! rendered at every scrape.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use prometheus_client::collector::Collector;

use super::{END_OF_OPEN_METRICS, Format};
use crate::{
    counters::{Code, Counters, StateWrites},
    exposition::{
        families::{
            BUILD_INFO, MetricFamily, RELOAD_SUCCESS, RELOAD_TIME, REQUEST_TIMES, REQUESTS,
            RETRIES, STATE_WRITE_FAILURES, STATE_WRITTEN,
        },
        formats::{Block, BothFormats, in_format},
        process::{Process, ProcessConstants, ProcessSource},
        publisher::AccountSet,
        samples::{Histograms, Labels, Samples, account_labels},
        self_metrics::seconds,
    },
    telemetry::version,
};

/// How the last load of the configuration went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reload {
    /// Whether it succeeded.
    pub successful: bool,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
}

/// The source of the live part of all scrapes.
#[derive(Debug, Default)]
pub struct LiveSource {
    process: Option<ProcessSource>,
    requests: ArcSwapOption<Requests>,
}

impl LiveSource {
    /// A source about this process.
    pub fn new() -> Self {
        Self {
            process: ProcessSource::new(),
            requests: ArcSwapOption::empty(),
        }
    }

    /// The live part as it is now.
    pub fn live(&self, account_set: &Arc<AccountSet>, reload: Reload) -> Live {
        let process = self.process.as_ref().map(Process::read);
        Live {
            requests: self.requests(account_set, reload),
            process: process.unwrap_or_default(),
        }
    }

    /// The requests as they were last rendered, or rendered again where one was counted since. Several scrapes that
    /// notice it at once each render for themselves.
    fn requests(&self, account_set: &Arc<AccountSet>, reload: Reload) -> Arc<Requests> {
        // Read before the counters are: what is counted in between is rendered twice rather than missed.
        let changes = account_set.accounts.iter();
        let changes = changes.map(|handle| handle.account.counters.changes());
        let changes = changes.sum();
        if let Some(known) = &*self.requests.load()
            && Arc::ptr_eq(&known.account_set, account_set)
            && (known.changes, known.reload) == (changes, reload)
        {
            return Arc::clone(known);
        }
        let constants = self.process.as_ref().map(ProcessConstants::read);
        let families = families(account_set, reload, constants.unwrap_or_default());
        let requests = Arc::new(Requests {
            account_set: Arc::clone(account_set),
            changes,
            reload,
            rendered: BothFormats::new(families),
        });
        self.requests.store(Some(Arc::clone(&requests)));
        requests
    }
}

/// The live part of one scrape.
#[derive(Debug, Clone)]
pub struct Live {
    requests: Arc<Requests>,
    process: Process,
}

impl Live {
    /// The requests in one of the formats.
    pub(super) fn requests(&self, format: Format) -> &Block {
        self.requests.rendered.of(format)
    }

    /// The process in one of the formats, and the end of the response.
    pub(super) fn process(&self, format: Format) -> String {
        let text = in_format(self.process.families(), format);
        match format {
            Format::OpenMetrics => text + END_OF_OPEN_METRICS,
            Format::Text => text,
        }
    }
}

/// The request counters and what is as constant as they mostly are, in both formats, and what they were rendered from.
#[derive(Debug)]
struct Requests {
    account_set: Arc<AccountSet>,
    /// How often anything had been counted by then, over all accounts.
    changes: u64,
    reload: Reload,
    rendered: BothFormats,
}

fn families(
    account_set: &AccountSet,
    reload: Reload,
    constants: ProcessConstants,
) -> impl Iterator<Item = Box<dyn Collector>> {
    type Count = ((&'static str, String), u64);
    let by_account = |family: MetricFamily, read: &dyn Fn(&Counters) -> Vec<Count>| {
        let samples = account_set.accounts.iter().flat_map(|handle| {
            let account = &handle.account;
            read(&account.counters)
                .into_iter()
                .map(|(label, count)| (account_labels(account, [label]), count as f64))
        });
        Samples {
            family,
            samples: samples.collect(),
        }
    };
    let times = account_set.accounts.iter().map(|handle| {
        let account = &handle.account;
        let labels = account_labels(account, []);
        (labels, account.counters.request_times())
    });
    let times = Histograms {
        family: REQUEST_TIMES,
        samples: times.collect(),
    };
    let writes = |family: MetricFamily, read: fn(StateWrites) -> Option<f64>| {
        let samples = account_set.accounts.iter().filter_map(|handle| {
            let account = &handle.account;
            let value = read(account.counters.state_writes())?;
            Some((account_labels(account, []), value))
        });
        Samples {
            family,
            samples: samples.collect(),
        }
    };
    let build = Labels::from([
        ("version", version::VERSION.to_owned()),
        ("revision", version::REVISION.to_owned()),
        ("rustversion", version::RUST_VERSION.to_owned()),
    ]);
    let requests = by_account(REQUESTS, &|counters| {
        let requests = counters.requests().into_iter();
        requests
            .map(|(code, count)| (("code", code_label(code)), count))
            .collect()
    });
    let others = [
        by_account(RETRIES, &|counters| {
            let retries = counters.retries();
            retries
                .map(|(reason, count)| (("reason", reason.as_str().to_owned()), count))
                .collect()
        }),
        writes(STATE_WRITE_FAILURES, |writes| Some(writes.failures as f64)),
        writes(STATE_WRITTEN, |writes| writes.last_success.map(seconds)),
        Samples::single(RELOAD_SUCCESS, Some(f64::from(u8::from(reload.successful)))),
        Samples::single(RELOAD_TIME, reload.last_success.map(seconds)),
        Samples {
            family: BUILD_INFO,
            samples: vec![(build, 1.0)],
        },
    ];
    let others = others.into_iter().chain(constants.families());
    [requests.into(), times.into()]
        .into_iter()
        .chain(others.map(Into::into))
}

fn code_label(code: Code) -> String {
    match code {
        Code::None => "none".to_owned(),
        Code::Status(status) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        error::Reason,
        provider::MonthFetch,
        state::AccountHandle,
        test_support::{Scripted, account, at},
        view::budgets::BudgetSet,
    };

    type Count = fn(&Counters);

    #[test]
    fn scrape_shows_what_was_counted_before_it() {
        let account = account(Scripted::new(&[], MonthFetch::Both), "UTC");
        let counters = Arc::clone(&account.counters);
        let handle = Arc::new(AccountHandle::new(Arc::new(account)));
        let account_set = |handles| {
            Arc::new(AccountSet::new(
                handles,
                BudgetSet::default(),
                String::new(),
            ))
        };
        let (accounts, nobody) = (account_set(vec![handle]), account_set(Vec::new()));
        let (source, reload) = (LiveSource::new(), Reload::default());
        let shows = |line: &str| {
            let live = source.live(&accounts, reload);
            [Format::OpenMetrics, Format::Text].iter().all(|format| {
                let text = &live.requests(*format).text;
                std::str::from_utf8(text)
                    .unwrap()
                    .lines()
                    .any(|shown| shown == line)
            })
        };
        let labels = r#"provider="otc",account="main""#;
        let counts: [(Count, String); 6] = [
            (
                |counters| counters.retried(Reason::Tls),
                format!("cloudspend_api_retries_total{{{labels},reason=\"tls\"}} 1.0"),
            ),
            (
                |counters| counters.requested(Code::Status(204), Duration::from_millis(70)),
                format!("cloudspend_api_requests_total{{{labels},code=\"204\"}} 1.0"),
            ),
            (
                |counters| counters.requested(Code::None, Duration::from_secs(61)),
                format!("cloudspend_api_request_duration_seconds_bucket{{le=\"+Inf\",{labels}}} 2"),
            ),
            (
                |counters| counters.requested(Code::None, Duration::from_millis(70)),
                format!("cloudspend_api_request_duration_seconds_bucket{{le=\"0.1\",{labels}}} 2"),
            ),
            (
                Counters::state_write_failed,
                format!("cloudspend_state_write_failures_total{{{labels}}} 1.0"),
            ),
            (
                |counters| counters.state_written(at("2025-03-10T12:00:00Z")),
                format!("cloudspend_state_last_write_timestamp_seconds{{{labels}}} 1741608000.0"),
            ),
        ];
        for (count, line) in counts {
            assert!(!shows(&line), "{line}");
            count(&counters);
            assert!(shows(&line), "{line}");
        }
        let rendered = source.live(&accounts, reload).requests;
        let same = Arc::ptr_eq(&rendered, &source.live(&accounts, reload).requests);
        assert!(same, "nothing was counted, so nothing is rendered");
        let reloaded = Reload {
            successful: true,
            last_success: Some(at("2025-03-10T12:00:00Z")),
        };
        for (accounts, reload) in [(&accounts, reloaded), (&nobody, reload)] {
            let same = Arc::ptr_eq(&rendered, &source.live(accounts, reload).requests);
            assert!(!same, "something else is served now");
        }
    }
}
