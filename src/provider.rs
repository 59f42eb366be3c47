//! What a provider is: it lists its parts (`parts`), and fetches the charges of one (`fetch`).

use std::fmt;

use futures_util::future::BoxFuture;
use jiff::{Timestamp, civil::Date};

use self::second_source::{Check, ClosedMonth};
use crate::{
    charge::{Measure, Month, SharedSink},
    error::ProviderError,
};

pub mod activeplatform;
mod advice;
pub mod cloudcockpit;
pub mod config;
pub mod enube;
mod fetched;
pub mod focus;
pub mod mike;
pub mod otc;
pub mod registry;
pub mod second_source;
#[cfg(test)]
pub(crate) mod test_support;

pub use fetched::{Content, Deliveries, Delivery, Fetched, FetchedMonth, Fingerprint, Twins};

/// The label that shows a dimension by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Label `customer`.
    Customer,
    /// Label `project`.
    Project,
    /// Label `product`.
    Product,
}

/// One named dimension of a provider's charges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// Its name in `dimensions` and `extra_labels` of the configuration.
    pub name: String,
    /// The position of the dimension that is the id of this name, if that is another one. The id is shown where the
    /// name is empty.
    pub id: Option<usize>,
    /// The position of the dimension that describes this one.
    pub description: Option<usize>,
    /// The label that shows it by default.
    pub default_for: Option<Slot>,
}

impl Dimension {
    /// A dimension that is its own id.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            id: None,
            description: None,
            default_for: None,
        }
    }

    /// Sets the position of the dimension that is its id.
    #[must_use]
    pub fn id(mut self, position: usize) -> Self {
        self.id = Some(position);
        self
    }

    /// Sets the position of the dimension that describes it.
    #[must_use]
    pub fn description(mut self, position: usize) -> Self {
        self.description = Some(position);
        self
    }

    /// Sets the label that shows it by default.
    #[must_use]
    pub fn shown_as(mut self, slot: Slot) -> Self {
        self.default_for = Some(slot);
        self
    }
}

/// The time resolution at which a provider reports a measure; it decides which windows can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// Hours or days, the current day included: every window.
    CurrentDay,
    /// Days that are reported once they are over: every window but today.
    Day,
    /// Months: month to date and the previous month.
    Month,
    /// The time of the response only.
    Now,
}

/// How the previous month is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthFetch {
    /// Each month is a separate request, so the closed month is requested only while it may be restated. Each is a fetch
    /// of its own, which is accepted or rejected by itself.
    Each,
    /// Both months come with every poll.
    Both,
    /// Each month is looked at separately and read only where it changed, so every poll looks at the closed month while
    /// it may be restated.
    EachIfChanged,
}

/// What one poll requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollRequest {
    /// The requested months, oldest first. After a success these are replaced, as far as they were reported.
    pub months: Vec<Month>,
    /// The current billing month in the account's zone.
    pub current: Month,
    /// Today in the account's zone.
    pub today: Date,
    /// When the poll began.
    pub now: Timestamp,
}

/// What a provider fetches at once: a customer, a subscription, or the whole account. A month of a part is replaced as a
/// whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// Unique in the account, and the same across polls and restarts: `8f2c…/1b7d…`, or `account`.
    pub id: String,
    /// What `fetch` needs beside the id, such as names from discovery.
    pub attributes: Vec<(String, String)>,
}

impl Part {
    /// A part without attributes.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            attributes: Vec::new(),
        }
    }

    /// The only part of an account that is fetched as a whole.
    pub fn whole_account() -> Self {
        Self::new("account")
    }

    /// Adds an attribute.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes.push((name.to_owned(), value.into()));
        self
    }

    /// The value of an attribute; empty when there is none.
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

/// The connection of one account to one API.
///
/// It knows no Prometheus, state, clock, retry or other provider: the poller decides what happens when a part fails, and
/// [`Http`](crate::http_client::Http) retries single requests.
pub trait Provider: Send + Sync + fmt::Debug {
    /// The dimensions of every charge, in the order in which a charge has their values.
    fn dimensions(&self) -> &[Dimension];

    /// The measures that it may report, each with its granularity.
    fn measures(&self) -> Vec<(Measure, Granularity)>;

    /// How the previous month is fetched.
    fn month_fetch(&self) -> MonthFetch;

    /// The positions of the dimensions that identify a row, for a provider whose responses may leave out rows of a closed
    /// month: the known values of a missing row stay. Without any, the rows of a response are the whole month.
    fn identity(&self) -> &[usize] {
        &[]
    }

    /// The parts that exist now.
    fn parts<'a>(
        &'a self,
        poll: &'a PollRequest,
    ) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>>;

    /// Fetches one part and sends its charges to the sink; returns what that is, month by month. `known` has the
    /// deliveries that were accepted of this part. After an error the content of the sink is discarded.
    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        poll: &'a PollRequest,
        known: &'a Deliveries,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<Fetched, ProviderError>>;

    /// The health that the provider reports, for `explain` only; `None` if it has no such endpoint.
    fn health(&self) -> Option<BoxFuture<'_, Result<String, ProviderError>>> {
        None
    }

    /// The comparisons of a closed month with second sources of the API, for `reconcile` only.
    fn checks<'a>(&'a self, _: ClosedMonth<'a>) -> Vec<Check<'a>> {
        Vec::new()
    }
}
