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
        windows::{DateRange, Moment, Window, cell_of, windows},
    },
};

/// The values of one measure over one window in one unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// What is measured.
    pub measure: Measure,
    /// Over which time.
    pub window: Window,
    /// Currency, unit of quantity, or empty.
    pub unit: Arc<str>,
    /// Label set and value, in the order of the label sets, each set once.
    pub values: Vec<(u32, f64)>,
}

pub(super) fn families(
    state: &AccountState,
    measures: &[(Measure, Granularity)],
    moment: &Moment,
    outlook: &ForecastModel,
    labels: &LabelSets,
) -> Vec<Family> {
    let mut gathered = FamilyBuilder::default();
    for part in state.parts.values() {
        for &(measure, grain) in measures {
            if grain == Granularity::Now {
                gather_now(part, measure, moment, labels, &mut gathered);
                continue;
            }
            for (window, cut) in windows(grain, moment) {
                gather_flow(part, measure, window, cut, moment, labels, &mut gathered);
            }
            if measure == Measure::BilledCost {
                gather_restatement(part, moment, labels, &mut gathered);
                gather_forecast(part, outlook, labels, &mut gathered);
            }
        }
    }
    gathered.added(labels)
}

/// One part's flow over one window: what was charged, and 0 for everything else that it charged in this month or
/// the one before.
pub(super) fn gather_flow<'a>(
    part: &'a PartState,
    measure: Measure,
    window: Window,
    cut: DateRange,
    moment: &Moment,
    labels: &'a LabelSets,
    gathered: &mut FamilyBuilder<'a>,
) {
    // A month that was never asked for is 0 so far only if it has just begun.
    let begins = cut.month() == moment.month;
    match part.months.get(&cut.month()) {
        Some(MonthState::Reported { .. }) => {}
        None if begins => {}
        None | Some(MonthState::Withheld) => return,
    }
    for month in [moment.month.previous(), moment.month] {
        for column in columns(part, month, measure) {
            // What was first charged after the moment was not known at it.
            let newest = moment
                .through
                .filter(|_| month == moment.month)
                .map(cell_of);
            let known = move |first: u8| newest.is_none_or(|newest| first <= newest);
            let charged = column.iter().filter(move |cells| known(cells.first));
            let counts = month == cut.month();
            let values = charged.map(move |cells| {
                let value = if counts { cut.of(&cells) } else { 0.0 };
                (labels.set_of(cells.key), value)
            });
            gathered.push(measure, window, &column.unit, values);
        }
    }
}

/// Our forecast of the running month for one part.
fn gather_forecast<'a>(
    part: &PartState,
    outlook: &ForecastModel,
    labels: &'a LabelSets,
    gathered: &mut FamilyBuilder<'a>,
) {
    for (unit, values) in outlook.of_part(part) {
        let values = values
            .into_iter()
            .map(|(key, value)| (labels.set_of(key), value));
        gathered.push(Measure::BilledCost, Window::MonthEnd, &unit, values);
    }
}

/// How far the closed month of a part has moved since its baseline.
fn gather_restatement<'a>(
    part: &'a PartState,
    moment: &Moment,
    labels: &'a LabelSets,
    gathered: &mut FamilyBuilder<'a>,
) {
    let month = moment.month.previous();
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
            .flat_map(|sums| sums.of(Measure::BilledCost))
        {
            let values = column
                .iter()
                .map(move |cells| (labels.set_of(cells.key), sign * cells.total));
            gathered.push(
                Measure::BilledCost,
                Window::Restatement,
                &column.unit,
                values,
            );
        }
    }
}

fn gather_now<'a>(
    part: &'a PartState,
    measure: Measure,
    moment: &Moment,
    labels: &'a LabelSets,
    gathered: &mut FamilyBuilder<'a>,
) {
    let window = match measure {
        Measure::ProviderForecast | Measure::ProviderEstimate => Window::MonthEnd,
        _ => Window::Now,
    };
    // A forecast is about the month in which it was made; a vanished part's money stays, its levels and seats end.
    let shown = match window {
        Window::MonthEnd => part
            .now
            .as_ref()
            .is_some_and(|now| now.month == moment.month),
        _ => part.listed || !part.is_stale(moment.now, moment.stale_after),
    };
    if !shown {
        return;
    }
    for column in part.now.iter().flat_map(|now| now.sums.of(measure)) {
        let values = column
            .iter()
            .map(|cells| (labels.set_of(cells.key), cells.total));
        gathered.push(measure, window, &column.unit, values);
    }
    let ended = part
        .ended
        .iter()
        .filter(|((ended, _), month)| *ended == measure && **month == moment.month)
        .map(|((_, key), _)| (labels.set_of(*key), 0.0))
        .collect::<Vec<_>>();
    if !ended.is_empty() {
        gathered.push(measure, window, &"".into(), ended.into_iter());
    }
}

fn columns(part: &PartState, month: Month, measure: Measure) -> impl Iterator<Item = &Column> {
    part.sums_of(month)
        .into_iter()
        .flat_map(move |sums| sums.of(measure))
}
