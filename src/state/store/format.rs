//! The form of an account's state in its file: types of their own, so that the program may change while the format stays.
//!
//! What is read is believed only where everything fits: label sets below their number, cells that a month has,
//! finite sums, months of the calendar, names that are known.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    charge::Measure,
    counters::PollCounts,
    error::Reason,
    ledger::{LabelTable, Value},
    provider::Part,
    state::{
        AccountState, Baseline, Failure, ForecastRecord, MonthState, NowState, PartState, Status,
    },
};

mod sums;

use crate::state::store::format::sums::{HeldForm, MeasureForm, MonthForm, SumsForm, finite};

/// A state as its file holds it.
#[derive(Serialize, Deserialize)]
pub(super) struct State<'a> {
    #[serde(borrow)]
    keys: Table<'a>,
    #[serde(borrow)]
    parts: Vec<PartForm<'a>>,
    #[serde(borrow)]
    noted: Vec<(MonthForm, Vec<(&'a str, f64)>)>,
    #[serde(borrow)]
    status: StatusForm<'a>,
}

#[derive(Serialize, Deserialize)]
struct Table<'a> {
    #[serde(borrow)]
    values: Vec<ValueForm<'a>>,
    sets: Cow<'a, [u32]>,
}

#[derive(Serialize, Deserialize)]
struct ValueForm<'a> {
    shown: &'a str,
    /// `None` where it is what is shown.
    id: Option<&'a str>,
    description: &'a str,
}

#[derive(Serialize, Deserialize)]
struct PartForm<'a> {
    id: &'a str,
    #[serde(borrow)]
    facts: Vec<(&'a str, &'a str)>,
    listed: bool,
    /// `None` is a month that the provider does not report yet.
    #[serde(borrow)]
    months: Vec<(MonthForm, Option<(Timestamp, SumsForm<'a>)>)>,
    #[serde(borrow)]
    baseline: Option<(MonthForm, SumsForm<'a>)>,
    #[serde(borrow)]
    held: Option<HeldForm<'a>>,
    #[serde(borrow)]
    now: Option<(MonthForm, SumsForm<'a>)>,
    ended: Vec<EndedForm>,
    last_success: Option<Timestamp>,
    newest: Option<Timestamp>,
    #[serde(borrow)]
    failure: Option<FailureForm<'a>>,
}

#[derive(Serialize, Deserialize)]
struct EndedForm {
    #[serde(with = "MeasureForm")]
    measure: Measure,
    key: u32,
    month: MonthForm,
}

#[derive(Serialize, Deserialize)]
struct FailureForm<'a> {
    reason: &'a str,
    message: &'a str,
}

#[derive(Serialize, Deserialize)]
struct StatusForm<'a> {
    success: bool,
    last_attempt: Option<Timestamp>,
    last_success: Option<Timestamp>,
    duration: Option<Duration>,
    rows: Option<u64>,
    #[serde(borrow)]
    discovery: Option<FailureForm<'a>>,
    remarks: Vec<&'a str>,
}

impl<'a> From<&'a AccountState> for State<'a> {
    fn from(state: &'a AccountState) -> Self {
        Self {
            keys: Table {
                values: state.keys.all_values().iter().map(Into::into).collect(),
                sets: Cow::Borrowed(state.keys.all_sets()),
            },
            parts: state.parts.values().map(|part| (&**part).into()).collect(),
            noted: state
                .noted
                .iter()
                .map(|noted| {
                    let forecasts = noted.forecasts.iter();
                    let forecasts = forecasts.map(|(currency, cost)| (&**currency, *cost));
                    (noted.month.into(), forecasts.collect())
                })
                .collect(),
            status: (&state.status).into(),
        }
    }
}

impl State<'_> {
    /// The state with `width` labels a label set; `None` where something does not fit.
    pub(super) fn restore(self, width: usize) -> Option<AccountState> {
        let empty = Arc::default();
        let values = self.keys.values.into_iter();
        let values = values.map(|value| value.restore(&empty)).collect();
        let keys = LabelTable::restored(width, values, self.keys.sets.into_owned())?;
        let mut parts = BTreeMap::new();
        for part in self.parts {
            let part = part.restore(keys.len())?;
            if parts.insert(part.part.id.clone(), Arc::new(part)).is_some() {
                return None;
            }
        }
        let mut noted = Vec::new();
        for (month, costs) in self.noted {
            let mut forecasts = BTreeMap::new();
            for (currency, cost) in costs {
                forecasts.insert(currency.into(), finite(cost)?);
            }
            noted.push(ForecastRecord {
                month: month.restore()?,
                forecasts,
            });
        }
        Some(AccountState {
            keys: Arc::new(keys),
            parts,
            noted,
            status: self.status.restore()?,
            skipped: std::sync::Arc::default(),
            counts: PollCounts::default(),
        })
    }
}

