//! The exporter itself as the server under test: a scripted provider in front of the real poller, ledger, windows, rendering
//! and server.

use std::{
    collections::BTreeMap,
    io::{self, BufRead},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use cloudspend_exporter::{
    account::{Account, LabelSlot, Labels, Poll},
    charge::{Amount, Charge, Measure, Period, SharedSink},
    clock::Clock,
    config::{Config, LogSettings, Sources},
    counters::Counters,
    error::{ProviderError, Reason},
    exposition::publisher::{AccountSet, Publisher},
    poller::{
        Poller,
        supervisor::{Supervisor, Tools},
    },
    provider::{
        Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider,
        registry::ProviderName,
    },
    server::{self, Access, Web},
    telemetry::{LogLevel, log::Log},
    view::budgets::BudgetSet,
};
use futures_util::future::BoxFuture;
use jiff::{ToSpan, tz::TimeZone};
use tokio::sync::watch;

use crate::{
    common::process::say,
    series::{Shape, value},
};

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

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        match self.reported.days {
            0 => vec![(Measure::ProviderForecast, Granularity::Now)],
            _ => vec![(Measure::BilledCost, Granularity::Day)],
        }
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(&'a self, _: &'a PollRequest) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async { Ok(vec![Part::whole_account()]) })
    }

    fn fetch<'a>(
        &'a self,
        _: &'a Part,
        ask: &'a PollRequest,
        _: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        let (reported, ask, sink) = (self.reported, ask.clone(), Arc::clone(sink));
        Box::pin(async move {
            // Rows of a real answer are folded beside the async threads, too.
            tokio::task::spawn_blocking(move || report(reported, &ask, &sink))
                .await
                .map_err(|error| ProviderError::new(Reason::UpstreamError, error.to_string()))??;
            Ok(Fetched::replaced())
        })
    }
}

fn report(reported: Reported, ask: &PollRequest, sink: &SharedSink) -> Result<(), ProviderError> {
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
        provider_label: "otc".to_owned(),
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
        let config = Config {
            path: PathBuf::new(),
            log: LogSettings {
                level: LogLevel::Warn,
            },
            accounts: vec![account(reported)],
            share: None,
            budgets: Vec::new(),
            reporting_currency: None,
            exchange_rates: BTreeMap::new(),
            warnings: Vec::new(),
            secrets: Vec::new(),
            authorities: Vec::new(),
            unusable_variables: Vec::new(),
        };
        let tools = Tools {
            sources: Sources::default(),
            store: None,
            log: Log::default(),
            clock: clock.clone(),
        };
        let (stop, stopped) = watch::channel(false);
        let supervisor = Supervisor::start(config, tools, stopped.clone()).await;
        let page = Arc::clone(supervisor.publisher());
        tokio::spawn(Arc::clone(&page).run(stopped.clone()));
        while !supervisor.pending_accounts().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        serve_news(&page).await;
        let cell = Arc::clone(&page.current().account_set.accounts[0]);
        let poller = Poller::new(cell, clock, page.changed());
        let listener = server::bind(Some("127.0.0.1"), 0).await?;
        let port = listener.local_addr()?.port();
        let web = Web {
            supervisor,
            telemetry_path: "/metrics".to_owned(),
            lifecycle: false,
        };
        let server = tokio::spawn(server::serve(vec![listener], web, Access::open(), stopped));
        say(&port.to_string());
        let (told, mut orders) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || {
            io::stdin()
                .lock()
                .lines()
                .map_while(Result::ok)
                .all(|line| told.send(line).is_ok())
        });
        while orders.recv().await.is_some() {
            poller.poll().await;
            serve_news(&page).await;
            say("polled");
        }
        stop.send(true)?;
        server.await??;
        Ok(())
    })
}

/// Returns when what the last poll found is served.
async fn serve_news(page: &Publisher) {
    let cells = page.current().account_set.accounts.clone();
    page.replace(AccountSet::new(cells, BudgetSet::default(), String::new()))
        .await;
}
