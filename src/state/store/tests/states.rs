//! States after arbitrary polls.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;

use crate::{
    account::Account,
    charge::{Measure, Month, Period, SharedSink},
    error::Reason,
    ledger::{LabelMapping, Ledger, MonthMarks},
    provider::{Delivery, Fetched, Fingerprint, Granularity, MonthFetch, Part, PollRequest},
    state::{AccountState, Failure, Growth, MonthState},
    test_support::{Scripted, TestCharge, account, at},
};

const PARTS: [&str; 3] = ["account", "8f2c/1b7d", "東京 \"x\""];
const NAMES: [&str; 5] = ["", "a", "Ångström & Söhne", "other", "\u{1f680}\n\\"];
const IDS: [&str; 3] = ["", "id-1", "id-2"];
const MEASURES: [(Measure, &str); 8] = [
    (Measure::BilledCost, "EUR"),
    (Measure::BilledCost, "BRL"),
    (Measure::ProviderForecast, "EUR"),
    (Measure::ConsumedQuantity, "GB·h"),
    (Measure::Seats, ""),
    (Measure::EffectiveCost, "EUR"),
    (Measure::ContractedCost, "EUR"),
    (Measure::PricingQuantity, "Hours"),
];

/// One poll of one part.
#[derive(Debug, Clone)]
pub(in crate::state::store) struct Poll {
    after: Duration,
    listed: Range<usize>,
    part: usize,
    fails: Option<usize>,
    withheld: bool,
    charges: Vec<(u8, usize, usize, usize, f64)>,
}

fn poll() -> impl Strategy<Value = Poll> {
    let charge = (
        0_u8..40,
        0..NAMES.len(),
        0..IDS.len(),
        0..MEASURES.len(),
        prop_oneof![-1e6..1e6_f64, Just(0.005), Just(f64::MAX), Just(-1e-300)],
    );
    (
        1_u64..24 * 40,
        (0..2_usize, 2..=PARTS.len()),
        0..PARTS.len(),
        prop::option::weighted(0.2, 0..Reason::ALL.len()),
        prop::bool::weighted(0.1),
        prop::collection::vec(charge, 0..40),
    )
        .prop_map(
            |(hours, (first, end), part, fails, withheld, charges)| Poll {
                after: Duration::from_hours(hours),
                listed: first..end,
                part,
                fails,
                withheld,
                charges,
            },
        )
}

/// Polls of one account, one after the other.
pub(in crate::state::store) fn polls() -> impl Strategy<Value = Vec<Poll>> {
    prop::collection::vec(poll(), 1..12)
}

/// Polls after which a state has a value in every field, and is small enough to be damaged at every byte.
pub(in crate::state::store) fn a_little_of_everything() -> Vec<Poll> {
    let poll = |charges: Vec<_>| Poll {
        after: Duration::from_hours(24 * 6),
        listed: 0..2,
        part: 0,
        fails: None,
        withheld: false,
        charges,
    };
    let month: Vec<_> = (0..21).map(|day| (day, 1, 1, 0, 0.005)).collect();
    let seat = (0, 2, 2, 4, 3.0);
    vec![
        poll([&month[..], &[seat]].concat()),
        poll(month.clone()),
        Poll {
            part: 1,
            fails: Some(9),
            ..poll(Vec::new())
        },
        poll(month[..3].to_vec()),
    ]
}

