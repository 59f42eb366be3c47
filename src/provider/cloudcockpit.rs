//! `CloudCockpit`, licence seats: GET `/v1/Customers/{customer}/licenses` for each customer and provider instance.
//!
//! Source: the CSP API v1 at developer.cloudcockpit.com. Refresh: seats are reported as they are at the moment of the
//! response; hourly is plenty. Permission: an API access (client id and secret) of the portal's settings, in the role
//! csp or reseller; `v1/Customers/mca` or `v1/subscriptions` is read to discover pairs of a customer and a provider
//! instance, `v1/Customers` and `v1/Providers/Instances` for their names.

use std::sync::PoisonError;

use futures_util::future::BoxFuture;

use super::{
    Content, Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider,
    Slot, Twins,
    second_source::{Check, ClosedMonth},
};
use crate::{
    charge::{Measure, SharedSink},
    error::ProviderError,
    http_client::{Http, Request},
};

pub use self::config::Config;
use self::{
    charges::LicenceCounts, config::Discovery, discovery::CONFIGURED, responses::license_rows,
};

mod charges;
mod checks;
mod config;
mod discovery;
mod login;
mod responses;
#[cfg(test)]
mod tests;

/// A remark on two instances, as `explain` and the status page show it.
const SAME_LICENCES: &str = "two provider instances of one customer have the same licences with the same counts: perhaps one Microsoft tenant that is listed twice, so that its seats count twice";

/// The largest documented page size.
const PAGE_SIZE: usize = 2000;

/// One account's connection to one portal.
#[derive(Debug)]
struct CloudCockpit {
    http: Http,
    /// The portal's domain.
    tenant: String,
    /// The configured ids; empty for all that are listed.
    customers: Vec<String>,
    /// The configured ids; empty for all that are listed.
    instances: Vec<String>,
    reseller_id: Option<String>,
    discovery: Discovery,
    dimensions: Vec<Dimension>,
}

/// In the order in which `charges` gives their values.
fn dimensions() -> Vec<Dimension> {
    vec![
        Dimension::new("company_name")
            .id(3)
            .shown_as(Slot::Customer),
        Dimension::new("provider_instance_alias")
            .id(4)
            .shown_as(Slot::Project),
        Dimension::new("license_name").id(5).shown_as(Slot::Product),
        Dimension::new("customer_id"),
        Dimension::new("provider_instance_id"),
        Dimension::new("sku_id"),
    ]
}

impl Provider for CloudCockpit {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        [
            Measure::Seats,
            Measure::AssignedSeats,
            Measure::AvailableSeats,
            Measure::SuspendedSeats,
        ]
        .map(|measure| (measure, Granularity::Now))
        .to_vec()
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(&'a self, _: &'a PollRequest) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(self.discover(self.discovery))
    }

    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        _: &'a PollRequest,
        _: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        Box::pin(async move {
            let content = self.licenses(part, sink).await?;
            Ok(Fetched::replaced().with_content(content))
        })
    }

    fn checks<'a>(&'a self, month: ClosedMonth<'a>) -> Vec<Check<'a>> {
        self.compare(month)
    }
}

impl CloudCockpit {
    /// The licences of one customer at one provider instance.
    async fn licenses(
        &self,
        part: &Part,
        sink: &SharedSink,
    ) -> Result<Option<Content>, ProviderError> {
        let customer = part.attribute("customer_id");
        let mut request = self
            .with_headers(self.http.get(&["v1", "Customers", customer, "licenses"]))
            .query("providerInstanceId", part.attribute("provider_instance_id"));
        if let Some(id) = &self.reseller_id {
            request = request.query("resellerId", id);
        }
        let body = self.http.body(&request).await.map_err(|error| {
            // A reseller may list customers of others, whose licences it may not read.
            let is_of_others = error.status() == Some(403) && self.reseller_id.is_some();
            let is_no_pair = is_of_others || matches!(error.status(), Some(400 | 404));
            if is_no_pair && part.attribute(CONFIGURED).is_empty() {
                error.not_applicable()
            } else {
                error
            }
        })?;
        let rows = license_rows(&request, &body)?;
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seats = Vec::with_capacity(rows.len());
        for (row, number) in rows.into_iter().zip(1..) {
            let charged = charges::charge(row, part, &mut *sink)
                .map_err(|error| request.correlate(error.at(&request.place(), number)))?;
            seats.push(charged);
        }
        seats.sort_unstable();
        let has_seats = seats.iter().any(LicenceCounts::has_any);
        Ok(has_seats.then(|| Content {
            hash: Content::hash(&(customer.to_ascii_lowercase(), seats)),
            twins: Twins::Remarked(SAME_LICENCES),
        }))
    }

    /// A request with the headers that every call needs.
    fn with_headers(&self, request: Request) -> Request {
        request
            .header("accept", "application/json")
            .header("x-tenant", &self.tenant)
            .correlated("x-correlation-id")
    }
}
