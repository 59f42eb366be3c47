//! The Enterprise Dashboard.

use super::*;

async fn rows(demo: &Demo, path: &str) -> Vec<Value> {
    let api = demo.api(ProviderName::Otc);
    let request = client().get(api.at(path)).bearer_auth(setup::OTC_KEY);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "application/x-ndjson"
    );
    let body = response.text().await.unwrap();
    body.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn sum(rows: &[Value], field: &str) -> f64 {
    rows.iter().map(|row| row[field].as_f64().unwrap()).sum()
}

#[tokio::test]
async fn rows_are_as_documented() {
    let demo = demo().await;
    let daily = rows(&demo, "v2/daily/consumption/?date=2025-06-16").await;
    assert_eq!(
        keys(&daily[0]),
        [
            "aggregation_id",
            "amount",
            "consumption_date",
            "consumption_type",
            "contract",
            "product",
            "product_description",
            "project_id",
            "project_name",
            "quantity",
            "quantity_type",
            "region",
            "resource_id",
            "status"
        ]
    );
    assert_eq!(daily[0]["consumption_date"], "2025-06-16T00:00:00+02:00");
    assert_eq!(daily[0]["contract"], 1_000_045_678);
    assert!(daily.iter().any(|row| row.get("project_name").is_none()));
    let hourly = rows(&demo, "v2/hourly/consumption?date=2025-06-16&hour=13").await;
    assert_eq!(
        keys(&hourly[0]),
        [
            "amount",
            "amount_excluding_discount",
            "bill_cycle_day",
            "consumption_date",
            "consumption_type",
            "contract",
            "external_priceplan",
            "product",
            "product_description",
            "project_id",
            "project_name",
            "quantity",
            "quantity_type",
            "region",
            "resource_id",
            "status",
            "usage_id"
        ]
    );
    assert_eq!(hourly[0]["consumption_date"], "2025-06-16T13:00:00+02:00");
    let tagged = rows(&demo, "v2/daily/consumption/?date=2025-06-16&show_tag=true").await;
    assert_eq!(tagged[0]["tags"][0], json!({"key": "env", "value": "prod"}));
}

#[tokio::test]
async fn sums_of_all_rows_are_the_worlds() {
    let demo = demo().await;
    for (kind, path) in [("daily", "v2/daily"), ("hourly", "v2/hourly")] {
        for (month, window) in [(6, "month_to_date"), (5, "previous_month")] {
            let path = format!("{path}/consumption/?year=2025&month={month}");
            let rows = rows(&demo, &path).await;
            assert!((500..60_000).contains(&rows.len()), "{}", rows.len());
            assert!(rows.iter().any(|row| row["amount"].as_f64().unwrap() < 0.0));
            let of = |measure: &str| total(&demo, kind, &format!("{measure}_{window}"));
            assert_close(sum(&rows, "amount"), of("billed_cost"));
            assert_close(sum(&rows, "quantity"), of("consumed_quantity"));
            if kind == "hourly" {
                assert_close(sum(&rows, "amount_excluding_discount"), of("list_cost"));
            }
        }
        let path = format!("{path}/consumption/?date=2025-06-17");
        let day = rows(&demo, &path).await;
        assert_close(
            sum(&day, "amount"),
            total(&demo, kind, "billed_cost_previous_day"),
        );
    }
    let today = rows(&demo, "v2/hourly/consumption/?date=2025-06-18").await;
    assert_close(
        sum(&today, "amount"),
        total(&demo, "hourly", "billed_cost_today"),
    );
}

#[tokio::test]
async fn each_filter_returns_exactly_its_rows() {
    let demo = demo().await;
    let day = "v2/daily/consumption/?date=2025-06-16";
    let all = rows(&demo, day).await;
    for field in [
        "contract",
        "product",
        "product_description",
        "project_name",
        "resource_id",
        "consumption_type",
    ] {
        let value = all[0][field].clone();
        let text = value.as_str().map_or(value.to_string(), str::to_owned);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair(field, &text)
            .finish();
        let got = rows(&demo, &format!("{day}&{query}")).await;
        let want: Vec<_> = all.iter().filter(|row| row[field] == value).collect();
        assert_eq!(got.iter().collect::<Vec<_>>(), want, "{field}");
    }
    let tag = "tag_key=env&tag_value=dev";
    let dev = rows(&demo, &format!("{day}&show_tag=true&{tag}")).await;
    assert!(!dev.is_empty() && dev.len() < all.len());
    assert_eq!(rows(&demo, &format!("{day}&{tag}")).await, all);
    let week = rows(&demo, "v2/daily/consumption/?year=2025&week=24").await;
    assert_eq!(week[0]["consumption_date"], "2025-06-09T00:00:00+02:00");
}

#[tokio::test]
async fn wrong_key_value_and_missing_year_differ() {
    let demo = demo().await;
    let api = demo.api(ProviderName::Otc);
    for (key, path, want) in [
        ("wrong", "v2/daily/consumption/?year=2025&month=6", 401),
        (setup::OTC_KEY, "v2/daily/consumption/?month=6", 422),
        (setup::OTC_KEY, "v2/daily/consumption/?week=24", 422),
        (setup::OTC_KEY, "v2/hourly/consumption/?hour=3", 422),
        (
            setup::OTC_KEY,
            "v2/daily/consumption/?year=2025&month=13",
            400,
        ),
        (setup::OTC_KEY, "v2/daily/consumption/?date=yesterday", 400),
        (
            setup::OTC_KEY,
            "v2/daily/consumption/?date=2025-06-16&hour=3",
            400,
        ),
        (
            setup::OTC_KEY,
            "v2/daily/consumption/?date=2025-06-16&tagged=true",
            400,
        ),
    ] {
        let (status, body) = send(client().get(api.at(path)).bearer_auth(key)).await;
        assert_eq!(status, want, "{path}");
        assert!(body["detail"].is_string());
    }
    assert_eq!(
        send(client().get(api.at("v2/daily/consumption/"))).await.0,
        401
    );
    assert_eq!(send(client().get(api.at("v2/health"))).await.0, 200);
}
