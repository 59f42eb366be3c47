//! From a row of an export to its charges.

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::charge::{Amount, LabelSet, Measure, Month, Period, Sink, currency::is_currency};

pub(super) use super::context::OFFERS;

use super::{
    cells::{CellError, Cells, RowError},
    context::{
        BILLED, BILLING_ACCOUNT, CATEGORY, CHARGE_END, CHARGE_START, CLASS, CURRENCY, EFFECTIVE,
        FREQUENCY, Origin, PERIOD_END, PERIOD_START, QUANTITY, RowContext, SUB_ACCOUNT, Table,
    },
    periods::{BillingMonth, billing_month},
    reading::{FileSummary, OtherMonths, Reading},
    scopes::Scopes,
    settings::ChargeCategory,
    tags,
    values::quoted,
};

/// How many kinds of rows are remembered; then all are forgotten.
const MAX_PROFILES: usize = 65_536;

/// A charge period that is longer is no day's: 25 hours, since days have up to that many.
const LONGEST_DAY: i64 = 25 * 3600;

/// Remarks on the rows of a month, as `explain` and the status page show them.
const UNKNOWN_CATEGORY: &str =
    "rows have a ChargeCategory that the standard does not have; they count like usage";
const UNKNOWN_TAGS: &str = "tags that are no JSON object are left empty";
const UNCLEAR_PURCHASES: &str = "list and contracted cost are withheld: without EffectiveCost, purchases that cover later usage cannot be told from others";

/// What the texts of a row say.
#[derive(Debug, Clone, Copy)]
struct Profile {
    /// The label set; `None` where a filter or an exclusion leaves the row out.
    labels: Option<LabelSet>,
    is_purchase: bool,
    /// One-time rows and corrections say nothing about the days to come.
    is_fixed: bool,
    currency: usize,
    unit: usize,
    scope: Option<usize>,
}

/// Turns the rows of one file into charges.
#[derive(Debug)]
pub(super) struct RowFold {
    context: Arc<RowContext>,
    table: Arc<Table>,
    other_months: OtherMonths,
    months: Vec<Counts>,
    /// Billing periods that occurred, with the month of each.
    periods: Vec<((i64, i64), BillingMonth)>,
    profiles: HashMap<u128, Profile, FixedState>,
    /// Currencies and units of quantities.
    units: Vec<Box<str>>,
    scopes: Scopes,
    tags: Vec<String>,
    summary: FileSummary,
}

/// What is counted of one month.
#[derive(Debug)]
struct Counts {
    month: Month,
    rows: u64,
    /// Rows without a cost of a basis, in the order of the context's.
    missing: Vec<u64>,
    has_unknown_category: bool,
    has_unknown_tags: bool,
    has_unclear_purchases: bool,
}

/// How many billing periods are remembered: an export has one a month.
const MAX_PERIODS: usize = 64;

impl RowFold {
    pub(super) fn new(reading: &Reading, table: Arc<Table>) -> Self {
        let context = Arc::clone(&reading.context);
        let months = reading.months.iter().map(|&month| Counts {
            month,
            rows: 0,
            missing: vec![0; context.costs.len()],
            has_unknown_category: false,
            has_unknown_tags: false,
            has_unclear_purchases: false,
        });
        Self {
            months: months.collect(),
            tags: vec![String::new(); context.tags.len()],
            context,
            table,
            other_months: reading.other_months,
            periods: Vec::new(),
            profiles: HashMap::with_hasher(FixedState::default()),
            units: Vec::new(),
            scopes: Scopes::default(),
            summary: FileSummary::default(),
        }
    }

    /// How many rows were read.
    pub(super) fn rows(&self) -> u64 {
        self.summary.rows
    }

    /// Forgets which rows have the same texts: their numbers change.
    pub(super) fn forget_texts(&mut self) {
        self.profiles.clear();
    }

