//! Second sources of a closed month: what `reconcile` compares with the rows that a poll reads.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::future::BoxFuture;
use jiff::civil::Date;

use super::{Part, PollRequest};
use crate::{
    charge::{
        Amount, ChargeError, LabelSet, Measure, Month, MonthSource, Period, SharedSink, Sink, Sum,
    },
    error::{ProviderError, Reason},
};

/// A closed month of one account, as a poll reads it.
#[derive(Debug, Clone, Copy)]
pub struct ClosedMonth<'a> {
    /// The request that read it. It requests this month only.
    pub poll: &'a PollRequest,
    /// The parts that were read.
    pub parts: &'a [Part],
    /// What they were charged: their billed cost by currency, or consumed quantities by unit where the provider reports
    /// no cost.
    pub totals: &'a Totals,
}

impl ClosedMonth<'_> {
    /// The month.
    pub fn month(&self) -> Month {
        self.poll.months[0]
    }
}

/// One comparison of a closed month with a second source. It sends no request before it is run.
pub struct Check<'a> {
    /// What is compared with what: `daily rows against hourly rows`.
    pub name: &'static str,
    /// Whether it compares nothing with the month's totals, so that it can be run where a part could not be read.
    pub is_independent: bool,
    read: Box<dyn Fn() -> Reading<'a> + Send + Sync + 'a>,
}

type Reading<'a> = BoxFuture<'a, Result<Vec<Comparison>, ProviderError>>;

impl<'a> Check<'a> {
    /// A check by its name, and how what it compares is read.
    pub fn new<R>(name: &'static str, read: impl Fn() -> R + Send + Sync + 'a) -> Self
    where
        R: Future<Output = Result<Vec<Comparison>, ProviderError>> + Send + 'a,
    {
        Self {
            name,
            is_independent: false,
            read: Box::new(move || Box::pin(read())),
        }
    }

    /// Marks a check that compares nothing with the month's totals.
    #[must_use]
    pub fn independent(mut self) -> Self {
        self.is_independent = true;
        self
    }

    /// Reads what is compared; again after a pause that the provider requested. An error that shows that the API has no
    /// such source, or of another shape, means that the comparison is not available.
    pub fn run(&self) -> Reading<'a> {
        (self.read)()
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
    /// Whether it is a count, and no amount.
    pub is_count: bool,
    /// What the first figure is the sum of, if that is worth showing: names and figures, such as those of invoices.
    pub components: Vec<(String, f64)>,
}

impl Comparison {
    /// Two counts.
    pub fn counts(unit: &str, first: usize, second: usize) -> Self {
        Self {
            unit: unit.to_owned(),
            first: first as f64,
            second: second as f64,
            gross: (first + second) as f64,
            is_count: true,
            components: Vec::new(),
        }
    }
}

/// One measure by currency or unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals(BTreeMap<String, Total>);

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Total {
    net: Sum,
    gross: Sum,
}

impl Totals {
    /// Adds an amount.
    pub fn add(&mut self, unit: &str, amount: f64) {
        if !self.0.contains_key(unit) {
            self.0.insert(unit.to_owned(), Total::default());
        }
        if let Some(total) = self.0.get_mut(unit) {
            total.net.add(amount);
            total.gross.add(amount.abs());
        }
    }

    /// Each currency or unit with its total.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0
            .iter()
            .map(|(unit, total)| (unit.as_str(), total.net.value()))
    }

    /// Compares the totals of two sources, unit by unit. A unit that only one source has is 0 in the other.
    pub fn compare(&self, second: &Self) -> Vec<Comparison> {
        let units: BTreeSet<&String> = self.0.keys().chain(second.0.keys()).collect();
        units
            .into_iter()
            .map(|unit| {
                let [first, second] =
                    [self, second].map(|totals| totals.0.get(unit).copied().unwrap_or_default());
                Comparison {
                    unit: unit.clone(),
                    first: first.net.value(),
                    second: second.net.value(),
                    gross: first.gross.value() + second.gross.value(),
                    is_count: false,
                    components: Vec::new(),
                }
            })
            .collect()
    }
}

/// More groups are an error: an export may be of any size.
const MAX_GROUPS: usize = 100_000;
/// A longer name of a group is cut.
const MAX_NAME_CHARS: usize = 200;

/// Adds up one measure of what a second source charges in one month, by day, and by a dimension if one is named.
#[derive(Debug)]
pub(super) struct MonthTotals(Arc<Mutex<TotalsSink>>);

