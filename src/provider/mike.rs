//! DHI MIKE Cloud, the consumption log: POST `/log/list` or `/log/my-list`, usage by day and stored quantities.
//!
//! Source: the consumption log's pages at develop.mike-cloud.com. Refresh: not documented; 15 to 60 minutes are
//! sensible. Permission: an Open API key, made by an owner in Cloud Admin and valid for a year; `list` reads the
//! whole tenant's log, `my-list` that of the key alone.

use std::sync::PoisonError;

use futures_util::future::BoxFuture;
use http::{HeaderName, HeaderValue};
use jiff::{
    SignedDuration, ToSpan,
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use serde_json::json;

use super::{
    Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider, Slot,
    second_source::{Check, ClosedMonth},
};
use crate::{
    charge::{Measure, SharedSink},
    error::{ProviderError, Reason},
    http_client::{Frame, Http, Pages, Request},
    json::scalars::Number,
};

pub use self::config::Config;
use self::{
    charges::{Collector, LogRows, Readings, contains, is_same},
    config::Log,
    responses::PageResponse,
};

mod charges;
mod checks;
mod config;
mod responses;
#[cfg(test)]
mod tests;

/// The field of the metric type, in requests and rows.
const METRIC_TYPE: &str = "metricType";

/// One account's connection to one consumption log.
#[derive(Debug)]
struct Mike {
    http: Http,
    log: Log,
    /// Fields of the request's body and their values.
    filters: Vec<(&'static str, String)>,
    /// The metric types that are levels.
    levels: Vec<String>,
    api_version: Option<String>,
    /// How many rows a page is requested to have.
    page_size: usize,
    /// What the operator adds to every request.
    headers: Vec<(HeaderName, HeaderValue)>,
    /// A level that is this much older than the newest one no longer counts.
    level_max_age: SignedDuration,
    dimensions: Vec<Dimension>,
}

/// In the order in which `responses` gives their values.
fn dimensions() -> Vec<Dimension> {
    vec![
        Dimension::new("tenant_id").shown_as(Slot::Customer),
        Dimension::new("project_id").shown_as(Slot::Project),
        Dimension::new("metric_type").shown_as(Slot::Product),
        Dimension::new("resource_id"),
        Dimension::new("operation_id"),
        Dimension::new("billing_reference"),
        Dimension::new("billing_reference_tag"),
    ]
}

impl Provider for Mike {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        vec![
            (Measure::ConsumedQuantity, Granularity::CurrentDay),
            (Measure::StoredQuantity, Granularity::Now),
        ]
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
        poll: &'a PollRequest,
        _: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        Box::pin(async move {
            self.usage(poll, sink).await?;
            Ok(Fetched::replaced())
        })
    }

    fn checks<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        self.compare(month)
    }
}

/// One query of the log, apart from the configured filters, which every query has.
#[derive(Clone, Copy)]
struct Query<'a> {
    from: DateTime,
    to: DateTime,
    metric_type: Option<&'a str>,
    aggregation: Aggregation,
}

/// How the API adds up rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Aggregation {
    /// Not at all.
    None,
    /// Rows of one day that are the same in everything else.
    Day,
    /// All rows of a tenant, metric type and unit.
    All,
}

