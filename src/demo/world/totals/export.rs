//! What the rows of the exports add up to, by cost basis.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{
    super::{
        World, azure_runs,
        export::Export,
        export_row::{ExportRow, Kind},
        oracle,
    },
    Sums, add, windows,
};
use crate::charge::Month;

/// How long after its end a day of an export is taken as closed unless configured.
const CLOSES: SignedDuration = SignedDuration::from_hours(48);
/// How long after its end a month of added files is read.
const RESTATED: SignedDuration = SignedDuration::from_hours(20 * 24);

impl World {
    /// The sums of the exports of AWS, as they were delivered at a time.
    pub(super) fn export_totals(&self, at: Timestamp) -> Sums {
        delivered_sums(&self.export, at, |month| self.export.delivered(month, at))
    }

    /// The sums of the newest runs of Azure's exports.
    pub(super) fn azure_totals(&self, at: Timestamp) -> Sums {
        let begins = self.azure.begins;
        delivered_sums(&self.azure, at, |month| {
            azure_runs::delivered(begins, month, at)
        })
    }

    /// The sums of all rows in the files that Oracle wrote by a time.
    pub(super) fn oracle_totals(&self, at: Timestamp) -> Sums {
        let current = Month::at(at, &TimeZone::UTC);
        let mut sums = Sums::new();
        let Some(newest) = self.oracle.written(at).last() else {
            return sums;
        };
        let closed = date(newest - CLOSES).saturating_sub(1.day());
        for written in self.oracle.written(at) {
            for row in self.oracle.rows(written) {
                let ends = row.month().next().start(&TimeZone::UTC);
                if written > ends + RESTATED {
                    continue;
                }
                let unit = oracle::SERVICES[self.oracle.meters[row.meter].service].unit;
                for window in past_windows(date(row.from), current, Some(closed)) {
                    for (measure, amount) in [
                        ("billed_cost", row.billed),
                        ("effective_cost", row.billed),
                        ("list_cost", row.list),
                    ] {
                        add(&mut sums, measure, window, oracle::CURRENCY, amount);
                    }
                    add(&mut sums, "consumed_quantity", window, unit, row.quantity);
                }
            }
        }
        sums
    }
}

/// The sums of an export whose months are replaced. Purchases that cover later usage are in billed cost alone: their
/// list and contracted costs come again with what they cover.
fn delivered_sums(
    export: &Export,
    at: Timestamp,
    delivered: impl Fn(Month) -> Option<Timestamp>,
) -> Sums {
    let current = Month::at(at, &TimeZone::UTC);
    let mut sums = Sums::new();
    let months = [current.previous(), current].map(|month| (month, delivered(month)));
    let newest = months.iter().filter_map(|(_, delivered)| *delivered).max();
    let closed = newest.map(|newest| date(newest - CLOSES).saturating_sub(1.day()));
    for (month, delivered) in months {
        let Some(delivered) = delivered else {
            continue;
        };
        for payer in 0..export.catalogue.payers.len() {
            for row in export.rows(payer, month, delivered) {
                // A correction is about the month before, and counts where it is invoiced.
                let day = date(row.from).clamp(month.first_day(), month.last_day());
                for window in past_windows(day, current, closed) {
                    add_row(&mut sums, window, export, &row);
                }
            }
        }
    }
    sums
}

/// The windows of a day but for the current day, which exports do not have.
fn past_windows(
    day: Date,
    current: Month,
    closed: Option<Date>,
) -> impl Iterator<Item = &'static str> {
    windows(day, current.last_day(), closed).filter(|window| *window != "today")
}

fn add_row(sums: &mut Sums, window: &str, export: &Export, row: &ExportRow) {
    let mut cost = |measure, amount| add(sums, measure, window, export.catalogue.currency, amount);
    cost("billed_cost", row.billed);
    cost("effective_cost", row.effective);
    if row.kind != Kind::Commitment {
        cost("list_cost", row.list);
        if let Some(contracted) = row.contracted {
            cost("contracted_cost", contracted);
        }
    }
    if let (Some(quantity), Some(service)) = (row.quantity, row.service) {
        let unit = export.catalogue.services[service].unit;
        add(sums, "pricing_quantity", window, unit, quantity);
    }
}

fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}
