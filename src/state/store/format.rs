//! The content of a state file: types of their own, so that the program can change while the format stays.
//!
//! A file is used only if every value in it is valid: keys of existing label sets, days of a month, finite sums,
//! calendar months, known reasons.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    charge::Measure,
    counters::PollCounts,
    error::Reason,
    ledger::{LabelTable, MonthMarks, Value},
    provider::Part,
    state::{
        AccountState, Baseline, Failure, ForecastRecord, MonthState, NowState, PartState,
        ReportedMonth, Status,
    },
};

mod additions;
mod sums;

pub(super) use additions::StoredAdditions;

use crate::state::store::format::sums::{
    StoredHeldResponse, StoredMeasure, StoredMonth, StoredSums, finite,
};

/// The state of an account as version 1 stores it. Version 2 has [`StoredAdditions`] behind it.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredAccount<'a> {
    #[serde(borrow)]
    keys: StoredLabelTable<'a>,
    #[serde(borrow)]
    parts: Vec<StoredPart<'a>>,
    #[serde(borrow)]
    forecast_records: Vec<(StoredMonth, Vec<(&'a str, f64)>)>,
    #[serde(borrow)]
    status: StoredStatus<'a>,
}

#[derive(Serialize, Deserialize)]
struct StoredLabelTable<'a> {
    #[serde(borrow)]
    values: Vec<StoredValue<'a>>,
    sets: Cow<'a, [u32]>,
}

#[derive(Serialize, Deserialize)]
struct StoredValue<'a> {
    shown: &'a str,
    /// `None` if it is the same as `shown`.
    id: Option<&'a str>,
    description: &'a str,
}

#[derive(Serialize, Deserialize)]
struct StoredPart<'a> {
    id: &'a str,
    #[serde(borrow)]
    attributes: Vec<(&'a str, &'a str)>,
    listed: bool,
    /// `None`: the provider does not report the month yet.
    #[serde(borrow)]
    months: Vec<(StoredMonth, Option<(Timestamp, StoredSums<'a>)>)>,
    #[serde(borrow)]
    baseline: Option<(StoredMonth, StoredSums<'a>)>,
    #[serde(borrow)]
    held: Option<StoredHeldResponse<'a>>,
    #[serde(borrow)]
    now: Option<(StoredMonth, StoredSums<'a>)>,
    ended_seats: Vec<StoredEndedSeat>,
    last_success: Option<Timestamp>,
    data_until: Option<Timestamp>,
    #[serde(borrow)]
    failure: Option<StoredFailure<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredEndedSeat {
    #[serde(with = "StoredMeasure")]
    measure: Measure,
    key: u32,
    month: StoredMonth,
}

#[derive(Serialize, Deserialize)]
struct StoredFailure<'a> {
    reason: &'a str,
    message: &'a str,
}

#[derive(Serialize, Deserialize)]
struct StoredStatus<'a> {
    success: bool,
    last_attempt: Option<Timestamp>,
    last_success: Option<Timestamp>,
    duration: Option<Duration>,
    rows: Option<u64>,
    #[serde(borrow)]
    discovery: Option<StoredFailure<'a>>,
    remarks: Vec<&'a str>,
}

impl<'a> From<&'a AccountState> for StoredAccount<'a> {
    fn from(state: &'a AccountState) -> Self {
        Self {
            keys: StoredLabelTable {
                values: state
                    .label_table
                    .all_values()
                    .iter()
                    .map(Into::into)
                    .collect(),
                sets: Cow::Borrowed(state.label_table.all_sets()),
            },
            parts: state.parts.values().map(|part| (&**part).into()).collect(),
            forecast_records: state
                .forecast_records
                .iter()
                .map(|forecast_records| {
                    let forecasts = forecast_records.forecasts.iter();
                    let forecasts = forecasts.map(|(currency, cost)| (&**currency, *cost));
                    (forecast_records.month.into(), forecasts.collect())
                })
                .collect(),
            status: (&state.status).into(),
        }
    }
}

impl StoredAccount<'_> {
    /// The state with `width` values in a label set; `None` if anything is invalid.
    pub(super) fn restore(self, width: usize) -> Option<AccountState> {
        let empty = Arc::default();
        let values = self.keys.values.into_iter();
        let values = values.map(|value| value.restore(&empty)).collect();
        let label_table = LabelTable::from_sets(width, values, self.keys.sets.into_owned())?;
        let mut parts = BTreeMap::new();
        for part in self.parts {
            let part = part.restore(label_table.len())?;
            if parts.insert(part.part.id.clone(), Arc::new(part)).is_some() {
                return None;
            }
        }
        let mut forecast_records = Vec::new();
        for (month, costs) in self.forecast_records {
            let mut forecasts = BTreeMap::new();
            for (currency, cost) in costs {
                forecasts.insert(currency.into(), finite(cost)?);
            }
            forecast_records.push(ForecastRecord {
                month: month.restore()?,
                forecasts,
            });
        }
        Some(AccountState {
            label_table: Arc::new(label_table),
            parts,
            forecast_records,
            growth: Vec::new(),
            status: self.status.restore()?,
            skipped: std::sync::Arc::default(),
            counts: PollCounts::default(),
        })
    }
}

