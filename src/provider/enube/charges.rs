//! enube Rocket: usage rows to charges, listed customers to parts.

use std::collections::HashSet;

use serde_json::value::RawValue;

use crate::{
    charge::{Amount, Charge, Measure, Month, Period, Sink},
    error::ProviderError,
    json::{
        RowError,
        scalars::{self, Number, Text},
    },
    provider::{Dimension, Part, PollRequest, Slot},
};

use super::{
    CUSTOMER_ID, NAME_FACT,
    config::{Cloud, Detail},
    responses::{CustomerResponse, UsageResponse},
};

/// What reading a row depends on.
#[derive(Debug, Clone)]
pub(super) struct RowContext {
    pub(super) cloud: Cloud,
    pub(super) detail: Detail,
    pub(super) currency: String,
}

/// Positions of the dimensions that others refer to.
const CUSTOMER: usize = 1;
const CATALOG: usize = 2;
const ALIAS: usize = 4;
const SUBSCRIPTION: usize = 6;

/// The dimensions, in the order in which a charge has their values. `alias` is the alias of what the row describes.
pub(super) fn dimensions(detail: Detail) -> Vec<Dimension> {
    let customer = Dimension::new("customer_name")
        .id(CUSTOMER)
        .shown_as(Slot::Customer);
    let mut all = vec![
        match detail {
            Detail::Customers => customer.description(ALIAS),
            Detail::Subscriptions => customer,
            // Whom a distributor sells to.
            Detail::Resellers => Dimension::new("reseller_name")
                .id(CUSTOMER)
                .shown_as(Slot::Customer)
                .description(ALIAS),
        },
        match detail {
            Detail::Customers | Detail::Subscriptions => Dimension::new(CUSTOMER_ID),
            Detail::Resellers => Dimension::new("reseller_id"),
        },
        Dimension::new("catalog").shown_as(Slot::Product),
        Dimension::new("cloud"),
        Dimension::new("alias"),
    ];
    if detail == Detail::Subscriptions {
        all.extend([
            Dimension::new("subscription_name")
                .id(SUBSCRIPTION)
                .description(ALIAS)
                .shown_as(Slot::Project),
            Dimension::new("subscription_id"),
        ]);
    }
    all
}

/// What identifies a row: its id, and its catalog if there are several. In the first days of a month the API may leave
/// out customers without usage.
pub(super) fn identity(detail: Detail, catalogs: &[String]) -> Vec<usize> {
    let id = match detail {
        Detail::Customers | Detail::Resellers => CUSTOMER,
        Detail::Subscriptions => SUBSCRIPTION,
    };
    let catalog = (catalogs.len() > 1).then_some(CATALOG);
    [id].into_iter().chain(catalog).collect()
}

/// The rows of one response.
#[derive(Debug)]
pub(super) struct UsageRows<'a> {
    /// Empty if no catalog was requested.
    pub(super) catalog: &'a str,
    /// The request, as errors show it.
    pub(super) place: String,
    pub(super) rows: Vec<Box<RawValue>>,
}

impl UsageRows<'_> {
    /// The ids of the rows, in lower case.
    pub(super) fn ids(&self) -> impl Iterator<Item = String> {
        self.rows.iter().filter_map(|raw| {
            let row: UsageResponse<'_> = scalars::row(raw.get().as_bytes()).ok()?;
            let id = Text::or_empty(row.id.as_ref());
            (!id.is_empty()).then(|| id.to_lowercase())
        })
    }

    /// The request and its catalog, as errors show them.
    fn description(&self) -> String {
        match self.catalog {
            "" => self.place.clone(),
            catalog => format!("{} of catalog {catalog}", self.place),
        }
    }
}

/// Which months the amounts of a response belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MonthScope {
    /// The requested month, which `actual` belongs to.
    pub(super) month: Month,
    /// The month that `last` belongs to, if it is read.
    pub(super) last: Option<Month>,
    /// Whether the month is the current one, which `forecast` and `estimate` are for.
    pub(super) current: bool,
}

impl MonthScope {
    /// The months to request. The current month brings the previous one as `last`; any other month is requested
    /// separately and only its `actual` is read, so that no month comes twice.
    pub(super) fn of(poll: &PollRequest) -> Vec<Self> {
        let has_current = poll.months.contains(&poll.current);
        let last = Some(poll.current.previous())
            .filter(|previous| has_current && poll.months.contains(previous));
        poll.months
            .iter()
            .filter(|&&month| Some(month) != last)
            .map(|&month| {
                let current = month == poll.current;
                Self {
                    month,
                    last: last.filter(|_| current),
                    current,
                }
            })
            .collect()
    }
}

/// The parts of the listed customers, each once, in the order of the list; only the wanted ones if any are named. An
/// error comes with the number of its row.
pub(super) fn customer_parts(
    listed: &[Box<RawValue>],
    wanted: &[String],
) -> Result<Vec<Part>, (u64, RowError)> {
    let mut parts: Vec<Part> = Vec::with_capacity(listed.len());
    let mut known = HashSet::new();
    for (row, raw) in (1..).zip(listed) {
        let customer: CustomerResponse<'_> =
            scalars::row(raw.get().as_bytes()).map_err(|error| (row, error))?;
        let id = Text::or_empty(customer.value.as_ref());
        if id.is_empty() {
            return Err((row, RowError::field("value", "is missing")));
        }
        let wanted = wanted.is_empty() || wanted.iter().any(|other| other.eq_ignore_ascii_case(id));
        if wanted && known.insert(id.to_owned()) {
            let name = Text::or_empty(customer.label.as_ref());
            parts.push(Part::new(id).with(NAME_FACT, name));
        }
    }
    Ok(parts)
}

