//! What a provider is: one question (`parts`), one answer (`fetch`), errors with closed reasons, the closed list.

use std::fmt;

use futures_util::future::BoxFuture;
use jiff::{Timestamp, civil::Date};

use crate::charge::{Measure, Month, SharedSink};
use crate::error::ProviderError;

pub mod activeplatform;
mod advice;
pub mod cloudcockpit;
pub mod config;
pub mod enube;
pub mod mike;
pub mod otc;
pub mod registry;
#[cfg(test)]
pub(crate) mod test_support;

/// Which of the three labels a dimension fills unless the configuration says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Label `customer`.
    Customer,
    /// Label `project`.
    Project,
    /// Label `product`.
    Product,
}

/// One named dimension that a provider offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dimension {
    /// The name that `dimensions` and `extra_labels` of the configuration use.
    pub name: String,
    /// The position of the dimension that holds the id of this name, if the id is another one. An empty name
    /// shows the id.
    pub id: Option<usize>,
    /// The position of the dimension that describes this one.
    pub description: Option<usize>,
    /// The label that it fills by default.
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

    /// Names the dimension that holds its id.
    #[must_use]
    pub fn id(mut self, position: usize) -> Self {
        self.id = Some(position);
        self
    }

    /// Names the dimension that describes it.
    #[must_use]
    pub fn description(mut self, position: usize) -> Self {
        self.description = Some(position);
        self
    }

    /// Shows it in this label by default.
    #[must_use]
    pub fn shown_as(mut self, slot: Slot) -> Self {
        self.default_for = Some(slot);
        self
    }
}

/// How finely a provider tells a measure in time, and so which windows can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// Hours or days, the running day included: every window.
    RunningDay,
    /// Days that are told once they are over: every window but today.
    Day,
    /// Months: month to date and the previous month.
    Month,
    /// The moment of the answer.
    Now,
}

/// How the previous month is had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthFetch {
    /// Each month is a request of its own, so the closed one is asked for only while it may be restated.
    Each,
    /// Both months come with every poll.
    Both,
}

/// What is asked for in one poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollRequest {
    /// The months wanted, oldest first. After a success these are replaced, as far as they were reported.
    pub months: Vec<Month>,
    /// The running billing month in the account's zone.
    pub current: Month,
    /// Today in the account's zone.
    pub today: Date,
    /// The moment the poll began.
    pub now: Timestamp,
}

/// What a provider asks for by itself, and the unit of whole or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// Stable over polls and restarts, and unique in the account: `8f2c…/1b7d…`, or `account`.
    pub id: String,
    /// What `fetch` needs beside the id, such as names that discovery told.
    pub facts: Vec<(String, String)>,
}

impl Part {
    /// A part without facts.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            facts: Vec::new(),
        }
    }

    /// The one part of an account that is asked for as a whole.
    pub fn whole_account() -> Self {
        Self::new("account")
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.facts.push((name.to_owned(), value.into()));
        self
    }

    /// A fact's value; empty when there is none.
    pub fn fact(&self, name: &str) -> &str {
        self.facts
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value)
    }
}

/// One account's connection to one API.
///
/// It knows no Prometheus, no snapshot, no clock, no other provider and no retry: the poller decides what
/// happens when a part fails, [`http::Http`] repeats single requests.
pub trait Provider: Send + Sync + fmt::Debug {
    /// The dimensions of every charge, in the order in which charges give their values.
    fn dimensions(&self) -> &[Dimension];

    /// The measures it may report, and how finely.
    fn measures(&self) -> Vec<(Measure, Granularity)>;

    /// How the previous month is had.
    fn month_fetch(&self) -> MonthFetch;

    /// The positions of the dimensions by which a row of a closed month is known, where an answer may leave rows out:
    /// what was known of a row that is missing stays. Without any, the rows of a month are all of it.
    fn identity(&self) -> &[usize] {
        &[]
    }

    /// Which parts there are now.
    fn parts<'a>(&'a self, ask: &'a PollRequest)
    -> BoxFuture<'a, Result<Vec<Part>, ProviderError>>;

    /// Asks for one part and hands its charges to the sink. On an error the sink's content is thrown away.
    fn fetch<'a>(
        &'a self,
        part: &'a Part,
        ask: &'a PollRequest,
        sink: &'a SharedSink,
    ) -> BoxFuture<'a, Result<(), ProviderError>>;

    /// What the provider says about its own health, for `explain` alone; `None` where it says nothing.
    fn health(&self) -> Option<BoxFuture<'_, Result<String, ProviderError>>> {
        None
    }
}
