//! The form of sums and of what is held back, by month.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::civil::Date;
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    charge::{Measure, Month},
    ledger::{Column, Sums},
    state::{AGREEING, Held, Size},
};

/// The measures by their numbers in files: a new one goes to the end, and none ever leaves.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Measure")]
pub(super) enum MeasureForm {
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
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct MonthForm(i16, i8);

#[derive(Serialize, Deserialize)]
pub(super) struct SumsForm<'a> {
    rows: u64,
    #[serde(borrow)]
    columns: Vec<ColumnForm<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ColumnForm<'a> {
    #[serde(with = "MeasureForm")]
    measure: Measure,
    unit: &'a str,
    gross: f64,
    /// Label set, first cell, number of cells.
    cells: Vec<(u32, u8, u8)>,
    #[serde(borrow)]
    sums: Numbers<'a>,
}

/// Sums as 8 bytes each, little endian, one behind the other: copied as a whole they take no time.
#[derive(Deserialize)]
struct Numbers<'a>(#[serde(borrow)] Cow<'a, [u8]>);

impl Serialize for Numbers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct HeldForm<'a> {
    #[serde(borrow)]
    sizes: Vec<(MonthForm, SizeForm<'a>)>,
    agreed: u32,
}

#[derive(Serialize, Deserialize)]
struct SizeForm<'a> {
    rows: u64,
    #[serde(borrow)]
    gross: Vec<GrossForm<'a>>,
}

#[derive(Serialize, Deserialize)]
struct GrossForm<'a> {
    #[serde(with = "MeasureForm")]
    measure: Measure,
    unit: &'a str,
    gross: f64,
}

impl From<Month> for MonthForm {
    fn from(month: Month) -> Self {
        Self(month.year(), month.month())
    }
}

impl MonthForm {
    pub(super) fn restore(self) -> Option<Month> {
        Date::new(self.0, self.1, 1).ok().map(Month::of)
    }
}

impl<'a> From<&'a Sums> for SumsForm<'a> {
    fn from(sums: &'a Sums) -> Self {
        Self {
            rows: sums.rows,
            columns: sums.columns.iter().map(Into::into).collect(),
        }
    }
}

impl SumsForm<'_> {
    pub(super) fn restore(self, keys: usize) -> Option<Sums> {
        let columns = self.columns.into_iter().map(|column| column.restore(keys));
        Some(Sums {
            rows: self.rows,
            columns: columns.collect::<Option<_>>()?,
        })
    }
}

impl<'a> From<&'a Column> for ColumnForm<'a> {
    fn from(column: &'a Column) -> Self {
        let mut cells = Vec::with_capacity(column.len());
        let mut bytes = Vec::new();
        for of_key in column.iter() {
            let count = u8::try_from(of_key.sums.len()).expect("a month has at most 32 cells");
            cells.push((of_key.key, of_key.first, count));
            bytes.extend(of_key.sums.iter().flat_map(|sum| sum.to_le_bytes()));
        }
        Self {
            measure: column.measure,
            unit: &column.unit,
            gross: column.gross,
            cells,
            sums: Numbers(Cow::Owned(bytes)),
        }
    }
}

impl ColumnForm<'_> {
    fn restore(self, keys: usize) -> Option<Column> {
        let (numbers, rest) = self.sums.0.as_chunks();
        if !rest.is_empty() {
            return None;
        }
        Column::restored(
            self.measure,
            self.unit.into(),
            self.gross,
            &self.cells,
            numbers.iter().copied().map(f64::from_le_bytes).collect(),
            keys,
        )
    }
}

impl<'a> From<&'a Held> for HeldForm<'a> {
    fn from(held: &'a Held) -> Self {
        let size = |size: &'a Size| SizeForm {
            rows: size.rows,
            gross: size
                .gross
                .iter()
                .map(|((measure, unit), gross)| GrossForm {
                    measure: *measure,
                    unit,
                    gross: *gross,
                })
                .collect(),
        };
        Self {
            sizes: held
                .sizes
                .iter()
                .map(|(month, of)| ((*month).into(), size(of)))
                .collect(),
            agreed: held.agreed,
        }
    }
}

impl HeldForm<'_> {
    pub(super) fn restore(self) -> Option<Held> {
        let mut sizes = BTreeMap::new();
        for (month, SizeForm { rows, gross }) in self.sizes {
            let mut size = Size {
                rows,
                gross: BTreeMap::new(),
            };
            for form in gross {
                let of = (form.measure, form.unit.into());
                size.gross.insert(of, finite(form.gross)?);
            }
            sizes.insert(month.restore()?, size);
        }
        // One more would have been let through.
        (self.agreed < AGREEING).then_some(Held {
            sizes,
            agreed: self.agreed,
        })
    }
}

pub(super) fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}
