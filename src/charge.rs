//! One charge: what every provider says, whatever its API looks like. Plain data, no I/O.

use std::sync::{Arc, Mutex};

use jiff::civil::{Date, DateTime};

pub mod currency;
mod month;

pub use month::{Month, NotAMonth, start_of_day};

/// What is measured. Closed: a provider cannot invent one, and the exposition names each.
///
/// The words are those of FOCUS (FinOps Open Cost and Usage Specification) where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// What is billed, after discounts, as the provider reports it.
    BilledCost,
    /// The part of the billed cost that is charged once or by subscription: it is counted, and no forecast stretches
    /// it. Not served by itself.
    FixedCost,
    /// The part of the billed cost that was paid in advance: nothing is forecast for it. Not served by itself.
    PrepaidCost,
    /// Cost before discounts.
    ListCost,
    /// The provider's own forecast of the whole month.
    ProviderForecast,
    /// The provider's second estimate of the whole month.
    ProviderEstimate,
    /// Usage, a flow: it adds over time.
    ConsumedQuantity,
    /// Usage, a level: the newest reading counts.
    StoredQuantity,
    /// Licence seats bought.
    Seats,
    /// Licence seats given to a user.
    AssignedSeats,
    /// Licence seats that can still be given.
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
                | Self::ListCost
                | Self::ProviderForecast
                | Self::ProviderEstimate
        )
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
    /// The hour that begins at this local time.
    Hour(DateTime),
    /// A local day.
    Day(Date),
    /// A whole billing month.
    Month(Month),
    /// The moment of the answer: levels, seats, forecasts.
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

/// So much of one unit of one measure.
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
    /// What one row measures: cost before and after discounts, and the quantity, say.
    pub amounts: &'a [Amount<'a>],
}

/// A charge that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The value is not a finite number.
    #[error("an amount is not a finite number")]
    NotFinite,
    /// More label sets than the account may ever hold.
    #[error("more than {limit} distinct label sets")]
    TooManySeries {
        /// How many are allowed.
        limit: usize,
    },
}

/// Where a provider hands its charges, one by one, while the body still arrives.
pub trait Sink: Send {
    /// Takes one charge.
    fn charge(&mut self, charge: &Charge<'_>) -> Result<(), Refused>;

    /// Counts rows read, whether or not they made a charge.
    fn rows(&mut self, count: u64);

    /// Says that the provider does not report this month: it is withheld, which is not 0. What is known of it stays.
    fn withhold(&mut self, month: Month);

    /// Says that the answer holds the whole of this month, so that what is not charged in it was not charged. A month
    /// of which there are rows needs no such word.
    fn report(&mut self, month: Month);

    /// Says something an operator should know about the data; the same text counts once.
    fn remark(&mut self, text: &str);
}

/// A sink that the reader of a body can take along to another thread.
pub type SharedSink = Arc<Mutex<dyn Sink>>;

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    #[test]
    fn a_month_knows_its_neighbours_and_its_days() {
        let december: Month = "2024-12".parse().unwrap();
        assert_eq!(december.next().to_string(), "2025-01");
        assert_eq!(december.previous().to_string(), "2024-11");
        let february: Month = "2024-02".parse().unwrap();
        assert_eq!(february.last_day().day(), 29);
        for text in ["2024-13", "2024-1", "24-01", "2024", "2024-01-01", ""] {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
        }
    }

    #[test]
    fn a_month_begins_and_ends_at_local_midnight() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let march: Month = "2025-03".parse().unwrap();
        assert_eq!(march.start(&zone).to_string(), "2025-02-28T23:00:00Z");
        assert_eq!(march.end(&zone).to_string(), "2025-03-31T22:00:00Z");
    }
}
