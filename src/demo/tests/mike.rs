//! The consumption log of MIKE Cloud.

use std::collections::BTreeSet;

use super::*;
use crate::demo::MikeOptions;

async fn fetch(demo: &Demo, log: &str, body: Value) -> (u16, Value) {
    let url = demo
        .api(ProviderName::Mike)
        .at(&format!("api/consumption/log/{log}"));
    let request = client()
        .post(url)
        .header("dhi-open-api-key", setup::MIKE_KEY);
    send(request.json(&body)).await
}

async fn rows(demo: &Demo, log: &str, body: Value) -> Vec<Value> {
    let (status, body) = fetch(demo, log, body).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(keys(&body), ["offset", "limit", "data"]);
    body["data"].as_array().unwrap().clone()
}

fn sum<'r>(rows: impl IntoIterator<Item = &'r Value>) -> f64 {
    rows.into_iter()
        .map(|row| row["value"].as_f64().unwrap())
        .sum()
}

fn day(row: &Value) -> &str {
    &row["validFrom"].as_str().unwrap()[..10]
}

#[tokio::test]
async fn flows_by_day_are_the_worlds() {
    let demo = demo().await;
    let body = json!({
        "from": "2025-04-24T00:00:00Z",
        "to": "2025-06-19T00:00:00Z",
        "aggregateBy": {"Time": "day", "OperationId": "all"},
    });
    let mut flows = rows(&demo, "list", body).await;
    flows.retain(|row| row["metricType"] != "TotalStorageUsage");
    for (window, from, to) in [
        ("month_to_date", "2025-06-01", "2025-06-30"),
        ("previous_month", "2025-05-01", "2025-05-31"),
        ("previous_day", "2025-06-17", "2025-06-17"),
        ("today", "2025-06-18", "2025-06-18"),
    ] {
        let got = sum(flows.iter().filter(|row| (from..=to).contains(&day(row))));
        let want = total(&demo, "log", &format!("consumed_quantity_{window}"));
        assert_close(got, want);
    }
}

#[tokio::test]
async fn newest_levels_are_the_worlds() {
    let demo = demo().await;
    let body = json!({"from": "2025-06-10T00:00:00Z", "metricType": "TotalStorageUsage"});
    let levels = rows(&demo, "list", body).await;
    let places: BTreeSet<_> = levels
        .iter()
        .map(|row| (row["projectId"].as_str(), row["resourceId"].as_str()))
        .collect();
    let newest = places.iter().map(|(project, resource)| {
        levels
            .iter()
            .rfind(|row| {
                row["projectId"].as_str() == *project && row["resourceId"].as_str() == *resource
            })
            .unwrap()
    });
    assert_close(sum(newest), total(&demo, "log", "stored_quantity"));
}

#[tokio::test]
async fn rows_are_as_documented() {
    let demo = demo().await;
    let body = json!({"metricType": "ComputeTime", "billingReference": "ABC123", "limit": 1});
    let row = &rows(&demo, "my-list", body).await[0];
    assert_eq!(
        keys(row).join(" "),
        "tenantId projectId resourceId operationId validFrom validTo unit value metricType billingInformation"
    );
    assert_eq!(
        row["billingInformation"],
        json!({"billingReference": "ABC123", "billingReferenceTag": "harbour", "billingReferenceType": "EXT"})
    );
    assert_eq!(
        row["validFrom"].as_str().unwrap().len(),
        "2024-04-02T11:39:15.525Z".len()
    );
    let all = json!({"Time": "all", "ProjectId": "all", "ResourceId": "all", "OperationId": "all", "BillingReference": "all"});
    let body = json!({"metricType": "ComputeTime", "aggregateBy": all});
    let sums = rows(&demo, "list", body).await;
    assert_eq!(sums.len(), 2, "one for each tenant");
    assert_eq!(
        keys(&sums[0]).join(" "),
        "tenantId unit value metricType billingInformation"
    );
}

#[tokio::test]
async fn both_ends_of_the_range_are_excluded() {
    let demo = demo().await;
    let window =
        |from: &str, to: &str| json!({"from": from, "to": to, "metricType": "StorageUsage"});
    // These rows last from midnight to midnight.
    let on = rows(
        &demo,
        "list",
        window("2025-06-10T00:00:00Z", "2025-06-11T00:00:00Z"),
    )
    .await;
    assert!(on.is_empty());
    let wide = rows(
        &demo,
        "list",
        window("2025-06-09T23:59:59.999Z", "2025-06-11T00:00:00.001Z"),
    )
    .await;
    assert_eq!(wide.len(), 10);
}