/// The account, its state after the polls, and the time of the last.
pub(in crate::state::store) fn play(polls: &[Poll]) -> (Account, AccountState, Timestamp) {
    let provider = Scripted::new(
        &[
            (Measure::BilledCost, Granularity::CurrentDay),
            (Measure::ConsumedQuantity, Granularity::Month),
            (Measure::ProviderForecast, Granularity::Now),
            (Measure::Seats, Granularity::Now),
            (Measure::EffectiveCost, Granularity::Day),
            (Measure::ContractedCost, Granularity::Day),
            (Measure::PricingQuantity, Granularity::Day),
        ],
        MonthFetch::Both,
    );
    let account = account(Arc::clone(&provider) as _, "Europe/Berlin");
    let shape = Arc::new(LabelMapping::of(&account));
    let mut state = AccountState::new(LabelMapping::of(&account).width());
    let mut now = at("2025-01-30T12:00:00Z");
    for poll in polls {
        now += SignedDuration::try_from(poll.after).unwrap();
        let current = Month::at(now, &account.zone);
        let request = PollRequest {
            months: vec![current.previous(), current],
            current,
            today: now.to_zoned(account.zone.clone()).date(),
            now,
        };
        let listed: Vec<_> = PARTS[poll.listed.clone()]
            .iter()
            .map(|id| Part::new(*id).with("name", format!("of {id}")))
            .collect();
        state.set_listed_parts(&listed);
        let id = PARTS[poll.part];
        let failure = poll.fails.map(|reason| Failure {
            reason: Reason::ALL[reason],
            message: format!("{id} failed: for a reason"),
        });
        let ledger = Arc::new(std::sync::Mutex::new(Ledger::new(Arc::clone(&shape), 1000)));
        let sink: SharedSink = Arc::clone(&ledger) as SharedSink;
        for charge in &poll.charges {
            test_charge(*charge, &request).emit(&sink);
        }
        if poll.withheld {
            sink.lock().unwrap().withhold(current.previous());
        }
        drop(sink);
        let totals = Arc::into_inner(ledger)
            .unwrap()
            .into_inner()
            .unwrap()
            .close(Fetched::replaced());
        state.status.rows = Some(totals.rows);
        match failure {
            Some(failure) => {
                let last_success = state.parts.get(id).and_then(|part| part.last_success);
                state.record_failure(id, failure, last_success);
            }
            None => match state.check_plausibility(id, &totals, &request) {
                Ok(()) => drop(state.accept(id, totals, &request, &account.zone)),
                Err(implausible) => {
                    let failure = Failure {
                        reason: Reason::Implausible,
                        message: implausible.to_string(),
                    };
                    let last_success = state.parts[id].last_success;
                    state.record_failure(id, failure, last_success);
                }
            },
        }
        state.record_forecasts(&request, BTreeMap::from([("EUR".into(), 12.5)]));
        state.status.discovery = poll.withheld.then(|| Failure {
            reason: Reason::Tls,
            message: "no parts".to_owned(),
        });
        state.status.last_attempt = Some(now);
        state.status.last_success = poll.fails.is_none().then_some(now);
        state.status.success = poll.fails.is_none();
        state.status.duration = Some(Duration::from_nanos(1_234_567_891));
        state
            .status
            .remarks
            .insert(format!("{} rows", poll.charges.len()));
        state.prune(current);
    }
    (account, state, now)
}

/// The same state with everything that version 1 of the format does not have.
pub(in crate::state::store) fn with_additions(
    mut state: AccountState,
    now: Timestamp,
) -> AccountState {
    for part in state.parts.values_mut() {
        for (month, known) in &mut Arc::make_mut(part).months {
            let MonthState::Reported(known) = known else {
                continue;
            };
            known.delivery = Some(Delivery {
                fingerprint: Fingerprint::new(3, month.to_string().into_bytes()).unwrap(),
                delivered: now - SignedDuration::from_hours(5),
            });
            known.marks = MonthMarks {
                rows: 21,
                missing: BTreeMap::from([(Measure::EffectiveCost, 2), (Measure::ListCost, 0)]),
                provisional: month.month() % 2 == 0,
                remarks: BTreeSet::from(["two exports".to_owned(), "東京".to_owned()]),
            };
        }
    }
    state.growth = vec![Growth {
        at: now,
        month: Month::at(now, &TimeZone::UTC),
        currency: "EUR".into(),
        from: 100.0,
        to: 250.0,
    }];
    state
}

/// Days 0 to 30 of the previous and the current month, whole months, and now.
fn test_charge(
    (when, name, id, measure, value): (u8, usize, usize, usize, f64),
    request: &PollRequest,
) -> TestCharge {
    let (measure, unit) = MEASURES[measure];
    let day = i64::from(when % 28);
    let period = match (measure, when) {
        (Measure::Seats | Measure::ProviderForecast, _) => Period::Now,
        (_, 0..20) => Period::Day(
            request
                .current
                .first_day()
                .saturating_add(jiff::Span::new().days(day)),
        ),
        (_, 20..30) => Period::Day(
            request
                .current
                .previous()
                .first_day()
                .saturating_add(jiff::Span::new().days(day)),
        ),
        (_, when) => Period::Month(request.months[usize::from(when % 2)]),
    };
    TestCharge {
        period,
        dimensions: [
            NAMES[name],
            IDS[id],
            NAMES[id],
            IDS[name % 3],
            NAMES[4 - name],
            "text",
        ],
        measure,
        value,
        unit,
    }
}

/// Fails unless two states are equal, including their label sets.
pub(in crate::state::store) fn assert_same(left: &AccountState, right: &AccountState) {
    assert_eq!(
        left.label_table.all_values(),
        right.label_table.all_values()
    );
    assert_eq!(left.label_table.all_sets(), right.label_table.all_sets());
    assert_eq!(left.parts, right.parts);
    assert_eq!(left.forecast_records, right.forecast_records);
    assert_eq!(left.growth, right.growth);
    assert_eq!(left.status, right.status);
}
