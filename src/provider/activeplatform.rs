//! `ActivePlatform`, expenses of subscriptions: GET `/api/v3/analytics_monthly` for final data, and for months that it does
//! not name GET `/api/v3/analytics_daily_drafts`.
//!
//! Source: the reseller API reference at docs.activeplatform.com. Refresh: not documented; hourly is plenty.
//! Permission: the API token of a manager, who must see the subscriptions, and the reseller where they are
//! discovered. Amounts are in the reseller's currency and leave the partner's discounts out; negative ones are refunds.

use std::{
    collections::BTreeSet,
    sync::{
        PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::{
    Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider, Slot,
    second_source::{Check, ClosedMonth},
};
use crate::{
    charge::{Measure, Month, SharedSink},
    error::ProviderError,
    http_client::{Fold, Folded, Frame, Http, Request},
};

pub use self::config::Config;
use self::{
    charges::Expenses,
    config::{CurrentMonth, PeriodMode},
    discovery::{Currencies, Scope},
    drafts::DraftsOff,
    responses::AnalyticsResponse,
};

mod charges;
mod checks;
mod config;
mod discovery;
mod drafts;
mod responses;
#[cfg(test)]
mod tests;

/// One account's connection to one installation.
#[derive(Debug)]
struct ActivePlatform {
    http: Http,
    scope: Scope,
    /// As configured; `None` for the reseller's.
    currency: Option<String>,
    period_mode: PeriodMode,
    current_month: CurrentMonth,
    /// Final data: months, with resources.
    monthly: Method,
    /// Drafts: days, with totals only.
    daily_drafts: Method,
    drafts_off: DraftsOff,
    currencies: Currencies,
    dimensions: Vec<Dimension>,
    tags: Vec<String>,
}

/// A method that reports months of a subscription.
#[derive(Debug)]
struct Method {
    /// The last segment of its path.
    name: &'static str,
    /// Whether the last successful request needed dates.
    dates_needed: AtomicBool,
}

impl Method {
    fn new(name: &'static str) -> Self {
        Self {
            name,
            dates_needed: AtomicBool::new(false),
        }
    }
}

fn dimensions(tags: &[String]) -> Vec<Dimension> {
    let mut dimensions = vec![
        Dimension::new("account_id").shown_as(Slot::Customer),
        Dimension::new("subscription_name")
            .id(3)
            .shown_as(Slot::Project),
        Dimension::new("category").shown_as(Slot::Product),
        Dimension::new("subscription_id"),
        Dimension::new("resource_group"),
        Dimension::new("resource_name"),
    ];
    dimensions.extend(tags.iter().map(|key| Dimension::new(format!("tag:{key}"))));
    dimensions
}

impl Provider for ActivePlatform {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        // Final data has months, drafts have days: a month of a part has either.
        let granularity = match self.current_month {
            CurrentMonth::Analytics => Granularity::Month,
            CurrentMonth::Auto | CurrentMonth::Drafts => Granularity::Day,
        };
        vec![(Measure::BilledCost, granularity)]
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(
        &'a self,
        poll: &'a PollRequest,
    ) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async move {
            match &self.scope {
                Scope::Subscriptions(ids) => Ok(ids.iter().map(Part::new).collect()),
                Scope::Reseller { id, downstream } => {
                    self.discover(id, *downstream, poll.now).await
                }
            }
        })
    }

    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        poll: &'a PollRequest,
        _: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        Box::pin(async move {
            self.expenses(part, poll, sink).await?;
            Ok(Fetched::replaced())
        })
    }

    fn checks<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        self.compare(month)
    }
}

/// The query parameters that select the months.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeriodParameters {
    Periods,
    Both,
    Dates,
}

impl ActivePlatform {
    /// The expenses of one subscription: final data for the months that it names, drafts for the current and the previous
    /// month otherwise. What neither names is withheld.
    async fn expenses(
        &self,
        part: &Part,
        poll: &PollRequest,
        sink: &SharedSink,
    ) -> Result<(), ProviderError> {
        let currency = self.currency_of(part, poll.now).await?;
        let is_final =
            |month: &Month| self.current_month != CurrentMonth::Drafts || *month != poll.current;
        let requested: Vec<Month> = poll.months.iter().copied().filter(is_final).collect();
        let named = self
            .final_expenses(part, poll, requested, &currency, sink)
            .await?;
        let unnamed: BTreeSet<Month> = poll
            .months
            .iter()
            .copied()
            .filter(|month| !named.contains(month))
            .collect();
        let drafted = match self.current_month {
            CurrentMonth::Analytics => BTreeSet::new(),
            CurrentMonth::Auto | CurrentMonth::Drafts => {
                self.drafts(part, poll, &unnamed, &currency, sink).await?
            }
        };
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        for &month in &unnamed {
            if drafted.contains(&month) {
                sink.report(month);
                sink.provisional(month);
            } else {
                sink.withhold(month);
            }
        }
        Ok(())
    }

