//! Sums and a moment to values: month to date, previous month, previous day, today, now, and the zeros between them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use crate::{
    account::Account,
    charge::{Measure, Month, start_of_day},
    clock::add,
    ledger::{Column, DailySums, LabelTable, Sum, Sums},
    provider::Granularity,
    state::{AccountState, Failure, MonthState, PartState},
    view::forecast::{Bounds, ForecastModel},
};

pub mod budgets;
mod folding;
pub mod forecast;
mod labels;
mod past;
pub mod summary;
mod withheld;

pub use crate::view::folding::Folded;
pub use crate::view::labels::{Info, LabelSetMask, LabelSets};
pub use crate::view::past::{Past, Series};
pub use crate::view::withheld::WithheldParts;

/// Over which time a family adds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// The running billing month, the running day included.
    MonthToDate,
    /// The billing month before.
    PreviousMonth,
    /// The newest closed day.
    PreviousDay,
    /// The running day.
    Today,
    /// The running month as a whole, as the provider foresees it.
    MonthEnd,
    /// The moment of the last answer.
    Now,
    /// The billing month before, against what it was 48 hours after its end.
    Restatement,
}

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

/// How old an account's numbers are, and what is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Health {
    /// How many parts the provider lists.
    pub parts: usize,
    /// How many of them failed last time, or are stale.
    pub failing_parts: usize,
    /// How many of all parts lack one of the two months; `None` where the account has no months.
    pub withheld: Option<WithheldParts>,
    /// The oldest last success of a listed part, if all of them ever succeeded.
    pub oldest_success: Option<Timestamp>,
    /// The end of the newest day or hour seen, or the time of the answer.
    pub data: Option<Timestamp>,
    /// Whether the values are withdrawn because every part is stale.
    pub withdrawn: bool,
    /// Why the last poll failed: discovery first, then the parts.
    pub failures: Vec<(String, Failure)>,
}

/// The billed cost of the running month before folding and withdrawal: what was spent stays spent.
#[derive(Debug, Clone, Default)]
pub struct Spend {
    /// The label sets before folding.
    pub labels: Arc<LabelSets>,
    /// Month to date and forecast, each a family a currency.
    pub families: Vec<Family>,
    /// Whether every listed part has reported the current month and is not stale, and no other part withholds it.
    pub complete: bool,
}

/// What one account shows at one moment.
#[derive(Debug, Clone)]
pub struct View {
    /// The account and how it is configured.
    pub account: Arc<Account>,
    /// What its poller last found.
    pub state: Arc<AccountState>,
    /// Its label sets in order, and its info series.
    pub labels: Arc<LabelSets>,
    /// Its values.
    pub families: Vec<Family>,
    /// What budgets go by.
    pub spend: Spend,
    /// The bounds of the account's forecast, by currency.
    pub bounds: BTreeMap<Arc<str>, Bounds>,
    /// How far last month's forecast, as it stood after its 15th day, was off, by currency: above 0 it was too high.
    pub forecast_errors: BTreeMap<Arc<str>, f64>,
    /// What folding did to them.
    pub folded: Folded,
    /// Start and end of the running billing month, where the account has months.
    pub billing_period: Option<(Timestamp, Timestamp)>,
    /// Start of the newest closed day, where the account has days.
    pub previous_day: Option<Timestamp>,
    /// How old the numbers are.
    pub health: Health,
    /// When it will show something else without a new poll.
    pub next_change: Timestamp,
}

/// What an account shows at a moment. A pure function: the same sums and moment give the same view.
pub fn view(account: &Arc<Account>, state: &Arc<AccountState>, now: Timestamp) -> View {
    let all = Arc::new(LabelSets::new(&state.keys, &account.labels));
    view_of(account, state, now, &all)
}

/// The label sets of accounts as they were last named, for the next rendering: naming them costs more than all windows
/// together, and most polls bring no new ones.
#[derive(Debug, Default)]
pub struct LabelCache(BTreeMap<String, CachedLabels>);

#[derive(Debug)]
struct CachedLabels {
    account: Arc<Account>,
    keys: Arc<LabelTable>,
    labels: Arc<LabelSets>,
}

