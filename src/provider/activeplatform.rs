//! `ActivePlatform`, monthly expenses: GET `/api/v3/analytics_monthly` for each subscription.
//!
//! Source: the reseller API reference at docs.activeplatform.com. Refresh: not documented; hourly is plenty.
//! Permission: the API token of a manager, who must see the subscriptions, and the reseller where they are
//! discovered. Amounts are in the reseller's currency and leave the partner's discounts out; negative ones are refunds.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use futures_util::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::{
    Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider, Slot,
};
use crate::{
    charge::{Measure, Month, SharedSink, currency::is_currency},
    error::ProviderError,
    http_client::{Folded, Frame, Http, PageContent, Pages, Request},
};

pub use self::config::Config;
use self::{
    charges::Expenses,
    config::PeriodMode,
    responses::{AnalyticsResponse, ResellerResponse, SubscriptionsResponse, subscriptions},
};

mod charges;
mod config;
mod responses;
#[cfg(test)]
mod tests;

/// The documented default, which every server must support.
const PAGE_SIZE: usize = 50;
/// How long a reseller's currency is cached.
const CURRENCY_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// Whose expenses are fetched.
#[derive(Debug)]
enum Scope {
    Subscriptions(Vec<String>),
    Reseller(String),
}

/// One account's connection to one installation.
#[derive(Debug)]
struct ActivePlatform {
    http: Http,
    scope: Scope,
    /// As configured; `None` for the reseller's.
    currency: Option<String>,
    period_mode: PeriodMode,
    /// Whether the last successful request needed dates.
    dates_needed: AtomicBool,
    /// The reseller's currency and when it was read.
    cached_currency: Mutex<Option<(Timestamp, String)>>,
    dimensions: Vec<Dimension>,
    tags: Vec<String>,
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
        vec![(Measure::BilledCost, Granularity::Month)]
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
                Scope::Reseller(id) => self.discover(id, poll.now).await,
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
            let read = self.expenses(part, poll, sink).await;
            let read = read.map_err(|error| match &self.scope {
                // A reseller also lists subscriptions for which there are no expenses, such as those of other products.
                Scope::Reseller(_) if matches!(error.status(), Some(404 | 422)) => {
                    error.not_applicable()
                }
                _ => error,
            });
            read.map(|()| Fetched::replaced())
        })
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
    /// The reseller's subscriptions in every state: one that has stopped still has cost. Each part has the currency,
    /// so that it can be fetched while the reseller cannot be read.
    async fn discover(&self, reseller: &str, now: Timestamp) -> Result<Vec<Part>, ProviderError> {
        let currency = match &self.currency {
            Some(currency) => currency.clone(),
            None => self.reseller_currency(reseller, now).await?,
        };
        let mut parts = Vec::new();
        let mut pages = Pages::new(PAGE_SIZE, self.http.bounds().pages);
        loop {
            let number = pages.next_number();
            let request = self
                .get(&["api", "v3", "resellers", reseller, "subscriptions"])
                .query("page[number]", &number.to_string())
                .query("page[size]", &PAGE_SIZE.to_string());
            let body = self.http.body(&request).await?;
            let page: SubscriptionsResponse<'_> = request.read(&body)?;
            let place = format!("{}: page {number}", request.place());
            let mut parts_of_page = subscriptions(&page.data, &currency, &place)?;
            let content =
                pages.retain_new(&request.place(), &mut parts_of_page, |part| part.id.clone())?;
            parts.extend(parts_of_page);
            let is_last = match content {
                PageContent::New => page.links.is_some_and(|links| links.is_last()),
                PageContent::Repeated => !page.links.is_some_and(|links| links.has_next()),
                PageContent::Empty => true,
            };
            if is_last {
                return Ok(parts);
            }
        }
    }

    /// The reseller's currency, read once a day.
    async fn reseller_currency(
        &self,
        reseller: &str,
        now: Timestamp,
    ) -> Result<String, ProviderError> {
        let cached = self
            .cached_currency
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some((read, currency)) = cached
            && now.duration_since(read) < CURRENCY_LIFETIME
        {
            return Ok(currency);
        }
        let request = self.get(&["api", "v3", "resellers", reseller]);
        let response: ResellerResponse = self.http.json(&request).await?;
        let currency = response.data.attributes.general.currency;
        if !is_currency(&currency) {
            return Err(ProviderError::malformed(format!(
                "{}: field currency: must be three capital letters",
                request.place()
            )));
        }
        *self
            .cached_currency
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some((now, currency.clone()));
        Ok(currency)
    }

    /// The expenses of one subscription, all months in one request.
    async fn expenses(
        &self,
        part: &Part,
        poll: &PollRequest,
        sink: &SharedSink,
    ) -> Result<(), ProviderError> {
        let (Some(&first), Some(&last)) = (poll.months.iter().min(), poll.months.iter().max())
        else {
            return Ok(());
        };
        let currency = match (&self.currency, part.attribute("currency"), &self.scope) {
            (Some(currency), ..) => currency.clone(),
            (None, "", Scope::Reseller(id)) => self.reseller_currency(id, poll.now).await?,
            (None, currency, _) => currency.to_owned(),
        };
        let collector = || Expenses {
            part: part.clone(),
            months: poll.months.clone(),
            currency: currency.clone(),
            tags: self.tags.clone(),
            rows: 0,
            first_rows: Vec::new(),
        };
        let (request, read) = self
            .request_months(&part.id, (first, last), poll, sink, collector)
            .await?;
        let response: AnalyticsResponse<'_> = request.read(&read.envelope)?;
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        read.fold.finish(&response, &request.place(), &mut *sink)
    }

    /// Requests with the parameters that worked last, and with the others if those are refused.
    async fn request_months(
        &self,
        subscription: &str,
        (first, last): (Month, Month),
        poll: &PollRequest,
        sink: &SharedSink,
        collector: impl Fn() -> Expenses,
    ) -> Result<(Request, Folded<Expenses>), ProviderError> {
        const ROWS: Frame = Frame::Inside(&["subscription", "items"]);
        let (parameters, fallback) = match self.period_mode {
            PeriodMode::Periods => (PeriodParameters::Periods, None),
            PeriodMode::Dates => (PeriodParameters::Dates, None),
            PeriodMode::Auto if self.dates_needed.load(Ordering::Relaxed) => {
                (PeriodParameters::Both, Some(PeriodParameters::Periods))
            }
            PeriodMode::Auto => (PeriodParameters::Periods, Some(PeriodParameters::Both)),
        };
        let build_request = |parameters: PeriodParameters| {
            let mut request = self
                .get(&["api", "v3", "analytics_monthly"])
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
        self.dates_needed
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
