//! What counts towards a budget: matchers, currencies, folding, withdrawal.

use std::sync::Arc;

use regex::Regex;

use super::*;
use crate::{
    charge::{Measure, Month},
    provider::{Granularity, MonthFetch, Part, PollRequest},
    test_support::{Scripted, TestCharge, account, at, cost, month, state_of, totals_of},
    view::view,
};

fn budget(matchers: &[(&str, &str)], currency: &str) -> Budget {
    Budget {
        name: "test".to_owned(),
        matchers: matchers
            .iter()
            .map(|(label, pattern)| {
                let anchored = Regex::new(&format!("^(?:{pattern})$")).unwrap();
                ((*label).to_owned(), anchored)
            })
            .collect(),
        limit: 100.0,
        currency: currency.to_owned(),
        thresholds: BTreeMap::new(),
        elsewhere: false,
    }
}

/// The view of an account after one poll with these charges.
fn seen(now: &str, max_series: usize, charges: &[TestCharge]) -> View {
    let polled = at("2025-03-10T12:00:00Z");
    let provider = Scripted::new(
        &[(Measure::BilledCost, Granularity::Month)],
        MonthFetch::Both,
    );
    let mut account = account(provider, "UTC");
    account.poll.max_series = max_series;
    let state = state_of(&account, polled, charges);
    view(&Arc::new(account), &Arc::new(state), at(now))
}

fn charges() -> Vec<TestCharge> {
    let march = month("2025-03");
    let mut brl = cost(march, "ACME Brasil", 50.0);
    brl.unit = "BRL";
    vec![
        cost(march, "ACME", 10.0).id("1"),
        cost(march, "ACME", 5.0).id("2"),
        cost(march, "Beta", 1.0),
        cost(march, "Refund", -3.0),
        brl,
    ]
}

const NOW: &str = "2025-03-10T13:00:00Z";

fn money(budget: Budget) -> BudgetSet {
    BudgetSet {
        budgets: vec![budget],
        reporting_currency: Some("EUR".to_owned()),
        exchange_rates: BTreeMap::from([("USD".to_owned(), 0.5)]),
    }
}

/// What a view has spent of the first budget, with an empty cache.
fn first<'a>(money: &'a BudgetSet, view: &'a View) -> Option<BudgetSpend<'a>> {
    let views = std::slice::from_ref(view);
    let mut all = money.spent_of_all(views, &mut MatchCache::default());
    all.drain(..).next()
}

#[test]
fn labels_match_with_and_without_an_added_id() {
    let view = seen(NOW, 100, &charges());
    for (matchers, want) in [
        (&[][..], Some((13.0, false))),
        (&[("customer", "ACME")], Some((15.0, true))),
        (&[("customer", r"ACME \(1\)")], Some((10.0, true))),
        (&[("customer", "ACM")], Some((0.0, true))),
        (&[("customer", "ACME|Beta|Refund")], Some((13.0, true))),
        (&[("customer", "ACME.*")], Some((15.0, false))),
        (
            &[("provider", "otc"), ("account", "mai.")],
            Some((13.0, false)),
        ),
        (&[("provider", "mike")], None),
        (&[("cloud_region", "eu")], None),
        (&[("cloud_region", "")], Some((13.0, false))),
    ] {
        let money = money(budget(matchers, "EUR"));
        let got = first(&money, &view).map(|spent| (spent.amount, spent.complete));
        assert_eq!(got, want, "{matchers:?}");
    }
}

#[test]
fn currencies_convert_or_are_left_out_without_a_rate() {
    let view = seen(NOW, 100, &charges());
    // 1 USD is 0.5 EUR, so 13 EUR are 26 USD; there is no rate for BRL.
    let money = money(budget(&[], "USD"));
    let spent = first(&money, &view).unwrap();
    assert_eq!(spent.amount.to_bits(), 26.0_f64.to_bits());
    assert_eq!(spent.without_rate, BTreeSet::from(["BRL".to_owned()]));
    assert!(!spent.complete);
}