impl LabelCache {
    /// What accounts show at a moment, in their order; only these are remembered.
    pub fn views<'a>(
        &mut self,
        accounts: impl Iterator<Item = (&'a Arc<Account>, Arc<AccountState>)>,
        now: Timestamp,
    ) -> Vec<View> {
        let mut before = std::mem::take(&mut self.0);
        accounts
            .map(|(account, state)| {
                let known = before.remove(&account.name).filter(|known| {
                    Arc::ptr_eq(&known.account, account) && Arc::ptr_eq(&known.keys, &state.keys)
                });
                let known = known.unwrap_or_else(|| CachedLabels {
                    account: Arc::clone(account),
                    keys: Arc::clone(&state.keys),
                    labels: Arc::new(LabelSets::new(&state.keys, &account.labels)),
                });
                let view = view_of(account, &state, now, &known.labels);
                self.0.insert(account.name.clone(), known);
                view
            })
            .collect()
    }
}

fn view_of(
    account: &Arc<Account>,
    state: &Arc<AccountState>,
    now: Timestamp,
    all: &Arc<LabelSets>,
) -> View {
    let zone = &account.zone;
    let today = now.to_zoned(zone.clone()).date();
    let month = Month::of(today);
    let measures = account.provider.measures();
    let has = |wanted: &[Granularity]| measures.iter().any(|(_, grain)| wanted.contains(grain));
    let has_months = has(&[
        Granularity::RunningDay,
        Granularity::Day,
        Granularity::Month,
    ]);
    let health = Health {
        withheld: has_months.then(|| WithheldParts::of(state, &measures, month)),
        ..health(state, now, account.poll.stale_after)
    };
    let previous_day = has(&[Granularity::RunningDay, Granularity::Day])
        .then(|| newest_closed_day(state, now, zone, account.day_closes_after))
        .flatten();
    let moment = Moment {
        now,
        today,
        month,
        previous_day,
        stale_after: account.poll.stale_after,
        through: None,
    };
    let outlook = ForecastModel::new(state, month, previous_day, zone);
    let families = families(state, &measures, &moment, &outlook, all);
    let mut spend = spend(state, &families, &moment, all);
    // A part that is no longer listed may lack the current month, too.
    spend.complete &= (health.withheld).is_none_or(|parts| parts.month_to_date == 0);
    let bounds = bounds(&spend, &outlook);
    let limit = account.poll.max_series;
    let (labels, families, folded) = fold(state, &measures, &moment, all, families, limit);
    let forecast_errors = forecast_errors(state, month.previous());
    let (labels, families, folded, bounds) = if health.withdrawn {
        Default::default()
    } else {
        (labels, families, folded, bounds)
    };
    View {
        billing_period: has_months.then(|| (month.start(zone), month.end(zone))),
        previous_day: previous_day
            .filter(|_| !health.withdrawn)
            .map(|day| start_of_day(day, zone)),
        next_change: next_change(state, &moment, zone),
        account: Arc::clone(account),
        state: Arc::clone(state),
        labels,
        families,
        spend,
        bounds,
        forecast_errors,
        folded,
        health,
    }
}

/// The moment that windows are about.
#[derive(Debug, Clone, Copy)]
struct Moment {
    now: Timestamp,
    today: Date,
    month: Month,
    previous_day: Option<Date>,
    stale_after: Duration,
    /// The last day that counts, where the moment is past and more is known by now.
    through: Option<Date>,
}

/// Which sums of a month a window adds.
#[derive(Debug, Clone, Copy)]
enum DateRange {
    Month(Month),
    /// The days of a month up to this one.
    Through(Date),
    Day(Date),
}

impl DateRange {
    fn month(self) -> Month {
        match self {
            Self::Month(month) => month,
            Self::Through(day) | Self::Day(day) => Month::of(day),
        }
    }

    fn of(self, cells: &DailySums<'_>) -> f64 {
        match self {
            Self::Month(_) => cells.total,
            Self::Through(day) => cells.through(cell_of(day)),
            Self::Day(day) => cells.at(cell_of(day)),
        }
    }
}

/// The cell of a day among the sums of its month.
fn cell_of(day: Date) -> u8 {
    day.day().unsigned_abs()
}