    /// The currency of a part's amounts: each part that was discovered has it, so that it can be fetched while the
    /// reseller cannot be read.
    async fn currency_of(&self, part: &Part, now: Timestamp) -> Result<String, ProviderError> {
        match (&self.currency, part.attribute("currency"), &self.scope) {
            (Some(currency), ..) => Ok(currency.clone()),
            (None, "", Scope::Reseller { id, .. }) => self.reseller_currency(id, now).await,
            (None, currency, _) => Ok(currency.to_owned()),
        }
    }

    /// Final data of one subscription, all months in one request. Returns the months that it names.
    async fn final_expenses(
        &self,
        part: &Part,
        poll: &PollRequest,
        months: Vec<Month>,
        currency: &str,
        sink: &SharedSink,
    ) -> Result<Vec<Month>, ProviderError> {
        let (Some(&first), Some(&last)) = (months.iter().min(), months.iter().max()) else {
            return Ok(Vec::new());
        };
        let collector = || Expenses {
            part: part.clone(),
            months: months.clone(),
            currency: currency.to_owned(),
            tags: self.tags.clone(),
            rows: 0,
            first_rows: Vec::new(),
        };
        let (request, read) = self
            .request_months(
                &self.monthly,
                &part.id,
                (first, last),
                poll,
                sink,
                collector,
            )
            .await
            .map_err(|error| match &self.scope {
                // A reseller also lists subscriptions for which there are no expenses, such as those of other products.
                Scope::Reseller { .. } if matches!(error.status(), Some(404 | 422)) => {
                    error.not_applicable()
                }
                _ => error,
            })?;
        let response: AnalyticsResponse<'_> = request.read(&read.envelope)?;
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        read.fold.finish(&response, &request.place(), &mut *sink)
    }

    /// Requests with the parameters that worked last, and with the others if those are refused.
    async fn request_months<F: Fold>(
        &self,
        method: &Method,
        subscription: &str,
        (first, last): (Month, Month),
        poll: &PollRequest,
        sink: &SharedSink,
        collector: impl Fn() -> F,
    ) -> Result<(Request, Folded<F>), ProviderError> {
        const ROWS: Frame = Frame::Inside(&["subscription", "items"]);
        let (parameters, fallback) = match self.period_mode {
            PeriodMode::Periods => (PeriodParameters::Periods, None),
            PeriodMode::Dates => (PeriodParameters::Dates, None),
            PeriodMode::Auto if method.dates_needed.load(Ordering::Relaxed) => {
                (PeriodParameters::Both, Some(PeriodParameters::Periods))
            }
            PeriodMode::Auto => (PeriodParameters::Periods, Some(PeriodParameters::Both)),
        };
        let build_request = |parameters: PeriodParameters| {
            let mut request = self
                .get(&["api", "v3", method.name])
                .query("subscription_id", subscription);
            if parameters != PeriodParameters::Dates {
                request = request
                    .query("period_from", &first.to_string())
                    .query("period_to", &last.to_string());
            }
            if parameters != PeriodParameters::Periods {
                let to = last.last_day().min(poll.today);
                request = request
                    .query("date_from", &first.first_day().to_string())
                    .query("date_to", &to.to_string());
            }
            request
        };
        let request = build_request(parameters);
        let error = match self.http.rows(&request, ROWS, sink, collector()).await {
            Ok(read) => return Ok((request, read)),
            Err(error) => error,
        };
        let Some(fallback) = fallback.filter(|_| matches!(error.status(), Some(400 | 422))) else {
            return Err(error);
        };
        let request = build_request(fallback);
        let read = self.http.rows(&request, ROWS, sink, collector()).await?;
        method
            .dates_needed
            .store(fallback == PeriodParameters::Both, Ordering::Relaxed);
        Ok((request, read))
    }

    /// A GET with the media types that every call must name.
    fn get(&self, segments: &[&str]) -> Request {
        self.http
            .get(segments)
            .header("content-type", "application/vnd.api+json")
            .header("accept", "application/vnd.api+json")
    }
}
