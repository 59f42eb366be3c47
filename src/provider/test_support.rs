//! Shared by the providers' tests: a sink that records what it receives, and an HTTP server on the loopback interface
//! that records the requests it receives.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use figment::value::Value;
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    charge::{
        Amount, ChargeError, LabelSet, Measure, Month, MonthSource, Period, SharedSink, Sink,
    },
    clock::Clock,
    counters::Counters,
    diagnostics::Diagnostics,
    error::ProviderError,
    http_client::{Authorities, Bounds, Settings, retry::Backoff},
};

use super::{
    Deliveries, Fetched, Part, PollRequest, Provider,
    config::{BuildContext, ShownDimensions, Uses},
    registry::{ProviderEntry, ProviderName},
};

/// Records what it receives, as text.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct RecordingSink {
    /// One line per charge: the period, the dimensions, the amounts.
    pub(crate) charges: Vec<String>,
    /// The dimensions of each label set, joined.
    pub(crate) label_sets: Vec<String>,
    pub(crate) rows: u64,
    pub(crate) withheld: Vec<String>,
    pub(crate) reported: Vec<String>,
    pub(crate) remarks: Vec<String>,
    pub(crate) sources: Vec<(Month, MonthSource)>,
    pub(crate) provisional: Vec<String>,
    /// One line per month and measure, with the number of rows.
    pub(crate) missing: BTreeMap<String, u64>,
}

impl Sink for RecordingSink {
    fn label_set(&mut self, dimensions: &[&str]) -> Result<LabelSet, ChargeError> {
        let joined = dimensions.join("|");
        let known = self.label_sets.iter().position(|known| *known == joined);
        let number = known.unwrap_or_else(|| {
            self.label_sets.push(joined);
            self.label_sets.len() - 1
        });
        Ok(LabelSet(u32::try_from(number).unwrap()))
    }

