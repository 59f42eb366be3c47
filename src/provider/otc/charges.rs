//! Open Telekom Cloud: a consumption row to its charge.

use std::sync::Arc;

use jiff::{
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};
use serde_json::Value;

use crate::{
    charge::{Amount, Charge, Measure, Month, Period, Sink},
    http_client::Fold,
    json::{
        RowError,
        scalars::{LocalTimes, Number, Raw, Text},
    },
    provider::{Dimension, Slot},
};

use super::{config::Endpoint, responses::ConsumptionResponse};

/// What reading a row depends on.
#[derive(Debug)]
pub(super) struct RowContext {
    pub(super) endpoint: Endpoint,
    pub(super) currency: String,
    pub(super) zone: TimeZone,
    /// Keys of the tags that are dimensions.
    pub(super) tags: Vec<String>,
}

/// Positions of the dimensions that others refer to.
const PROJECT_ID: usize = 2;
const PRODUCT: usize = 3;
const PRODUCT_DESCRIPTION: usize = 4;

/// The dimensions, in the order in which a charge has their values. A project without a name shows its id.
pub(super) fn dimensions(tags: &[String]) -> Vec<Dimension> {
    let mut all = vec![
        Dimension::new("contract").shown_as(Slot::Customer),
        Dimension::new("project_name")
            .id(PROJECT_ID)
            .shown_as(Slot::Project),
        Dimension::new("project_id"),
        Dimension::new("product")
            .description(PRODUCT_DESCRIPTION)
            .shown_as(Slot::Product),
        Dimension::new("product_description").id(PRODUCT),
        Dimension::new("cloud_region"),
        Dimension::new("resource_id"),
        Dimension::new("consumption_type"),
        Dimension::new("price_plan"),
    ];
    all.extend(tags.iter().map(|key| Dimension::new(format!("tag:{key}"))));
    all
}

/// Remarks on rows, as `explain` and the status page show them.
pub(super) const NO_PROJECT: &str = "rows without project_id are counted with an empty project";
pub(super) const NO_LIST_COST: &str =
    "rows without amount_excluding_discount are missing from list cost";
pub(super) const UNKNOWN_TAGS: &str = "tags have an unknown form and are left empty";

/// Turns the rows of the requested month into charges.
pub(super) struct ConsumptionFold {
    month: Month,
    context: Arc<RowContext>,
    times: LocalTimes,
}

impl ConsumptionFold {
    pub(super) fn new(month: Month, context: Arc<RowContext>) -> Self {
        Self {
            month,
            times: LocalTimes::new(context.zone.clone()),
            context,
        }
    }
}

impl Fold for ConsumptionFold {
    type Row<'a> = ConsumptionResponse<'a>;

    fn fold(&mut self, row: ConsumptionResponse<'_>, sink: &mut dyn Sink) -> Result<(), RowError> {
        let context = &*self.context;
        let Some(Number(billed)) = row.amount else {
            return Err(RowError::field("amount", "is missing"));
        };
        let time = consumed_at(row.consumption_date.as_ref(), self.month, &mut self.times)?;
        let billed = Amount {
            measure: Measure::BilledCost,
            value: billed,
            unit: &context.currency,
        };
        let mut amounts = [billed; 4];
        let mut count = 1;
        let mut add = |amount| {
            amounts[count] = amount;
            count += 1;
        };
        // One-time fees and recurring charges are lump sums: they predict nothing about the days to come.
        if matches!(Text::or_empty(row.consumption_type.as_ref()), "OTF" | "RC") {
            add(Amount {
                measure: Measure::FixedCost,
                ..billed
            });
        }
        let period = match context.endpoint {
            Endpoint::Daily => Period::Day(time.date()),
            Endpoint::Hourly => {
                match row.amount_excluding_discount {
                    Some(Number(value)) => add(Amount {
                        measure: Measure::ListCost,
                        value,
                        ..billed
                    }),
                    None => sink.remark(NO_LIST_COST),
                }
                Period::Hour(time.date().at(time.hour(), 0, 0, 0))
            }
        };
        if let Some(Number(value)) = row.quantity {
            add(Amount {
                measure: Measure::ConsumedQuantity,
                value,
                unit: Text::or_empty(row.quantity_type.as_ref()),
            });
        }
        let values = [
            &row.contract,
            &row.project_name,
            &row.project_id,
            &row.product,
            &row.product_description,
            &row.region,
            &row.resource_id,
            &row.consumption_type,
            &row.external_priceplan,
        ]
        .map(|text| Text::or_empty(text.as_ref()));
        if values[PROJECT_ID].is_empty() {
            sink.remark(NO_PROJECT);
        }
        sink.rows(1);
        let mut charge = Charge {
            period,
            dimensions: &values,
            amounts: &amounts[..count],
        };
        if context.tags.is_empty() {
            return Ok(sink.charge(&charge)?);
        }
        let tags = tag_values(row.tags, &context.tags).unwrap_or_else(|| {
            sink.remark(UNKNOWN_TAGS);
            vec![String::new(); context.tags.len()]
        });
        let all: Vec<&str> = values
            .into_iter()
            .chain(tags.iter().map(String::as_str))
            .collect();
        charge.dimensions = &all;
        Ok(sink.charge(&charge)?)
    }
}

