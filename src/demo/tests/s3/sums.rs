//! What the rows of data files add up to, read as plainly as can be.

use std::{collections::BTreeMap, io::Read as _};

use arrow_array::{
    Array as _, Decimal128Array, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray,
};
use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Sums by measure, window and unit, from the rows of all files that manifests name.
#[derive(Default)]
pub(super) struct Sums(pub(super) BTreeMap<String, f64>);

impl Sums {
    /// Adds the rows of one file, whose columns are given as texts and numbers.
    fn add(
        &mut self,
        month: &str,
        text: impl Fn(&str) -> String,
        number: impl Fn(&str) -> Option<f64>,
    ) {
        let period = text("BillingPeriodStart");
        assert!(
            period.starts_with(month),
            "a row of {period} in a file of {month}"
        );
        let window = match month {
            "2025-06" => "month_to_date",
            "2025-05" => "previous_month",
            _ => return,
        };
        // The day before last was over 48 hours before the last delivery.
        let is_closed_day = text("ChargePeriodStart").starts_with("2025-06-15");
        let covers = text("ChargeCategory") == "Purchase" && number("EffectiveCost") == Some(0.0);
        for (measure, column) in [
            ("billed_cost", "BilledCost"),
            ("effective_cost", "EffectiveCost"),
            ("list_cost", "ListCost"),
            ("contracted_cost", "ContractedCost"),
        ] {
            let is_left_out = covers && matches!(measure, "list_cost" | "contracted_cost");
            if let Some(amount) = number(column).filter(|_| !is_left_out) {
                *self.0.entry(format!("{measure}_{window}")).or_default() += amount;
                if is_closed_day {
                    *self.0.entry(format!("{measure}_previous_day")).or_default() += amount;
                }
            }
        }
    }

    /// Adds a file with rows of several months.
    pub(super) fn add_rows_of_all_months(&mut self, file: &[u8]) {
        for month in ["2025-05", "2025-06"] {
            self.add_csv_of(file, |period| period.starts_with(month).then_some(month));
        }
    }

    pub(super) fn add_csv(&mut self, month: &str, file: &[u8]) {
        self.add_csv_of(file, |_| Some(month));
    }

    /// Adds the rows to whose billing period a month is given.
    fn add_csv_of<'m>(&mut self, file: &[u8], month: impl Fn(&str) -> Option<&'m str>) {
        let mut text = String::new();
        MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().unwrap().clone();
        for record in reader.records() {
            let record = record.unwrap();
            let field = |name: &str| {
                // Not every cloud has every cost.
                let at = headers.iter().position(|header| header == name);
                at.map_or_else(String::new, |at| record[at].to_owned())
            };
            if let Some(month) = month(&field("BillingPeriodStart")) {
                self.add(month, field, |name| field(name).parse().ok());
            }
        }
    }

    pub(super) fn add_parquet(&mut self, month: &str, file: Vec<u8>) {
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap();
        assert!(reader.metadata().num_row_groups() > 1);
        for batch in reader.build().unwrap() {
            let batch: RecordBatch = batch.unwrap();
            let column = |name: &str| batch.column_by_name(name).unwrap().clone();
            for row in 0..batch.num_rows() {
                let text = |name: &str| {
                    let column = column(name);
                    if let Some(texts) = column.as_any().downcast_ref::<StringArray>() {
                        return texts.value(row).to_owned();
                    }
                    let column = column.as_any();
                    let millis = column.downcast_ref::<TimestampMillisecondArray>();
                    let micros = column.downcast_ref::<TimestampMicrosecondArray>();
                    let time = millis.map_or_else(
                        || Timestamp::from_microsecond(micros.unwrap().value(row)),
                        |times| Timestamp::from_millisecond(times.value(row)),
                    );
                    time.unwrap().to_string()
                };
                let number = |name: &str| {
                    let column = column(name);
                    let column = column.as_any();
                    if let Some(decimals) = column.downcast_ref::<Decimal128Array>() {
                        let text = decimals
                            .is_valid(row)
                            .then(|| decimals.value_as_string(row));
                        return text.map(|text| text.parse().unwrap());
                    }
                    let numbers = column.downcast_ref::<Float64Array>().unwrap();
                    numbers.is_valid(row).then(|| numbers.value(row))
                };
                self.add(month, text, number);
            }
        }
    }
}
