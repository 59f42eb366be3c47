//! The data files of an export: the columns of FOCUS 1.2 as AWS documents them, as compressed CSV and as Parquet.

use std::{borrow::Cow, collections::BTreeMap, io::Write as _, sync::Arc};

use arrow_array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    builder::{MapBuilder, StringBuilder},
};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use parquet::{arrow::ArrowWriter, basic, file::properties::WriterProperties};

use super::world::{
    export::{CURRENCY, Export, utc},
    export_names::{PAYERS, SERVICES, Service},
    export_row::{ExportRow, Kind},
};
use crate::charge::Month;

/// How many rows a row group of Parquet has, so that a file has several.
const ROW_GROUP: usize = 100;
const VENDOR: &str = "Amazon Web Services, Inc.";

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Number,
    Time,
    Tags,
}

impl Type {
    /// What a manifest calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "double",
            Self::Time => "timestamp_milliseconds",
            Self::Tags => "map",
        }
    }
}

/// The columns, in the order in which they are written.
pub(super) const COLUMNS: [(&str, Type); 60] = [
    ("AvailabilityZone", Type::Text),
    ("BilledCost", Type::Number),
    ("BillingAccountId", Type::Text),
    ("BillingAccountName", Type::Text),
    ("BillingAccountType", Type::Text),
    ("BillingCurrency", Type::Text),
    ("BillingPeriodEnd", Type::Time),
    ("BillingPeriodStart", Type::Time),
    ("CapacityReservationId", Type::Text),
    ("CapacityReservationStatus", Type::Text),
    ("ChargeCategory", Type::Text),
    ("ChargeClass", Type::Text),
    ("ChargeDescription", Type::Text),
    ("ChargeFrequency", Type::Text),
    ("ChargePeriodEnd", Type::Time),
    ("ChargePeriodStart", Type::Time),
    ("CommitmentDiscountCategory", Type::Text),
    ("CommitmentDiscountId", Type::Text),
    ("CommitmentDiscountName", Type::Text),
    ("CommitmentDiscountQuantity", Type::Number),
    ("CommitmentDiscountStatus", Type::Text),
    ("CommitmentDiscountType", Type::Text),
    ("CommitmentDiscountUnit", Type::Text),
    ("ConsumedQuantity", Type::Number),
    ("ConsumedUnit", Type::Text),
    ("ContractedCost", Type::Number),
    ("ContractedUnitPrice", Type::Number),
    ("EffectiveCost", Type::Number),
    ("InvoiceId", Type::Text),
    ("InvoiceIssuerName", Type::Text),
    ("ListCost", Type::Number),
    ("ListUnitPrice", Type::Number),
    ("PricingCategory", Type::Text),
    ("PricingCurrency", Type::Text),
    ("PricingCurrencyContractedUnitPrice", Type::Number),
    ("PricingCurrencyEffectiveCost", Type::Number),
    ("PricingCurrencyListUnitPrice", Type::Number),
    ("PricingQuantity", Type::Number),
    ("PricingUnit", Type::Text),
    ("ProviderName", Type::Text),
    ("PublisherName", Type::Text),
    ("RegionId", Type::Text),
    ("RegionName", Type::Text),
    ("ResourceId", Type::Text),
    ("ResourceName", Type::Text),
    ("ResourceType", Type::Text),
    ("ServiceCategory", Type::Text),
    ("ServiceName", Type::Text),
    ("ServiceSubcategory", Type::Text),
    ("SkuId", Type::Text),
    ("SkuMeter", Type::Text),
    ("SkuPriceDetails", Type::Text),
    ("SkuPriceId", Type::Text),
    ("SubAccountId", Type::Text),
    ("SubAccountName", Type::Text),
    ("SubAccountType", Type::Text),
    ("Tags", Type::Tags),
    ("x_Discounts", Type::Text),
    ("x_Operation", Type::Text),
    ("x_ServiceCode", Type::Text),
];

/// One row of a month, column by column.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) export: &'a Export,
    pub(super) month: Month,
    pub(super) row: &'a ExportRow,
}