#[derive(Debug)]
struct TotalsSink {
    measure: Measure,
    month: Month,
    days: BTreeMap<Option<Date>, Totals>,
    /// The position of the dimension that groups are named by.
    dimension: Option<usize>,
    /// The number of each group.
    groups: HashMap<String, u32>,
    by_group: Vec<Totals>,
    withheld: bool,
}

impl MonthTotals {
    /// Nothing yet.
    pub(super) fn new(measure: Measure, month: Month) -> Self {
        Self(Arc::new(Mutex::new(TotalsSink {
            measure,
            month,
            days: BTreeMap::new(),
            dimension: None,
            groups: HashMap::new(),
            by_group: Vec::new(),
            withheld: false,
        })))
    }

    /// Nothing yet; it is added up by the dimension at a position, too.
    pub(super) fn by_dimension(measure: Measure, month: Month, position: usize) -> Self {
        let totals = Self::new(measure, month);
        totals.lock().dimension = Some(position);
        totals
    }

    fn lock(&self) -> MutexGuard<'_, TotalsSink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where to send charges. Those of other months and other measures are left out.
    pub(super) fn sink(&self) -> SharedSink {
        Arc::clone(&self.0) as SharedSink
    }

    /// The totals of each day; of no day where charges are those of the month. An error if the month was withheld.
    pub(super) fn days(&self) -> Result<BTreeMap<Option<Date>, Totals>, ProviderError> {
        let mut sums = self.lock();
        if sums.withheld {
            let message = format!("{} is not reported", sums.month);
            return Err(ProviderError::new(Reason::NotFound, message));
        }
        Ok(std::mem::take(&mut sums.days))
    }

    /// The totals by the dimension: of each of its values, and of the empty one.
    pub(super) fn groups(&self) -> BTreeMap<String, Totals> {
        let mut sums = self.lock();
        let totals = std::mem::take(&mut sums.by_group);
        let groups = std::mem::take(&mut sums.groups).into_iter();
        groups
            .filter_map(|(name, number)| Some((name, totals.get(number as usize)?.clone())))
            .collect()
    }

    /// The totals of all days.
    pub(super) fn total(&self) -> Result<Totals, ProviderError> {
        Ok(self.days()?.into_values().collect())
    }
}

impl FromIterator<Totals> for Totals {
    fn from_iter<I: IntoIterator<Item = Totals>>(all: I) -> Self {
        let mut sum = Self::default();
        for (unit, total) in all.into_iter().flat_map(|totals| totals.0) {
            let known = sum.0.entry(unit).or_default();
            known.net.add(total.net.value());
            known.gross.add(total.gross.value());
        }
        sum
    }
}

impl Sink for TotalsSink {
    fn label_set(&mut self, dimensions: &[&str]) -> Result<LabelSet, ChargeError> {
        let Some(position) = self.dimension else {
            // All label sets are added up.
            return Ok(LabelSet(0));
        };
        let name = dimensions.get(position).copied().unwrap_or_default();
        let name: String = name.chars().take(MAX_NAME_CHARS).collect();
        if let Some(&number) = self.groups.get(&name) {
            return Ok(LabelSet(number));
        }
        if self.groups.len() >= MAX_GROUPS {
            return Err(ChargeError::TooManySeries { limit: MAX_GROUPS });
        }
        let number = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        self.groups.insert(name, number);
        self.by_group.push(Totals::default());
        Ok(LabelSet(number))
    }

    fn charge_to(
        &mut self,
        LabelSet(group): LabelSet,
        period: Period,
        amounts: &[Amount<'_>],
    ) -> Result<(), ChargeError> {
        let day = match period {
            Period::Hour(hour) => Some(hour.date()),
            Period::Day(day) => Some(day),
            Period::Month(_) => None,
            Period::Now => return Ok(()),
        };
        if period.month() != Some(self.month) {
            return Ok(());
        }
        for amount in amounts {
            if amount.measure == self.measure {
                let totals = self.days.entry(day).or_default();
                totals.add(amount.unit, amount.value);
                if let Some(totals) = self.by_group.get_mut(group as usize) {
                    totals.add(amount.unit, amount.value);
                }
            }
        }
        Ok(())
    }

    fn rows(&mut self, _: u64) {}

    fn withhold(&mut self, month: Month) {
        self.withheld |= month == self.month;
    }

    fn report(&mut self, _: Month) {}

    fn month_rows(&mut self, _: Month, _: u64) {}

    fn missing(&mut self, _: Month, _: Measure, _: u64) {}

    fn withhold_measure(&mut self, _: Month, _: Measure) {}

    fn provisional(&mut self, _: Month) {}

    fn source(&mut self, _: Month, _: MonthSource) {}

    fn remark(&mut self, _: &str) {}

    fn month_remark(&mut self, _: Month, _: &str) {}
}