impl Mike {
    /// First the flows, by day, in one query; then each level in a query of its own, with every reading.
    async fn usage(&self, poll: &PollRequest, sink: &SharedSink) -> Result<(), ProviderError> {
        let Some((from, to)) = date_range(poll) else {
            return Ok(());
        };
        let mut seen = Seen::default();
        let filter = self
            .filters
            .iter()
            .find(|(field, _)| *field == METRIC_TYPE)
            .map(|(_, value)| value.as_str());
        if filter.is_none_or(|metric_type| !self.is_level(metric_type)) {
            let query = Query {
                from: midnight(from),
                to: midnight(to),
                metric_type: filter,
                aggregation: Aggregation::Day,
            };
            let months = poll.months.clone();
            let levels = self.levels.clone();
            let read = self
                .read_log(query, sink, Collector::Flows { months, levels })
                .await?;
            seen.add(&read);
        }
        let is_selected =
            |level: &&String| filter.is_none_or(|metric_type| is_same(metric_type, level));
        if poll.months.contains(&poll.current) {
            let levels = self.levels.iter().filter(is_selected);
            self.read_levels(levels, (from, to), sink, &mut seen)
                .await?;
        }
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remark) = seen.remark(self.log) {
            sink.remark(remark);
        }
        Ok(())
    }

    /// Reads each level in a query of its own, with every reading, and charges the newest of each resource.
    async fn read_levels(
        &self,
        levels: impl Iterator<Item = &String> + Send,
        (from, to): (Date, Date),
        sink: &SharedSink,
        seen: &mut Seen,
    ) -> Result<(), ProviderError> {
        // A reading that may still count may be older than the previous month.
        let oldest = to
            .saturating_sub(EDGE.days())
            .saturating_sub(self.level_max_age);
        let days = from.saturating_add(MARGIN.days()).min(oldest)..=to;
        let mut readings = Readings::of(days);
        for level in levels {
            let query = Query {
                from: midnight(from.min(oldest.saturating_sub(MARGIN.days()))),
                to: midnight(to),
                metric_type: Some(level),
                aggregation: Aggregation::None,
            };
            let read = self
                .read_log(query, sink, Collector::Levels(readings))
                .await?;
            seen.add(&read);
            let Collector::Levels(read) = read.collector else {
                return Ok(());
            };
            readings = read;
        }
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        readings
            .charge(self.level_max_age, &mut *sink)
            .map_err(|error| error.at("levels", 0))
    }

    fn is_level(&self, metric_type: &str) -> bool {
        contains(&self.levels, metric_type)
    }

    /// Reads the rows of one query page by page, each as it arrives.
    async fn read_log(
        &self,
        query: Query<'_>,
        sink: &SharedSink,
        collector: Collector,
    ) -> Result<LogRows, ProviderError> {
        let mut rows = LogRows {
            metric_type: query.metric_type.map(str::to_owned),
            pages: Pages::new(self.page_size, self.http.bounds().pages),
            has_project: false,
            collector,
        };
        loop {
            let offset = rows.pages.received();
            let mut request = self
                .http
                .post(&["log", self.log.as_str()])
                .page(rows.pages.next_number())
                .json(&self.body(query, offset));
            for (name, value) in &self.headers {
                request = request.configured_header(name, value);
            }
            if let Some(version) = &self.api_version {
                request = request.header("api-version", version);
            }
            let read = self
                .http
                .rows(&request, Frame::Inside(&["data"]), sink, rows)
                .await
                .map_err(|error| self.explain_forbidden(error))?;
            let page: PageResponse = request.read(&read.envelope)?;
            rows = read.fold;
            let is_unpaged = rows.pages.is_unpaged();
            let has_next = rows.pages.end(&request.place())?;
            if !is_unpaged {
                self.check_echo(&page, offset, &request, sink)?;
            }
            if !has_next {
                return Ok(rows);
            }
        }
    }

    /// Compares what a page repeats of its request. Rows from another offset would be counted twice or be missing. With
    /// another limit the pages are complete, since offsets follow the rows that came.
    fn check_echo(
        &self,
        page: &PageResponse,
        offset: u64,
        request: &Request,
        sink: &SharedSink,
    ) -> Result<(), ProviderError> {
        if let Some(Number(echoed)) = page.offset
            && (echoed - offset as f64).abs() >= 1.0
        {
            return Err(ProviderError::malformed(format!(
                "{}: field offset: the page begins at {echoed}, {offset} was requested",
                request.place()
            )));
        }
        if let Some(Number(echoed)) = page.limit
            && (echoed - self.page_size as f64).abs() >= 1.0
        {
            let remark = format!(
                "the API answers with the limit {echoed} in place of page_size: {}",
                self.page_size
            );
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            sink.remark(&remark);
        }
        Ok(())
    }

    /// The body of a request. What `aggregateBy` does not name is not aggregated, so that every dimension is reported.
    fn body(&self, query: Query<'_>, offset: u64) -> serde_json::Value {
        let mut body = json!({
            "from": format!("{}Z", query.from),
            "to": format!("{}Z", query.to),
        });
        match query.aggregation {
            Aggregation::None => {}
            Aggregation::Day => body["aggregateBy"] = json!({ "Time": "day" }),
            Aggregation::All => {
                body["aggregateBy"] = json!({
                    "Time": "all", "ProjectId": "all", "ResourceId": "all", "OperationId": "all",
                    "BillingReference": "all",
                });
            }
        }
        for (field, value) in &self.filters {
            body[*field] = json!(value);
        }
        if let Some(metric_type) = query.metric_type {
            body[METRIC_TYPE] = json!(metric_type);
        }
        // Oldest first, so that rows logged meanwhile come last and move no row to another page. An aggregated row
        // has no id.
        body["sortBy"] = json!(match query.aggregation {
            Aggregation::None => "Id",
            Aggregation::Day => "ValidFrom",
            Aggregation::All => "MetricType",
        });
        body["sortOrder"] = json!("Asc");
        body["offset"] = json!(offset);
        body["limit"] = json!(self.page_size);
        body
    }

    /// Adds a hint to a 403: not every key may read the whole tenant's log.
    fn explain_forbidden(&self, error: ProviderError) -> ProviderError {
        if self.log == Log::List && error.reason() == Reason::Forbidden {
            return ProviderError::new(
                Reason::Forbidden,
                format!("{error}; if the key may read only its own log, set `log: my-list`"),
            )
            .with_status(403);
        }
        error
    }
}

