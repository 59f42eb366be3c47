//! The data files of an export of Azure: the columns of FOCUS 1.2 as Cost Management writes them, with its own
//! columns, ids that are paths, and decimal numbers in Parquet.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;

use super::{
    export_writer::{self, Cells, Column, Precision, Type},
    world::{
        export::{Export, SubAccount, utc},
        export_names::Service,
        export_row::{ExportRow, Kind},
    },
};
use crate::charge::Month;

/// The columns, in the order in which they are written. Tags are text in both forms.
const COLUMNS: [Column; 63] = [
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
    ("Tags", Type::Text),
    ("x_BilledCostInUsd", Type::Number),
    ("x_BillingProfileId", Type::Text),
    ("x_BillingProfileName", Type::Text),
    ("x_CostCenter", Type::Text),
    ("x_InvoiceSectionName", Type::Text),
    ("x_PublisherCategory", Type::Text),
    ("x_ResourceGroupName", Type::Text),
    ("x_ResourceType", Type::Text),
    ("x_SkuMeterCategory", Type::Text),
    ("x_SkuRegion", Type::Text),
];

/// One row of a month.
#[derive(Clone, Copy)]
pub(super) struct Record<'a> {
    pub(super) export: &'a Export,
    pub(super) month: Month,
    pub(super) row: &'a ExportRow,
}

/// The rows as compressed CSV.
pub(super) fn csv_gz(records: &[Record]) -> Vec<u8> {
    export_writer::csv_gz(records, &COLUMNS, "%Y-%m-%dT%H:%M:%SZ")
}

/// The rows as Parquet.
pub(super) fn parquet(records: &[Record]) -> Vec<u8> {
    export_writer::parquet(records, &COLUMNS, Precision::Decimal)
}

impl<'a> Record<'a> {
    fn service(&self) -> Option<&'static Service> {
        let services = self.export.catalogue.services;
        self.row.service.map(|position| &services[position])
    }

    fn sub_account(&self) -> Option<&'a SubAccount> {
        let position = self.row.sub_account?;
        self.export.sub_accounts.get(position)
    }

    /// The resource, where the row is about one.
    fn resource(&self) -> Option<&'a str> {
        Some(self.row.resource.as_str()).filter(|resource| !resource.is_empty())
    }

    fn resource_group(&self) -> Option<&'a str> {
        let (_, rest) = self.resource()?.split_once("/resourceGroups/")?;
        rest.split('/').next()
    }

    fn is_committed(&self) -> bool {
        matches!(
            self.row.kind,
            Kind::Commitment | Kind::Covered | Kind::Unused
        )
    }

    fn description(&self) -> &'static str {
        match self.row.kind {
            Kind::Unused => "Unused reservation",
            Kind::Commitment => "Reserved VM Instance, 1 Year",
            Kind::Marketplace => "Dashboard, monthly plan",
            Kind::Rounding => "Rounding adjustment",
            _ => self.service().map_or("", |service| service.name),
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
        let (payer, payer_name) = self.export.catalogue.payers[row.payer];
        let is_marketplace = row.kind == Kind::Marketplace;
        let text = match column {
            "BillingAccountId" => payer,
            "BillingAccountName" => payer_name,
            "BillingAccountType" => "Billing Account",
            "BillingCurrency" | "PricingCurrency" => self.export.catalogue.currency,
            "ChargeCategory" => row.kind.category(),
            "ChargeDescription" => self.description(),
            "ChargeFrequency" => row.kind.frequency(),
            "CommitmentDiscountCategory" if self.is_committed() => "Usage",
            "CommitmentDiscountId" if self.is_committed() => {
                "/providers/Microsoft.Capacity/reservationOrders/5c1f0d3e-0000-4000-8000-00000000a2a2"
            }
            "CommitmentDiscountName" if self.is_committed() => "VM_RI_Produktion",
            "CommitmentDiscountType" if self.is_committed() => "Reservation",
            "CommitmentDiscountStatus" if row.kind == Kind::Covered => "Used",
            "CommitmentDiscountStatus" if row.kind == Kind::Unused => "Unused",
            "CommitmentDiscountUnit" if self.is_committed() => "Hours",
            "ConsumedUnit" if self.consumed().is_some() => self.service()?.unit,
            "PricingCategory" => match row.kind {
                Kind::Rounding => return None,
                _ if self.is_committed() => "Committed",
                _ => "Standard",
            },
            "PricingUnit" if row.quantity.is_some() => self.service()?.unit,
            "InvoiceId" => row.invoice.as_deref()?,
            "PublisherName" if is_marketplace => "Grafikwerk Ltd.",
            "InvoiceIssuerName" | "ProviderName" | "PublisherName" => "Microsoft",
            "RegionId" if self.resource().is_some() => "westeurope",
            "RegionName" if self.resource().is_some() => "West Europe",
            "ResourceId" => self.resource()?,
            "ResourceName" => self.resource()?.rsplit('/').next()?,
            "ResourceType" => self.resource().and(self.service())?.name,
            "ServiceCategory" => self.service().map_or("Other", |service| service.category),
            // Missing for what is no service of Azure.
            "ServiceName" | "x_SkuMeterCategory" => self.service()?.name,
            "ServiceSubcategory" => self
                .service()
                .map_or("Other (Other)", |service| service.subcategory),
            "SubAccountId" => &self.sub_account()?.id,
            "SubAccountName" => self.sub_account()?.name,
            "SubAccountType" => self.sub_account().map(|_| "Subscription")?,
            "Tags" => return serde_json::to_string(&self.tags()?).ok().map(Into::into),
            "x_BillingProfileId" => "QJ2K-0001",
            "x_BillingProfileName" => "Nordwind, EUR",
            "x_CostCenter" if self.sub_account().is_some() => "4711",
            "x_InvoiceSectionName" => "IT",
            "x_PublisherCategory" if is_marketplace => "Vendor",
            "x_PublisherCategory" => "Cloud Provider",
            "x_ResourceGroupName" => self.resource_group()?,
            "x_ResourceType" => self.resource().and(self.service())?.code,
            "x_SkuRegion" if self.resource().is_some() => "EU West",
            _ => return None,
        };
        Some(text.into())
    }

    fn number(&self, column: &str) -> Option<f64> {
        let row = self.row;
        match column {
            "BilledCost" => Some(row.billed),
            "EffectiveCost" => Some(row.effective),
            "ListCost" => Some(row.list),
            "ContractedCost" => row.contracted,
            "ConsumedQuantity" => self.consumed(),
            "PricingQuantity" => row.quantity,
            "ListUnitPrice" => self.service().map(|service| service.price),
            "x_BilledCostInUsd" => Some(row.billed / 0.92),
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
        self.resource()?;
        Some(match self.row.sub_account? % 2 {
            0 => BTreeMap::from([("env", "prod"), ("owner", "Σωκράτης")]),
            _ => BTreeMap::from([("env", "test")]),
        })
    }
}
