//! What reading the rows of an export depends on: the configuration, and which columns a file has for it.

use std::collections::BTreeMap;

use crate::{
    charge::Measure,
    http_client::Bounds,
    provider::{Dimension, Slot},
};

use super::{
    columns::{Field, Headers},
    settings::{ChargeCategory, Cost, FilterKey, Quantities, RowSettings},
};

/// The names of all dimensions, for the configuration.
pub(super) const OFFERS: &[&str] = &[
    "billing_account",
    "billing_account_id",
    "sub_account",
    "sub_account_id",
    "service_name",
    "service_category",
    "region",
    "resource_id",
    "resource_name",
    "charge_category",
    "charge_class",
    "pricing_category",
    "commitment_status",
    "service_provider",
    "host_provider",
    "invoice_issuer",
    "invoice_id",
    "tag:KEY",
    "column:NAME",
];

/// The dimensions that every export has: name, column, the position of its id, the label that shows it by default.
const DIMENSIONS: &[(&str, Field, Option<usize>, Option<Slot>)] = &[
    (
        "billing_account",
        Field::BillingAccountName,
        Some(1),
        Some(Slot::Customer),
    ),
    ("billing_account_id", Field::BillingAccountId, None, None),
    (
        "sub_account",
        Field::SubAccountName,
        Some(3),
        Some(Slot::Project),
    ),
    ("sub_account_id", Field::SubAccountId, None, None),
    (
        "service_name",
        Field::ServiceName,
        None,
        Some(Slot::Product),
    ),
    ("service_category", Field::ServiceCategory, None, None),
    ("region", Field::RegionId, None, None),
    ("resource_id", Field::ResourceId, None, None),
    ("resource_name", Field::ResourceName, Some(7), None),
    ("charge_category", Field::ChargeCategory, None, None),
    ("charge_class", Field::ChargeClass, None, None),
    ("pricing_category", Field::PricingCategory, None, None),
    (
        "commitment_status",
        Field::CommitmentDiscountStatus,
        None,
        None,
    ),
    ("service_provider", Field::ServiceProviderName, None, None),
    ("host_provider", Field::HostProviderName, None, None),
    ("invoice_issuer", Field::InvoiceIssuerName, None, None),
    ("invoice_id", Field::InvoiceId, None, None),
];

/// A column whose cells are texts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TextColumn {
    /// One of the standard.
    Field(Field),
    /// Any column.
    Named(String),
}

/// Where the value of a dimension comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// No label shows it.
    Unused,
    /// A text column, by its position among [`Table::texts`].
    Text(usize),
    /// The service, or its publisher where the service has no name.
    Service { name: usize, publisher: usize },
    /// A tag, by its position among the keys.
    Tag(usize),
}

/// Positions among [`Table::numbers`].
pub(super) const BILLED: usize = 0;
pub(super) const EFFECTIVE: usize = 1;
pub(super) const LIST: usize = 2;
pub(super) const CONTRACTED: usize = 3;
pub(super) const QUANTITY: usize = 4;
const COSTS: [Field; 4] = [
    Field::BilledCost,
    Field::EffectiveCost,
    Field::ListCost,
    Field::ContractedCost,
];

/// Positions among [`Table::times`].
pub(super) const PERIOD_START: usize = 0;
pub(super) const PERIOD_END: usize = 1;
pub(super) const CHARGE_START: usize = 2;
pub(super) const CHARGE_END: usize = 3;
const TIMES: [Field; 4] = [
    Field::BillingPeriodStart,
    Field::BillingPeriodEnd,
    Field::ChargePeriodStart,
    Field::ChargePeriodEnd,
];

/// Positions among [`Table::texts`] of what every row is asked for.
pub(super) const CATEGORY: usize = 0;
pub(super) const CLASS: usize = 1;
pub(super) const FREQUENCY: usize = 2;
pub(super) const CURRENCY: usize = 3;
pub(super) const BILLING_ACCOUNT: usize = 4;
pub(super) const SUB_ACCOUNT: usize = 5;
const EVERY_ROW: [Field; 6] = [
    Field::ChargeCategory,
    Field::ChargeClass,
    Field::ChargeFrequency,
    Field::BillingCurrency,
    Field::BillingAccountId,
    Field::SubAccountId,
];

