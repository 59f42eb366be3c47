//! The charge, which every provider emits, whatever its API looks like. Plain data, no I/O.

use std::sync::{Arc, Mutex};

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
};

pub mod currency;
mod month;
mod sum;

pub use month::{Month, ParseMonthError, start_of_day};
pub use sum::Sum;

/// What is measured: a closed set, since the exposition has a metric for each.
///
/// The names are those of FOCUS (FinOps Open Cost and Usage Specification) where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// What is billed, after discounts, as the provider reports it.
    BilledCost,
    /// The part of the billed cost that is charged once or by subscription: forecasts count it, but do not extrapolate
    /// it. Not exposed by itself.
    FixedCost,
    /// The part of the billed cost that was paid in advance: it is not forecast. Not exposed by itself.
    PrepaidCost,
    /// The billed cost with commitments spread over the usage that they cover.
    EffectiveCost,
    /// Cost before discounts.
    ListCost,
    /// Cost at contract prices, before commitment discounts.
    ContractedCost,
    /// The provider's own forecast of the whole month.
    ProviderForecast,
    /// The provider's second estimate of the whole month.
    ProviderEstimate,
    /// Usage, a flow: it adds over time.
    ConsumedQuantity,
    /// Usage in the unit in which it is priced, a flow: it adds over time.
    PricingQuantity,
    /// Usage, a level: the newest reading counts.
    StoredQuantity,
    /// Licence seats bought.
    Seats,
    /// Licence seats assigned to a user.
    AssignedSeats,
    /// Licence seats that can still be assigned.
    AvailableSeats,
    /// Licence seats suspended by the seller.
    SuspendedSeats,
}

impl Measure {
    /// Whether the amount is money, so that its unit is a currency.
    pub fn is_cost(self) -> bool {
        matches!(
            self,
            Self::BilledCost
                | Self::FixedCost
                | Self::PrepaidCost
                | Self::EffectiveCost
                | Self::ListCost
                | Self::ContractedCost
                | Self::ProviderForecast
                | Self::ProviderEstimate
        )
    }

    /// The name of the cost basis that it is, where it is one: amounts of the same charges, which are never added.
    pub fn cost_basis(self) -> Option<&'static str> {
        match self {
            Self::BilledCost => Some("billed"),
            Self::EffectiveCost => Some("effective"),
            Self::ListCost => Some("list"),
            Self::ContractedCost => Some("contracted"),
            _ => None,
        }
    }

    /// Whether the amount counts licences, so that it has no unit.
    pub fn is_seats(self) -> bool {
        matches!(
            self,
            Self::Seats | Self::AssignedSeats | Self::AvailableSeats | Self::SuspendedSeats
        )
    }
}

/// The charge period: half open, in the account's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Period {
    /// The hour that starts at this local time.
    Hour(DateTime),
    /// A local day.
    Day(Date),
    /// A whole billing month.
    Month(Month),
    /// The time of the response: levels, seats, forecasts.
    Now,
}

impl Period {
    /// The billing month it belongs to; `None` for `Now`.
    pub fn month(self) -> Option<Month> {
        match self {
            Self::Hour(hour) => Some(Month::of(hour.date())),
            Self::Day(day) => Some(Month::of(day)),
            Self::Month(month) => Some(month),
            Self::Now => None,
        }
    }
}

/// An amount of one measure, in one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount<'a> {
    /// What is measured.
    pub measure: Measure,
    /// A finite number.
    pub value: f64,
    /// The currency (ISO 4217) or the unit of quantity; empty for seats.
    pub unit: &'a str,
}

/// For this charge period and these dimensions: these amounts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Charge<'a> {
    /// When it was charged.
    pub period: Period,
    /// The dimensions' values in the order of [`crate::provider::Provider::dimensions`]; unknown is empty.
    pub dimensions: &'a [&'a str],
    /// What one row measures, such as cost before and after discounts, and the quantity.
    pub amounts: &'a [Amount<'a>],
}

