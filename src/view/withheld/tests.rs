//! Which parts count as withheld.

use std::sync::Arc;

use jiff::Timestamp;

use super::*;
use crate::{
    ledger,
    provider::{MonthFetch, Part, PollRequest},
    test_support::{Scripted, TestCharge, account, at, cost, month, totals_of},
    view::view,
};

const NOW: &str = "2025-03-10T12:00:00Z";
const MONEY: &[(Measure, Granularity)] = &[(Measure::BilledCost, Granularity::Month)];

/// What one part reports in one poll: its charges and the months that it withholds.
type Report<'a> = (&'a str, Vec<TestCharge>, &'a [&'a str]);

fn previous(value: f64) -> TestCharge {
    cost(month("2025-02"), "a", value)
}

fn current(value: f64) -> TestCharge {
    cost(month("2025-03"), "a", value)
}

/// The count after one poll in March that asked for these months, as it is at a time: month to date and previous
/// month.
fn count(
    measures: &[(Measure, Granularity)],
    asked: &[&str],
    reports: &[Report<'_>],
    now: &str,
) -> Option<[usize; 2]> {
    let account = account(Scripted::new(measures, MonthFetch::Both), "UTC");
    let mut state = AccountState::new(account.labels.slots.len());
    let parts: Vec<_> = reports.iter().map(|(part, ..)| Part::new(*part)).collect();
    state.set_listed_parts(&parts);
    let polled: Timestamp = at(NOW);
    let ask = PollRequest {
        months: asked.iter().map(|month| month.parse().unwrap()).collect(),
        current: "2025-03".parse().unwrap(),
        today: "2025-03-10".parse().unwrap(),
        now: polled,
    };
    for (part, charges, withheld) in reports {
        let said = ledger::PartTotals {
            withheld: withheld
                .iter()
                .map(|month| month.parse().unwrap())
                .collect(),
            ..totals_of(&account, charges)
        };
        let _ = state.accept(part, said, &ask, &account.zone);
    }
    state.status.last_attempt = Some(polled);
    let view = view(&Arc::new(account), &Arc::new(state), at(now));
    let parts = view.health.withheld?;
    Some([parts.month_to_date, parts.previous_month])
}

#[test]
fn parts_with_costs_in_one_month_count_for_the_other() {
    let both: &[&str] = &["2025-02", "2025-03"];
    for (charges, withheld, want) in [
        (vec![previous(3.0), current(1.0)], &[][..], Some([0, 0])),
        (vec![current(1.0)], &["2025-02"], Some([0, 1])),
        (vec![previous(3.0)], &["2025-03"], Some([1, 0])),
        // A month that is reported and empty is 0, not missing.
        (vec![current(1.0)], &[], Some([0, 0])),
        // Nothing is known to be missing from a part without money.
        (vec![], &["2025-02", "2025-03"], Some([0, 0])),
        (vec![current(0.0)], &["2025-02"], Some([0, 0])),
        (vec![current(-1.0)], &["2025-02"], Some([0, 1])),
    ] {
        let reports = [
            ("part", charges.clone(), withheld),
            ("whole", vec![previous(1.0), current(1.0)], &[][..]),
        ];
        assert_eq!(count(MONEY, both, &reports, NOW), want, "{charges:?}");
    }
}

#[test]
fn previous_month_never_requested_counts() {
    let reports = [("part", vec![current(1.0)], &[][..])];
    assert_eq!(count(MONEY, &["2025-03"], &reports, NOW), Some([0, 1]));
}

#[test]
fn current_month_not_requested_yet_does_not_count() {
    let both: &[&str] = &["2025-02", "2025-03"];
    let reports = [("part", vec![previous(3.0), current(1.0)], &[][..])];
    let turned = "2025-04-01T00:00:00Z";
    assert_eq!(count(MONEY, both, &reports, turned), Some([0, 0]));
}

#[test]
fn quantities_count_without_costs() {
    let both: &[&str] = &["2025-02", "2025-03"];
    let used = current(1.0).of(Measure::ConsumedQuantity, "h");
    let reports = [("part", vec![used], &["2025-02"][..])];
    let usage = (Measure::ConsumedQuantity, Granularity::Day);
    assert_eq!(count(&[usage], both, &reports, NOW), Some([0, 1]));
    let money = [usage, MONEY[0]];
    assert_eq!(count(&money, both, &reports, NOW), Some([0, 0]));
}

#[test]
fn accounts_without_months_have_no_count() {
    assert_eq!(
        count(&[(Measure::Seats, Granularity::Now)], &[], &[], NOW),
        None
    );
    assert_eq!(count(MONEY, &[], &[], NOW), Some([0, 0]));
}

#[test]
fn each_window_that_lacks_parts_has_a_sentence() {
    let parts = |month_to_date, previous_month| WithheldParts {
        month_to_date,
        previous_month,
    };
    assert_eq!(parts(0, 0).sentences(), Vec::<String>::new());
    assert_eq!(
        parts(2, 1).sentences(),
        [
            "2 parts with charges last month do not report the current month: sums over it are too low.",
            "1 part with charges this month does not report the previous month: sums over it are too low.",
        ]
    );
}