impl<'a> Record<'a> {
    fn service(&self) -> Option<&'static Service> {
        self.row.service.map(|position| &SERVICES[position])
    }

    /// A column that holds text.
    fn text(&self, column: &str) -> Option<Cow<'a, str>> {
        let row = self.row;
        let (payer, payer_name) = PAYERS[row.payer];
        let sub_account = row
            .sub_account
            .map(|position| &self.export.sub_accounts[position]);
        let service = self.service();
        let is_committed = matches!(row.kind, Kind::Commitment | Kind::Covered | Kind::Unused);
        let text = match column {
            "BillingAccountId" => payer,
            "BillingAccountName" => payer_name,
            "BillingAccountType" => "Management",
            "BillingCurrency" | "PricingCurrency" => CURRENCY,
            "ChargeCategory" => row.kind.category(),
            "ChargeClass" if row.kind == Kind::Correction => "Correction",
            "ChargeDescription" => return Some(self.description().into()),
            "ChargeFrequency" => row.kind.frequency(),
            "CommitmentDiscountCategory" if is_committed => "Spend",
            "CommitmentDiscountId" if is_committed => {
                return Some(format!("arn:aws:savingsplans::{payer}:savingsplan/5f1c0d3e").into());
            }
            "CommitmentDiscountName" | "CommitmentDiscountType" if is_committed => {
                "Compute Savings Plan"
            }
            "CommitmentDiscountStatus" if row.kind == Kind::Covered => "Used",
            "CommitmentDiscountStatus" if row.kind == Kind::Unused => "Unused",
            "CommitmentDiscountUnit" if is_committed => CURRENCY,
            "InvoiceId" => row.invoice.as_deref()?,
            "ConsumedUnit" if self.consumed().is_some() => service?.unit,
            "PricingCategory" => match row.kind {
                Kind::Tax | Kind::Credit => return None,
                Kind::Covered | Kind::Unused | Kind::Commitment => "Committed",
                _ => "Standard",
            },
            "PricingUnit" if row.quantity.is_some() => service?.unit,
            "ProviderName" => "AWS",
            "PublisherName" if row.kind == Kind::Marketplace => "Rocket \"Analytics\"",
            "InvoiceIssuerName" | "PublisherName" => VENDOR,
            "RegionId" if !row.resource.is_empty() => "eu-central-1",
            "RegionName" if !row.resource.is_empty() => "Europe (Frankfurt)",
            "ResourceId" if !row.resource.is_empty() => &row.resource,
            "ServiceCategory" => service.map_or("Other", |service| service.category),
            "ServiceName" => service?.name,
            "ServiceSubcategory" => service.map_or("Other (Other)", |service| service.subcategory),
            "SkuId" | "x_ServiceCode" => service?.code,
            "SubAccountId" => &sub_account?.id,
            "SubAccountName" => match sub_account?.name {
                "" => return None,
                name => name,
            },
            "SubAccountType" => sub_account.map(|_| "Member")?,
            _ => return None,
        };
        Some(text.into())
    }

    fn description(&self) -> String {
        let what = self.service().map_or("", |service| service.name);
        match self.row.kind {
            Kind::Usage => format!("{what}, on demand"),
            Kind::Covered => format!("{what}, covered by a \"Compute Savings Plan\""),
            Kind::Unused => "Unused commitment".to_owned(),
            Kind::Commitment => "Compute Savings Plan, no upfront".to_owned(),
            Kind::Marketplace => "Subscription,\nbilled once".to_owned(),
            Kind::Credit => "Promotional credit".to_owned(),
            Kind::Tax => "Tax of type VAT".to_owned(),
            Kind::Correction => format!("{what}, refund for an invoiced month"),
        }
    }

    fn consumed(&self) -> Option<f64> {
        let is_used = matches!(self.row.kind, Kind::Usage | Kind::Covered);
        self.row.quantity.filter(|_| is_used)
    }

    /// A column that holds a number.
    fn number(&self, column: &str) -> Option<f64> {
        let row = self.row;
        match column {
            "BilledCost" => Some(row.billed),
            "EffectiveCost" | "PricingCurrencyEffectiveCost" => Some(row.effective),
            "ListCost" => Some(row.list),
            "ContractedCost" => row.contracted,
            "ConsumedQuantity" => self.consumed(),
            "PricingQuantity" => row.quantity,
            "ListUnitPrice" | "PricingCurrencyListUnitPrice" => {
                self.service().map(|service| service.price)
            }
            "CommitmentDiscountQuantity" => match row.kind {
                Kind::Commitment => Some(row.billed),
                Kind::Covered | Kind::Unused => Some(row.effective),
                _ => None,
            },
            _ => None,
        }
    }

    /// A column that holds a time.
    fn time(&self, column: &str) -> Timestamp {
        match column {
            "BillingPeriodStart" => utc(self.month.first_day()),
            "BillingPeriodEnd" => utc(self.month.next().first_day()),
            "ChargePeriodStart" => self.row.from,
            _ => self.row.to,
        }
    }

    fn tags(&self) -> Option<BTreeMap<&'static str, &'static str>> {
        let sub_account = self.row.sub_account?;
        (!self.row.resource.is_empty()).then(|| match sub_account % 3 {
            0 => BTreeMap::from([("env", "prod"), ("team", "магазин")]),
            1 => BTreeMap::from([("env", "dev")]),
            _ => BTreeMap::from([("Cost Centre", "4711 \"A\"")]),
        })
    }
}

