//! enube leaves rows of a closed month out: they keep their value.

use super::*;

#[tokio::test]
async fn enube_missing_row_keeps_month_zero_replaces_it() {
    let month_end = MonthChange::new(ENUBE.section, &json!({})).await;
    let november = vec![
        row("A", 500.0, 90.0),
        row("B", 300.0, 90.0),
        row("C", 200.0, 90.0),
    ];
    month_end.poll(LAST_MINUTE, rows(november)).await;
    assert_eq!(month_end.months(), [Some(1000.0), Some(270.0)]);

    month_end.account.at(FIRST_MINUTE);
    assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);

    month_end.poll(FIRST_MINUTE, rows(vec![])).await;
    let whole = by_labels([("A", 500.0), ("B", 300.0), ("C", 200.0)]);
    assert_eq!(month_end.shows(BilledCost, PreviousMonth), whole);
    let nothing = by_labels([("A", 0.0), ("B", 0.0), ("C", 0.0)]);
    assert_eq!(month_end.shows(BilledCost, MonthToDate), nothing);
    assert_eq!(month_end.sum(ProviderForecast, MonthEnd), None);

    month_end
        .poll("2024-12-01T01:00:00Z", rows(vec![row("B", 2.0, 300.0)]))
        .await;
    assert_eq!(month_end.shows(BilledCost, PreviousMonth), whole);
    assert_eq!(
        month_end.shows(BilledCost, MonthToDate),
        by_labels([("A", 0.0), ("B", 2.0), ("C", 0.0)])
    );

    let some = vec![
        row("A", 1.0, 510.0),
        row("B", 2.0, 0.0),
        row("D", 4.0, 50.0),
        row("E", 8.0, None),
    ];
    month_end.poll(LATER, rows(some)).await;
    let reported = by_labels([
        ("A", 510.0),
        ("B", 0.0),
        ("C", 200.0),
        ("D", 50.0),
        ("E", 0.0),
    ]);
    assert_eq!(month_end.shows(BilledCost, PreviousMonth), reported);
    assert_eq!(
        month_end.shows(BilledCost, MonthToDate),
        by_labels([("A", 1.0), ("B", 2.0), ("C", 0.0), ("D", 4.0), ("E", 8.0)])
    );

    // A row that does not say what it was keeps it, among others and where none says it.
    month_end
        .poll(
            "2024-12-01T03:00:00Z",
            rows(vec![row("A", 1.0, None), row("D", 4.0, 60.0)]),
        )
        .await;
    assert_eq!(month_end.months(), [Some(5.0), Some(770.0)]);
    month_end
        .poll("2024-12-01T04:00:00Z", rows(vec![row("A", 1.5, None)]))
        .await;
    assert_eq!(month_end.months(), [Some(1.5), Some(770.0)]);
    month_end.poll("2024-12-01T05:00:00Z", rows(vec![])).await;
    assert_eq!(month_end.months(), [Some(0.0), Some(770.0)]);
}

#[tokio::test]
async fn enube_empty_first_response_shows_no_previous_month() {
    let month_end = MonthChange::new(ENUBE.section, &json!({})).await;
    month_end.poll(FIRST_MINUTE, rows(vec![])).await;
    assert_eq!(month_end.months(), [None, None]);
    month_end.poll(LATER, rows(vec![row("A", 2.0, None)])).await;
    assert_eq!(month_end.months(), [Some(2.0), None]);
    month_end
        .poll("2024-12-01T03:00:00Z", rows(vec![row("A", 2.0, 7.0)]))
        .await;
    assert_eq!(month_end.months(), [Some(2.0), Some(7.0)]);
}

#[tokio::test]
async fn enube_row_is_known_by_id_and_catalog() {
    for labels in [
        json!({}),
        json!({"dimensions": {"customer": "alias", "product": "cloud"}}),
        json!({"dimensions": {"customer": "alias"}}),
        json!({"dimensions": {"customer": "customer_id", "product": "cloud"}}),
        json!({"dimensions": {"customer": "cloud", "project": "customer_name"}}),
    ] {
        let mut more = labels.clone();
        more["catalogs"] = json!(["consumption", "marketplace"]);
        let mut month_end = MonthChange::new(ENUBE.section, &more).await;
        let of = |consumption: Vec<Value>, marketplace: Vec<Value>| {
            catalogs(move |body| {
                if body.contains("marketplace") {
                    marketplace.clone()
                } else {
                    consumption.clone()
                }
            })
        };
        let november = of(
            vec![row("A", 500.0, 9.0), row("B", 300.0, 9.0)],
            vec![row("A", 150.0, 10.0), row("B", 50.0, 8.0)],
        );
        month_end.poll(LAST_MINUTE, november).await;
        assert_eq!(month_end.months(), [Some(1000.0), Some(36.0)], "{labels}");
        month_end.restart().await;
        assert_eq!(month_end.months(), [Some(1000.0), Some(36.0)], "{labels}");
        month_end.poll(FIRST_MINUTE, of(vec![], vec![])).await;
        assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)], "{labels}");
        // A of the one catalog, B of the other; each says a little more than was known of it.
        let some = of(vec![row("A", 1.0, 501.0)], vec![row("B", 2.0, 52.0)]);
        month_end.poll(LATER, some).await;
        assert_eq!(month_end.months(), [Some(3.0), Some(1003.0)], "{labels}");
        // A customer with another name is the same customer.
        let mut renamed = row("A", 1.0, 504.0);
        renamed["name"] = json!("A, renamed");
        month_end
            .poll("2024-12-01T03:00:00Z", of(vec![renamed], vec![]))
            .await;
        assert_eq!(month_end.months(), [Some(1.0), Some(1006.0)], "{labels}");
    }
}

