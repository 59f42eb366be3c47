//! Monthly analytics of `ActivePlatform`.

use std::collections::BTreeMap;

use super::*;
use crate::demo::{ActivePlatformOptions, Drafts};

const MEDIA_TYPE: &str = "application/vnd.api+json";

fn get(demo: &Demo, path: &str) -> reqwest::RequestBuilder {
    client()
        .get(demo.api(ProviderName::ActivePlatform).at(path))
        .header("X-Api-Token", setup::ACTIVEPLATFORM_TOKEN)
        .header(header::CONTENT_TYPE, MEDIA_TYPE)
        .header(header::ACCEPT, MEDIA_TYPE)
}

async fn subscriptions(demo: &Demo) -> Vec<Value> {
    let mut all = Vec::new();
    for page in 1.. {
        let path = format!("api/v3/resellers/77/subscriptions?page[size]=3&page[number]={page}");
        let (status, body) = send(get(demo, &path)).await;
        assert_eq!(status, 200);
        let data = body["data"].as_array().unwrap();
        if data.is_empty() {
            break;
        }
        all.extend(data.iter().cloned());
    }
    all
}

#[tokio::test]
async fn totals_of_all_subscriptions_are_the_worlds() {
    let demo = demo().await;
    let subscriptions = subscriptions(&demo).await;
    assert_eq!(subscriptions.len(), 8);
    let mut sums = [0.0; 2];
    let mut refunds = 0;
    for subscription in &subscriptions {
        let path = format!(
            "api/v3/analytics_monthly?subscription_id={}&period_from=2025-05&period_to=2025-06",
            subscription["id"].as_str().unwrap()
        );
        let (status, body) = send(get(&demo, &path)).await;
        assert_eq!(status, 200);
        assert_eq!(keys(&body), ["billing_periods", "subscription"]);
        assert_eq!(body["billing_periods"], json!(["2025-05", "2025-06"]));
        for item in body["subscription"]["items"].as_array().unwrap() {
            let want = "resource_group category resource_name tags billing_period total";
            assert_eq!(keys(item).join(" "), want);
            let value: f64 = item["total"].as_str().unwrap().parse().unwrap();
            refunds += usize::from(value < 0.0);
            sums[usize::from(item["billing_period"] == "2025-05")] += value;
        }
    }
    assert!(refunds > 0);
    let of = |window: &str| total(&demo, "analytics", &format!("billed_cost_{window}"));
    assert_close(sums[0], of("month_to_date"));
    assert_close(sums[1], of("previous_month"));
}

#[tokio::test]
async fn reseller_has_a_currency() {
    let demo = demo().await;
    let (status, body) = send(get(&demo, "api/v3/resellers/77")).await;
    assert_eq!(status, 200);
    assert_eq!(body["data"]["attributes"]["general"]["currency"], "USD");
    assert_eq!(send(get(&demo, "api/v3/resellers/78")).await.0, 404);
}

#[tokio::test]
async fn dates_are_required_if_so_configured() {
    let options = Options {
        activeplatform: ActivePlatformOptions {
            requires_dates: true,
            ..ActivePlatformOptions::default()
        },
        ..Options::default()
    };
    let demo = demo_at(NOW, options).await;
    let periods = "subscription_id=53840&period_from=2025-06&period_to=2025-06";
    let (status, body) = send(get(&demo, &format!("api/v3/analytics_monthly?{periods}"))).await;
    assert_eq!(
        (status, body["errors"][0]["status"].as_str()),
        (422, Some("422"))
    );
    let path =
        format!("api/v3/analytics_monthly?{periods}&date_from=2025-06-01&date_to=2025-06-18");
    let (status, dated) = send(get(&demo, &path)).await;
    assert_eq!(status, 200);
    let usual = demo_at(NOW, Options::default()).await;
    let (_, period) = send(get(&usual, &format!("api/v3/analytics_monthly?{periods}"))).await;
    assert_eq!(dated, period);
}

#[tokio::test]
async fn headers_subscription_and_period_are_required() {
    let demo = demo().await;
    let url = demo
        .api(ProviderName::ActivePlatform)
        .at("api/v3/analytics_monthly?subscription_id=53840&period_from=2025-06");
    assert_eq!(send(client().get(&url)).await.0, 401);
    let bare = client()
        .get(&url)
        .header("X-Api-Token", setup::ACTIVEPLATFORM_TOKEN);
    assert_eq!(send(bare).await.0, 400);
    for (query, want) in [
        ("subscription_id=53840&period_from=2025-06", 200),
        ("subscription_id=1&period_from=2025-06", 404),
        ("period_from=2025-06", 400),
        ("subscription_id=53840", 400),
        ("subscription_id=53840&period_from=June", 400),
        (
            "subscription_id=53840&period_from=2025-07&period_to=2025-06",
            400,
        ),
    ] {
        let path = format!("api/v3/analytics_monthly?{query}");
        assert_eq!(send(get(&demo, &path)).await.0, want, "{query}");
    }
}

/// A demo with these switches at a moment.
async fn demo_with(moment: &str, activeplatform: ActivePlatformOptions) -> Demo {
    let options = Options {
        activeplatform,
        start: Some("2025-06-18".parse().unwrap()),
        ..Options::default()
    };
    demo_at(moment, options).await
}