/// When a row was consumed, in the account's zone.
///
/// A row belongs to the requested month if its date is in that month, in the account's zone or as written. If only the
/// date as written is, the offset moved it across the edge of the month: it counts at that edge, so that it is neither
/// lost nor counted in the neighbouring month. Any other row was not requested and is an error.
pub(super) fn consumed_at(
    text: Option<&Text<'_>>,
    month: Month,
    times: &mut LocalTimes,
) -> Result<DateTime, RowError> {
    const FIELD: &str = "consumption_date";
    let text = text.ok_or_else(|| RowError::field(FIELD, "is missing"))?;
    let time = times
        .read(&text.0)
        .ok_or_else(|| RowError::field(FIELD, "is not a date of the form YYYY-MM-DDTHH:MM:SS"))?;
    if Month::of(time.date()) == month {
        return Ok(time);
    }
    let as_written = text.0.get(..10).and_then(|date| date.parse::<Date>().ok());
    if as_written.map(Month::of) != Some(month) {
        return Err(RowError::field(
            FIELD,
            format!(
                "is in {}, but {month} was requested",
                Month::of(time.date())
            ),
        ));
    }
    Ok(if time.date() < month.first_day() {
        month.first_day().to_datetime(Time::midnight())
    } else {
        month.last_day().at(23, 0, 0, 0)
    })
}

/// The values of these tags, empty where there is none; `None` if the form is unknown. Known forms are a list of
/// `{key, value}`, a map, and a list of `key: value` or `key=value`.
fn tag_values(tags: Option<Raw<'_>>, keys: &[String]) -> Option<Vec<String>> {
    let tags: Value = tags.map_or(Some(Value::Null), |tags| serde_json::from_str(tags.0).ok())?;
    let known = match &tags {
        Value::Null | Value::Object(_) => true,
        Value::Array(list) => list
            .iter()
            .all(|tag| tag.is_string() || tag.get("key").is_some()),
        _ => false,
    };
    known.then(|| {
        keys.iter()
            .map(|key| tag_value(&tags, key).unwrap_or_default())
            .collect()
    })
}

fn tag_value(tags: &Value, key: &str) -> Option<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    };
    match tags {
        Value::Object(map) => text(map.get(key)?),
        Value::Array(list) => list.iter().find_map(|tag| match tag {
            // Keys may contain colons, so the key is stripped instead of splitting at the first separator.
            Value::String(pair) => pair
                .strip_prefix(key)?
                .trim_start()
                .strip_prefix([':', '='])
                .map(|value| value.trim().to_owned()),
            pair => (text(pair.get("key")?)? == key)
                .then(|| text(pair.get("value")?))
                .flatten(),
        }),
        _ => None,
    }
}
