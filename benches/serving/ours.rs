//! The exporter itself as the server under test: a scripted provider in front of the real poller, ledger, windows, rendering
//! and server.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
    sync::Arc,
    time::Duration,
};

use cloudspend_exporter::{
    budget::Money,
    charge::{Amount, Charge, Measure, Period, SharedSink},
    clock::Clock,
    config::{Account, LabelSlot, Labels, Poll},
    counters::Counters,
    exposition::Reload,
    poller::Poller,
    provider::{
        Ask, Dimension, Grain, MonthsAsked, Part, Provider, ProviderError, Reason,
        section::ProviderName,
    },
    refresh::Page,
    server::{self, Web},
    snapshot::Cell,
};
use futures_util::future::BoxFuture;
use jiff::{ToSpan, tz::TimeZone};
use tokio::sync::watch;

use crate::series::{Shape, value};

/// What the scripted provider reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reported {
    /// How many label sets.
    pub(crate) label_sets: u64,
    /// How alike they are.
    pub(crate) shape: Shape,
    /// How many days back from today each of them is charged; with none there is one sum a label set, which makes one
    /// series.
    pub(crate) days: i32,
}

/// Answers every poll with the same charges.
#[derive(Debug)]
struct Scripted {
    dimensions: [Dimension; 3],
    reported: Reported,
}

impl Provider for Scripted {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Grain)> {
        match self.reported.days {
            0 => vec![(Measure::ProviderForecast, Grain::Now)],
            _ => vec![(Measure::BilledCost, Grain::Day)],
        }
    }

    fn months_asked(&self) -> MonthsAsked {
        MonthsAsked::Both
    }

    fn parts<'a>(&'a self, _: &'a Ask) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async { Ok(vec![Part::whole_account()]) })
    }

    fn fetch<'a>(
        &'a self,
        _: &'a Part,
        ask: &'a Ask,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        let (reported, ask, sink) = (self.reported, ask.clone(), Arc::clone(sink));
        Box::pin(async move {
            // Rows of a real answer are folded beside the async threads, too.
            tokio::task::spawn_blocking(move || report(reported, &ask, &sink))
                .await
                .map_err(|error| ProviderError::new(Reason::UpstreamError, error.to_string()))?
        })
    }
}

fn report(reported: Reported, ask: &Ask, sink: &SharedSink) -> Result<(), ProviderError> {
    let refused = |error: &dyn std::error::Error| {
        ProviderError::new(Reason::UpstreamError, error.to_string())
    };
    let periods: Vec<Period> = match reported.days {
        0 => vec![Period::Now],
        days => (0..days)
            .map(|back| ask.today.saturating_sub(back.days()))
            .map(Period::Day)
            .filter(|period| {
                period
                    .month()
                    .is_some_and(|month| ask.months.contains(&month))
            })
            .collect(),
    };
    let measure = match reported.days {
        0 => Measure::ProviderForecast,
        _ => Measure::BilledCost,
    };
    for number in 0..reported.label_sets {
        let labels = reported.shape.labels(number);
        let mut sink = sink.lock().map_err(|error| refused(&error))?;
        for &period in &periods {
            sink.charge(&Charge {
                period,
                dimensions: &labels.each_ref().map(String::as_str),
                amounts: &[Amount {
                    measure,
                    value: value(number),
                    unit: "EUR",
                }],
            })
            .map_err(|error| refused(&error))?;
        }
        sink.rows(periods.len() as u64);
    }
    Ok(())
}

fn account(reported: Reported) -> Account {
    let names = ["customer", "project", "product"];
    Account {
        name: "main-account".to_owned(),
        provider_name: ProviderName::Otc,
        provider: Arc::new(Scripted {
            dimensions: names.map(Dimension::new),
            reported,
        }),
        zone: TimeZone::UTC,
        poll: Poll {
            interval: Duration::from_hours(1),
            timeout: Duration::from_hours(1),
            stale_after: Duration::from_hours(26),
            max_series: usize::try_from(reported.label_sets).unwrap_or(usize::MAX),
            restatement: Duration::from_hours(240),
            plausibility: true,
            requests_per_second: 2.0,
            concurrency: 2,
        },
        day_closes_after: Duration::from_hours(6),
        credential_expires: None,
        labels: Labels {
            slots: names
                .iter()
                .enumerate()
                .map(|(position, name)| LabelSlot {
                    label: (*name).to_owned(),
                    dimension: Some(position),
                    aliases: BTreeMap::new(),
                })
                .collect(),
        },
        written: BTreeMap::new(),
        counters: Arc::new(Counters::default()),
    }
}

/// Polls once, says its port on stdout and serves; then polls once for every line `poll` on stdin and says `polled` once
/// that is served. Ends when stdin does.
pub(crate) fn serve(reported: Reported) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let clock = Clock::system();
        let cell = Arc::new(Cell::new(Arc::new(account(reported))));
        let page = Page::new(vec![Arc::clone(&cell)], Money::default(), clock.clone());
        let poller = Poller::new(cell, clock.clone(), page.changed());
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(Arc::clone(&page).keep_fresh(stopped.clone()));
        poll(&poller, &page).await;
        let listener = server::bind(Some("127.0.0.1"), 0).await?;
        let port = listener.local_addr()?.port();
        let web = Web {
            page: Arc::clone(&page),
            reload: Reload {
                successful: true,
                last_success: Some(clock.now()),
            },
            telemetry_path: "/metrics".to_owned(),
        };
        let server = tokio::spawn(server::serve(vec![listener], web, stopped));
        tell_parent(&port.to_string());
        let (told, mut orders) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            io::stdin()
                .lock()
                .lines()
                .map_while(Result::ok)
                .all(|line| told.send(line).is_ok())
        });
        while orders.recv().await.is_some() {
            poll(&poller, &page).await;
            tell_parent("polled");
        }
        stop.send(true)?;
        server.await??;
        Ok(())
    })
}

/// Polls, and waits until what the poll found is served.
async fn poll(poller: &Poller, page: &Page) {
    let before = last_attempt(page);
    poller.poll().await;
    while last_attempt(page) == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// When the poll began that is served, as the end of the text says it; `None` before the first one.
fn last_attempt(page: &Page) -> Option<Vec<u8>> {
    let text = page.rendered().plain_text();
    let end = &text[text.len().saturating_sub(ENDING)..];
    let name = b"\ncloudspend_poll_last_attempt_timestamp_seconds{";
    let found = &end[memchr::memmem::find(end, name)? + 1..];
    let line = found.split(|byte| *byte == b'\n').next()?;
    Some(line.to_vec())
}

/// What an account says about itself stands within so many bytes from the end.
const ENDING: usize = 16 << 10;

#[expect(clippy::print_stdout, reason = "the parent reads it")]
pub(crate) fn tell_parent(line: &str) {
    println!("{line}");
}
