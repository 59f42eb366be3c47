//! The columns of an export: which are read, and under which names.

use std::collections::BTreeMap;

/// A column of the standard that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    BilledCost,
    EffectiveCost,
    ListCost,
    ContractedCost,
    ConsumedQuantity,
    PricingQuantity,
    BillingPeriodStart,
    BillingPeriodEnd,
    ChargePeriodStart,
    ChargePeriodEnd,
    BillingCurrency,
    ChargeCategory,
    ChargeClass,
    ChargeFrequency,
    ConsumedUnit,
    PricingUnit,
    BillingAccountId,
    BillingAccountName,
    SubAccountId,
    SubAccountName,
    ServiceName,
    ServiceCategory,
    PublisherName,
    RegionId,
    ResourceId,
    ResourceName,
    PricingCategory,
    CommitmentDiscountStatus,
    ServiceProviderName,
    HostProviderName,
    InvoiceIssuerName,
    InvoiceId,
    Tags,
}

use Field as F;

/// The names of each column, the newest first. Source: changelog of the specification, 0.5 to 1.4, and headers as
/// Oracle writes them.
const NAMES: &[(Field, &[&str])] = &[
    (F::BilledCost, &["BilledCost"]),
    (F::EffectiveCost, &["EffectiveCost", "AmortizedCost"]),
    (F::ListCost, &["ListCost"]),
    (F::ContractedCost, &["ContractedCost"]),
    (F::ConsumedQuantity, &["ConsumedQuantity", "UsageQuantity"]),
    (F::PricingQuantity, &["PricingQuantity"]),
    (F::BillingPeriodStart, &["BillingPeriodStart"]),
    (F::BillingPeriodEnd, &["BillingPeriodEnd"]),
    (F::ChargePeriodStart, &["ChargePeriodStart"]),
    (F::ChargePeriodEnd, &["ChargePeriodEnd"]),
    (F::BillingCurrency, &["BillingCurrency"]),
    (F::ChargeCategory, &["ChargeCategory", "ChargeType"]),
    (F::ChargeClass, &["ChargeClass"]),
    (F::ChargeFrequency, &["ChargeFrequency"]),
    (F::ConsumedUnit, &["ConsumedUnit", "UsageUnit"]),
    (F::PricingUnit, &["PricingUnit"]),
    (F::BillingAccountId, &["BillingAccountId"]),
    (F::BillingAccountName, &["BillingAccountName"]),
    (F::SubAccountId, &["SubAccountId"]),
    (F::SubAccountName, &["SubAccountName"]),
    (F::ServiceName, &["ServiceName"]),
    (F::ServiceCategory, &["ServiceCategory"]),
    (F::PublisherName, &["PublisherName", "Publisher"]),
    (F::RegionId, &["RegionId", "Region"]),
    (F::ResourceId, &["ResourceId"]),
    (F::ResourceName, &["ResourceName"]),
    (F::PricingCategory, &["PricingCategory"]),
    (F::CommitmentDiscountStatus, &["CommitmentDiscountStatus"]),
    (
        F::ServiceProviderName,
        &["ServiceProviderName", "ProviderName", "Provider"],
    ),
    (F::HostProviderName, &["HostProviderName"]),
    (
        F::InvoiceIssuerName,
        &["InvoiceIssuerName", "InvoiceIssuer"],
    ),
    (F::InvoiceId, &["InvoiceId"]),
    (F::Tags, &["Tags"]),
];

impl Field {
    /// The names of the column, the newest first.
    fn names(self) -> &'static [&'static str] {
        let known = NAMES.iter().find(|(field, _)| *field == self);
        known.map_or(&[], |(_, names)| names)
    }

    /// Its name in the newest version of the standard.
    pub(super) fn name(self) -> &'static str {
        self.names().first().copied().unwrap_or_default()
    }
}

/// The standard's newest names of all columns that are read: the keys that `columns` may have.
pub(super) const KNOWN: &[&str] = &{
    let mut names = [""; NAMES.len()];
    let mut at = 0;
    while at < NAMES.len() {
        names[at] = NAMES[at].1[0];
        at += 1;
    }
    names
};

