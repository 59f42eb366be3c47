//! enube Rocket: Azure, AWS and GCP through a reseller, by customer, subscription or reseller, one month at a time.
//!
//! Endpoint: POST `{azure,aws,gcp}/usages`, and `{azure,aws,gcp}/filters/customers` to find the customers. Source: the
//! Rocket analytics v4 documentation of the partner portal. Refresh: not documented; every few hours is sensible.
//! Permission: a user whose profile reaches the customers; the profile is the default scope of every request.

mod charges;
mod checks;
mod config;
mod login;
mod responses;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, sync::PoisonError};

use futures_util::future::BoxFuture;
use serde_json::value::RawValue;

use crate::{
    charge::{Measure, Month, SharedSink},
    error::ProviderError,
    http_client::Http,
    provider::{
        Content, Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest,
        Provider, Twins,
        second_source::{Check, ClosedMonth},
    },
};

pub use config::Config;

use charges::{MonthScope, RowContext, SAME_SUBSCRIPTIONS, UsageRows, customer_parts, decode};
use config::Detail;
use responses::{Filter, FiltersRequest};

/// The connection of one account.
#[derive(Debug)]
struct Enube {
    http: Http,
    /// One request for each; a single request without a catalog if there is none.
    catalogs: Vec<String>,
    cost: String,
    invoice_type: String,
    /// In the order of the documentation; one that is not set has no values.
    filters: [(&'static str, Vec<String>); 6],
    dimensions: Vec<Dimension>,
    identity: Vec<usize>,
    context: RowContext,
}

/// The filter that is replaced by the customer of a part, and the fact of the part that holds the customer's name.
const CUSTOMER_ID: &str = "customer_id";
const NAME_FACT: &str = "name";

impl Provider for Enube {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn identity(&self) -> &[usize] {
        &self.identity
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        vec![
            (Measure::BilledCost, Granularity::Month),
            (Measure::ProviderForecast, Granularity::Now),
            (Measure::ProviderEstimate, Granularity::Now),
        ]
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(
        &'a self,
        poll: &'a PollRequest,
    ) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async move {
            match self.context.detail {
                Detail::Customers | Detail::Resellers => Ok(vec![Part::whole_account()]),
                Detail::Subscriptions => self.customers(poll).await,
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
            let mut ids = BTreeSet::new();
            for scope in MonthScope::of(poll) {
                let responses = self.usages(part, scope.month).await?;
                let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                decode(&responses, part, scope, &self.context, &mut *sink)?;
                if self.context.detail == Detail::Subscriptions {
                    ids.extend(responses.iter().flat_map(UsageRows::ids));
                }
            }
            // The API would report the same subscriptions for every customer if it ignored the filter.
            let content = (!ids.is_empty()).then(|| Content {
                hash: Content::hash(&ids),
                twins: Twins::Refused(SAME_SUBSCRIPTIONS),
            });
            Ok(Fetched::replaced().with_content(content))
        })
    }

    fn checks<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        self.compare(month)
    }
}

impl Enube {
    /// One part for each customer that was charged in the previous, the current or a requested month, so that a
    /// customer that left keeps its last month.
    async fn customers(&self, poll: &PollRequest) -> Result<Vec<Part>, ProviderError> {
        let path = [self.context.cloud.as_str(), "filters", "customers"];
        let months = || poll.months.iter().copied();
        let from = months().chain([poll.current.previous()]).min();
        let to = months().chain([poll.current]).max();
        let filters = self.filters(
            (from.unwrap_or(poll.current), to.unwrap_or(poll.current)),
            Detail::Customers,
            None,
            self.catalogs.iter(),
        );
        let request = self.http.post(&path).json(&filters);
        let listed: Option<Vec<Box<RawValue>>> = self.http.json(&request).await?;
        customer_parts(&listed.unwrap_or_default(), self.values_of(CUSTOMER_ID))
            .map_err(|(row, error)| error.at(&request.place(), row))
    }

    /// What a part was charged in a month: one response for each catalog, or one for all.
    async fn usages(&self, part: &Part, month: Month) -> Result<Vec<UsageRows<'_>>, ProviderError> {
        let catalogs = self.each_catalog();
        self.usages_of(self.context.detail, part, month, &catalogs)
            .await
    }

    /// The catalogs of each request.
    fn each_catalog(&self) -> Vec<&[String]> {
        if self.catalogs.is_empty() {
            return vec![&[]];
        }
        self.catalogs.chunks(1).collect()
    }

    /// The same in a view and with these catalogs, of which one request may name several.
    async fn usages_of<'s>(
        &'s self,
        detail: Detail,
        part: &Part,
        month: Month,
        catalogs: &[&'s [String]],
    ) -> Result<Vec<UsageRows<'s>>, ProviderError> {
        let customer = match detail {
            Detail::Customers | Detail::Resellers => None,
            Detail::Subscriptions => Some(part.id.as_str()),
        };
        let mut responses = Vec::with_capacity(catalogs.len());
        for catalogs in catalogs {
            let filters = self.filters((month, month), detail, customer, catalogs.iter());
            let path = [self.context.cloud.as_str(), "usages"];
            let request = self.http.post(&path).json(&filters);
            let rows: Option<Vec<Box<RawValue>>> = self.http.json(&request).await?;
            responses.push(UsageRows {
                catalog: match catalogs {
                    [catalog] => catalog,
                    _ => "",
                },
                place: request.place(),
                rows: rows.unwrap_or_default(),
            });
        }
        Ok(responses)
    }

    /// The body of a request: every filter in the order of the documentation, an empty text for one that is not set.
    fn filters<'a>(
        &'a self,
        (from, to): (Month, Month),
        detail: Detail,
        customer: Option<&'a str>,
        catalogs: impl Iterator<Item = &'a String>,
    ) -> FiltersRequest<'a> {
        let mut filters = vec![
            Filter::new("start_time", from.first_day().to_string()),
            Filter::new("end_time", to.last_day().to_string()),
        ];
        for (key, values) in &self.filters {
            match (*key, customer, values.as_slice()) {
                (CUSTOMER_ID, Some(customer), _) => filters.push(Filter::new(key, customer)),
                (_, _, []) => filters.push(Filter::new(key, "")),
                (_, _, values) => {
                    filters.extend(values.iter().map(|value| Filter::new(key, value.as_str())));
                }
            }
        }
        filters.extend([
            Filter::new("view", detail.view()),
            Filter::new("invoice_type", self.invoice_type.as_str()),
            Filter::new("cost", self.cost.as_str()),
        ]);
        filters.extend(catalogs.map(|catalog| Filter::new("catalog", catalog.as_str())));
        FiltersRequest { filters }
    }

    /// The values of one filter.
    fn values_of(&self, key: &str) -> &[String] {
        self.filters
            .iter()
            .find(|(known, _)| *known == key)
            .map_or(&[], |(_, values)| values)
    }
}