impl<'a> From<&'a Value> for StoredValue<'a> {
    fn from(value: &'a Value) -> Self {
        Self {
            shown: &value.shown,
            id: (value.id != value.shown).then_some(&*value.id),
            description: &value.description,
        }
    }
}

impl StoredValue<'_> {
    /// The value. The empty text is shared, since most values have no description.
    fn restore(self, empty: &Arc<str>) -> Value {
        let text = |text: &str| match text {
            "" => Arc::clone(empty),
            text => text.into(),
        };
        let shown = text(self.shown);
        Value {
            id: self.id.map_or_else(|| Arc::clone(&shown), text),
            shown,
            description: text(self.description),
        }
    }
}

impl<'a> From<&'a PartState> for StoredPart<'a> {
    fn from(state: &'a PartState) -> Self {
        let attributes = state.part.attributes.iter();
        let ended = state.ended_seats.iter();
        Self {
            id: &state.part.id,
            attributes: attributes
                .map(|(name, value)| (&**name, &**value))
                .collect(),
            listed: state.listed,
            months: state
                .months
                .iter()
                .map(|(month, month_state)| {
                    let reported = match month_state {
                        MonthState::Reported(month) => Some((month.polled, (&*month.sums).into())),
                        MonthState::Withheld => None,
                    };
                    ((*month).into(), reported)
                })
                .collect(),
            baseline: state
                .baseline
                .as_ref()
                .map(|baseline| (baseline.month.into(), (&*baseline.sums).into())),
            held: StoredHeldResponse::of(&state.held),
            now: state
                .now
                .as_ref()
                .map(|now| (now.month.into(), (&*now.sums).into())),
            ended_seats: ended
                .map(|(&(measure, key), &month)| StoredEndedSeat {
                    measure,
                    key,
                    month: month.into(),
                })
                .collect(),
            last_success: state.last_success,
            data_until: state.data_until,
            failure: state.failure.as_ref().map(Into::into),
        }
    }
}

impl StoredPart<'_> {
    fn restore(self, keys: usize) -> Option<PartState> {
        let mut part = Part::new(self.id);
        for (name, value) in self.attributes {
            part = part.with(name, value);
        }
        let mut months = BTreeMap::new();
        for (month, reported) in self.months {
            let month_state = match reported {
                Some((polled, sums)) => MonthState::Reported(ReportedMonth {
                    polled,
                    delivery: None,
                    marks: MonthMarks::default(),
                    sums: Arc::new(sums.restore(keys)?),
                }),
                None => MonthState::Withheld,
            };
            months.insert(month.restore()?, month_state);
        }
        let mut ended = BTreeMap::new();
        for seat in self.ended_seats {
            if seat.key as usize >= keys {
                return None;
            }
            ended.insert((seat.measure, seat.key), seat.month.restore()?);
        }
        Some(PartState {
            part,
            listed: self.listed,
            months,
            baseline: restored(self.baseline, |(month, sums)| {
                Some(Baseline {
                    month: month.restore()?,
                    sums: Arc::new(sums.restore(keys)?),
                })
            })?,
            held: restored(self.held, StoredHeldResponse::restore)?.unwrap_or_default(),
            now: restored(self.now, |(month, sums)| {
                Some(NowState {
                    month: month.restore()?,
                    sums: Arc::new(sums.restore(keys)?),
                })
            })?,
            ended_seats: ended,
            last_success: self.last_success,
            data_until: self.data_until,
            failure: restored(self.failure, StoredFailure::restore)?,
        })
    }
}

/// Restores an optional value: `None` if it is present and invalid.
#[expect(
    clippy::option_option,
    reason = "absent and invalid are different, and `?` takes the outer one"
)]
fn restored<F, T>(form: Option<F>, restore: impl FnOnce(F) -> Option<T>) -> Option<Option<T>> {
    match form {
        Some(form) => restore(form).map(Some),
        None => Some(None),
    }
}

impl<'a> From<&'a Failure> for StoredFailure<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            reason: failure.reason.as_str(),
            message: &failure.message,
        }
    }
}

impl StoredFailure<'_> {
    fn restore(self) -> Option<Failure> {
        Some(Failure {
            reason: Reason::ALL
                .into_iter()
                .find(|reason| reason.as_str() == self.reason)?,
            message: self.message.to_owned(),
        })
    }
}

impl<'a> From<&'a Status> for StoredStatus<'a> {
    fn from(status: &'a Status) -> Self {
        Self {
            success: status.success,
            last_attempt: status.last_attempt,
            last_success: status.last_success,
            duration: status.duration,
            rows: status.rows,
            discovery: status.discovery.as_ref().map(Into::into),
            remarks: status.remarks.iter().map(String::as_str).collect(),
        }
    }
}

impl StoredStatus<'_> {
    fn restore(self) -> Option<Status> {
        Some(Status {
            success: self.success,
            last_attempt: self.last_attempt,
            last_success: self.last_success,
            duration: self.duration,
            rows: self.rows,
            discovery: restored(self.discovery, StoredFailure::restore)?,
            // The poller sets these when it runs.
            next_poll: None,
            rate_limited_until: None,
            remarks: self.remarks.into_iter().map(str::to_owned).collect(),
            sources: Vec::new(),
        })
    }
}
