//! Monthly analytics of `ActivePlatform`.

use super::*;

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
        activeplatform_requires_dates: true,
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
