//! The values of every measure over every window: what parts were charged, and zeros where nothing was.

use std::sync::Arc;

use crate::{
    charge::{Measure, Month},
    ledger::Column,
    provider::Granularity,
    state::{AccountState, MonthState, PartState},
    view::{
        family_builder::FamilyBuilder,
        forecast::ForecastModel,
        labels::LabelSets,
        windows::{DateRange, ViewTime, Window, day_number, windows},
    },
};

/// The values of one measure over one window in one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// What is measured.
    pub measure: Measure,
    /// Over which window.
    pub window: Window,
    /// Currency, unit of quantity, or empty.
    pub unit: Arc<str>,
    /// Label set and value, in the order of the label sets, each set at most once.
    pub values: Vec<(u32, f64)>,
}

/// The families of an account, before folding.
pub(super) fn families(
    state: &AccountState,
    measures: &[(Measure, Granularity)],
    time: &ViewTime,
    model: &ForecastModel,
    labels: &LabelSets,
) -> Vec<Family> {
    let mut builder = FamilyBuilder::default();
    for part in state.parts.values() {
        for &(measure, granularity) in measures {
            if granularity == Granularity::Now {
                add_now(part, measure, time, labels, &mut builder);
                continue;
            }
            for (window, range) in windows(granularity, time) {
                add_flow(part, measure, window, range, time, labels, &mut builder);
            }
            if measure == Measure::BilledCost {
                add_restatement(part, time, labels, &mut builder);
                add_forecast(part, model, labels, &mut builder);
            }
        }
    }
    builder.added(labels)
}

/// Adds a part's flow over one window: its charges, and 0 for every other label set that it charged in the current or
/// the previous month.
pub(super) fn add_flow<'a>(
    part: &'a PartState,
    measure: Measure,
    window: Window,
    range: DateRange,
    time: &ViewTime,
    labels: &'a LabelSets,
    builder: &mut FamilyBuilder<'a>,
) {
    // A month that was never requested is 0 so far only if it has just begun.
    let is_current = range.month() == time.month;
    match part.months.get(&range.month()) {
        // What the days of such a month cost is not known, which is not 0.
        Some(MonthState::Reported(month))
            if !range.is_whole_month() && month.sums.has_whole_month() =>
        {
            return;
        }
        // Nor is a measure that the month lacks.
        Some(MonthState::Reported(month)) if month.marks.lacks(measure) => return,
        Some(MonthState::Reported(_)) => {}
        None if is_current => {}
        None | Some(MonthState::Withheld) => return,
    }
    for month in [time.month.previous(), time.month] {
        for column in columns(part, month, measure) {
            // What was first charged later was not known then.
            let last_day = time.through.filter(|_| month == time.month).map(day_number);
            let is_known = move |first: u8| last_day.is_none_or(|last_day| first <= last_day);
            let charged = column.iter().filter(move |daily| is_known(daily.first_day));
            let in_range = month == range.month();
            let values = charged.map(move |daily| {
                let value = if in_range { range.sum_of(&daily) } else { 0.0 };
                (labels.set_of(daily.key), value)
            });
            builder.push(measure, window, &column.unit, values);
        }
    }
}

/// Adds the exporter's own forecast of the current month.
fn add_forecast<'a>(
    part: &PartState,
    model: &ForecastModel,
    labels: &'a LabelSets,
    builder: &mut FamilyBuilder<'a>,
) {
    for (unit, values) in model.of_part(part) {
        let values = values
            .into_iter()
            .map(|(key, value)| (labels.set_of(key), value));
        builder.push(Measure::BilledCost, Window::MonthEnd, &unit, values);
    }
}

/// Adds the change of a part's previous month since its baseline.
fn add_restatement<'a>(
    part: &'a PartState,
    time: &ViewTime,
    labels: &'a LabelSets,
    builder: &mut FamilyBuilder<'a>,
) {
    let month = time.month.previous();
    let Some(baseline) = part
        .baseline
        .as_ref()
        .filter(|baseline| baseline.month == month)
    else {
        return;
    };
    for (sums, sign) in [(part.sums_of(month), 1.0), (Some(&*baseline.sums), -1.0)] {
        for column in sums
            .into_iter()
            .flat_map(|sums| sums.columns_of(Measure::BilledCost))
        {
            let values = column
                .iter()
                .map(move |daily| (labels.set_of(daily.key), sign * daily.total));
            builder.push(
                Measure::BilledCost,
                Window::Restatement,
                &column.unit,
                values,
            );
        }
    }
}

/// Adds a part's current values, and 0 for seats that are no longer listed.
fn add_now<'a>(
    part: &'a PartState,
    measure: Measure,
    time: &ViewTime,
    labels: &'a LabelSets,
    builder: &mut FamilyBuilder<'a>,
) {
    let window = match measure {
        Measure::ProviderForecast | Measure::ProviderEstimate => Window::MonthEnd,
        _ => Window::Now,
    };
    // A forecast is for the month in which it was made. Costs of a vanished part stay, its levels and seats end.
    let is_shown = match window {
        Window::MonthEnd => part.now.as_ref().is_some_and(|now| now.month == time.month),
        _ => part.listed || !part.is_stale(time.now, time.stale_after),
    };
    if !is_shown {
        return;
    }
    for column in part.now.iter().flat_map(|now| now.sums.columns_of(measure)) {
        let values = column
            .iter()
            .map(|daily| (labels.set_of(daily.key), daily.total));
        builder.push(measure, window, &column.unit, values);
    }
    let ended = part
        .ended_seats
        .iter()
        .filter(|((ended, _), month)| *ended == measure && **month == time.month)
        .map(|((_, key), _)| (labels.set_of(*key), 0.0))
        .collect::<Vec<_>>();
    if !ended.is_empty() {
        builder.push(measure, window, &"".into(), ended.into_iter());
    }
}

fn columns(part: &PartState, month: Month, measure: Measure) -> impl Iterator<Item = &Column> {
    part.sums_of(month)
        .into_iter()
        .flat_map(move |sums| sums.columns_of(measure))
}