#[tokio::test]
async fn pages_have_no_gap_or_overlap() {
    let demo = demo().await;
    let body = |offset: usize, limit: usize| json!({"from": "2025-06-01T00:00:00Z", "sortBy": "ValidFrom", "sortOrder": "Desc", "offset": offset, "limit": limit});
    let all = rows(&demo, "list", body(0, 0)).await;
    let mut paged = Vec::new();
    loop {
        let page = rows(&demo, "list", body(paged.len(), 97)).await;
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert!(all.len() > 97);
    assert_eq!(paged, all);
    assert!(all.is_sorted_by(|a, b| a["validFrom"].as_str() >= b["validFrom"].as_str()));
}

#[tokio::test]
async fn each_filter_returns_exactly_its_rows() {
    let demo = demo().await;
    let from = "2025-06-15T00:00:00Z";
    let all = rows(&demo, "list", json!({"from": from})).await;
    let own = rows(&demo, "my-list", json!({"from": from})).await;
    assert!(!own.is_empty() && own.len() < all.len());
    let sample = all
        .iter()
        .find(|row| {
            row["metricType"] == "ComputeTime"
                && row["billingInformation"]["billingReferenceTag"] != Value::Null
        })
        .unwrap();
    for (key, place) in [
        ("tenantId", "/tenantId"),
        ("projectId", "/projectId"),
        ("operationId", "/operationId"),
        ("metricType", "/metricType"),
        ("resourceId", "/resourceId"),
        ("billingReference", "/billingInformation/billingReference"),
        (
            "billingReferenceTag",
            "/billingInformation/billingReferenceTag",
        ),
    ] {
        let value = sample.pointer(place).unwrap();
        let got = rows(&demo, "list", json!({"from": from, key: value})).await;
        let want: Vec<_> = all
            .iter()
            .filter(|row| row.pointer(place) == Some(value))
            .collect();
        assert_eq!(got.iter().collect::<Vec<_>>(), want, "{key}");
    }
}

#[tokio::test]
async fn wrong_key_and_unknown_values_are_rejected() {
    let demo = demo().await;
    let url = demo.api(ProviderName::Mike).at("api/consumption/log/list");
    let request = client().post(&url).json(&json!({}));
    assert_eq!(
        send(request.header("dhi-open-api-key", "wrong")).await.0,
        401
    );
    let request = client()
        .post(&url)
        .header("dhi-open-api-key", setup::MIKE_KEY);
    assert_eq!(send(request.body("{}")).await.0, 400);
    for body in [
        json!({"aggregateBy": {"Time": "hour"}}),
        json!({"aggregateBy": {"time": "day"}}),
        json!({"sortBy": "Colour"}),
        json!({"sortOrder": "ascending"}),
        json!({"from": "yesterday"}),
        json!({"limit": -1}),
        json!({"metrictype": "ComputeTime"}),
    ] {
        let (status, response) = fetch(&demo, "list", body.clone()).await;
        assert_eq!(
            (status, response["Status"].as_u64()),
            (400, Some(400)),
            "{body}"
        );
    }
}

#[tokio::test]
async fn limit_offset_header_and_projects_have_switches() {
    let with = async |mike: MikeOptions| {
        let options = Options {
            mike,
            ..Options::default()
        };
        let demo = demo_at(NOW, options).await;
        let body = json!({"from": "2025-06-15T00:00:00Z", "offset": 2, "limit": 50});
        fetch(&demo, "list", body).await
    };
    let (status, usual) = with(MikeOptions::default()).await;
    assert_eq!(status, 200);
    assert_eq!((&usual["offset"], &usual["limit"]), (&json!(2), &json!(50)));
    assert_eq!(usual["data"].as_array().unwrap().len(), 50);
    assert!(usual["data"][0]["projectId"].is_string());
    let capped = MikeOptions {
        max_limit: Some(7),
        echoes_no_offset: true,
        hides_projects: true,
        ..MikeOptions::default()
    };
    let (_, capped) = with(capped).await;
    assert_eq!(
        (&capped["offset"], &capped["limit"]),
        (&json!(0), &json!(7))
    );
    assert_eq!(capped["data"].as_array().unwrap().len(), 7);
    assert_eq!(capped["data"][0].get("projectId"), None);
    let refused = MikeOptions {
        required_header: Some("dhi-project-id"),
        ..MikeOptions::default()
    };
    assert_eq!(with(refused).await.0, 400);
    let empty = MikeOptions {
        is_empty: true,
        ..MikeOptions::default()
    };
    assert_eq!(with(empty).await.1["data"], json!([]));
}