fn midnight(day: Date) -> DateTime {
    day.to_datetime(Time::midnight())
}

/// What all queries of one poll found.
#[derive(Default)]
struct Seen {
    rows: u64,
    has_project: bool,
}

impl Seen {
    fn add(&mut self, read: &LogRows) {
        self.rows += read.pages.received();
        self.has_project |= read.has_project;
    }

    /// What an operator should check: a key without rights can log in and sees nothing, or no projects.
    fn remark(&self, log: Log) -> Option<&'static str> {
        match (self.rows, log) {
            (0, Log::List) => Some(
                "the consumption log is empty, which does not prove that nothing was used: the API account of the key must be an Owner of the site to read the log of all, and each project must be shared with it",
            ),
            (0, Log::MyList) => Some(
                "the consumption log is empty, which does not prove that nothing was used: `my-list` has what the key itself consumed, in projects that are shared with its API account",
            ),
            _ if !self.has_project => Some(
                "no row of the consumption log names a project: share each project with the API account of the key, as Contributor or more",
            ),
            _ => None,
        }
    }
}

/// The API leaves out a row that touches an edge, so that queries begin this many days before the first that counts.
const MARGIN: i64 = 7;
/// How many days after the last that counts a query of the current month ends.
const EDGE: i64 = 2;

/// From seven days before the first month to the end of tomorrow, or to seven days after the last month where that is
/// over, in UTC; `None` if no month is requested. The API leaves out a row that touches an edge, so both edges are well
/// outside the requested months.
fn date_range(poll: &PollRequest) -> Option<(Date, Date)> {
    let first = poll.months.iter().min()?.first_day();
    let last = poll.months.iter().max()?.last_day();
    let today = poll.now.to_zoned(TimeZone::UTC).date();
    Some((
        first.saturating_sub(MARGIN.days()),
        today
            .saturating_add(EDGE.days())
            .min(last.saturating_add(8.days())),
    ))
}
