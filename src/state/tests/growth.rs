//! Which growth of a month is reported, and how long.

use crate::{
    charge::Measure,
    poller::test_support::{MONTHS, SEATS, ScriptedAccount},
    provider::MonthFetch,
    state::Growth,
    test_support::{TestCharge, at, cost, month},
};

/// One poll after another of both months; returns what is reported after each.
async fn grown(polls: &[(&str, &[TestCharge])]) -> Vec<Vec<(String, f64, f64)>> {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    let mut reported = Vec::new();
    for (now, charges) in polls {
        scripted.provider.returns("account", charges.to_vec());
        scripted.poll(now).await;
        let growth = scripted.view(now).health.growth.unwrap();
        let of = |growth: Growth| (growth.month.to_string(), growth.from, growth.to);
        reported.push(growth.into_iter().map(of).collect());
    }
    reported
}

fn closed(value: f64) -> TestCharge {
    cost(month("2025-02"), "a", value)
}

fn current(value: f64) -> TestCharge {
    cost(month("2025-03"), "a", value)
}

#[tokio::test]
async fn restated_closed_month_is_reported() {
    let reported = grown(&[
        ("2025-03-02T12:00:00Z", &[closed(100.0)]),
        ("2025-03-02T13:00:00Z", &[closed(250.0)]),
        ("2025-03-02T14:00:00Z", &[closed(250.0)]),
    ])
    .await;
    let want = vec![("2025-02".to_owned(), 100.0, 250.0)];
    assert_eq!(reported, [vec![], want.clone(), want]);
}

#[tokio::test]
async fn first_data_and_less_than_double_are_no_growth() {
    let reported = grown(&[
        ("2025-03-10T12:00:00Z", &[current(100.0)]),
        ("2025-03-10T13:00:00Z", &[current(100.0), closed(1000.0)]),
        ("2025-03-10T14:00:00Z", &[current(199.0), closed(2000.0)]),
    ])
    .await;
    assert_eq!(reported, [vec![], vec![], vec![]]);
}

#[tokio::test]
async fn new_part_is_no_growth() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    scripted.provider.lists(&["one"]);
    scripted.provider.returns("one", vec![current(100.0)]);
    scripted.poll("2025-03-10T12:00:00Z").await;
    scripted.provider.lists(&["one", "two"]);
    scripted.provider.returns("two", vec![current(1000.0)]);
    let now = "2025-03-10T13:00:00Z";
    scripted.poll(now).await;
    assert_eq!(scripted.view(now).health.growth, Some(Vec::new()));
    // The account's parts count together.
    scripted.provider.returns("one", vec![current(900.0)]);
    let now = "2025-03-10T14:00:00Z";
    scripted.poll(now).await;
    assert_eq!(scripted.view(now).health.growth, Some(Vec::new()));
}

#[tokio::test]
async fn current_month_counts_from_its_fifth_day_on() {
    let of_day = async |day: &str| {
        let [before, after] =
            ["12:00:00Z", "13:00:00Z"].map(|time| format!("2025-03-{day}T{time}"));
        let polls: [(&str, &[TestCharge]); 2] =
            [(&before, &[current(10.0)]), (&after, &[current(21.0)])];
        grown(&polls).await[1].len()
    };
    assert_eq!((of_day("04").await, of_day("05").await), (0, 1));
}

#[tokio::test]
async fn credits_count_by_their_size() {
    let reported = grown(&[
        ("2025-03-10T12:00:00Z", &[current(100.0)]),
        ("2025-03-10T13:00:00Z", &[current(150.0), current(-60.0)]),
    ])
    .await;
    let want = ("2025-03".to_owned(), 100.0, 210.0);
    assert_eq!(reported[1], [want]);
}

#[tokio::test]
async fn growth_ends_after_exactly_one_day() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    for (now, value) in [("2025-03-10T12:00:00Z", 1.0), ("2025-03-10T13:00:00Z", 3.0)] {
        scripted.provider.returns("account", vec![current(value)]);
        scripted.poll(now).await;
    }
    let reported = |now| scripted.view(now).health.growth.unwrap().len();
    let last = "2025-03-11T12:59:59Z";
    assert_eq!((reported(last), reported("2025-03-11T13:00:00Z")), (1, 0));
    // Rendered anew when it ends, without a poll.
    assert_eq!(scripted.view(last).next_change, at("2025-03-11T13:00:00Z"));
    scripted.poll("2025-03-11T13:00:00Z").await;
    assert!(scripted.handle.state.load().growth.is_empty());
}

#[tokio::test]
async fn growth_is_accepted_at_once() {
    let scripted = ScriptedAccount::new(MONTHS, MonthFetch::Both);
    for (now, value) in [("2025-03-10T12:00:00Z", 1.0), ("2025-03-10T13:00:00Z", 1e6)] {
        scripted.provider.returns("account", vec![current(value)]);
        scripted.poll(now).await;
        let shown = scripted
            .billed(now, crate::view::Window::MonthToDate)
            .unwrap()["a"];
        assert!((shown - value).abs() < 1e-9);
    }
}

#[tokio::test]
async fn account_without_costs_reports_no_growth() {
    let scripted = ScriptedAccount::new(SEATS, MonthFetch::Both);
    let seats = |value| TestCharge {
        measure: Measure::Seats,
        unit: "",
        ..cost(crate::charge::Period::Now, "a", value)
    };
    for (now, value) in [
        ("2025-03-10T12:00:00Z", 1.0),
        ("2025-03-10T13:00:00Z", 10.0),
    ] {
        scripted.provider.returns("account", vec![seats(value)]);
        scripted.poll(now).await;
        assert_eq!(scripted.view(now).health.growth, None);
    }
}