/// Folds the smallest label sets and what they were charged, if there are too many.
fn fold(
    state: &AccountState,
    measures: &[(Measure, Granularity)],
    moment: &Moment,
    all: &Arc<LabelSets>,
    families: Vec<Family>,
    limit: usize,
) -> (Arc<LabelSets>, Vec<Family>, Folded) {
    if all.len() <= limit {
        return (Arc::clone(all), families, Folded::default());
    }
    let weights = weights(state, measures, moment, all);
    let Some(kept) = folding::choose(all, &weights, limit) else {
        return (Arc::clone(all), families, Folded::default());
    };
    let folded_weight: Sum = weights
        .iter()
        .zip(&kept)
        .filter_map(|(weight, keep)| keep.map(|_| *weight))
        .collect();
    let weight: Sum = weights.iter().copied().collect();
    let folded = Folded {
        series: kept.iter().flatten().count(),
        cost_ratio: if weight.value() > 0.0 {
            folded_weight.value() / weight.value()
        } else {
            0.0
        },
    };
    let (labels, became) = all.folded(&kept);
    let mut adder = Accumulator::new(labels.len());
    let families = families.into_iter().map(|family| {
        let values = family.values.iter();
        adder.take(values.map(|&(set, value)| (became[set as usize], value)));
        Family {
            values: adder.added(),
            ..family
        }
    });
    let families = families.collect();
    (Arc::new(labels), families, folded)
}

/// The account's forecasts with their bounds.
fn bounds(spend: &Spend, outlook: &ForecastModel) -> BTreeMap<Arc<str>, Bounds> {
    spend
        .forecasts()
        .into_iter()
        .filter_map(|(unit, forecast)| {
            let bounds = outlook.bounds(&unit, forecast)?;
            Some((unit, bounds))
        })
        .collect()
}

/// Last month's forecast against what the month became.
fn forecast_errors(state: &AccountState, month: Month) -> BTreeMap<Arc<str>, f64> {
    let mut became: BTreeMap<Arc<str>, Sum> = BTreeMap::new();
    for part in state.parts.values() {
        for (unit, total) in sums_of(part, month)
            .into_iter()
            .flat_map(|sums| sums.totals(Measure::BilledCost))
        {
            became.entry(unit).or_default().add(total);
        }
    }
    state
        .noted
        .iter()
        .filter(|noted| noted.month == month)
        .flat_map(|noted| &noted.forecasts)
        .filter_map(|(unit, forecast)| {
            let became = became.get(unit)?.value();
            (became != 0.0).then(|| (Arc::clone(unit), forecast / became - 1.0))
        })
        .collect()
}

impl Spend {
    /// What the account as a whole will have cost at the month's end, by currency.
    pub fn forecasts(&self) -> BTreeMap<Arc<str>, f64> {
        self.families
            .iter()
            .filter(|family| family.window == Window::MonthEnd)
            .map(|family| {
                let total: Sum = family.values.iter().map(|(_, value)| *value).collect();
                (Arc::clone(&family.unit), total.value())
            })
            .collect()
    }
}

/// The running month's cost as budgets want it, of families that are not folded.
fn spend(
    state: &AccountState,
    families: &[Family],
    moment: &Moment,
    all: &Arc<LabelSets>,
) -> Spend {
    let families = families
        .iter()
        .filter(|family| {
            family.measure == Measure::BilledCost
                && matches!(family.window, Window::MonthToDate | Window::MonthEnd)
        })
        .cloned()
        .collect();
    let mut listed = state.parts.values().filter(|part| part.listed).peekable();
    let polled = state.status.last_attempt.is_some();
    let found = listed.peek().is_some() || state.status.discovery.is_none();
    let told = |part: &PartState| {
        !part.is_stale(moment.now, moment.stale_after)
            && match part.months.get(&moment.month) {
                // What the last answer did not report is what it was before.
                Some(MonthState::Reported { at, .. }) => Some(*at) >= part.last_success,
                // The month has just begun, and there was no poll since.
                None => part.months.contains_key(&moment.month.previous()),
                Some(MonthState::Withheld) => false,
            }
    };
    Spend {
        labels: Arc::clone(all),
        families,
        complete: polled && found && listed.all(|part| told(part)),
    }
}