/// Which months final data names, and the totals of the drafts by month, both for June and July.
async fn periods(demo: &Demo) -> (Value, BTreeMap<String, f64>) {
    let query = "subscription_id=53840&period_from=2025-06&period_to=2025-07";
    let (_, months) = send(get(demo, &format!("api/v3/analytics_monthly?{query}"))).await;
    let (_, drafts) = send(get(demo, &format!("api/v3/analytics_daily_drafts?{query}"))).await;
    assert_eq!(drafts["subscription"]["id"], "53840");
    let mut sums = BTreeMap::new();
    for item in drafts["subscription"]["items"].as_array().unwrap() {
        assert_eq!(keys(item), ["billed_day", "total"]);
        let month = item["billed_day"].as_str().unwrap()[..7].to_owned();
        let total: f64 = item["total"].as_str().unwrap().parse().unwrap();
        *sums.entry(month).or_default() += total;
    }
    (months["billing_periods"].clone(), sums)
}

#[tokio::test]
async fn periods_move_from_drafts_to_final() {
    let azure_plan = ActivePlatformOptions {
        final_from_day: Some(8),
        ..ActivePlatformOptions::default()
    };
    for (moment, named, drafted) in [
        ("2025-06-18T10:30:00Z", json!([]), &["2025-06"][..]),
        ("2025-07-03T10:30:00Z", json!([]), &["2025-06", "2025-07"]),
        ("2025-07-08T00:00:00Z", json!(["2025-06"]), &["2025-07"]),
    ] {
        let (months, drafts) = periods(&demo_with(moment, azure_plan).await).await;
        assert_eq!(months, named, "{moment}");
        assert!(drafts.keys().eq(drafted), "{moment}: {drafts:?}");
    }
    // Deleted before final data is there, and still there when it is.
    for (drafts_until_day, drafted) in [(2, &["2025-07"][..]), (9, &["2025-06", "2025-07"])] {
        let options = ActivePlatformOptions {
            drafts_until_day,
            ..azure_plan
        };
        let (_, drafts) = periods(&demo_with("2025-07-08T00:00:00Z", options).await).await;
        assert!(drafts.keys().eq(drafted), "{drafts_until_day}: {drafts:?}");
    }
    let (months, _) =
        periods(&demo_with("2025-07-03T10:30:00Z", ActivePlatformOptions::default()).await).await;
    assert_eq!(months, json!(["2025-06", "2025-07"]));
}

#[tokio::test]
async fn drafts_and_final_data_of_a_month_agree() {
    let options = ActivePlatformOptions {
        drafts_until_day: 31,
        ..ActivePlatformOptions::default()
    };
    let demo = demo_with("2025-07-03T10:30:00Z", options).await;
    let (_, drafts) = periods(&demo).await;
    let query = "subscription_id=53840&period_from=2025-06&period_to=2025-06";
    let (_, months) = send(get(&demo, &format!("api/v3/analytics_monthly?{query}"))).await;
    let items = months["subscription"]["items"].as_array().unwrap();
    let totals = items.iter().map(|item| item["total"].as_str().unwrap());
    let sum: f64 = totals.map(|total| total.parse::<f64>().unwrap()).sum();
    assert!((drafts["2025-06"] - sum).abs() < 1e-3, "{drafts:?} {sum}");
}

#[tokio::test]
async fn drafts_can_be_refused() {
    for status in [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN] {
        let options = ActivePlatformOptions {
            drafts: Drafts::Refused(status),
            ..ActivePlatformOptions::default()
        };
        let demo = demo_with(NOW, options).await;
        let path = "api/v3/analytics_daily_drafts?subscription_id=53840&period_from=2025-06";
        assert_eq!(send(get(&demo, path)).await.0, status.as_u16());
    }
}

#[tokio::test]
async fn downstream_lists_can_be_absent() {
    let list = async |demo: &Demo, name: &str| {
        let (status, body) = send(get(demo, &format!("api/v3/resellers/77/{name}"))).await;
        (status, body["data"].as_array().map_or(0, Vec::len), body)
    };
    let demo = demo_with(NOW, ActivePlatformOptions::default()).await;
    let (status, count, body) = list(&demo, "child_resellers").await;
    assert_eq!((status, count), (200, 2));
    assert_eq!(body["data"][1]["attributes"]["parent_id"], "770");
    assert_eq!(body["data"][1]["attributes"]["general"]["currency"], "KZT");
    let (status, count, body) = list(&demo, "child_reseller_subscriptions").await;
    assert_eq!((status, count), (200, 4));
    assert_eq!(body["data"][0]["attributes"].get("reseller_id"), None);
    let options = ActivePlatformOptions {
        lists_resellers: false,
        lists_subscriptions: false,
        names_reseller: true,
        ..ActivePlatformOptions::default()
    };
    let demo = demo_with(NOW, options).await;
    for name in ["child_resellers", "child_reseller_subscriptions"] {
        assert_eq!(list(&demo, name).await.0, 404, "{name}");
    }
    let (status, body) = send(get(&demo, "api/v3/resellers/771/subscriptions")).await;
    assert_eq!((status, body["data"].as_array().unwrap().len()), (200, 2));
    assert_eq!(body["data"][0]["attributes"]["reseller_id"], 771);
}