/// The rows as compressed CSV.
pub(super) fn csv_gz(records: &[Record]) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(GzEncoder::new(Vec::new(), Compression::fast()));
    let whole = "writing into memory cannot fail";
    csv.write_record(COLUMNS.map(|(name, _)| name))
        .expect(whole);
    for record in records {
        let fields = COLUMNS.map(|(name, kind)| match kind {
            Type::Text => record.text(name).unwrap_or_default(),
            Type::Number => record
                .number(name)
                .map_or_else(Cow::default, |number| number.to_string().into()),
            Type::Time => record
                .time(name)
                .strftime("%Y-%m-%dT%H:%M:%S.000Z")
                .to_string()
                .into(),
            Type::Tags => record
                .tags()
                .and_then(|tags| serde_json::to_string(&tags).ok())
                .unwrap_or_default()
                .into(),
        });
        csv.write_record(fields.iter().map(|field| field.as_bytes()))
            .expect(whole);
    }
    let mut gzip = csv
        .into_inner()
        .map_err(csv::IntoInnerError::into_error)
        .expect(whole);
    gzip.flush().expect(whole);
    gzip.finish().expect(whole)
}

/// The rows as Parquet, its pages compressed by Snappy.
pub(super) fn parquet(records: &[Record]) -> Vec<u8> {
    let columns = COLUMNS.map(|(name, kind)| (name, column(records, name, kind), true));
    let whole = "the columns are made of the same records";
    let batch = RecordBatch::try_from_iter_with_nullable(columns).expect(whole);
    let properties = WriterProperties::builder()
        .set_compression(basic::Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect(whole);
    writer.write(&batch).expect(whole);
    writer.into_inner().expect(whole)
}

fn column(records: &[Record], name: &str, kind: Type) -> ArrayRef {
    let records = records.iter();
    match kind {
        Type::Text => Arc::new(
            records
                .map(|record| record.text(name))
                .collect::<StringArray>(),
        ),
        Type::Number => Arc::new(
            records
                .map(|record| record.number(name))
                .collect::<Float64Array>(),
        ),
        Type::Time => Arc::new(
            records
                .map(|record| Some(record.time(name).as_millisecond()))
                .collect::<TimestampMillisecondArray>(),
        ),
        Type::Tags => {
            let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
            for record in records {
                let tags = record.tags();
                for (key, value) in tags.iter().flatten() {
                    maps.keys().append_value(key);
                    maps.values().append_value(value);
                }
                maps.append(tags.is_some()).expect("each key has its value");
            }
            Arc::new(maps.finish())
        }
    }
}
