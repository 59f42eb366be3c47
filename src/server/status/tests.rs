//! What the page shows, how large it gets, and that it keeps its own policy.

use std::sync::Arc;

use super::*;
use crate::{
    charge::Measure,
    clock::Clock,
    exposition::publisher::{AccountSet, Publisher},
    provider::{Granularity, MonthFetch},
    state::{AccountHandle, Failure, Growth, MonthState},
    test_support::{Scripted, account, at, cost, month, state_of},
    view::budgets::BudgetSet,
};

const NOW: &str = "2025-06-18T10:30:00Z";

/// A page of accounts that all fail in the longest way, under names that are escaped at every letter.
fn of_accounts(number: usize) -> String {
    let provider = Scripted::new(
        &[(Measure::BilledCost, Granularity::Month)],
        MonthFetch::Both,
    );
    let template = account(provider, "UTC");
    let mut state = state_of(&template, at(NOW), &[cost(month("2025-06"), "a", 5.0)]);
    for part in 0..50 {
        let id = format!("{part}{}", "<".repeat(300));
        state.set_listed_parts(&[crate::provider::Part::new(&id)]);
        state.record_failure(
            &id,
            Failure {
                reason: Reason::Malformed,
                message: "<".repeat(100_000),
            },
            None,
        );
    }
    let handles = (0..number).map(|index| {
        let mut account = template.clone();
        account.name = format!("{index:04}{}", "<".repeat(196));
        Arc::new(AccountHandle::restored(Arc::new(account), state.clone()))
    });
    let configuration = "<".repeat(10 << 20);
    let account_set = AccountSet::new(handles.collect(), BudgetSet::default(), configuration);
    let publisher = Publisher::new(account_set, Clock::from_fn(|| at(NOW)));
    let loaded = Reload {
        successful: true,
        last_success: Some(at(NOW)),
    };
    whole(&publisher.current(), &loaded, "/metrics", at(NOW)).into_string()
}

#[test]
fn rejected_configuration_is_reported() {
    let account_set = AccountSet::new(Vec::new(), BudgetSet::default(), String::new());
    let publisher = Publisher::new(account_set, Clock::from_fn(|| at(NOW)));
    let of = |successful| {
        let loaded = Reload {
            successful,
            last_success: Some(at("2025-06-18T08:00:00Z")),
        };
        whole(&publisher.current(), &loaded, "/metrics", at(NOW)).into_string()
    };
    assert!(
        of(false).contains("The configuration that was loaded 2 h 30 min ago stays in effect.")
    );
    assert!(!of(true).contains("stays in effect"));
}

#[test]
fn failing_account_without_success_serves_nothing() {
    let provider = Scripted::new(&[], MonthFetch::Both);
    let account = Arc::new(account(provider, "UTC"));
    let page = |fed: bool| {
        let charges = [cost(month("2025-06"), "a", 5.0)];
        let mut state = if fed {
            state_of(&account, at(NOW), &charges)
        } else {
            crate::state::AccountState::new(3)
        };
        state.status.success = false;
        state.status.last_attempt = Some(at(NOW));
        let handle = AccountHandle::restored(Arc::clone(&account), state);
        let account_set = AccountSet::new(vec![handle.into()], BudgetSet::default(), String::new());
        let publisher = Publisher::new(account_set, Clock::from_fn(|| at(NOW)));
        whole(
            &publisher.current(),
            &Reload::default(),
            "/metrics",
            at(NOW),
        )
        .into_string()
    };
    let sentence = "no part of the account has succeeded yet.";
    assert!(page(false).contains(sentence));
    assert!(!page(true).contains(sentence));
}

#[test]
fn growth_and_missing_rows_are_said() {
    let measures = [
        (Measure::BilledCost, Granularity::Month),
        (Measure::ListCost, Granularity::Month),
    ];
    let provider = Scripted::new(&measures, MonthFetch::Both);
    let account = Arc::new(account(provider, "UTC"));
    let page = |at_growth: &str, rows: u64| {
        let charges = [cost(month("2025-06"), "a", 5.0)];
        let mut state = state_of(&account, at(NOW), &charges);
        state.growth.push(Growth {
            at: at(at_growth),
            month: "2025-05".parse().unwrap(),
            currency: "EUR".into(),
            from: 100.0,
            to: 250.0,
        });
        let part = Arc::make_mut(state.parts.get_mut("account").unwrap());
        for month in part.months.values_mut().take(1) {
            if let MonthState::Reported(month) = month {
                month.marks.missing.insert(Measure::ListCost, rows);
            }
        }
        let handle = AccountHandle::restored(Arc::clone(&account), state);
        let account_set = AccountSet::new(vec![handle.into()], BudgetSet::default(), String::new());
        let publisher = Publisher::new(account_set, Clock::from_fn(|| at(NOW)));
        whole(
            &publisher.current(),
            &Reload::default(),
            "/metrics",
            at(NOW),
        )
        .into_string()
    };
    let grown = "the gross amount of 2025-05 went from 100.00 to 250.00 EUR in one poll.";
    let missing = "600 rows have no list cost and are left out of it.";
    let says = |page: &str| (page.contains(grown), page.contains(missing));
    assert_eq!(says(&page("2025-06-17T10:30:01Z", 600)), (true, true));
    assert_eq!(says(&page("2025-06-17T10:30:00Z", 0)), (false, false));
    let one = page("2025-06-17T10:30:00Z", 1);
    let missing = ">1 row has no list cost and is left out of it.";
    assert!(one.contains(missing), "{one}");
}

#[test]
fn size_is_bounded_whatever_accounts_report() {
    let page = of_accounts(MAX_ACCOUNTS + 50);
    assert!(page.len() < 5 << 20, "{} bytes", page.len());
    assert!(page.contains("… and 50 more accounts in no worse state."));
    assert_eq!(page.matches("<article").count(), MAX_ACCOUNTS);
    assert!(!page.contains("<<"));
}

#[test]
fn policy_allows_what_the_page_has_and_no_more() {
    let page = of_accounts(1);
    for forbidden in [
        "<script", " style=", " onclick", "<form", "<iframe", "http:", "https:",
    ] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}