    /// Adds one row.
    pub(super) fn fold(
        &mut self,
        cells: &mut impl Cells,
        sink: &mut dyn Sink,
    ) -> Result<(), RowError> {
        self.summary.rows += 1;
        let start = required_time(cells, PERIOD_START)?;
        let end = required_time(cells, PERIOD_END)?;
        let billing = self.billing_month(start, end)?;
        let Some(at) = self
            .months
            .iter()
            .position(|known| known.month == billing.month)
        else {
            if self.other_months == OtherMonths::Skipped {
                self.summary.skipped += 1;
                return Ok(());
            }
            let problem = format!(
                "is in {}, but the file belongs to {}",
                billing.month,
                self.months
                    .iter()
                    .map(|known| known.month.to_string())
                    .collect::<Vec<_>>()
                    .join(" and ")
            );
            return Err(RowError::cell(RowContext::time_name(PERIOD_START), problem));
        };
        let charged = required_time(cells, CHARGE_START)?;
        let Some(billed) = number(&self.context, cells, BILLED)? else {
            return Err(RowError::cell(self.context.number_name(BILLED), "is null"));
        };
        let profile = self.profile(cells, at, sink)?;
        let Some(labels) = profile.labels else {
            self.summary.excluded += 1;
            return Ok(());
        };
        let is_long = self.table.times[CHARGE_END].is_some()
            && time(cells, CHARGE_END)?
                .is_some_and(|end| end.saturating_sub(charged) > LONGEST_DAY);
        if let Some(scope) = profile.scope {
            self.scopes.see(scope, at, self.months.len());
        }
        let effective = number(&self.context, cells, EFFECTIVE)?;
        let covers = profile
            .is_purchase
            .then(|| effective.map(|cost| cost == 0.0));
        let mut amounts = [Amount {
            measure: Measure::BilledCost,
            value: billed,
            unit: "",
        }; 6];
        let mut count = 1;
        let mut add = |measure, value| {
            amounts[count].measure = measure;
            amounts[count].value = value;
            count += 1;
        };
        if profile.is_fixed || is_long {
            add(Measure::FixedCost, billed);
        }
        let context = &*self.context;
        let counts = &mut self.months[at];
        for (cost, missing) in context.costs.iter().zip(&mut counts.missing) {
            if cost.leaves_out_coverage() {
                match covers {
                    Some(Some(true)) => continue,
                    Some(None) => counts.has_unclear_purchases = true,
                    Some(Some(false)) | None => {}
                }
            }
            let value = if cost.number() == EFFECTIVE {
                effective
            } else {
                number(context, cells, cost.number())?
            };
            match value {
                Some(value) => add(cost.measure(), value),
                None => *missing += 1,
            }
        }
        let costs = count;
        if let Some(measure) = context.quantity
            && let Some(value) = number(context, cells, QUANTITY)?
        {
            amounts[count].measure = measure;
            amounts[count].value = value;
            count += 1;
        }
        for (at, amount) in amounts[..count].iter_mut().enumerate() {
            let unit = if at < costs {
                profile.currency
            } else {
                profile.unit
            };
            amount.unit = &self.units[unit];
        }
        self.months[at].rows += 1;
        let period = Period::Day(billing.day(charged));
        Ok(sink.charge_to(labels, period, &amounts[..count])?)
    }

    /// Tells the sink what was counted beside the charges.
    pub(super) fn finish(mut self, sink: &mut dyn Sink) -> FileSummary {
        for counts in &self.months {
            for (cost, &missing) in self.context.costs.iter().zip(&counts.missing) {
                sink.missing(counts.month, cost.measure(), missing);
            }
            if counts.has_unknown_category {
                sink.month_remark(counts.month, UNKNOWN_CATEGORY);
            }
            if counts.has_unknown_tags {
                sink.month_remark(counts.month, UNKNOWN_TAGS);
            }
            if counts.rows > 0 {
                for name in &self.table.absent {
                    sink.month_remark(counts.month, &format!("the export has no column {name}"));
                }
                self.summary.rows_by_month.insert(counts.month, counts.rows);
            }
            if counts.has_unclear_purchases {
                let costs = self.context.costs.iter();
                for cost in costs.filter(|cost| cost.leaves_out_coverage()) {
                    sink.withhold_measure(counts.month, cost.measure());
                }
                sink.month_remark(counts.month, UNCLEAR_PURCHASES);
            }
        }
        let months: Vec<Month> = self.months.iter().map(|counts| counts.month).collect();
        self.summary.scopes = self.scopes.into_seen(&months);
        self.summary.columns.clone_from(&self.table.names);
        self.summary
    }

    fn billing_month(&mut self, start: i64, end: i64) -> Result<BillingMonth, RowError> {
        if let Some((_, known)) = self
            .periods
            .iter()
            .find(|(period, _)| *period == (start, end))
        {
            return Ok(*known);
        }
        let found = billing_month(start, end)
            .map_err(|problem| RowError::cell(RowContext::time_name(PERIOD_START), problem))?;
        if self.periods.len() < MAX_PERIODS {
            self.periods.push(((start, end), found));
        }
        Ok(found)
    }

