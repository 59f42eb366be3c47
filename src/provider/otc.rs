//! Open Telekom Cloud: consumption by day or by hour, one request per month.
//!
//! Endpoint: GET `v2/daily/consumption/` or `v2/hourly/consumption/`, NDJSON. Source: the Enterprise Dashboard API v2,
//! docs.otc.t-systems.com/enterprise-dashboard. Refresh: daily rows once a day at 02:30 UTC, hourly rows every hour;
//! the API caches equal requests for an hour. Permission: a Grafana API key with the role Admin.

mod charges;
mod checks;
mod config;
mod filters;
mod repeats;
mod responses;
mod tags;
#[cfg(test)]
mod tests;
mod times;

use std::{
    panic,
    sync::{Arc, PoisonError},
};

use futures_util::future::BoxFuture;
use jiff::civil::Date;

use crate::{
    charge::{Measure, Month, SharedSink},
    error::{ProviderError, Reason},
    http_client::{Frame, Http, Request},
    provider::{
        Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider,
        second_source::{Check, ClosedMonth},
    },
};

pub use config::Config;

use charges::{ConsumptionFold, RowContext};
use config::Endpoint;
use responses::HealthResponse;

/// The connection of one account.
#[derive(Debug)]
struct Otc {
    http: Http,
    /// Pairs of the query, in the order of the documentation.
    filters: Vec<(&'static str, String)>,
    dimensions: Vec<Dimension>,
    context: Arc<RowContext>,
}

impl Provider for Otc {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        match self.context.endpoint {
            Endpoint::Daily => vec![
                (Measure::BilledCost, Granularity::Day),
                (Measure::ConsumedQuantity, Granularity::Day),
            ],
            Endpoint::Hourly => vec![
                (Measure::BilledCost, Granularity::CurrentDay),
                (Measure::ListCost, Granularity::CurrentDay),
                (Measure::ConsumedQuantity, Granularity::CurrentDay),
            ],
        }
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Each
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
            for &month in &poll.months {
                let requested = Requested::Month(month);
                self.rows(requested, &self.context, sink).await?;
            }
            Ok(Fetched::replaced())
        })
    }

    fn health(&self) -> Option<BoxFuture<'_, Result<String, ProviderError>>> {
        Some(Box::pin(async {
            let request = self.http.get(&["v2", "health"]).anonymous();
            let health: HealthResponse = self.http.json(&request).await?;
            Ok(health.status)
        }))
    }

    fn checks<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        self.compare(month)
    }
}

/// The period of a request. It always names one: without it, the response may contain all history.
#[derive(Debug, Clone, Copy)]
enum Requested {
    Month(Month),
    Day(Date),
}

impl Requested {
    fn month(self) -> Month {
        match self {
            Self::Month(month) => month,
            Self::Day(day) => Month::of(day),
        }
    }
}

impl Otc {
    /// Fetches the rows of one period, as the context says.
    async fn rows(
        &self,
        requested: Requested,
        context: &Arc<RowContext>,
        sink: &SharedSink,
    ) -> Result<(), ProviderError> {
        let request = self.consumption(requested, context);
        let rows = ConsumptionFold::new(requested.month(), Arc::clone(context));
        let folded = self.http.rows(&request, Frame::Bare, sink, rows).await?;
        let (rows, sink) = (folded.fold, SharedSink::clone(sink));
        let is_long = rows.keeps_rows();
        let finish = move || {
            let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
            let finished = rows.finish(&mut *sink);
            finished.map_err(|error| error.of_rows(&request.place()))
        };
        if is_long {
            on_blocking_thread(finish).await
        } else {
            finish()
        }
    }

    fn consumption(&self, requested: Requested, context: &RowContext) -> Request {
        let mut request = self
            .http
            .get(&["v2", context.endpoint.path(), "consumption", ""])
            .header("accept", "application/x-ndjson");
        request = match requested {
            Requested::Month(month) => request
                .query("year", &month.year().to_string())
                .query("month", &month.month().to_string()),
            Requested::Day(day) => request.query("date", &day.to_string()),
        };
        for (key, value) in &self.filters {
            request = request.query(key, value);
        }
        if context.show_tag {
            request = request.query("show_tag", "true");
        }
        request
    }
}

/// Charges rows that were kept, of which there may be a million, where no other task waits for it.
async fn on_blocking_thread(
    work: impl FnOnce() -> Result<(), ProviderError> + Send + 'static,
) -> Result<(), ProviderError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => panic::resume_unwind(panic),
        Err(_) => Err(ProviderError::new(
            Reason::Timeout,
            "the exporter is shutting down",
        )),
    })
}