/// A remark on rows, as `explain` and the status page show it.
pub(super) const NO_LAST: &str =
    "rows without last leave what is known of the previous month as it is";

pub(super) const OTHER_PARENT: &str =
    "rows have a parent_id that is not the customer whose subscriptions were requested";
/// The error of two parts that report the same subscriptions.
pub(super) const SAME_SUBSCRIPTIONS: &str = "two customers have exactly the same subscriptions: the filter customer_id was ignored, and the same money would be counted twice";

/// Turns the responses for one part and month into charges.
///
/// A row without `actual` is an error. One without `last` reports nothing about the previous month. If no row has it,
/// or there are no rows, the previous month is withheld. A row without forecast or estimate has none.
pub(super) fn decode(
    responses: &[UsageRows<'_>],
    part: &Part,
    scope: MonthScope,
    context: &RowContext,
    sink: &mut dyn Sink,
) -> Result<(), ProviderError> {
    let mut decoded: Vec<(&UsageRows<'_>, Vec<UsageResponse<'_>>)> =
        Vec::with_capacity(responses.len());
    for response in responses {
        let mut rows = Vec::with_capacity(response.rows.len());
        for (number, raw) in (1..).zip(&response.rows) {
            let row = usage(raw, context.detail)
                .map_err(|error| error.at(&response.description(), number))?;
            rows.push(row);
        }
        sink.rows(rows.len() as u64);
        if let Some((twin, _)) = decoded
            .iter()
            .find(|(_, other)| is_same_money(other, &rows))
        {
            return Err(ProviderError::malformed(format!(
                "{}: same response as for catalog {}: the catalog filter was ignored, and the same \
                 money would be counted twice",
                response.description(),
                twin.catalog,
            )));
        }
        decoded.push((response, rows));
    }
    let mut rows = decoded.iter().flat_map(|(_, rows)| rows);
    let has_last = rows.any(|row| row.last.is_some());
    let last = scope.last.filter(|&previous| {
        if !has_last {
            sink.withhold(previous);
        }
        has_last
    });
    for (response, rows) in &decoded {
        for (number, row) in (1..).zip(rows) {
            charge(row, response.catalog, part, (scope, last), context, sink)
                .map_err(|error| error.at(&response.description(), number))?;
        }
    }
    Ok(())
}

/// Reads a row, which must be of the requested view and have an amount.
fn usage(raw: &RawValue, detail: Detail) -> Result<UsageResponse<'_>, RowError> {
    let row: UsageResponse<'_> = scalars::row(raw.get().as_bytes())?;
    let view = Text::or_empty(row.resource_type.as_ref());
    if !view.is_empty() && !view.eq_ignore_ascii_case(detail.view()) {
        return Err(RowError::field(
            "resource_type",
            format!("is not {}, the requested view", detail.view()),
        ));
    }
    if row.actual.is_none() {
        return Err(RowError::field("actual", "is missing"));
    }
    Ok(row)
}

/// Whether two responses have the same rows, in any order: the same ids with the same amounts of the previous month, of
/// which some is not 0. The amounts of the current month move between two requests.
fn is_same_money(one: &[UsageResponse<'_>], other: &[UsageResponse<'_>]) -> bool {
    fn last(row: &UsageResponse<'_>) -> f64 {
        row.last.map_or(0.0, |Number(value)| value)
    }
    fn sorted<'a>(rows: &'a [UsageResponse<'_>]) -> Vec<(&'a str, u64)> {
        let keys = rows.iter().map(|row| {
            let id = Text::or_empty(row.id.as_ref());
            (id, last(row).to_bits())
        });
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys
    }
    let has_money = one.iter().any(|row| last(row) != 0.0);
    one.len() == other.len() && has_money && sorted(one) == sorted(other)
}

/// One row to its charges: the month, the previous month, and the provider's forecast and estimate.
fn charge(
    row: &UsageResponse<'_>,
    catalog: &str,
    part: &Part,
    (scope, last): (MonthScope, Option<Month>),
    context: &RowContext,
    sink: &mut dyn Sink,
) -> Result<(), RowError> {
    let id = Text::or_empty(row.id.as_ref());
    let name = Text::or_empty(row.name.as_ref());
    let alias = Text::or_empty(row.extra.as_ref().and_then(|extra| extra.alias.as_ref()));
    let cloud = context.cloud.as_str();
    let dimensions: &[&str] = match context.detail {
        Detail::Customers | Detail::Resellers => &[name, id, catalog, cloud, alias],
        Detail::Subscriptions => &[
            part.attribute(NAME_FACT),
            &part.id,
            catalog,
            cloud,
            alias,
            name,
            id,
        ],
    };
    let mut emit = |period, measure, value: Option<Number>| {
        let Some(Number(value)) = value else {
            return Ok(());
        };
        sink.charge(&Charge {
            period,
            dimensions,
            amounts: &[Amount {
                measure,
                value,
                unit: &context.currency,
            }],
        })
    };
    emit(Period::Month(scope.month), Measure::BilledCost, row.actual)?;
    if let Some(previous) = last {
        emit(Period::Month(previous), Measure::BilledCost, row.last)?;
    }
    if scope.current {
        let estimate = row.extra.as_ref().and_then(|extra| extra.estimate);
        emit(Period::Now, Measure::ProviderForecast, row.forecast)?;
        emit(Period::Now, Measure::ProviderEstimate, estimate)?;
    }
    if last.is_some() && row.last.is_none() {
        sink.remark(NO_LAST);
    }
    let parent = Text::or_empty(row.parent_id.as_ref());
    let is_of_part = parent.is_empty() || parent.eq_ignore_ascii_case(&part.id);
    if context.detail == Detail::Subscriptions && !is_of_part {
        sink.remark(OTHER_PARENT);
    }
    Ok(())
}