/// The columns of one file, by name in any case.
#[derive(Debug)]
pub(super) struct Headers {
    /// Position by name in lower case; `None` where several columns have the name.
    positions: BTreeMap<String, Option<usize>>,
}

impl Headers {
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut positions = BTreeMap::new();
        for (position, name) in names.enumerate() {
            positions
                .entry(name.trim().to_lowercase())
                .and_modify(|known| *known = None)
                .or_insert(Some(position));
        }
        Self { positions }
    }

    /// The position of the column of this name, if there is one. Two of them are an error.
    pub(super) fn named(&self, name: &str) -> Result<Option<usize>, String> {
        match self.positions.get(&name.to_lowercase()) {
            None => Ok(None),
            Some(Some(position)) => Ok(Some(*position)),
            Some(None) => Err(format!("column {name} is there more than once")),
        }
    }

    /// The position of a column of the standard, under the name that the configuration gives it, or else under the newest
    /// of its own names.
    pub(super) fn field(
        &self,
        field: Field,
        renamed: &BTreeMap<String, String>,
    ) -> Result<Option<usize>, String> {
        if let Some(name) = renamed.get(field.name()) {
            return self.named(name);
        }
        for name in field.names() {
            if let Some(position) = self.named(name)? {
                return Ok(Some(position));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(headers: &[&str], field: Field) -> Result<Option<usize>, String> {
        Headers::new(headers.iter().copied()).field(field, &BTreeMap::new())
    }

    #[test]
    fn every_field_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> =
            NAMES.iter().flat_map(|(_, names)| names.iter()).collect();
        let count: usize = NAMES.iter().map(|(_, names)| names.len()).sum();
        assert_eq!(names.len(), count);
        for ((field, _), known) in NAMES.iter().zip(KNOWN) {
            assert_eq!(
                (format!("{field:?}").as_str(), *known),
                (field.name(), field.name())
            );
        }
    }

    #[test]
    fn newest_name_wins_in_any_case() {
        for (headers, field, want) in [
            (&["x", "billedcost"][..], F::BilledCost, Some(1)),
            (&["BILLEDCOST"], F::BilledCost, Some(0)),
            (&[" BilledCost "], F::BilledCost, Some(0)),
            (
                &["Provider", "ProviderName"],
                F::ServiceProviderName,
                Some(1),
            ),
            (
                &["ProviderName", "ServiceProviderName"],
                F::ServiceProviderName,
                Some(1),
            ),
            (&["Provider"], F::ServiceProviderName, Some(0)),
            (&["Region"], F::RegionId, Some(0)),
            (&["Region", "RegionId"], F::RegionId, Some(1)),
            (&["UsageQuantity", "UsageUnit"], F::ConsumedUnit, Some(1)),
            (&["AmortizedCost"], F::EffectiveCost, Some(0)),
            (&["ChargeType"], F::ChargeCategory, Some(0)),
            (&["InvoiceIssuer"], F::InvoiceIssuerName, Some(0)),
            (&["Cost"], F::BilledCost, None),
        ] {
            assert_eq!(find(headers, field), Ok(want), "{headers:?}");
        }
    }

    #[test]
    fn name_that_two_columns_have_is_an_error() {
        let error = find(&["BilledCost", "billedCost"], F::BilledCost).unwrap_err();
        assert_eq!(error, "column BilledCost is there more than once");
        assert_eq!(find(&["a", "A", "BilledCost"], F::BilledCost), Ok(Some(2)));
    }

    #[test]
    fn configured_name_replaces_all_others() {
        let renamed = BTreeMap::from([("ServiceName".to_owned(), "Product".to_owned())]);
        for (headers, want) in [
            (&["ServiceName", "product"][..], Some(1)),
            (&["ServiceName"], None),
        ] {
            let headers = Headers::new(headers.iter().copied());
            assert_eq!(headers.field(F::ServiceName, &renamed), Ok(want));
        }
    }
}
