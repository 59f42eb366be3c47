//! Rows that lack a cost basis: counted by month, and kept with it.

use std::sync::Arc;

use crate::{
    charge::Measure,
    exposition::Rendered,
    poller::test_support::{DAYS, ScriptedAccount},
    provider::{Fetched, Granularity, MonthFetch},
    test_support::{at, cost, day},
    view::budgets::BudgetSet,
};

const BASES: &[(Measure, Granularity)] = &[
    (Measure::BilledCost, Granularity::Day),
    (Measure::EffectiveCost, Granularity::Day),
    (Measure::ListCost, Granularity::Day),
];

/// The lines of the family.
fn lines(scripted: &ScriptedAccount, now: &str) -> Vec<String> {
    let views = Arc::from([scripted.view(now)]);
    let rendered = Rendered::new(&views, &BudgetSet::default(), &[]);
    let text = String::from_utf8(rendered.plain_text().to_vec()).unwrap();
    let family = text.lines().filter_map(|line| {
        line.strip_prefix("cloudspend_missing_cost_rows{provider=\"otc\",account=\"main\",")
    });
    family.map(str::to_owned).collect()
}

#[tokio::test]
async fn rows_of_both_months_are_counted_by_basis() {
    let scripted = ScriptedAccount::new(BASES, MonthFetch::Both);
    let now = "2025-03-10T12:00:00Z";
    assert_eq!(lines(&scripted, now), [""; 0], "nothing was read yet");
    scripted
        .provider
        .returns("account", vec![cost(day("2025-03-05"), "a", 1.0)]);
    scripted.provider.says(|poll, _, sink| {
        for month in &poll.months {
            sink.missing(*month, Measure::EffectiveCost, 2);
            sink.missing(*month, Measure::EffectiveCost, 1);
        }
        Fetched::replaced()
    });
    scripted.poll(now).await;
    assert_eq!(
        lines(&scripted, now),
        ["cost=\"effective\"} 6.0", "cost=\"list\"} 0.0"]
    );
    // Two months later, what was counted in March is over.
    let later = "2025-05-01T12:00:00Z";
    scripted.provider.says(|_, _, _| Fetched::replaced());
    scripted.poll(later).await;
    assert_eq!(
        lines(&scripted, later),
        ["cost=\"effective\"} 0.0", "cost=\"list\"} 0.0"]
    );
}

#[tokio::test]
async fn count_is_kept_with_an_unchanged_month() {
    let scripted = ScriptedAccount::new(BASES, MonthFetch::Both);
    scripted.provider.says(|poll, known, sink| {
        let month = poll.current;
        if let Some(known) = known.get(&month) {
            return Fetched::replaced().with_unchanged(month, known.delivered);
        }
        sink.missing(month, Measure::ListCost, 7);
        let fingerprint = crate::provider::Fingerprint::new(1, b"one".as_slice()).unwrap();
        let delivered = at("2025-03-10T11:00:00Z");
        let delivery = crate::provider::Delivery {
            fingerprint,
            delivered,
        };
        Fetched::replaced().with_delivery(month, delivery)
    });
    for now in ["2025-03-10T12:00:00Z", "2025-03-10T13:00:00Z"] {
        scripted.poll(now).await;
        assert_eq!(lines(&scripted, now)[1], "cost=\"list\"} 7.0", "{now}");
    }
}

#[tokio::test]
async fn account_with_billed_cost_alone_has_no_series() {
    let scripted = ScriptedAccount::new(DAYS, MonthFetch::Both);
    let now = "2025-03-10T12:00:00Z";
    scripted
        .provider
        .returns("account", vec![cost(day("2025-03-05"), "a", 1.0)]);
    scripted.poll(now).await;
    assert_eq!(lines(&scripted, now), [""; 0]);
}
