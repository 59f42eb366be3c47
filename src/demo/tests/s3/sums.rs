//! What the rows of data files add up to, read as plainly as can be.

use std::{collections::BTreeMap, io::Read as _};

use arrow_array::{Array as _, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray};
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

    pub(super) fn add_csv(&mut self, month: &str, file: &[u8]) {
        let mut text = String::new();
        MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().unwrap().clone();
        for record in reader.records() {
            let record = record.unwrap();
            let field = |name: &str| {
                let at = headers.iter().position(|header| header == name).unwrap();
                record[at].to_owned()
            };
            self.add(month, field, |name| field(name).parse().ok());
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
                    let times = column
                        .as_any()
                        .downcast_ref::<TimestampMillisecondArray>()
                        .unwrap();
                    Timestamp::from_millisecond(times.value(row))
                        .unwrap()
                        .to_string()
                };
                let number = |name: &str| {
                    let column = column(name);
                    let numbers = column.as_any().downcast_ref::<Float64Array>().unwrap();
                    numbers.is_valid(row).then(|| numbers.value(row))
                };
                self.add(month, text, number);
            }
        }
    }
}
