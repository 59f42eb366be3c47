//! What the rows of the exports add up to, by cost basis.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{
    super::{
        World,
        export::CURRENCY,
        export_names::{PAYERS, SERVICES},
        export_row::{ExportRow, Kind},
    },
    Sums, add, windows,
};
use crate::charge::Month;

/// How long after its end a day of an export is taken as closed unless configured.
const CLOSES: SignedDuration = SignedDuration::from_hours(48);

impl World {
    /// The sums of both organisations, as they were delivered at a time. Purchases that cover later usage are in
    /// billed cost alone: their list and contracted costs come again with what they cover.
    pub(super) fn export_totals(&self, at: Timestamp) -> Sums {
        let current = Month::at(at, &TimeZone::UTC);
        let mut sums = Sums::new();
        let months =
            [current.previous(), current].map(|month| (month, self.export.delivered(month, at)));
        let newest = months.iter().filter_map(|(_, delivered)| *delivered).max();
        let closed = newest.map(|newest| date(newest - CLOSES).saturating_sub(1.day()));
        for (month, delivered) in months {
            let Some(delivered) = delivered else {
                continue;
            };
            for payer in 0..PAYERS.len() {
                for row in self.export.rows(payer, month, delivered) {
                    // A correction is about the month before, and counts where it is invoiced.
                    let day = date(row.from).clamp(month.first_day(), month.last_day());
                    for window in
                        windows(day, current.last_day(), closed).filter(|window| *window != "today")
                    {
                        add_row(&mut sums, window, &row);
                    }
                }
            }
        }
        sums
    }
}

fn add_row(sums: &mut Sums, window: &str, row: &ExportRow) {
    let mut cost = |measure, amount| add(sums, measure, window, CURRENCY, amount);
    cost("billed_cost", row.billed);
    cost("effective_cost", row.effective);
    if row.kind != Kind::Commitment {
        cost("list_cost", row.list);
        if let Some(contracted) = row.contracted {
            cost("contracted_cost", contracted);
        }
    }
    if let (Some(quantity), Some(service)) = (row.quantity, row.service) {
        add(
            sums,
            "pricing_quantity",
            window,
            SERVICES[service].unit,
            quantity,
        );
    }
}

fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}