impl<'a> From<&'a Value> for ValueForm<'a> {
    fn from(value: &'a Value) -> Self {
        Self {
            shown: &value.shown,
            id: (value.id != value.shown).then_some(&*value.id),
            description: &value.description,
        }
    }
}

impl ValueForm<'_> {
    /// The value; it shares an empty text, since most have no description.
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

impl<'a> From<&'a PartState> for PartForm<'a> {
    fn from(state: &'a PartState) -> Self {
        let facts = state.part.facts.iter();
        let ended = state.ended.iter();
        Self {
            id: &state.part.id,
            facts: facts.map(|(name, value)| (&**name, &**value)).collect(),
            listed: state.listed,
            months: state
                .months
                .iter()
                .map(|(month, said)| {
                    let said = match said {
                        MonthState::Reported { at, sums } => Some((*at, (&**sums).into())),
                        MonthState::Withheld => None,
                    };
                    ((*month).into(), said)
                })
                .collect(),
            baseline: state
                .baseline
                .as_ref()
                .map(|baseline| (baseline.month.into(), (&*baseline.sums).into())),
            held: state.held.as_ref().map(Into::into),
            now: state
                .now
                .as_ref()
                .map(|now| (now.month.into(), (&*now.sums).into())),
            ended: ended
                .map(|(&(measure, key), &month)| EndedForm {
                    measure,
                    key,
                    month: month.into(),
                })
                .collect(),
            last_success: state.last_success,
            newest: state.newest,
            failure: state.failure.as_ref().map(Into::into),
        }
    }
}

impl PartForm<'_> {
    fn restore(self, keys: usize) -> Option<PartState> {
        let mut part = Part::new(self.id);
        for (name, value) in self.facts {
            part = part.with(name, value);
        }
        let mut months = BTreeMap::new();
        for (month, said) in self.months {
            let said = match said {
                Some((at, sums)) => MonthState::Reported {
                    at,
                    sums: Arc::new(sums.restore(keys)?),
                },
                None => MonthState::Withheld,
            };
            months.insert(month.restore()?, said);
        }
        let mut ended = BTreeMap::new();
        for seat in self.ended {
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
            held: restored(self.held, HeldForm::restore)?,
            now: restored(self.now, |(month, sums)| {
                Some(NowState {
                    month: month.restore()?,
                    sums: Arc::new(sums.restore(keys)?),
                })
            })?,
            ended,
            last_success: self.last_success,
            newest: self.newest,
            failure: restored(self.failure, FailureForm::restore)?,
        })
    }
}

/// What may be absent: `None` where it is there and does not fit.
#[expect(
    clippy::option_option,
    reason = "absent and wrong are two things, and `?` takes the outer one"
)]
fn restored<F, T>(form: Option<F>, restore: impl FnOnce(F) -> Option<T>) -> Option<Option<T>> {
    match form {
        Some(form) => restore(form).map(Some),
        None => Some(None),
    }
}

impl<'a> From<&'a Failure> for FailureForm<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            reason: failure.reason.as_str(),
            message: &failure.message,
        }
    }
}

impl FailureForm<'_> {
    fn restore(self) -> Option<Failure> {
        Some(Failure {
            reason: Reason::ALL
                .into_iter()
                .find(|reason| reason.as_str() == self.reason)?,
            message: self.message.to_owned(),
        })
    }
}

impl<'a> From<&'a Status> for StatusForm<'a> {
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

impl StatusForm<'_> {
    fn restore(self) -> Option<Status> {
        Some(Status {
            success: self.success,
            last_attempt: self.last_attempt,
            last_success: self.last_success,
            duration: self.duration,
            rows: self.rows,
            discovery: restored(self.discovery, FailureForm::restore)?,
            // The poller says when, once it runs.
            next_poll: None,
            held_until: None,
            remarks: self.remarks.into_iter().map(str::to_owned).collect(),
        })
    }
}
