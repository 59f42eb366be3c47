//! The part of an account's configuration that concerns rows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{charge::Measure, http_client::Bounds};

use super::{
    columns::Field,
    context::{BILLED, CONTRACTED, EFFECTIVE, LIST},
};

/// A cost basis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(
    rename_all = "lowercase",
    expecting = "billed, effective, list or contracted"
)]
pub(super) enum Cost {
    Billed,
    Effective,
    List,
    Contracted,
}

impl Cost {
    pub(super) fn measure(self) -> Measure {
        match self {
            Self::Billed => Measure::BilledCost,
            Self::Effective => Measure::EffectiveCost,
            Self::List => Measure::ListCost,
            Self::Contracted => Measure::ContractedCost,
        }
    }

    /// The position of its column among [`Table::numbers`](super::context::Table::numbers).
    pub(super) fn number(self) -> usize {
        match self {
            Self::Billed => BILLED,
            Self::Effective => EFFECTIVE,
            Self::List => LIST,
            Self::Contracted => CONTRACTED,
        }
    }

    /// Whether purchases that cover later usage are left out of it: their usage is in it at its own price.
    pub(super) fn leaves_out_coverage(self) -> bool {
        matches!(self, Self::List | Self::Contracted)
    }
}

/// Which quantity is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", expecting = "none, consumed or pricing")]
pub(super) enum Quantities {
    #[default]
    None,
    Consumed,
    Pricing,
}

/// What kind of charge a row is. Source: column `ChargeCategory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(expecting = "Usage, Purchase, Tax, Credit or Adjustment")]
pub(super) enum ChargeCategory {
    Usage,
    Purchase,
    Tax,
    Credit,
    Adjustment,
}

impl ChargeCategory {
    const ALL: [(&'static str, Self); 5] = [
        ("Usage", Self::Usage),
        ("Purchase", Self::Purchase),
        ("Tax", Self::Tax),
        ("Credit", Self::Credit),
        ("Adjustment", Self::Adjustment),
    ];

    /// The category of a text, in any case; `None` if the standard has no such one.
    pub(super) fn of(text: &str) -> Option<Self> {
        let known = Self::ALL
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|(_, category)| *category)
    }
}

/// A column that rows are chosen by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FilterKey {
    BillingAccountId,
    SubAccountId,
    ServiceName,
    RegionId,
    ChargeCategory,
}

impl FilterKey {
    pub(super) fn field(self) -> Field {
        match self {
            Self::BillingAccountId => Field::BillingAccountId,
            Self::SubAccountId => Field::SubAccountId,
            Self::ServiceName => Field::ServiceName,
            Self::RegionId => Field::RegionId,
            Self::ChargeCategory => Field::ChargeCategory,
        }
    }
}

/// The part of an account's configuration that concerns rows.
#[derive(Debug, Default)]
pub(super) struct RowSettings {
    /// The cost bases; billed is always one of them.
    pub(super) costs: Vec<Cost>,
    pub(super) quantities: Quantities,
    /// Rows of these categories are left out.
    pub(super) exclude: Vec<ChargeCategory>,
    /// The name in this export of a column of the standard.
    pub(super) columns: BTreeMap<String, String>,
    /// Only rows that have one of these values are read, for each key.
    pub(super) filters: Vec<(FilterKey, Vec<String>)>,
    /// The currency where the export has no column for it.
    pub(super) currency: Option<String>,
    /// The names of the dimensions that labels show: `sub_account`, `tag:KEY`, `column:NAME`. The others stay empty.
    pub(super) used: Vec<String>,
    pub(super) bounds: Bounds,
}
