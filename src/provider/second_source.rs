//! Second sources of a closed month: what `reconcile` compares with the rows that a poll reads.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use jiff::civil::Date;

use super::{Part, PollRequest, Provider};
use crate::{
    charge::{Charge, ChargeError, Measure, Month, Period, SharedSink, Sink, Sum},
    error::{ProviderError, Reason},
};

/// A closed month of one account, as a poll reads it.
#[derive(Debug, Clone, Copy)]
pub struct ClosedMonth<'a> {
    /// The request that read it. It requests this month only.
    pub poll: &'a PollRequest,
    /// The parts that were read.
    pub parts: &'a [Part],
    /// Their billed cost by currency.
    pub billed: &'a Totals,
}

impl ClosedMonth<'_> {
    /// The month.
    pub fn month(&self) -> Month {
        self.poll.months[0]
    }
}

/// One comparison of a closed month with a second source. It sends no request before it is awaited.
pub struct Check<'a> {
    /// What is compared with what: `daily rows against hourly rows`.
    pub name: &'static str,
    /// Reads what is compared. An error that tells that the API has no such source, or of another shape, means that the
    /// comparison is not available.
    pub run: BoxFuture<'a, Result<Vec<Comparison>, ProviderError>>,
}

impl<'a> Check<'a> {
    /// A check by its name.
    pub fn new(
        name: &'static str,
        run: impl Future<Output = Result<Vec<Comparison>, ProviderError>> + Send + 'a,
    ) -> Self {
        Self {
            name,
            run: Box::pin(run),
        }
    }
}

impl fmt::Debug for Check<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check").field(&self.name).finish()
    }
}

/// Two figures that should agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The currency, or what is counted, such as `pairs`.
    pub unit: String,
    /// By the first source of the check's name.
    pub first: f64,
    /// By the second source.
    pub second: f64,
    /// The sum of the absolute amounts of both: sums of floating point numbers are as exact as these allow.
    pub gross: f64,
}

impl Comparison {
    /// Two counts.
    pub fn counts(unit: &str, first: usize, second: usize) -> Self {
        Self {
            unit: unit.to_owned(),
            first: first as f64,
            second: second as f64,
            gross: (first + second) as f64,
        }
    }
}

/// Billed cost by currency.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals(BTreeMap<String, Total>);

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Total {
    net: Sum,
    gross: Sum,
}

impl Totals {
    /// Adds an amount.
    pub fn add(&mut self, currency: &str, amount: f64) {
        if !self.0.contains_key(currency) {
            self.0.insert(currency.to_owned(), Total::default());
        }
        if let Some(total) = self.0.get_mut(currency) {
            total.net.add(amount);
            total.gross.add(amount.abs());
        }
    }

    /// Each currency with its total.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0
            .iter()
            .map(|(currency, total)| (currency.as_str(), total.net.value()))
    }

    /// Compares the totals of two sources, currency by currency. A currency that only one source has is 0 in the other.
    pub fn compare(&self, second: &Self) -> Vec<Comparison> {
        let currencies: BTreeSet<&String> = self.0.keys().chain(second.0.keys()).collect();
        currencies
            .into_iter()
            .map(|currency| {
                let [first, second] = [self, second]
                    .map(|totals| totals.0.get(currency).copied().unwrap_or_default());
                Comparison {
                    unit: currency.clone(),
                    first: first.net.value(),
                    second: second.net.value(),
                    gross: first.gross.value() + second.gross.value(),
                }
            })
            .collect()
    }
}

/// Reads the requested month of some parts from a provider, with all their billed cost or only that of one day.
pub(super) async fn read_totals(
    provider: &dyn Provider,
    parts: &[Part],
    poll: &PollRequest,
    day: Option<Date>,
) -> Result<Totals, ProviderError> {
    let totals = Arc::new(Mutex::new(TotalsSink {
        day,
        totals: Totals::default(),
        withheld: false,
    }));
    let sink: SharedSink = Arc::clone(&totals) as SharedSink;
    for part in parts {
        provider.fetch(part, poll, &sink).await?;
    }
    let mut read = totals.lock().unwrap_or_else(PoisonError::into_inner);
    if read.withheld {
        let message = format!("{} is not reported", poll.months[0]);
        return Err(ProviderError::new(Reason::NotFound, message));
    }
    Ok(std::mem::take(&mut read.totals))
}

/// Adds the billed cost of the charges that it receives.
struct TotalsSink {
    /// The only day that counts, if not all do.
    day: Option<Date>,
    totals: Totals,
    /// Whether a month is not reported.
    withheld: bool,
}

impl Sink for TotalsSink {
    fn charge(&mut self, charge: &Charge<'_>) -> Result<(), ChargeError> {
        let counts = self.day.is_none_or(|day| match charge.period {
            Period::Hour(hour) => hour.date() == day,
            Period::Day(of) => of == day,
            Period::Month(_) | Period::Now => false,
        });
        let billed = charge
            .amounts
            .iter()
            .filter(|amount| amount.measure == Measure::BilledCost);
        for amount in billed.filter(|_| counts) {
            if !amount.value.is_finite() {
                return Err(ChargeError::NotFinite);
            }
            self.totals.add(amount.unit, amount.value);
        }
        Ok(())
    }

    fn rows(&mut self, _: u64) {}

    fn withhold(&mut self, _: Month) {
        self.withheld = true;
    }

    fn report(&mut self, _: Month) {}

    fn remark(&mut self, _: &str) {}
}
