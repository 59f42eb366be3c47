//! `CloudCockpit`, licence seats: GET `/v1/Customers/{customer}/licenses` for each customer and provider instance.
//!
//! Source: the CSP API v1 at developer.cloudcockpit.com. Refresh: seats are reported as they are at the moment of the
//! response; hourly is plenty. Permission: an API access (client id and secret) of the portal's settings, in the role
//! csp or reseller; the lists of customers and of provider instances are read to discover them, or for their names.

use std::{collections::HashMap, sync::PoisonError};

use futures_util::future::BoxFuture;

use super::{
    Deliveries, Dimension, Fetched, Granularity, MonthFetch, Part, PollRequest, Provider, Slot,
};
use crate::{
    charge::{Measure, SharedSink},
    error::{ProviderError, Reason},
    http_client::{Http, PageContent, Pages, Request},
    telemetry::error_chain,
};

pub use self::config::Config;
use self::responses::{ListEntry, PageResponse, incomplete_list, license_rows, list_entries};

mod charges;
mod config;
mod login;
mod responses;
#[cfg(test)]
mod tests;

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
        Box::pin(self.pairs())
    }

    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        _: &'a PollRequest,
        _: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>> {
        Box::pin(async move {
            self.licenses(part, sink).await?;
            Ok(Fetched::replaced())
        })
    }
}

/// Whether a list that failed once will fail again: the names that it would give are not worth the poll.
fn is_lasting(error: &ProviderError) -> bool {
    matches!(error.status(), Some(400 | 403 | 404 | 405))
        || matches!(error.reason(), Reason::Malformed | Reason::TooLarge)
}

impl CloudCockpit {
    /// Every customer with every provider instance. Which pairs are Microsoft ones shows only when they are fetched.
    async fn pairs(&self) -> Result<Vec<Part>, ProviderError> {
        let mut customers = self
            .http
            .get(&["v1", "Customers"])
            .query("includeDeleted", "false");
        if let Some(id) = &self.reseller_id {
            customers = customers.query("resellerId", id);
        }
        let instances = self.http.get(&["v1", "Providers", "Instances"]);
        let customers = self.select(&self.customers, &customers).await?;
        let instances = self.select(&self.instances, &instances).await?;
        Ok(customers
            .iter()
            .flat_map(|customer| instances.iter().map(move |instance| (customer, instance)))
            .map(|(customer, instance)| {
                Part::new(format!("{}/{}", customer.id, instance.id))
                    .with("customer_id", &customer.id)
                    .with("company_name", &customer.name)
                    .with("provider_instance_id", &instance.id)
                    .with("provider_instance_alias", &instance.name)
            })
            .collect())
    }

    /// The configured ids, with names where the list may be read; without configured ids, all that is listed.
    async fn select(
        &self,
        configured: &[String],
        request: &Request,
    ) -> Result<Vec<ListEntry>, ProviderError> {
        let entries = match self.list(request).await {
            Ok(entries) => entries,
            // This credential may not read the list, or nobody can. Any other error may be temporary, and labels must
            // not change with it.
            Err(error) if !configured.is_empty() && is_lasting(&error) => {
                tracing::info!(
                    account = self.http.account(),
                    error = error_chain::chain(&error),
                    "Cannot read the list of names, showing ids instead"
                );
                Vec::new()
            }
            Err(error) => return Err(error),
        };
        if configured.is_empty() {
            return Ok(entries.into_iter().filter(|entry| !entry.deleted).collect());
        }
        let mut names: HashMap<String, String> = entries
            .into_iter()
            .map(|entry| (entry.id.to_ascii_lowercase(), entry.name))
            .collect();
        Ok(configured
            .iter()
            .map(|id| ListEntry {
                id: id.clone(),
                name: names.remove(&id.to_ascii_lowercase()).unwrap_or_default(),
                deleted: false,
            })
            .collect())
    }

    /// All pages of a list.
    async fn list(&self, request: &Request) -> Result<Vec<ListEntry>, ProviderError> {
        let mut all = Vec::new();
        let mut pages = Pages::new(PAGE_SIZE, self.http.bounds().pages);
        loop {
            let number = pages.next_number();
            let request = self
                .with_headers(request.clone())
                .query("pageNumber", &number.to_string())
                .query("pageSize", &PAGE_SIZE.to_string());
            let body = self.http.body(&request).await?;
            let page: PageResponse<'_> = request.read(&body)?;
            let place = format!("{}: page {number}", request.place());
            let mut entries = list_entries(page.items.as_deref().unwrap_or_default(), &place)
                .map_err(|error| request.correlate(error))?;
            let content = pages
                .retain_new(&request.place(), &mut entries, |entry| {
                    entry.id.to_ascii_lowercase()
                })
                .map_err(|error| request.correlate(error))?;
            all.extend(entries);
            let received = pages.received();
            let has_next = page.has_next(number, received);
            let continues = match content {
                PageContent::New => has_next != Some(false),
                PageContent::Repeated => has_next == Some(true),
                PageContent::Empty => false,
            };
            if continues {
                continue;
            }
            let is_empty = page.items.as_ref().is_none_or(Vec::is_empty);
            if page.announces_more_than(received) || (is_empty && has_next == Some(true)) {
                return Err(request.correlate(incomplete_list(&place, received)));
            }
            return Ok(all);
        }
    }

    /// The licences of one customer at one provider instance.
    async fn licenses(&self, part: &Part, sink: &SharedSink) -> Result<(), ProviderError> {
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
            if is_of_others || matches!(error.status(), Some(400 | 404)) {
                error.not_applicable()
            } else {
                error
            }
        })?;
        let rows = license_rows(&request, &body)?;
        let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
        for (row, number) in rows.into_iter().zip(1..) {
            charges::charge(row, part, &mut *sink)
                .map_err(|error| request.correlate(error.at(&request.place(), number)))?;
        }
        Ok(())
    }

    /// A request with the headers that every call needs.
    fn with_headers(&self, request: Request) -> Request {
        request
            .header("accept", "application/json")
            .header("x-tenant", &self.tenant)
            .correlated("x-correlation-id")
    }
}
