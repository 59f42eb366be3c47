//! What scrapes and `/-/ready` show while accounts are polled, over real sockets.

use std::{
    collections::BTreeMap,
    io::Read,
    path::PathBuf,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use flate2::read::GzDecoder;
use reqwest::Client;
use tokio::{task::JoinSet, time::timeout};

use super::*;
use crate::{
    account::Account,
    charge::Measure,
    clock::Clock,
    config::{Config, LogSettings, Sources},
    error::{ProviderError, Reason},
    poller::supervisor::Tools,
    provider::{Granularity, MonthFetch},
    telemetry::{LogLevel, log::Log},
    test_support::{Scripted, account, at, cost, month},
};

const NOW: &str = "2025-03-10T12:00:00Z";
/// How long anything may take on a slow and busy machine before a test fails.
const TEST_TIMEOUT: Duration = Duration::from_mins(1);
const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";

/// A server over accounts that are polled as the program polls them.
struct Server {
    url: String,
    client: Client,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    supervisor: Arc<Supervisor>,
}

impl Server {
    async fn start(accounts: Vec<Account>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let config = Config {
            path: PathBuf::new(),
            log: LogSettings {
                level: LogLevel::Warn,
            },
            accounts,
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
            clock: Clock::from_fn(|| at(NOW)),
        };
        let (stop, stopped) = watch::channel(false);
        let supervisor = Supervisor::start(config, tools, stopped.clone()).await;
        let publishing = Arc::clone(supervisor.publisher()).run(stopped.clone());
        let web = Web {
            supervisor: Arc::clone(&supervisor),
            telemetry_path: "/metrics".to_owned(),
            lifecycle: false,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(publishing);
        tasks.spawn(async {
            let serving = serve(vec![listener], web, Access::open(), stopped);
            serving.await.unwrap();
        });
        #[expect(
            clippy::disallowed_methods,
            reason = "the server is scraped by a client"
        )]
        let client = Client::builder();
        Self {
            url,
            client: client.no_proxy().build().unwrap(),
            stop,
            tasks,
            supervisor,
        }
    }

    async fn is_ready(&self) -> bool {
        let request = self.client.get(format!("{}/-/ready", self.url));
        request.send().await.unwrap().status() == StatusCode::OK
    }

    async fn scrape(&self, accept: &str, encoding: &str) -> String {
        let request = self.client.get(format!("{}/metrics", self.url));
        let request = request.header(header::ACCEPT, accept);
        let request = request.header(header::ACCEPT_ENCODING, encoding);
        let body = request.send().await.unwrap().bytes().await.unwrap();
        let mut text = String::new();
        match encoding {
            "gzip" => GzDecoder::new(&body[..]).read_to_string(&mut text),
            _ => (&body[..]).read_to_string(&mut text),
        }
        .unwrap();
        text
    }

    async fn stop(mut self) {
        self.stop.send(true).unwrap();
        self.supervisor.end().await;
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
    }
}

/// The whole number of the one series whose line starts like this.
fn value(text: &str, start: &str) -> u64 {
    let mut lines = text.lines().filter(|line| line.starts_with(start));
    let line = lines.next().unwrap_or_else(|| panic!("{start}: {text}"));
    assert_eq!(lines.next(), None, "{start}");
    let (_, value) = line.rsplit_once(' ').unwrap();
    value.trim_end_matches(".0").parse().unwrap()
}

fn scripted() -> Arc<Scripted> {
    let months = &[(Measure::BilledCost, Granularity::Month)];
    Scripted::new(months, MonthFetch::Both)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_scrape_mixes_two_polls() {
    const POLLS: u64 = 100;
    let provider = scripted();
    let polls = AtomicU64::new(0);
    // Every second poll fails. The successful ones bring their number.
    provider.responds("account", move |_| {
        let poll = polls.fetch_add(1, Ordering::Relaxed) + 1;
        if poll.is_multiple_of(2) {
            let reason = Reason::UpstreamError;
            return Err(ProviderError::new(reason, "the provider failed"));
        }
        Ok(vec![cost(month("2025-03"), "a", poll as f64)])
    });
    let mut account = account(provider, "UTC");
    account.poll.interval = Duration::from_millis(5);
    let server = Server::start(vec![account]).await;
    let labels = r#"provider="otc",account="main""#;
    let scraping = async {
        for (accept, encoding) in [
            (OPEN_METRICS, "gzip"),
            (OPEN_METRICS, "identity"),
            ("text/plain", "gzip"),
            ("text/plain", "identity"),
        ]
        .into_iter()
        .cycle()
        {
            let text = server.scrape(accept, encoding).await;
            let polls = value(&text, "cloudspend_polls_total{");
            let failures =
                format!("cloudspend_poll_failures_total{{{labels},reason=\"upstream_error\"}}");
            let failed = polls / 2;
            assert_eq!(value(&text, &failures), failed, "after {polls} polls");
            let success = polls % 2;
            let shown = value(&text, "cloudspend_poll_success{");
            assert_eq!(shown, success, "after {polls} polls");
            if polls > 0 {
                let newest = polls - 1 + success;
                let shown = value(&text, "cloudspend_billed_cost_month_to_date{");
                assert_eq!(shown, newest, "after {polls} polls");
            }
            if polls >= POLLS {
                break;
            }
        }
    };
    timeout(TEST_TIMEOUT, scraping).await.expect("polls go on");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_scrape_after_ready_has_values() {
    for _ in 0..30 {
        let provider = scripted();
        // Rendering takes a moment.
        let customers = (0..200).map(|number| &*format!("customer {number}").leak());
        let costs = customers.map(|customer| cost(month("2025-03"), customer, 1.0));
        provider.returns("account", costs.collect());
        let server = Server::start(vec![account(provider, "UTC")]).await;
        let waiting = async { while !server.is_ready().await {} };
        timeout(TEST_TIMEOUT, waiting).await.expect("it is ready");
        let text = server.scrape(OPEN_METRICS, "identity").await;
        let costs = text
            .lines()
            .filter(|line| line.starts_with("cloudspend_billed_cost_month_to_date{"));
        assert_eq!(costs.count(), 200);
        assert_eq!(value(&text, "cloudspend_polls_total{"), 1);
        server.stop().await;
    }
}
