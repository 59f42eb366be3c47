//! DHI MIKE Cloud, the consumption log: POST `/log/list` or `/log/my-list`, usage by day and stored quantities.
//!
//! Source: the consumption log's pages at develop.mike-cloud.com. Refresh: not documented; 15 to 60 minutes are
//! sensible. Permission: an Open API key, made by an owner in Cloud Admin and valid for a year; `list` reads the
//! whole tenant's log, `my-list` that of the key alone.

use std::sync::PoisonError;

use futures_util::future::BoxFuture;
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use serde_json::json;

use super::{
    Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider, Slot,
};
use crate::{
    charge::{Measure, SharedSink},
    error::{ProviderError, Reason},
    http_client::{Frame, Http, Pages},
};

pub use self::config::Config;
use self::{
    charges::{Collector, LogRows, Readings, contains, is_same},
    config::Log,
    responses::PageResponse,
};

mod charges;
mod config;
mod responses;
#[cfg(test)]
mod tests;

/// How many rows a page is requested to have.
const PAGE_SIZE: usize = 1000;
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
}

/// One query of the log, apart from the configured filters, which every query has.
#[derive(Clone, Copy)]
struct Query<'a> {
    from: Date,
    to: Date,
    metric_type: Option<&'a str>,
    by_day: bool,
}

impl Mike {
    /// First the flows, by day, in one query; then each level in a query of its own, with every reading.
    async fn usage(&self, poll: &PollRequest, sink: &SharedSink) -> Result<(), ProviderError> {
        let Some((from, to)) = date_range(poll) else {
            return Ok(());
        };
        let filter = self
            .filters
            .iter()
            .find(|(field, _)| *field == METRIC_TYPE)
            .map(|(_, value)| value.as_str());
        if filter.is_none_or(|metric_type| !self.is_level(metric_type)) {
            let query = Query {
                from,
                to,
                metric_type: filter,
                by_day: true,
            };
            let months = poll.months.clone();
            let levels = self.levels.clone();
            self.read_log(query, sink, Collector::Flows { months, levels })
                .await?;
        }
        if !poll.months.contains(&poll.current) {
            return Ok(());
        }
        let is_selected =
            |level: &&String| filter.is_none_or(|metric_type| is_same(metric_type, level));
        for level in self.levels.iter().filter(is_selected) {
            let query = Query {
                from,
                to,
                metric_type: Some(level),
                by_day: false,
            };
            let months = poll.months.clone();
            let readings = Readings::default();
            let collected = self
                .read_log(query, sink, Collector::Levels { months, readings })
                .await?;
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            collected
                .charge(&mut *sink)
                .map_err(|error| error.at(level, 0))?;
        }
        Ok(())
    }

    fn is_level(&self, metric_type: &str) -> bool {
        contains(&self.levels, metric_type)
    }

    /// Reads the rows of one query page by page, each as it arrives, and returns the collector that received them.
    async fn read_log(
        &self,
        query: Query<'_>,
        sink: &SharedSink,
        collector: Collector,
    ) -> Result<Collector, ProviderError> {
        let mut rows = LogRows {
            metric_type: query.metric_type.map(str::to_owned),
            pages: Pages::new(PAGE_SIZE, self.http.bounds().pages),
            collector,
        };
        loop {
            let mut request = self
                .http
                .post(&["log", self.log.as_str()])
                .page(rows.pages.next_number())
                .json(&self.body(query, rows.pages.received()));
            if let Some(version) = &self.api_version {
                request = request.header("api-version", version);
            }
            let read = self
                .http
                .rows(&request, Frame::Inside(&["data"]), sink, rows)
                .await
                .map_err(|error| self.explain_forbidden(error))?;
            let _: PageResponse = request.read(&read.envelope)?;
            rows = read.fold;
            if !rows.pages.end(&request.place())? {
                return Ok(rows.collector);
            }
        }
    }

    /// The body of a request. What `aggregateBy` does not name is not aggregated, so that every dimension is reported.
    fn body(&self, query: Query<'_>, offset: u64) -> serde_json::Value {
        let mut body = json!({
            "from": format!("{}T00:00:00Z", query.from),
            "to": format!("{}T00:00:00Z", query.to),
        });
        if query.by_day {
            body["aggregateBy"] = json!({ "Time": "day" });
        }
        for (field, value) in &self.filters {
            body[*field] = json!(value);
        }
        if let Some(metric_type) = query.metric_type {
            body[METRIC_TYPE] = json!(metric_type);
        }
        // Oldest first, so that rows logged meanwhile come last and move no row to another page. An aggregated row
        // has no id.
        body["sortBy"] = json!(if query.by_day { "ValidFrom" } else { "Id" });
        body["sortOrder"] = json!("Asc");
        body["offset"] = json!(offset);
        body["limit"] = json!(PAGE_SIZE);
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

/// From seven days before the first month to the end of tomorrow, or to seven days after the last month where that is
/// over, in UTC; `None` if no month is requested. The API leaves out a row that touches an edge, so both edges are well
/// outside the requested months.
fn date_range(poll: &PollRequest) -> Option<(Date, Date)> {
    let first = poll.months.iter().min()?.first_day();
    let last = poll.months.iter().max()?.last_day();
    let today = poll.now.to_zoned(TimeZone::UTC).date();
    Some((
        first.saturating_sub(7.days()),
        today
            .saturating_add(2.days())
            .min(last.saturating_add(8.days())),
    ))
}
