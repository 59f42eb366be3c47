//! One cost report of Oracle: a small file that is added, in the folder of the day on which it was written, with the
//! columns of an early FOCUS and times without seconds.

use std::{borrow::Cow, collections::BTreeMap};

use jiff::Timestamp;

use super::{
    export_delivery::{Delivery, Objects},
    export_writer::{self, Cells, Column, Type},
    setup::ORACLE_PREFIX,
    world::{
        export::utc,
        export_names::Service,
        oracle::{COMPARTMENTS, CURRENCY, Meter, Oracle, OracleRow, SERVICES, TENANCY},
    },
};

/// The columns, in the order in which they are written.
const COLUMNS: [Column; 48] = [
    ("AvailabilityZone", Type::Text),
    ("BilledCost", Type::Number),
    ("BillingAccountId", Type::Text),
    ("BillingAccountName", Type::Text),
    ("BillingCurrency", Type::Text),
    ("BillingPeriodEnd", Type::Time),
    ("BillingPeriodStart", Type::Time),
    ("ChargeCategory", Type::Text),
    ("ChargeDescription", Type::Text),
    ("ChargeFrequency", Type::Text),
    ("ChargePeriodEnd", Type::Time),
    ("ChargePeriodStart", Type::Time),
    ("ChargeSubcategory", Type::Text),
    ("CommitmentDiscountCategory", Type::Text),
    ("CommitmentDiscountId", Type::Text),
    ("CommitmentDiscountName", Type::Text),
    ("CommitmentDiscountType", Type::Text),
    ("EffectiveCost", Type::Number),
    ("InvoiceIssuer", Type::Text),
    ("ListCost", Type::Number),
    ("ListUnitPrice", Type::Number),
    ("PricingCategory", Type::Text),
    ("PricingQuantity", Type::Number),
    ("PricingUnit", Type::Text),
    ("Provider", Type::Text),
    ("Publisher", Type::Text),
    ("Region", Type::Text),
    ("ResourceId", Type::Text),
    ("ResourceName", Type::Text),
    ("ResourceType", Type::Text),
    ("ServiceCategory", Type::Text),
    ("ServiceName", Type::Text),
    ("SkuId", Type::Text),
    ("SkuPriceId", Type::Text),
    ("SubAccountId", Type::Text),
    ("SubAccountName", Type::Text),
    ("Tags", Type::Tags),
    ("UsageQuantity", Type::Number),
    ("UsageUnit", Type::Text),
    ("oci_ReferenceNumber", Type::Text),
    ("oci_CompartmentId", Type::Text),
    ("oci_CompartmentName", Type::Text),
    ("oci_OverageFlag", Type::Text),
    ("oci_UnitPriceOverage", Type::Number),
    ("oci_BilledQuantityOverage", Type::Number),
    ("oci_CostOverage", Type::Number),
    ("oci_AttributedCost", Type::Number),
    ("oci_BackReferenceNumber", Type::Text),
];

/// The file that was written at a time.
pub(super) fn objects(delivery: Delivery, written: Timestamp, oracle: &Oracle) -> Objects {
    let rows = oracle.rows(written);
    let records: Vec<_> = rows.iter().map(|row| Record { oracle, row }).collect();
    let name = format!(
        "{ORACLE_PREFIX}/{}/{:016}-00001.csv.gz",
        written.strftime("%Y/%m/%d"),
        written.as_second(),
    );
    let file = export_writer::csv_gz(&records, &COLUMNS, "%Y-%m-%dT%H:%MZ");
    Objects::from([(name, delivery.object(file, written))])
}

struct Record<'a> {
    oracle: &'a Oracle,
    row: &'a OracleRow,
}

impl<'a> Record<'a> {
    fn meter(&self) -> &'a Meter {
        &self.oracle.meters[self.row.meter]
    }

    fn service(&self) -> &'static Service {
        &SERVICES[self.meter().service]
    }
}

impl Cells for Record<'_> {
    fn text(&self, column: &str) -> Option<Cow<'_, str>> {
        let (meter, service) = (self.meter(), self.service());
        let text = match column {
            "BillingAccountId" => "77810442",
            "BillingAccountName" => "Leuchtturm GmbH",
            "BillingCurrency" => CURRENCY,
            "ChargeCategory" => "Usage",
            "ChargeDescription" | "ServiceName" => service.name,
            "ChargeFrequency" => "Usage-Based",
            "ChargeSubcategory" => "On-Demand",
            "InvoiceIssuer" | "Provider" | "Publisher" => "Oracle",
            "PricingCategory" => "Standard",
            "PricingUnit" | "UsageUnit" => service.unit,
            "Region" => "eu-frankfurt-1",
            "ResourceId" => &meter.resource,
            "ServiceCategory" => service.category,
            "SkuId" => service.code,
            "SubAccountId" => TENANCY.0,
            "SubAccountName" => TENANCY.1,
            "oci_ReferenceNumber" => &self.row.reference,
            "oci_CompartmentName" => COMPARTMENTS[meter.compartment],
            "oci_OverageFlag" => "N",
            "oci_BackReferenceNumber" => self.row.corrects.as_deref()?,
            _ => return None,
        };
        Some(text.into())
    }

    fn number(&self, column: &str) -> Option<f64> {
        let row = self.row;
        match column {
            "BilledCost" | "EffectiveCost" => Some(row.billed),
            "ListCost" => Some(row.list),
            "ListUnitPrice" => Some(self.service().price),
            "PricingQuantity" | "UsageQuantity" => Some(row.quantity),
            _ => None,
        }
    }

    fn time(&self, column: &str) -> Timestamp {
        let month = self.row.month();
        match column {
            "BillingPeriodStart" => utc(month.first_day()),
            "BillingPeriodEnd" => utc(month.next().first_day()),
            "ChargePeriodStart" => self.row.from,
            _ => self.row.to,
        }
    }

    fn tags(&self) -> Option<BTreeMap<&'static str, &'static str>> {
        let compartment = COMPARTMENTS[self.meter().compartment];
        Some(BTreeMap::from([("compartment", compartment)]))
    }
}