/// A charge that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChargeError {
    /// The value is not a finite number.
    #[error("an amount is not a finite number")]
    NotFinite,
    /// More label sets than the account may have.
    #[error("more than {limit} distinct label sets")]
    TooManySeries {
        /// How many are allowed.
        limit: usize,
    },
}

/// Where the data of a month comes from, and what was left aside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonthSource {
    /// What delivers it, such as the address of an export.
    pub name: String,
    /// Which delivery it is, such as the id of an execution; empty where it has no id.
    pub delivery: String,
    /// When it was delivered; `None` where there is none yet.
    pub delivered: Option<Timestamp>,
    /// The number of its files.
    pub files: u64,
    /// The size of its files in bytes.
    pub bytes: u64,
    /// How many of its rows are of the month; `None` where they were not read again.
    pub rows: Option<u64>,
    /// What was found beside it and not read, and why.
    pub ignored: Vec<String>,
}

/// The number of a label set in the sink that gave it, and in no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelSet(pub u32);

/// Where a provider emits its charges, one by one, while the response still arrives.
pub trait Sink: Send {
    /// Adds one charge.
    fn charge(&mut self, charge: &Charge<'_>) -> Result<(), ChargeError> {
        check_finite(charge.amounts)?;
        let labels = self.label_set(charge.dimensions)?;
        self.charge_to(labels, charge.period, charge.amounts)
    }

    /// The label set of these values of the dimensions, for a provider that knows which of its rows share one.
    fn label_set(&mut self, dimensions: &[&str]) -> Result<LabelSet, ChargeError>;

    /// Adds a charge of a label set that this sink gave.
    fn charge_to(
        &mut self,
        labels: LabelSet,
        period: Period,
        amounts: &[Amount<'_>],
    ) -> Result<(), ChargeError>;

    /// Counts rows that were read, whether or not they became charges.
    fn rows(&mut self, count: u64);

    /// Marks a month that the provider does not report: it is withheld, which is not 0. What is known of it stays.
    fn withhold(&mut self, month: Month);

    /// Marks a month that the response covers completely, even without rows, so that what it does not charge was not
    /// charged. A month with rows needs no mark.
    fn report(&mut self, month: Month);

    /// Counts rows that were read of one month. The count is kept with the month: a poll that finds the month unchanged
    /// counts the same rows.
    fn month_rows(&mut self, month: Month, count: u64);

    /// Counts rows of a month that have no amount of a measure which other rows have, and are therefore left out of its
    /// sums. It is kept with the month. A count of 0 says that the month was looked at.
    fn missing(&mut self, month: Month, measure: Measure, rows: u64);

    /// Leaves a measure out of what is reported of a month: it cannot be determined, although rows have it. It is not 0.
    fn withhold_measure(&mut self, month: Month, measure: Measure);

    /// Marks what is reported of a month as provisional: another source will name the final amounts. It is served like
    /// any other data, but it never becomes the baseline of a closed month and never replaces final data of one. Final
    /// data replaces it whole, without being compared with it.
    fn provisional(&mut self, month: Month);

    /// Says where the data of a month comes from, for `explain`. It is not kept beyond the poll.
    fn source(&mut self, month: Month, source: MonthSource);

    /// Adds a remark on the data for the operator; the same text counts once. It is shown until the next poll.
    fn remark(&mut self, text: &str);

    /// Adds a remark on one month. It is kept with the month, and shown again by a poll that finds the month unchanged.
    fn month_remark(&mut self, month: Month, text: &str);
}

/// Refuses amounts that are not finite numbers.
pub fn check_finite(amounts: &[Amount<'_>]) -> Result<(), ChargeError> {
    if amounts.iter().all(|amount| amount.value.is_finite()) {
        return Ok(());
    }
    Err(ChargeError::NotFinite)
}

/// A sink that can be moved to the thread that decodes the response.
pub type SharedSink = Arc<Mutex<dyn Sink>>;