/// How much each label set matters: its absolute cost over both months as a share of its currency; by quantity of
/// its unit, or by seats, where the account has no money.
fn weights(
    state: &AccountState,
    measures: &[(Measure, Granularity)],
    moment: &Moment,
    labels: &LabelSets,
) -> Vec<f64> {
    let has_cost = measures
        .iter()
        .any(|(measure, _)| *measure == Measure::BilledCost);
    let matters = |measure: Measure| {
        if has_cost {
            measure == Measure::BilledCost
        } else {
            !measure.is_cost()
        }
    };
    let mut absolute: BTreeMap<(Measure, Arc<str>), Vec<f64>> = BTreeMap::new();
    for part in state.parts.values() {
        let months = [moment.month.previous(), moment.month];
        let flows = months.into_iter().filter_map(|month| sums_of(part, month));
        let now = part.now.iter().map(|now| &*now.sums);
        for column in flows.chain(now).flat_map(|sums| &sums.columns) {
            if !matters(column.measure) {
                continue;
            }
            let weights = absolute
                .entry((column.measure, Arc::clone(&column.unit)))
                .or_insert_with(|| vec![0.0; labels.len()]);
            for cells in column.iter() {
                weights[labels.set_of(cells.key) as usize] += cells.total.abs();
            }
        }
    }
    let mut shares = vec![0.0; labels.len()];
    for weights in absolute.values() {
        let total: f64 = weights.iter().sum();
        if total > 0.0 {
            for (share, weight) in shares.iter_mut().zip(weights) {
                *share += weight / total;
            }
        }
    }
    shares
}

/// What makes up families. It is added family by family from where it lies, not copied for all of them first.
#[derive(Default)]
struct FamilyBuilder<'a>(BTreeMap<(Measure, Window, Arc<str>), Vec<Contribution<'a>>>);

/// Adds the values of some label sets.
type Contribution<'a> = Box<dyn FnOnce(&mut Accumulator) + 'a>;

impl<'a> FamilyBuilder<'a> {
    fn push(
        &mut self,
        measure: Measure,
        window: Window,
        unit: &Arc<str>,
        values: impl Iterator<Item = (u32, f64)> + 'a,
    ) {
        let pieces = self.0.entry((measure, window, Arc::clone(unit)));
        let piece = move |adder: &mut Accumulator| adder.take(values);
        pieces.or_default().push(Box::new(piece));
    }

    /// Adds family by family.
    fn added(self, labels: &LabelSets) -> Vec<Family> {
        let mut adder = Accumulator::new(labels.len());
        self.0
            .into_iter()
            .map(|((measure, window, unit), pieces)| {
                // A scrape that waits for this processor need not wait for all families.
                std::thread::yield_now();
                for piece in pieces {
                    piece(&mut adder);
                }
                Family {
                    measure,
                    window,
                    unit,
                    values: adder.added(),
                }
            })
            .collect()
    }
}