    /// What the texts of a row say. Rows of the same texts are asked once, where the format knows them.
    fn profile(
        &mut self,
        cells: &impl Cells,
        month: usize,
        sink: &mut dyn Sink,
    ) -> Result<Profile, RowError> {
        let Some(key) = cells.same_texts() else {
            return self.new_profile(cells, month, sink);
        };
        if let Some(profile) = self.profiles.get(&key) {
            return Ok(*profile);
        }
        let profile = self.new_profile(cells, month, sink)?;
        if self.profiles.len() >= MAX_PROFILES {
            self.profiles.clear();
        }
        self.profiles.insert(key, profile);
        Ok(profile)
    }

    fn new_profile(
        &mut self,
        cells: &impl Cells,
        month: usize,
        sink: &mut dyn Sink,
    ) -> Result<Profile, RowError> {
        let context = &*self.context;
        let text = |slot: usize| {
            let text = cells.text(slot);
            text.map_err(|CellError(problem)| RowError::cell(context.text_name(slot), problem))
        };
        let required = |slot: usize| match text(slot)? {
            "" => Err(RowError::cell(context.text_name(slot), "is null")),
            text => Ok(text),
        };
        let category = ChargeCategory::of(required(CATEGORY)?);
        if category.is_none() {
            self.months[month].has_unknown_category = true;
        }
        let currency = match &context.currency {
            Some(currency) if self.table.texts[CURRENCY].is_none() => currency,
            _ => required(CURRENCY)?,
        };
        if !is_currency(currency) {
            let problem = format!("is {}, not three capital letters", quoted(currency));
            return Err(RowError::cell(context.text_name(CURRENCY), problem));
        }
        let mut profile = Profile {
            labels: None,
            is_purchase: category == Some(ChargeCategory::Purchase),
            is_fixed: text(FREQUENCY)?.eq_ignore_ascii_case("One-Time")
                || text(CLASS)?.eq_ignore_ascii_case("Correction"),
            currency: number_of(&mut self.units, currency),
            unit: 0,
            scope: None,
        };
        if category.is_some_and(|category| context.exclude.contains(&category)) {
            return Ok(profile);
        }
        for (slot, values) in &context.filters {
            let text = text(*slot)?;
            if text.is_empty() || !values.iter().any(|value| value == text) {
                return Ok(profile);
            }
        }
        if let Some(unit) = context.unit {
            profile.unit = number_of(&mut self.units, text(unit)?);
        }
        profile.scope = match text(SUB_ACCOUNT)? {
            "" => None,
            sub_account => {
                let scope = self.scopes.number(text(BILLING_ACCOUNT)?, sub_account);
                Some(scope.map_err(RowError::TooManyAccounts)?)
            }
        };
        if cells.tags(&context.tags, &mut self.tags).is_err() {
            tags::clear(&context.tags, &mut self.tags);
            self.months[month].has_unknown_tags = true;
        }
        let mut values = Vec::with_capacity(context.origins.len());
        for origin in &context.origins {
            values.push(match *origin {
                Origin::Unused => "",
                Origin::Text(slot) => text(slot)?,
                Origin::Service { name, publisher } => match text(name)? {
                    "" => text(publisher)?,
                    name => name,
                },
                Origin::Tag(at) => self.tags[at].as_str(),
            });
        }
        profile.labels = Some(sink.label_set(&values)?);
        Ok(profile)
    }
}

fn number(
    context: &RowContext,
    cells: &mut impl Cells,
    slot: usize,
) -> Result<Option<f64>, RowError> {
    cells
        .number(slot)
        .map_err(|CellError(problem)| RowError::cell(context.number_name(slot), problem))
}

fn time(cells: &mut impl Cells, slot: usize) -> Result<Option<i64>, RowError> {
    cells
        .time(slot)
        .map_err(|CellError(problem)| RowError::cell(RowContext::time_name(slot), problem))
}

fn required_time(cells: &mut impl Cells, slot: usize) -> Result<i64, RowError> {
    time(cells, slot)?.ok_or_else(|| RowError::cell(RowContext::time_name(slot), "is null"))
}

/// The number of a currency or unit. There are few.
fn number_of(units: &mut Vec<Box<str>>, text: &str) -> usize {
    let known = units.iter().position(|known| **known == *text);
    known.unwrap_or_else(|| {
        units.push(text.into());
        units.len() - 1
    })
}

#[cfg(test)]
mod tests;
