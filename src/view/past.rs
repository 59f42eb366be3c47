//! Views of an account at times in the past, for backfill.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    account::Account,
    charge::{Measure, Month},
    provider::Granularity,
    state::AccountState,
    view::{
        families::add_flow,
        family_builder::FamilyBuilder,
        labels::LabelSets,
        windows::{ViewTime, Window, newest_closed_day, windows},
    },
};

/// One account at times in the past: the same windows as [`crate::view::view`], with what is known today about the days
/// up to and including the day of each time.
///
/// A day counts completely from its first instant on. So a month is complete before it becomes the previous month, and
/// month to date grows each day by the cost of that day. Levels, seats, forecasts and restatements have no past values,
/// and nothing is folded.
#[derive(Debug)]
pub struct PastView {
    /// The account's configuration.
    pub account: Arc<Account>,
    /// Its label sets in order. Label values are distinct over everything that was read.
    pub labels: LabelSets,
    state: AccountState,
    intervals: Vec<Interval>,
}

/// Consecutive instants with the same values.
#[derive(Debug)]
struct Interval {
    time: ViewTime,
    instants: Vec<Timestamp>,
}

/// One series: its values in order of time, each with the instants at which it applies.
#[derive(Debug)]
pub struct PastSeries<'a> {
    /// Currency or unit of quantity.
    pub unit: Arc<str>,
    /// The label set.
    pub set: u32,
    /// The values. There is a gap while the series does not exist.
    pub values: Vec<(f64, &'a [Timestamp])>,
}

impl PastView {
    /// The past of an account whose state has all months of the instants and the month before the first. The instants
    /// must be in order.
    pub fn new(
        account: Arc<Account>,
        state: AccountState,
        instants: impl IntoIterator<Item = Timestamp>,
    ) -> Self {
        let mut intervals: Vec<Interval> = Vec::new();
        for instant in instants {
            let time = view_time(&account, &state, instant);
            match intervals.last_mut() {
                Some(last) if last.time.has_same_values_as(&time) => last.instants.push(instant),
                _ => intervals.push(Interval {
                    time,
                    instants: vec![instant],
                }),
            }
        }
        Self {
            labels: LabelSets::new(&state.label_table, &account.labels),
            account,
            state,
            intervals,
        }
    }

    /// The number of instants.
    pub fn instants(&self) -> usize {
        self.intervals
            .iter()
            .map(|interval| interval.instants.len())
            .sum()
    }

    /// The billing months, start and end, each with its instants; empty if the account has no months.
    pub fn billing_periods(&self) -> Vec<((Timestamp, Timestamp), &[Timestamp])> {
        let measures = self.account.provider.measures();
        if measures
            .iter()
            .all(|(_, granularity)| *granularity == Granularity::Now)
        {
            return Vec::new();
        }
        let zone = &self.account.zone;
        self.intervals
            .iter()
            .map(|interval| {
                let month = interval.time.month;
                let period = (month.start(zone), month.end(zone));
                (period, interval.instants.as_slice())
            })
            .collect()
    }

    /// The series of one measure over one window, in the order of the exposition.
    pub fn series(&self, measure: Measure, window: Window) -> Vec<PastSeries<'_>> {
        let mut series: BTreeMap<(Arc<str>, u32), PastSeries<'_>> = BTreeMap::new();
        let measures = self.account.provider.measures();
        let granularity = measures.iter().find(|(known, _)| *known == measure);
        let Some(&(_, granularity)) =
            granularity.filter(|(_, granularity)| *granularity != Granularity::Now)
        else {
            return Vec::new();
        };
        for interval in &self.intervals {
            let time = &interval.time;
            let mut builder = FamilyBuilder::default();
            for (_, range) in windows(granularity, time)
                .into_iter()
                .filter(|(known, _)| *known == window)
            {
                for part in self.state.parts.values() {
                    let labels = &self.labels;
                    add_flow(part, measure, window, range, time, labels, &mut builder);
                }
            }
            for family in builder.added(&self.labels) {
                for (set, value) in family.values {
                    let unit = Arc::clone(&family.unit);
                    series
                        .entry((Arc::clone(&unit), set))
                        .or_insert_with(|| PastSeries {
                            unit,
                            set,
                            values: Vec::new(),
                        })
                        .values
                        .push((value, &interval.instants));
                }
            }
        }
        series.into_values().collect()
    }
}

impl ViewTime {
    fn has_same_values_as(&self, other: &Self) -> bool {
        (self.today, self.previous_day) == (other.today, other.previous_day)
    }
}

fn view_time(account: &Account, state: &AccountState, now: Timestamp) -> ViewTime {
    let today = now.to_zoned(account.zone.clone()).date();
    ViewTime {
        now,
        today,
        month: Month::of(today),
        previous_day: newest_closed_day(state, now, &account.zone, account.day_closes_after),
        stale_after: account.poll.stale_after,
        through: Some(today),
    }
}
