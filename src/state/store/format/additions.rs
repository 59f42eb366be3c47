//! What version 2 of the format adds behind the content of version 1: what is kept with months beside their sums, and
//! unusual growth.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    charge::Measure,
    ledger::MonthMarks,
    provider::{Delivery, Fingerprint},
    state::{
        AccountState, Growth, MonthState, ReportedMonth,
        store::format::sums::{StoredMeasure, StoredMonth, finite},
    },
};

/// What version 1 does not have.
#[derive(Serialize, Deserialize)]
pub(in crate::state::store) struct StoredAdditions<'a> {
    /// Months of which anything is known beside their sums.
    #[serde(borrow)]
    months: Vec<StoredReportedMonth<'a>>,
    #[serde(borrow)]
    growth: Vec<StoredGrowth<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredReportedMonth<'a> {
    part: &'a str,
    month: StoredMonth,
    #[serde(borrow)]
    delivery: Option<StoredDelivery<'a>>,
    rows: u64,
    missing: Vec<StoredMissing>,
    provisional: bool,
    #[serde(borrow)]
    remarks: Vec<&'a str>,
}

#[derive(Serialize, Deserialize)]
struct StoredDelivery<'a> {
    decoder: u32,
    fingerprint: &'a [u8],
    delivered: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredMissing {
    #[serde(with = "StoredMeasure")]
    measure: Measure,
    rows: u64,
}

#[derive(Serialize, Deserialize)]
struct StoredGrowth<'a> {
    at: Timestamp,
    month: StoredMonth,
    currency: &'a str,
    from: f64,
    to: f64,
}

impl<'a> From<&'a AccountState> for StoredAdditions<'a> {
    fn from(state: &'a AccountState) -> Self {
        let months = state.parts.iter().flat_map(|(id, part)| {
            part.months.iter().filter_map(move |(month, state)| {
                let MonthState::Reported(reported) = state else {
                    return None;
                };
                let is_plain =
                    reported.delivery.is_none() && reported.marks == MonthMarks::default();
                (!is_plain).then(|| StoredReportedMonth::new(id, (*month).into(), reported))
            })
        });
        let growth = state.growth.iter().map(|growth| StoredGrowth {
            at: growth.at,
            month: growth.month.into(),
            currency: &growth.currency,
            from: growth.from,
            to: growth.to,
        });
        Self {
            months: months.collect(),
            growth: growth.collect(),
        }
    }
}

impl StoredAdditions<'_> {
    /// Adds them to a state of version 1; `None` if anything is invalid.
    pub(in crate::state::store) fn restore(self, state: &mut AccountState) -> Option<()> {
        for stored in self.months {
            let part = Arc::make_mut(state.parts.get_mut(stored.part)?);
            let Some(MonthState::Reported(reported)) =
                part.months.get_mut(&stored.month.restore()?)
            else {
                return None;
            };
            stored.restore(reported)?;
        }
        for growth in self.growth {
            state.growth.push(Growth {
                at: growth.at,
                month: growth.month.restore()?,
                currency: growth.currency.into(),
                from: finite(growth.from)?,
                to: finite(growth.to)?,
            });
        }
        Some(())
    }
}

impl<'a> StoredReportedMonth<'a> {
    fn new(part: &'a str, month: StoredMonth, reported: &'a ReportedMonth) -> Self {
        let marks = &reported.marks;
        let delivery = reported.delivery.as_ref();
        Self {
            part,
            month,
            delivery: delivery.map(|delivery| StoredDelivery {
                decoder: delivery.fingerprint.decoder(),
                fingerprint: delivery.fingerprint.bytes(),
                delivered: delivery.delivered,
            }),
            rows: marks.rows,
            missing: marks
                .missing
                .iter()
                .map(|(&measure, &rows)| StoredMissing { measure, rows })
                .collect(),
            provisional: marks.provisional,
            remarks: marks.remarks.iter().map(String::as_str).collect(),
        }
    }

    fn restore(self, reported: &mut ReportedMonth) -> Option<()> {
        reported.delivery = match self.delivery {
            Some(stored) => Some(Delivery {
                fingerprint: Fingerprint::new(stored.decoder, stored.fingerprint)?,
                delivered: stored.delivered,
            }),
            None => None,
        };
        let missing = self.missing.into_iter();
        let remarks = self.remarks.into_iter();
        reported.marks = MonthMarks {
            rows: self.rows,
            missing: missing.map(|of| (of.measure, of.rows)).collect(),
            provisional: self.provisional,
            remarks: remarks.map(str::to_owned).collect(),
        };
        Some(())
    }
}
