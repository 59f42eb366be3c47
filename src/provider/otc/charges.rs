//! Open Telekom Cloud: a consumption row to its charge.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::{
    charge::{Amount, Charge, Measure, Month, Period, Sink},
    http_client::Fold,
    json::{
        RowError,
        scalars::{Number, Text},
    },
    provider::{Dimension, Slot},
};

use super::{
    config::{Endpoint, Offsets},
    filters::{RowFilters, ignored},
    repeats::{MAX_ROWS, RowId, TaggedRows},
    responses::ConsumptionResponse,
    tags::Tags,
    times::RowTimes,
};

/// What reading a row depends on.
#[derive(Debug, Clone)]
pub(super) struct RowContext {
    pub(super) endpoint: Endpoint,
    pub(super) currency: String,
    pub(super) zone: TimeZone,
    /// How the offset of an hourly row is read.
    pub(super) offsets: Offsets,
    pub(super) filters: RowFilters,
    /// Whether tags are requested, so that a row may come once for each of its tags.
    pub(super) show_tag: bool,
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
pub(super) const OTHER_OFFSET: &str = "hourly rows have an offset that the time zone does not have on their date; compare their hours with the dashboard, and see the key offsets";
pub(super) const NOT_MIDNIGHT: &str =
    "daily rows do not begin at midnight as written, so they may be shown on the wrong day";

/// Turns the rows of the requested month into charges.
pub(super) struct ConsumptionFold {
    month: Month,
    context: Arc<RowContext>,
    times: RowTimes,
    /// Where tags are requested.
    tagged: Option<TaggedRows>,
    without_list_cost: u64,
}

impl ConsumptionFold {
    pub(super) fn new(month: Month, context: Arc<RowContext>) -> Self {
        let zone = context.zone.clone();
        Self {
            month,
            times: RowTimes::new(zone, month, context.endpoint, context.offsets),
            tagged: context.show_tag.then(|| TaggedRows::new(MAX_ROWS)),
            without_list_cost: 0,
            context,
        }
    }

    /// Whether rows wait for the end of the month.
    pub(super) fn keeps_rows(&self) -> bool {
        self.tagged.as_ref().is_some_and(TaggedRows::keeps_any)
    }

    /// Ends the month: charges the rows that waited for their tags.
    pub(super) fn finish(self, sink: &mut dyn Sink) -> Result<(), RowError> {
        if self.context.endpoint == Endpoint::Hourly {
            sink.missing(self.month, Measure::ListCost, self.without_list_cost);
        }
        let Some(tagged) = self.tagged else {
            return Ok(());
        };
        if !tagged.all_match() {
            return Err(ignored(self.context.filters.tag_key()));
        }
        tagged.charge(sink)
    }
}

impl Fold for ConsumptionFold {
    type Row<'a> = ConsumptionResponse<'a>;

    fn fold(&mut self, row: ConsumptionResponse<'_>, sink: &mut dyn Sink) -> Result<(), RowError> {
        let context = &*self.context;
        let Some(Number(billed)) = row.amount else {
            return Err(RowError::field("amount", "is missing"));
        };
        context.filters.check(&row)?;
        let date = row.consumption_date.as_ref().map(|Text(date)| &**date);
        let time = self.times.read(date)?;
        if time.is_odd {
            sink.remark(match context.endpoint {
                Endpoint::Daily => NOT_MIDNIGHT,
                Endpoint::Hourly => OTHER_OFFSET,
            });
        }
        sink.rows(1);
        let tags = context.tags_of(&row);
        if matches!(tags, Tags::Unknown) {
            sink.remark(UNKNOWN_TAGS);
        }
        let (field, id) = context.endpoint.id_of(&row);
        let id = RowId {
            field,
            id,
            amount: billed,
            matches: context.filters.matches(&tags),
        };
        if let Some(tagged) = &mut self.tagged
            && tagged.repeats(&id, &context.tags, &tags)?
        {
            return Ok(());
        }
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
            Endpoint::Daily => Period::Day(time.at.date()),
            Endpoint::Hourly => {
                if let Some(Number(value)) = row.amount_excluding_discount {
                    add(Amount {
                        measure: Measure::ListCost,
                        value,
                        ..billed
                    });
                } else {
                    self.without_list_cost += 1;
                    sink.remark(NO_LIST_COST);
                }
                Period::Hour(time.at.date().at(time.at.hour(), 0, 0, 0))
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
        let charge = Charge {
            period,
            dimensions: &values,
            amounts: &amounts[..count],
        };
        match &mut self.tagged {
            Some(tagged) if !context.tags.is_empty() => {
                tagged.keep(id.id, &charge, &context.tags, &tags)
            }
            _ => Ok(sink.charge(&charge)?),
        }
    }
}

impl RowContext {
    /// The tags of a row, where something needs them.
    fn tags_of<'a>(&self, row: &ConsumptionResponse<'a>) -> Tags<'a> {
        if self.tags.is_empty() && !self.filters.has_tag() {
            return Tags::None;
        }
        Tags::of(row)
    }
}

impl Endpoint {
    /// The id of a row and the field that holds it.
    fn id_of<'r>(self, row: &'r ConsumptionResponse<'_>) -> (&'static str, &'r str) {
        match self {
            Self::Daily => (
                "aggregation_id",
                Text::or_empty(row.aggregation_id.as_ref()),
            ),
            Self::Hourly => ("usage_id", Text::or_empty(row.usage_id.as_ref())),
        }
    }
}
