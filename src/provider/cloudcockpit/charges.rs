//! From a licence of the response to a `Charge` of seats.

use serde_json::value::RawValue;

use super::responses::LicenseResponse;
use crate::{
    charge::{Amount, Charge, Measure, Period, Sink},
    json::{
        RowError,
        scalars::{self, Number, Text},
    },
    provider::Part,
};

/// One licence and its counts, to compare those of two instances.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LicenceCounts {
    sku: String,
    /// Total, consumed, available and suspended, as the bits of the number.
    counts: [Option<u64>; 4],
}

impl LicenceCounts {
    /// Whether one of the counts is not 0.
    pub(super) fn has_any(&self) -> bool {
        self.counts.iter().flatten().any(|bits| *bits != 0)
    }
}

/// Charges the seats of one licence, as sent. Only the total is required: a count that is not reported is not 0, and
/// is left out.
pub(super) fn charge(
    raw: &RawValue,
    part: &Part,
    sink: &mut dyn Sink,
) -> Result<LicenceCounts, RowError> {
    let row: LicenseResponse<'_> = scalars::row(raw.get().as_bytes())?;
    let total = row
        .total_licenses
        .ok_or_else(|| RowError::field("totalLicenses", "is missing"))?;
    let amounts: Vec<Amount<'_>> = [
        (Measure::Seats, Some(total)),
        (Measure::AssignedSeats, row.consumed_licenses),
        (Measure::AvailableSeats, row.available_licenses),
        (Measure::SuspendedSeats, row.suspended_licenses),
    ]
    .into_iter()
    .filter_map(|(measure, value)| {
        let Number(value) = value?;
        Some(Amount {
            measure,
            value,
            unit: "",
        })
    })
    .collect();
    sink.rows(1);
    sink.charge(&Charge {
        period: Period::Now,
        dimensions: &[
            part.attribute("company_name"),
            part.attribute("provider_instance_alias"),
            Text::or_empty(row.name.as_ref()),
            part.attribute("customer_id"),
            part.attribute("provider_instance_id"),
            Text::or_empty(row.sku_id.as_ref()),
        ],
        amounts: &amounts,
    })?;
    let counts = [
        Some(total),
        row.consumed_licenses,
        row.available_licenses,
        row.suspended_licenses,
    ];
    Ok(LicenceCounts {
        sku: Text::or_empty(row.sku_id.as_ref()).to_ascii_lowercase(),
        counts: counts.map(|count| count.map(|Number(value)| value.to_bits())),
    })
}