fn families(
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

/// The windows over which a flow is shown that is told in this grain, and what each adds.
fn windows(grain: Granularity, moment: &Moment) -> Vec<(Window, DateRange)> {
    let to_date = match (moment.through, grain) {
        (None, _) => Some(DateRange::Month(moment.month)),
        (Some(day), Granularity::RunningDay | Granularity::Day) => Some(DateRange::Through(day)),
        // What a month had come to in its course is not known where it is told as a whole.
        (Some(_), Granularity::Month | Granularity::Now) => None,
    };
    let has_days = matches!(grain, Granularity::RunningDay | Granularity::Day);
    let previous_day = moment.previous_day.filter(|_| has_days).map(DateRange::Day);
    let today = (grain == Granularity::RunningDay).then_some(DateRange::Day(moment.today));
    [
        (Window::MonthToDate, to_date),
        (
            Window::PreviousMonth,
            Some(DateRange::Month(moment.month.previous())),
        ),
        (Window::PreviousDay, previous_day),
        (Window::Today, today),
    ]
    .into_iter()
    .filter_map(|(window, cut)| Some((window, cut?)))
    .collect()
}

/// One part's flow over one window: what was charged, and 0 for everything else that it charged in this month or
/// the one before.
fn gather_flow<'a>(
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
    for (sums, sign) in [(sums_of(part, month), 1.0), (Some(&*baseline.sums), -1.0)] {
        for column in sums
            .into_iter()
            .flat_map(|sums| of_measure(sums, Measure::BilledCost))
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
    for column in part
        .now
        .iter()
        .flat_map(|now| of_measure(&now.sums, measure))
    {
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
    sums_of(part, month)
        .into_iter()
        .flat_map(move |sums| of_measure(sums, measure))
}

fn sums_of(part: &PartState, month: Month) -> Option<&Sums> {
    match part.months.get(&month) {
        Some(MonthState::Reported { sums, .. }) => Some(sums),
        Some(MonthState::Withheld) | None => None,
    }
}

fn of_measure(sums: &Sums, measure: Measure) -> impl Iterator<Item = &Column> {
    sums.columns
        .iter()
        .filter(move |column| column.measure == measure)
}

/// Adds the values of equal label sets and puts them in order. The order of parts is fixed, so the same sums give the
/// same bits.
struct Accumulator {
    /// By label set; 0 between two families.
    sums: Vec<Sum>,
    /// Which label sets have a value, a bit each.
    seen: Vec<u64>,
}

impl Accumulator {
    /// An adder for so many label sets.
    fn new(sets: usize) -> Self {
        Self {
            sums: vec![Sum::default(); sets],
            seen: vec![0; sets.div_ceil(64)],
        }
    }

    fn take(&mut self, values: impl Iterator<Item = (u32, f64)>) {
        values.for_each(|(set, value)| {
            self.seen[set as usize / 64] |= 1 << (set % 64);
            self.sums[set as usize].add(value);
        });
    }

    /// What was taken since this was asked last.
    fn added(&mut self) -> Vec<(u32, f64)> {
        let count: u32 = self.seen.iter().map(|bits| bits.count_ones()).sum();
        let mut added = Vec::with_capacity(count as usize);
        for (first, bits) in (0u32..).step_by(64).zip(&mut self.seen) {
            while *bits != 0 {
                let set = first + bits.trailing_zeros();
                *bits &= *bits - 1;
                added.push((set, std::mem::take(&mut self.sums[set as usize]).value()));
            }
        }
        added
    }
}

/// The newest day that every part was asked about after it closed. A day that has not closed by now is none,
/// whatever a clock that was set back has let a part believe.
fn newest_closed_day(
    state: &AccountState,
    now: Timestamp,
    zone: &TimeZone,
    closes_after: Duration,
) -> Option<Date> {
    let today = now.to_zoned(zone.clone()).date();
    state
        .parts
        .values()
        .filter(|part| part.listed && !part.months.is_empty())
        .map(|part| {
            std::iter::successors(Some(today), |day| day.yesterday().ok())
                .take_while(|day| Month::of(*day) >= Month::of(today).previous())
                .find(|day| match part.months.get(&Month::of(*day)) {
                    Some(MonthState::Reported { at, .. }) => {
                        day_closes(*day, zone, closes_after) <= now.min(*at)
                    }
                    Some(MonthState::Withheld) | None => false,
                })
        })
        .min()
        .flatten()
}

/// The moment after which a day is taken as complete.
pub fn day_closes(day: Date, zone: &TimeZone, closes_after: Duration) -> Timestamp {
    add(
        start_of_day(day.saturating_add(1.day()), zone),
        closes_after,
    )
}

fn health(state: &AccountState, now: Timestamp, stale_after: Duration) -> Health {
    let listed = || state.parts.values().filter(|part| part.listed);
    let too_old = |part: &PartState| part.is_stale(now, stale_after);
    let mut failures: Vec<(String, Failure)> = Vec::new();
    failures.extend(
        state
            .status
            .discovery
            .clone()
            .map(|failure| ("discovery".to_owned(), failure)),
    );
    failures
        .extend(listed().filter_map(|part| Some((part.part.id.clone(), part.failure.clone()?))));
    Health {
        parts: listed().count(),
        failing_parts: listed()
            .filter(|part| part.failure.is_some() || too_old(part))
            .count(),
        oldest_success: listed().map(|part| part.last_success).min().flatten(),
        data: state.parts.values().filter_map(|part| part.newest).max(),
        withdrawn: state.parts.values().all(|part| too_old(part)),
        failures,
        withheld: None,
    }
}

/// The next moment at which a window turns or a part becomes stale.
fn next_change(state: &AccountState, moment: &Moment, zone: &TimeZone) -> Timestamp {
    let midnight = start_of_day(moment.today.saturating_add(1.day()), zone);
    state
        .parts
        .values()
        .filter_map(|part| Some(add(part.last_success?, moment.stale_after)))
        .filter(|stale| *stale > moment.now)
        .chain([midnight])
        .min()
        .unwrap_or(midnight)
}

#[cfg(test)]
mod tests;
