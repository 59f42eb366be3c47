//! Sums of months that are over, as they would have been shown at moments of the past.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use crate::{
    account::Account,
    charge::{Measure, Month},
    provider::Granularity,
    state::AccountState,
    view::{
        families::gather_flow,
        family_builder::FamilyBuilder,
        labels::LabelSets,
        windows::{Moment, Window, newest_closed_day, windows},
    },
};

/// One account at moments of the past: the same windows as [`crate::view::view`] shows, but with what is known by now of
/// the days up to and including that of the moment.
///
/// A day counts whole from its first instant on. So a month is complete before it becomes the previous one, what
/// month to date gains from day to day is what the day cost, and the first day's value is what it gained.
/// Levels, seats, forecasts and restatements have no past; nothing is folded.
#[derive(Debug)]
pub struct Past {
    /// The account and how it is configured.
    pub account: Arc<Account>,
    /// Its label sets in order: names are told apart over everything that was read.
    pub labels: LabelSets,
    state: AccountState,
    stretches: Vec<Stretch>,
}

/// Moments that follow each other and show the same.
#[derive(Debug)]
struct Stretch {
    moment: Moment,
    instants: Vec<Timestamp>,
}

/// One series: its values in the order of time, each with the instants at which it was shown.
#[derive(Debug)]
pub struct Series<'a> {
    /// Currency or unit of quantity.
    pub unit: Arc<str>,
    /// The label set.
    pub set: u32,
    /// The values; where the series was not shown, there is a gap.
    pub values: Vec<(f64, &'a [Timestamp])>,
}

impl Past {
    /// An account whose state holds every month of the instants and the month before the first. The instants are in
    /// the order of time.
    pub fn new(
        account: Arc<Account>,
        state: AccountState,
        instants: impl IntoIterator<Item = Timestamp>,
    ) -> Self {
        let mut stretches: Vec<Stretch> = Vec::new();
        for instant in instants {
            let moment = moment(&account, &state, instant);
            match stretches.last_mut() {
                Some(last) if last.moment.shows_the_same_as(&moment) => last.instants.push(instant),
                _ => stretches.push(Stretch {
                    moment,
                    instants: vec![instant],
                }),
            }
        }
        Self {
            labels: LabelSets::new(&state.keys, &account.labels),
            account,
            state,
            stretches,
        }
    }

    /// How many instants there are.
    pub fn instants(&self) -> usize {
        self.stretches
            .iter()
            .map(|stretch| stretch.instants.len())
            .sum()
    }

    /// The billing months, start and end, each with the instants at which it ran; none where the account has no months.
    pub fn billing_periods(&self) -> Vec<((Timestamp, Timestamp), &[Timestamp])> {
        let measures = self.account.provider.measures();
        if measures.iter().all(|(_, grain)| *grain == Granularity::Now) {
            return Vec::new();
        }
        let zone = &self.account.zone;
        self.stretches
            .iter()
            .map(|stretch| {
                let month = stretch.moment.month;
                let period = (month.start(zone), month.end(zone));
                (period, stretch.instants.as_slice())
            })
            .collect()
    }

    /// The series of one measure over one window, in the order in which they are served.
    pub fn series(&self, measure: Measure, window: Window) -> Vec<Series<'_>> {
        let mut series: BTreeMap<(Arc<str>, u32), Series<'_>> = BTreeMap::new();
        let measures = self.account.provider.measures();
        let grain = measures.iter().find(|(known, _)| *known == measure);
        let Some(&(_, grain)) = grain.filter(|(_, grain)| *grain != Granularity::Now) else {
            return Vec::new();
        };
        for stretch in &self.stretches {
            let moment = &stretch.moment;
            let mut gathered = FamilyBuilder::default();
            for (_, cut) in windows(grain, moment)
                .into_iter()
                .filter(|(known, _)| *known == window)
            {
                for part in self.state.parts.values() {
                    let labels = &self.labels;
                    gather_flow(part, measure, window, cut, moment, labels, &mut gathered);
                }
            }
            for family in gathered.added(&self.labels) {
                for (set, value) in family.values {
                    let unit = Arc::clone(&family.unit);
                    series
                        .entry((Arc::clone(&unit), set))
                        .or_insert_with(|| Series {
                            unit,
                            set,
                            values: Vec::new(),
                        })
                        .values
                        .push((value, &stretch.instants));
                }
            }
        }
        series.into_values().collect()
    }
}

impl Moment {
    fn shows_the_same_as(&self, other: &Self) -> bool {
        (self.today, self.previous_day) == (other.today, other.previous_day)
    }
}

fn moment(account: &Account, state: &AccountState, now: Timestamp) -> Moment {
    let today = now.to_zoned(account.zone.clone()).date();
    Moment {
        now,
        today,
        month: Month::of(today),
        previous_day: newest_closed_day(state, now, &account.zone, account.day_closes_after),
        stale_after: account.poll.stale_after,
        through: Some(today),
    }
}
