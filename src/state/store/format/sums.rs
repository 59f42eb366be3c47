//! The stored form of sums and of held responses, by month.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    charge::{Measure, Month},
    ledger::{Column, Sums},
    state::{CONFIRMATIONS_NEEDED, HeldMonth, HeldMonths, ResponseSize},
};

/// The measures, by their number in the file: new ones are added at the end, and none is ever removed.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Measure")]
pub(super) enum StoredMeasure {
    BilledCost,
    ListCost,
    ProviderForecast,
    ProviderEstimate,
    ConsumedQuantity,
    StoredQuantity,
    Seats,
    AssignedSeats,
    AvailableSeats,
    SuspendedSeats,
    FixedCost,
    PrepaidCost,
    EffectiveCost,
    ContractedCost,
    PricingQuantity,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredMonth(i16, i8);

#[derive(Serialize, Deserialize)]
pub(super) struct StoredSums<'a> {
    rows: u64,
    #[serde(borrow)]
    columns: Vec<StoredColumn<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredColumn<'a> {
    #[serde(with = "StoredMeasure")]
    measure: Measure,
    unit: &'a str,
    gross: f64,
    /// Label set, first day, number of days.
    entries: Vec<(u32, u8, u8)>,
    #[serde(borrow)]
    sums: Numbers<'a>,
}

/// Sums as 8 bytes each, little endian: copied as one block, which takes no measurable time.
#[derive(Deserialize)]
struct Numbers<'a>(#[serde(borrow)] Cow<'a, [u8]>);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredHeldResponse<'a> {
    #[serde(borrow)]
    sizes: Vec<(StoredMonth, StoredSize<'a>)>,
    confirmations: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredSize<'a> {
    rows: u64,
    #[serde(borrow)]
    gross: Vec<StoredGross<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredGross<'a> {
    #[serde(with = "StoredMeasure")]
    measure: Measure,
    unit: &'a str,
    gross: f64,
}

impl From<Month> for StoredMonth {
    fn from(month: Month) -> Self {
        Self(month.year(), month.month())
    }
}

impl StoredMonth {
    pub(super) fn restore(self) -> Option<Month> {
        Date::new(self.0, self.1, 1).ok().map(Month::of)
    }
}

impl<'a> From<&'a Sums> for StoredSums<'a> {
    fn from(sums: &'a Sums) -> Self {
        Self {
            rows: sums.rows,
            columns: sums.columns.iter().map(Into::into).collect(),
        }
    }
}

impl StoredSums<'_> {
    pub(super) fn restore(self, keys: usize) -> Option<Sums> {
        let columns = self.columns.into_iter().map(|column| column.restore(keys));
        Some(Sums {
            rows: self.rows,
            columns: columns.collect::<Option<_>>()?,
        })
    }
}

impl<'a> From<&'a Column> for StoredColumn<'a> {
    fn from(column: &'a Column) -> Self {
        let mut entries = Vec::with_capacity(column.len());
        let mut bytes = Vec::new();
        for daily in column.iter() {
            let count = u8::try_from(daily.sums.len()).expect("a month has at most 31 days");
            entries.push((daily.key, daily.first_day, count));
            bytes.extend(daily.sums.iter().flat_map(|sum| sum.to_le_bytes()));
        }
        Self {
            measure: column.measure,
            unit: &column.unit,
            gross: column.gross,
            entries,
            sums: Numbers(Cow::Owned(bytes)),
        }
    }
}

impl StoredColumn<'_> {
    fn restore(self, keys: usize) -> Option<Column> {
        let (numbers, rest) = self.sums.0.as_chunks();
        if !rest.is_empty() {
            return None;
        }
        Column::from_entries(
            self.measure,
            self.unit.into(),
            self.gross,
            &self.entries,
            numbers.iter().copied().map(f64::from_le_bytes).collect(),
            keys,
        )
    }
}

impl<'a> StoredHeldResponse<'a> {
    /// The months that are held back, if there are any. The fewest confirmations of them count for all: after a restart
    /// it takes one more response at most.
    pub(super) fn of(held: &'a HeldMonths) -> Option<Self> {
        let size = |size: &'a ResponseSize| StoredSize {
            rows: size.rows,
            gross: size
                .gross
                .iter()
                .map(|((measure, unit), gross)| StoredGross {
                    measure: *measure,
                    unit,
                    gross: *gross,
                })
                .collect(),
        };
        let confirmations = held.values().map(|month| month.confirmations).min()?;
        let months = held.iter();
        Some(Self {
            sizes: months
                .map(|(month, held)| ((*month).into(), size(&held.size)))
                .collect(),
            confirmations,
        })
    }

    pub(super) fn restore(self) -> Option<HeldMonths> {
        // With one more it would have been accepted.
        if self.confirmations >= CONFIRMATIONS_NEEDED {
            return None;
        }
        let mut months = HeldMonths::new();
        for (month, StoredSize { rows, gross }) in self.sizes {
            let mut size = ResponseSize {
                rows,
                gross: BTreeMap::new(),
            };
            for form in gross {
                let of = (form.measure, form.unit.into());
                size.gross.insert(of, finite(form.gross)?);
            }
            let held = HeldMonth {
                size,
                confirmations: self.confirmations,
            };
            months.insert(month.restore()?, held);
        }
        Some(months)
    }
}

pub(super) fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}
