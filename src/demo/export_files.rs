//! The data files of an export of AWS: the columns of FOCUS 1.2 as AWS documents them.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;

use super::{
    export_writer::{self, Cells, Precision, Type},
    world::{
        export::{Export, utc},
        export_names::{PAYERS, SERVICES, Service},
        export_row::{ExportRow, Kind},
    },
};
use crate::charge::Month;

const VENDOR: &str = "Amazon Web Services, Inc.";

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

impl Record<'_> {
    fn service(&self) -> Option<&'static Service> {
        self.row.service.map(|position| &SERVICES[position])
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
            Kind::Rounding => "Rounding".to_owned(),
            Kind::Correction => format!("{what}, refund for an invoiced month"),
        }
    }

    fn consumed(&self) -> Option<f64> {
        let is_used = matches!(self.row.kind, Kind::Usage | Kind::Covered);
        self.row.quantity.filter(|_| is_used)
    }
}

impl Cells for Record<'_> {
    fn text(&self, column: &str) -> Option<Cow<'_, str>> {
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
            "BillingCurrency" | "PricingCurrency" => self.export.catalogue.currency,
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
            "CommitmentDiscountUnit" if is_committed => self.export.catalogue.currency,
            "InvoiceId" => row.invoice.as_deref()?,
            "ConsumedUnit" if self.consumed().is_some() => service?.unit,
            "PricingCategory" => match row.kind {
                Kind::Tax | Kind::Credit | Kind::Rounding => return None,
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
    export_writer::csv_gz(records, &COLUMNS, "%Y-%m-%dT%H:%M:%S.000Z")
}

/// The rows as Parquet.
pub(super) fn parquet(records: &[Record]) -> Vec<u8> {
    export_writer::parquet(records, &COLUMNS, Precision::Double)
}