/// What reading a row depends on.
#[derive(Debug)]
pub(super) struct RowContext {
    /// The cost bases beside billed.
    pub(super) costs: Vec<Cost>,
    pub(super) quantity: Option<Measure>,
    pub(super) exclude: Vec<ChargeCategory>,
    /// Positions among the texts, and the values that are read.
    pub(super) filters: Vec<(usize, Vec<String>)>,
    pub(super) currency: Option<String>,
    /// The position of the unit of quantities among the texts.
    pub(super) unit: Option<usize>,
    /// The keys of the tags that are dimensions.
    pub(super) tags: Vec<String>,
    /// Where each dimension's value comes from.
    pub(super) origins: Vec<Origin>,
    pub(super) bounds: Bounds,
    /// Names of columns in this export, by the standard's names.
    pub(super) renamed: BTreeMap<String, String>,
    /// The columns of the filters.
    pub(super) filter_keys: Vec<FilterKey>,
    texts: Vec<TextColumn>,
    dimensions: Vec<Dimension>,
}

/// Which columns of one file are read: positions among its columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    /// Costs and the quantity.
    pub(super) numbers: [Option<usize>; 5],
    /// The billing and the charge period.
    pub(super) times: [Option<usize>; 4],
    /// Texts, as the context numbers them.
    pub(super) texts: Vec<Option<usize>>,
    pub(super) tags: Option<usize>,
    /// The file's names of its columns.
    pub(super) names: Vec<String>,
    /// Columns that the configuration asks for and the file does not have.
    pub(super) absent: Vec<String>,
}

impl RowContext {
    pub(super) fn new(settings: RowSettings) -> Self {
        let mut costs = settings.costs;
        costs.retain(|cost| *cost != Cost::Billed);
        costs.sort_unstable();
        costs.dedup();
        let mut texts: Vec<_> = EVERY_ROW.map(TextColumn::Field).into();
        let mut position = |column: TextColumn| {
            let known = texts.iter().position(|known| *known == column);
            known.unwrap_or_else(|| {
                texts.push(column);
                texts.len() - 1
            })
        };
        let mut field = |field| position(TextColumn::Field(field));
        let (quantity, unit) = match settings.quantities {
            Quantities::None => (None, None),
            Quantities::Consumed => (
                Some(Measure::ConsumedQuantity),
                Some(field(Field::ConsumedUnit)),
            ),
            Quantities::Pricing => (
                Some(Measure::PricingQuantity),
                Some(field(Field::PricingUnit)),
            ),
        };
        let filter_keys = settings.filters.iter().map(|(key, _)| *key).collect();
        let filters = settings.filters.into_iter();
        let filters = filters
            .map(|(key, values)| (field(key.field()), values))
            .collect();
        let is_used = |name: &str| settings.used.iter().any(|used| used == name);
        let is_id = |at: usize| {
            DIMENSIONS
                .iter()
                .any(|(name, _, id, _)| *id == Some(at) && is_used(name))
        };
        let mut origins = Vec::new();
        let mut dimensions = Vec::new();
        for (at, &(name, column, id, slot)) in DIMENSIONS.iter().enumerate() {
            origins.push(match column {
                _ if !is_used(name) && !is_id(at) => Origin::Unused,
                Field::ServiceName => Origin::Service {
                    name: field(column),
                    publisher: field(Field::PublisherName),
                },
                column => Origin::Text(field(column)),
            });
            let mut dimension = Dimension::new(name);
            dimension.id = id;
            dimension.default_for = slot;
            dimensions.push(dimension);
        }
        let mut tags = Vec::new();
        for name in &settings.used {
            let origin = match name.split_once(':') {
                Some(("tag", key)) => {
                    tags.push(key.to_owned());
                    Origin::Tag(tags.len() - 1)
                }
                Some(("column", column)) => {
                    Origin::Text(position(TextColumn::Named(column.to_owned())))
                }
                _ => continue,
            };
            if dimensions.iter().all(|known| known.name != *name) {
                dimensions.push(Dimension::new(name));
                origins.push(origin);
            }
        }
        Self {
            costs,
            quantity,
            exclude: settings.exclude,
            filters,
            currency: settings.currency,
            unit,
            tags,
            origins,
            bounds: settings.bounds,
            renamed: settings.columns,
            filter_keys,
            texts,
            dimensions,
        }
    }

    /// The dimensions, in the order in which a charge has their values.
    pub(super) fn dimensions(&self) -> Vec<Dimension> {
        self.dimensions.clone()
    }

