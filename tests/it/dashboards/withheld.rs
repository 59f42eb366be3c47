//! A month that one subscription stops reporting: the sum falls, and everything that is to say so does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use axum::{
    Json, Router,
    extract::{Query, State},
    routing::get,
};
use serde_json::{Value, json};

use super::{list, rules, text};
use crate::support::{
    Exporter, Exposition, Folder, MOMENT, eventually, get as ask, serve, stopped_at, tools::Server,
};

/// Whether the second subscription reports the previous month.
type ReportsMay = Arc<AtomicBool>;

/// The two query parameters that matter here.
#[derive(serde::Deserialize)]
struct Asked {
    subscription_id: String,
}

/// Two subscriptions with 300 USD each in May, and 100 USD each in June.
async fn monthly(State(named): State<ReportsMay>, Query(asked): Query<Asked>) -> Json<Value> {
    let mut periods = vec!["2025-06"];
    if asked.subscription_id == "1" || named.load(Ordering::SeqCst) {
        periods.insert(0, "2025-05");
    }
    let items: Vec<_> = periods
        .iter()
        .map(|month| {
            let total = if *month == "2025-05" { "300" } else { "100" };
            json!({"category": "compute", "billing_period": month, "total": total})
        })
        .collect();
    Json(json!({
        "billing_periods": periods,
        "subscription": {"id": asked.subscription_id, "items": items},
    }))
}

/// An exporter without a state, once it has polled.
async fn started(url: &str) -> (Exporter, Exposition) {
    let folder = Folder::with(&[("token", "t0ken")]);
    let yaml = format!(
        "accounts:
  operator: {{provider: activeplatform, base_url: \"{url}\", api_token_file: {}, subscriptions: [1, 2], currency: USD, requests_per_second: 10000}}
budgets:
  all: {{limit: 1000, currency: USD}}
",
        folder.yaml("token")
    );
    let exporter = Exporter::start(folder, &yaml, stopped_at(MOMENT)).await;
    let shown = exporter.polled().await;
    (exporter, shown)
}

fn sum(shown: &Exposition, family: &str) -> f64 {
    shown.samples(family).map(|sample| sample.value).sum()
}

/// How many parts withhold the month to date and the previous month.
fn withheld(shown: &Exposition) -> [String; 2] {
    ["month_to_date", "previous_month"].map(|window| {
        let labels = [
            ("provider", "activeplatform"),
            ("account", "operator"),
            ("window", window),
        ];
        shown
            .value("cloudspend_withheld_parts", &labels)
            .to_string()
    })
}

/// The series of an alert's expression that are there now, or why there are none.
async fn fires(prometheus: &Server, expression: &str) -> Result<Vec<Value>, String> {
    let data = prometheus.ask("query", &[("query", expression)]).await?;
    let found = list(&data["result"]).to_vec();
    if found.is_empty() {
        Err(format!("{expression}: nothing"))
    } else {
        Ok(found)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn withheld_month_is_counted_and_alerted() {
    let named = ReportsMay::new(AtomicBool::new(true));
    let api = Router::new()
        .route("/api/v3/analytics_monthly", get(monthly))
        .with_state(Arc::clone(&named));
    let url = serve(api).await;
    let previous = "cloudspend_billed_cost_previous_month";

    let (exporter, shown) = started(&url).await;
    assert_eq!(sum(&shown, previous).to_bits(), 600.0_f64.to_bits());
    assert_eq!(withheld(&shown), ["0", "0"]);
    let page = ask(&exporter.at("/")).await.unwrap();
    assert!(!page.text().contains("not report"), "{}", page.text());
    exporter.stop().await;

    // Nothing of before is known after the restart.
    named.store(false, Ordering::SeqCst);
    let (exporter, shown) = started(&url).await;
    assert_eq!(sum(&shown, previous).to_bits(), 300.0_f64.to_bits());
    let success = [("account", "operator")];
    assert!(shown.value("cloudspend_poll_success", &success) > 0.0);
    assert_eq!(withheld(&shown), ["0", "1"]);
    // The budget goes by the current month, and that is whole.
    assert!(shown.value("cloudspend_budget_complete", &success) > 0.0);
    let page = ask(&exporter.at("/")).await.unwrap();
    let said = "1 part with charges this month does not report the previous month";
    assert!(page.text().contains(said), "{}", page.text());

    let folder = Folder::with(&[]);
    let address = exporter.at("").trim_start_matches("http://").to_owned();
    let config = format!(
        "global: {{scrape_interval: 1s}}
scrape_configs: [{{job_name: cloudspend, honor_labels: true, static_configs: [{{targets: [\"{address}\"]}}]}}]
"
    );
    let prometheus = Server::prometheus(&folder.path().join("data"), &config).await;
    let rules = rules();
    let rule = rules
        .iter()
        .find(|rule| rule["alert"] == "CloudSpendMonthWithheld")
        .expect("there is the alert");
    let found = eventually("the alert's expression fires", async || {
        fires(&prometheus, text(&rule["expr"])).await
    })
    .await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0]["metric"],
        json!({"provider": "activeplatform", "account": "operator", "window": "previous_month"})
    );
    prometheus.stop().await;
    exporter.stop().await;
}