    fn charge_to(
        &mut self,
        LabelSet(labels): LabelSet,
        period: Period,
        amounts: &[Amount<'_>],
    ) -> Result<(), ChargeError> {
        let period = match period {
            Period::Hour(hour) => hour.to_string(),
            Period::Day(day) => day.to_string(),
            Period::Month(month) => month.to_string(),
            Period::Now => "now".to_owned(),
        };
        let amounts: Vec<String> = amounts
            .iter()
            .map(|amount| {
                format!("{:?} {} {}", amount.measure, amount.value, amount.unit)
                    .trim_end()
                    .to_owned()
            })
            .collect();
        self.charges.push(format!(
            "{period} [{}] {}",
            self.label_sets[labels as usize],
            amounts.join(", ")
        ));
        Ok(())
    }

    fn rows(&mut self, count: u64) {
        self.rows += count;
    }

    fn withhold(&mut self, month: Month) {
        self.withheld.push(month.to_string());
    }

    fn report(&mut self, month: Month) {
        self.reported.push(month.to_string());
    }

    fn month_rows(&mut self, _: Month, count: u64) {
        self.rows += count;
    }

    fn missing(&mut self, month: Month, measure: Measure, rows: u64) {
        *self
            .missing
            .entry(format!("{month} {measure:?}"))
            .or_default() += rows;
    }

    fn withhold_measure(&mut self, month: Month, measure: Measure) {
        self.withheld.push(format!("{month} {measure:?}"));
    }

    fn provisional(&mut self, month: Month) {
        self.provisional.push(month.to_string());
    }

    fn source(&mut self, month: Month, source: MonthSource) {
        self.sources.push((month, source));
    }

    fn remark(&mut self, text: &str) {
        self.remarks.push(text.to_owned());
    }

    fn month_remark(&mut self, month: Month, text: &str) {
        self.remarks.push(format!("{month}: {text}"));
    }
}

/// A request as the server received it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Method, path and query as they were sent.
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    /// A header's value; empty where it was not sent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// An HTTP server on the loopback interface.
pub(crate) struct Api {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Api {
    /// Starts a server that responds to each request with a status and a body.
    pub(crate) async fn start(
        respond: impl Fn(&Seen) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        let router = Router::new().fallback(move |request: Request| {
            let (log, respond) = (Arc::clone(&log), respond.clone());
            async move {
                let (head, body) = request.into_parts();
                let request = Seen {
                    line: format!("{} {}", head.method, head.uri),
                    headers: head.headers,
                    body: read_text(body).await,
                };
                let (status, body) = respond(&request);
                log.lock().unwrap().push(request);
                (StatusCode::from_u16(status).unwrap(), body).into_response()
            }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, seen }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Method, path and query of the requests so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn read_text(body: Body) -> String {
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file that holds a secret.
pub(crate) fn secret(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Builds a provider from its section, or returns the diagnostics, one per line.
pub(crate) fn build(
    name: ProviderName,
    section: serde_json::Value,
    tags: &[&str],
) -> Result<Box<dyn Provider>, String> {
    build_entry(&name.entry(), section, tags)
}

/// The same by the entry of a provider.
pub(crate) fn build_entry(
    entry: &ProviderEntry,
    section: serde_json::Value,
    tags: &[&str],
) -> Result<Box<dyn Provider>, String> {
    let clock = Clock::from_fn(|| "2024-05-10T12:00:00Z".parse().unwrap());
    build_at(entry, section, tags, clock, &|_| None)
}

/// The same with a clock, and with variables of the environment.
pub(crate) fn build_at(
    entry: &ProviderEntry,
    section: serde_json::Value,
    tags: &[&str],
    clock: Clock,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Box<dyn Provider>, String> {
    let mut diagnostics = Diagnostics::default();
    let mut context = BuildContext {
        key_prefix: "accounts.test".to_owned(),
        zone: TimeZone::UTC,
        restatement: entry.defaults.restatement,
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
        shown: ShownDimensions {
            extra: tags.iter().map(|tag| format!("tag:{tag}")).collect(),
            ..ShownDimensions::default()
        },
        http: Settings {
            account: "test".to_owned(),
            requests_per_second: 10_000.0,
            concurrency: 4,
            timeout: Duration::from_mins(2),
            backoff: Backoff::REQUEST,
            bounds: Bounds {
                pages: 5,
                ..Bounds::default()
            },
            authorities: Authorities::of_process(),
            counters: Arc::new(Counters::default()),
            clock,
        },
        variable,
        diagnostics: &mut diagnostics,
        uses: Uses::default(),
    };
    let values = Value::serialize(section).unwrap().into_dict().unwrap();
    let provider = (entry.build)(values, &mut context);
    if diagnostics.is_empty() {
        return Ok(provider.expect("nothing was reported"));
    }
    assert!(provider.is_none(), "a provider in spite of diagnostics");
    Err(diagnostics
        .list()
        .iter()
        .map(|diagnostic| format!("{}: {}", diagnostic.key, diagnostic.message))
        .collect::<Vec<_>>()
        .join("\n"))
}

/// A poll at noon of a day, of the previous and the current month.
pub(crate) fn poll_on(today: &str) -> PollRequest {
    let now: Timestamp = format!("{today}T12:00:00Z").parse().unwrap();
    let current = Month::at(now, &TimeZone::UTC);
    PollRequest {
        months: vec![current.previous(), current],
        current,
        today: today.parse().unwrap(),
        now,
    }
}

/// Fetches one part of which nothing is known into a recording sink.
pub(crate) async fn fetch(
    provider: &dyn Provider,
    part: &Part,
    poll: &PollRequest,
) -> Result<RecordingSink, ProviderError> {
    let (_, recorded) = fetch_again(provider, part, poll, &Deliveries::default()).await?;
    Ok(recorded)
}

/// Fetches one part of which these deliveries were accepted into a recording sink.
pub(crate) async fn fetch_again(
    provider: &dyn Provider,
    part: &Part,
    poll: &PollRequest,
    known: &Deliveries,
) -> Result<(Fetched, RecordingSink), ProviderError> {
    let recording = Arc::new(Mutex::new(RecordingSink::default()));
    let sink: SharedSink = recording.clone();
    let fetched = provider.fetch(part, poll, known, &sink).await?;
    let mut recorded = recording.lock().unwrap();
    Ok((fetched, std::mem::take(&mut *recorded)))
}

/// An error as reason and text, without the address of the local server that it names.
pub(crate) fn error_text(error: &ProviderError) -> String {
    let text = format!("{}: {error}", error.reason().as_str());
    match text.split_once("http://127.0.0.1:") {
        Some((before, after)) => {
            let path = after.trim_start_matches(|char: char| char.is_ascii_digit());
            format!("{before}{path}")
        }
        None => text,
    }
}

/// A provider, with the file of its secret, which is removed with it.
pub(crate) struct BuiltProvider {
    provider: Box<dyn Provider>,
    _secret: tempfile::NamedTempFile,
}

impl BuiltProvider {
    pub(crate) fn new(provider: Box<dyn Provider>, secret: tempfile::NamedTempFile) -> Self {
        Self {
            provider,
            _secret: secret,
        }
    }
}

impl std::ops::Deref for BuiltProvider {
    type Target = dyn Provider;

    fn deref(&self) -> &Self::Target {
        &*self.provider
    }
}