#[test]
fn folding_and_withdrawal_keep_budget_amounts() {
    let only_acme = || money(budget(&[("customer", "ACME")], "EUR"));
    let folded = seen(NOW, 1, &charges());
    assert_eq!(folded.labels.len(), 1);
    let money = only_acme();
    let spent = first(&money, &folded).unwrap();
    assert_eq!(spent.amount.to_bits(), 15.0_f64.to_bits());
    assert!(spent.complete);
    // A day and more later everything is stale: withdrawn, but its costs remain.
    let withdrawn = seen("2025-03-31T23:59:59Z", 100, &charges());
    assert!(withdrawn.families.is_empty());
    let spent = first(&money, &withdrawn).unwrap();
    assert_eq!(spent.amount.to_bits(), 15.0_f64.to_bits());
    assert!(!spent.complete);
    // The next month has no costs yet, and no poll since it began.
    let turned = seen("2025-04-01T00:00:00Z", 100, &charges());
    let spent = first(&money, &turned).unwrap();
    assert_eq!(spent.amount.to_bits(), 0.0_f64.to_bits());
    assert!(!spent.complete);
}

#[test]
fn complete_while_every_part_reports_current_month() {
    let polled = at(NOW);
    for (withheld, listed, want) in [
        ("", true, true),
        // A budget is for the current month.
        ("2025-02", true, true),
        ("2025-03", true, false),
        ("2025-03", false, false),
        ("", false, true),
    ] {
        let provider = Scripted::new(
            &[(Measure::BilledCost, Granularity::Month)],
            MonthFetch::Both,
        );
        let account = account(provider, "UTC");
        let mut state = state_of(&account, polled, &charges());
        let [main, second] = ["account", "second"].map(Part::new);
        state.set_listed_parts(&[main.clone(), second]);
        let both = [("2025-02", 3.0), ("2025-03", 1.0)];
        let reported = both.into_iter().filter(|(month, _)| *month != withheld);
        let said: Vec<_> = reported
            .map(|(name, value)| cost(month(name), "ACME", value))
            .collect();
        let mut said = totals_of(&account, &said);
        said.withheld.extend(withheld.parse::<Month>());
        let ask = PollRequest {
            months: both.map(|(name, _)| name.parse().unwrap()).into(),
            current: "2025-03".parse().unwrap(),
            today: "2025-03-10".parse().unwrap(),
            now: polled,
        };
        let _ = state.accept("second", said, &ask, &account.zone);
        if !listed {
            state.set_listed_parts(&[main]);
        }
        let view = view(&Arc::new(account), &Arc::new(state), polled);
        let money = money(budget(&[("customer", "ACME")], "EUR"));
        let spent = first(&money, &view).unwrap();
        assert_eq!(spent.complete, want, "{withheld:?}, listed: {listed}");
    }
}

#[test]
fn cache_is_invalid_for_other_label_sets_or_matchers() {
    let more = ["Beta 1", "Beta 2", "Gamma"].map(|name| cost(month("2025-03"), name, 2.0));
    let [few, many] = [charges(), more.into()].map(|charges| seen(NOW, 1000, &charges));
    let mut matched = MatchCache::default();
    for (view, pattern, want) in [
        (&few, "ACME", 15.0),
        (&few, "ACME", 15.0),
        (&few, "Beta", 1.0),
        (&many, "Beta", 0.0),
        (&many, "Beta .", 4.0),
        (&many, "Beta .", 4.0),
        (&few, "Beta .", 0.0),
    ] {
        let money = money(budget(&[("customer", pattern)], "EUR"));
        let spent = money.spent_of_all(std::slice::from_ref(view), &mut matched);
        assert_eq!(spent[0].amount.to_bits(), f64::to_bits(want), "{pattern}");
        assert_eq!(spent[0].matched, want > 0.0, "{pattern}");
    }
    // What is no longer requested is dropped.
    let nothing = BudgetSet::default();
    assert!(nothing.spent_of_all(&[few], &mut matched).is_empty());
    assert!(format!("{matched:?}").ends_with("({})"));
}