#[tokio::test]
async fn enube_unlisted_subscriptions_keep_their_month() {
    let more = json!({"detail": "subscriptions", "catalogs": []});
    for labels in [json!({}), json!({"project": "cloud"})] {
        let mut more = more.clone();
        more["dimensions"] = labels;
        let month_end = MonthChange::new(ENUBE.section, &more).await;
        let of = |customers: Vec<&'static str>, one: Vec<Value>, two: Vec<Value>| {
            move |seen: &RecordedRequest| {
                if seen.line.ends_with("/filters/customers") {
                    let customers = customers.iter();
                    let listed: Vec<Value> = customers
                        .map(|id| json!({"label": id, "value": id}))
                        .collect();
                    return json!(listed).to_string();
                }
                let (one, two) = (one.clone(), two.clone());
                catalogs(move |body| {
                    if body.contains(r#""one""#) {
                        one.clone()
                    } else {
                        two.clone()
                    }
                })(seen)
            }
        };
        let november = of(
            vec!["one", "two"],
            vec![row("s1", 500.0, 1.0), row("s2", 300.0, 1.0)],
            vec![row("s3", 200.0, 1.0)],
        );
        month_end.poll(LAST_MINUTE, november).await;
        assert_eq!(month_end.months(), [Some(1000.0), Some(3.0)]);
        month_end.account.at(FIRST_MINUTE);
        assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);
        // Both customers answer with nothing, then one is not listed any more.
        month_end
            .poll(FIRST_MINUTE, of(vec!["one", "two"], vec![], vec![]))
            .await;
        assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);
        month_end
            .poll("2024-12-01T01:00:00Z", of(vec!["one"], vec![], vec![]))
            .await;
        assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);
        let some = of(
            vec!["one", "two"],
            vec![row("s1", 1.0, 0.0), row("s4", 2.0, 7.0)],
            vec![],
        );
        month_end.poll(LATER, some).await;
        assert_eq!(month_end.months(), [Some(3.0), Some(507.0)]);
    }
}

/// Many rows, so that the plausibility guard looks at them.
fn many(count: usize, actual: f64, last: f64) -> Vec<Value> {
    (0..count)
        .map(|number| row(&format!("customer {number}"), actual, last))
        .collect()
}

#[tokio::test]
async fn enube_missing_rows_of_closed_month_are_plausible() {
    let month_end = MonthChange::new(ENUBE.section, &json!({})).await;
    month_end.poll(LAST_MINUTE, rows(many(40, 25.0, 1.0))).await;
    month_end.poll(FIRST_MINUTE, rows(vec![])).await;
    assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);
    month_end.poll(LATER, rows(many(12, 0.5, 25.0))).await;
    assert_eq!(month_end.months(), [Some(6.0), Some(1000.0)]);
    month_end
        .poll("2024-12-01T03:00:00Z", rows(many(5, 0.5, 20.0)))
        .await;
    assert_eq!(month_end.months(), [Some(2.5), Some(975.0)]);

    // Rows that all say 0 are: they are held back until two more answers say the same.
    for hour in ["04", "05", "06"] {
        month_end.server.now({
            let mut answer = rows(many(40, 0.5, 0.0));
            move |seen| Reply::good(answer(seen))
        });
        month_end.account.at(&format!("2024-12-01T{hour}:00:00Z"));
        month_end.account.poll().await;
        let held = hour != "06";
        assert_eq!(month_end.account.failure().is_some(), held, "{hour}");
        let previous = if held { 975.0 } else { 0.0 };
        assert_eq!(month_end.months()[1], Some(previous), "{hour}");
    }
}

#[tokio::test]
async fn enube_baseline_is_read_after_month_end() {
    let month_end = MonthChange::new(ENUBE.section, &json!({})).await;
    month_end
        .poll(
            LAST_MINUTE,
            rows(vec![row("A", 700.0, 1.0), row("B", 300.0, 1.0)]),
        )
        .await;
    month_end.poll("2024-12-03T00:20:00Z", rows(vec![])).await;
    assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);
    assert_eq!(month_end.sum(BilledCost, Restatement), None);
    month_end
        .poll("2024-12-03T01:20:00Z", rows(vec![row("A", 1.0, 702.0)]))
        .await;
    assert_eq!(month_end.months(), [Some(1.0), Some(1002.0)]);
    assert_eq!(month_end.sum(BilledCost, Restatement), Some(0.0));
    month_end
        .poll(
            "2024-12-04T01:20:00Z",
            rows(vec![row("A", 1.0, 702.0), row("B", 1.0, 310.0)]),
        )
        .await;
    assert_eq!(month_end.months(), [Some(2.0), Some(1012.0)]);
    assert_eq!(
        month_end.shows(BilledCost, Restatement),
        by_labels([("A", 0.0), ("B", 10.0)])
    );
    month_end.poll("2024-12-05T01:20:00Z", rows(vec![])).await;
    assert_eq!(month_end.sum(BilledCost, Restatement), Some(10.0));
}