    /// What may be measured.
    pub(super) fn measures(&self) -> Vec<Measure> {
        let costs = self.costs.iter().map(|cost| cost.measure());
        [Measure::BilledCost]
            .into_iter()
            .chain(costs)
            .chain(self.quantity)
            .collect()
    }

    /// Whether these columns are those of a cost dataset, and not of another one of the standard.
    pub(super) fn has_billed_cost<'a>(&self, columns: impl Iterator<Item = &'a str>) -> bool {
        let headers = Headers::new(columns);
        headers.field(Field::BilledCost, &self.renamed) != Ok(None)
    }

    /// Finds the columns of a file. The error says what is missing.
    pub(super) fn table(&self, names: Vec<String>) -> Result<Table, String> {
        let headers = Headers::new(names.iter().map(String::as_str));
        let find = |field| headers.field(field, &self.renamed);
        let mut table = Table::default();
        let mut missing = Vec::new();
        let mut require = |field: Field, found: Option<usize>| {
            if found.is_none() {
                missing.push(field.name());
            }
        };
        for (slot, field) in COSTS.into_iter().enumerate() {
            let wanted = |cost: &Cost| {
                cost.number() == slot || slot == EFFECTIVE && cost.leaves_out_coverage()
            };
            if slot == BILLED || self.costs.iter().any(wanted) {
                table.numbers[slot] = find(field)?;
            }
            if slot == BILLED {
                require(field, table.numbers[slot]);
            } else if table.numbers[slot].is_none() && self.costs.iter().any(wanted) {
                table.absent.push(field.name().to_owned());
            }
        }
        for (slot, field) in TIMES.into_iter().enumerate() {
            table.times[slot] = find(field)?;
            if slot != CHARGE_END {
                require(field, table.times[slot]);
            }
        }
        if self.quantity.is_some() {
            let field = self.quantity_field();
            table.numbers[QUANTITY] = find(field)?;
            if table.numbers[QUANTITY].is_none() {
                table.absent.push(field.name().to_owned());
            }
        }
        for (slot, column) in self.texts.iter().enumerate() {
            let found = match column {
                TextColumn::Field(field) => find(*field)?,
                TextColumn::Named(name) => headers.named(name)?,
            };
            table.texts.push(found);
            match column {
                TextColumn::Field(field) if slot == CATEGORY => require(*field, found),
                TextColumn::Field(field) if slot == CURRENCY && self.currency.is_none() => {
                    require(*field, found);
                }
                TextColumn::Named(name) if found.is_none() => table.absent.push(name.clone()),
                _ => {}
            }
        }
        if !self.tags.is_empty() {
            table.tags = find(Field::Tags)?;
            if table.tags.is_none() {
                table.absent.push(Field::Tags.name().to_owned());
            }
        }
        for (key, (slot, _)) in self.filter_keys.iter().zip(&self.filters) {
            if table.texts[*slot].is_none() {
                require(key.field(), None);
            }
        }
        missing.sort_unstable();
        missing.dedup();
        if !missing.is_empty() {
            return Err(missing_columns(&missing));
        }
        table.names = names;
        Ok(table)
    }

    fn quantity_field(&self) -> Field {
        if self.quantity == Some(Measure::PricingQuantity) {
            Field::PricingQuantity
        } else {
            Field::ConsumedQuantity
        }
    }

    /// The name of a number column, for errors.
    pub(super) fn number_name(&self, slot: usize) -> &'static str {
        let field = COSTS.get(slot).copied();
        field.unwrap_or_else(|| self.quantity_field()).name()
    }

    /// The name of a time column, for errors.
    pub(super) fn time_name(slot: usize) -> &'static str {
        TIMES[slot].name()
    }

    /// The name of a text column, for errors.
    pub(super) fn text_name(&self, slot: usize) -> &str {
        match &self.texts[slot] {
            TextColumn::Field(field) => field.name(),
            TextColumn::Named(name) => name,
        }
    }
}

fn missing_columns(missing: &[&str]) -> String {
    let which = missing.join(", ");
    let advice = "if the export has other names for them, set columns";
    let is_other_dataset = ["BilledCost", "BillingPeriodStart", "ChargeCategory"]
        .iter()
        .all(|name| missing.contains(name));
    if is_other_dataset {
        return format!("no FOCUS cost and usage dataset, missing columns: {which}; {advice}");
    }
    format!("missing columns: {which}; {advice}")
}
