//! Names that are easily confused: every id has a series of its own on `/metrics`, with its own money.

use axum::{Router, routing::get};
use http::header;
use serde_json::json;

use crate::support::{Exporter, Folder, MOMENT, serve, stopped_at};

/// An API of Open Telekom Cloud that answers every month with one row a project.
async fn api(projects: &[(String, &str, f64)]) -> String {
    let rows: Vec<String> = projects
        .iter()
        .map(|(name, id, amount)| {
            let row = json!({
                "amount": amount, "consumption_date": "DATE", "consumption_type": "SU", "contract": 1, "product": "p",
                "product_description": "d", "project_id": id, "project_name": name, "quantity": 1,
                "quantity_type": "h", "region": "EU-DE", "resource_id": "r", "status": "NEW",
            });
            row.to_string()
        })
        .collect();
    let rows = rows.join("\n");
    let answer = async move |query: axum::extract::RawQuery| {
        let query = query.0.unwrap_or_default();
        let of = |key: &str| {
            let value = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == key);
            value.map_or(1, |(_, value)| value.parse::<u16>().unwrap())
        };
        let date = format!("{:04}-{:02}-01T00:00:00+02:00", of("year"), of("month"));
        let rows = rows.replace("DATE", &date);
        ([(header::CONTENT_TYPE, "application/x-ndjson")], rows)
    };
    serve(Router::new().route("/v2/daily/consumption/", get(answer))).await
}

#[tokio::test]
async fn similar_names_stay_separate_series() {
    let long = |end: &str| format!("{}{end}", "x".repeat(199));
    let projects = [
        (long("ya"), "l1", 1.0),
        (long("yb"), "l2", 2.0),
        (long("yc"), "l3", 4.0),
        ("ACME".to_owned(), "1", 8.0),
        ("ACME".to_owned(), "2", 16.0),
        ("ACME (1)".to_owned(), "3", 32.0),
    ];
    let url = api(&projects).await;
    let folder = Folder::with(&[("key", "k3y-0f-0tc")]);
    let yaml = format!(
        "accounts:\n  main: {{provider: otc, base_url: '{url}', api_key_file: {}}}\n",
        folder.yaml("key")
    );
    let exporter = Exporter::start(folder, &yaml, stopped_at(MOMENT)).await;
    let shown = exporter.polled().await;
    exporter.stop().await;
    let cut = |id: &str| format!("{}… ({id})", "x".repeat(200 - 4 - id.len()));
    let want = [
        ("ACME (1)".to_owned(), "1", 8.0),
        ("ACME (1) (3)".to_owned(), "3", 32.0),
        ("ACME (2)".to_owned(), "2", 16.0),
        (cut("l1"), "l1", 1.0),
        (cut("l2"), "l2", 2.0),
        (cut("l3"), "l3", 4.0),
    ];
    for family in [
        "cloudspend_billed_cost_month_to_date",
        "cloudspend_billed_cost_previous_month",
    ] {
        let got: Vec<_> = shown
            .samples(family)
            .map(|sample| (sample.label("project"), sample.value))
            .collect();
        let want: Vec<_> = want
            .iter()
            .map(|(text, _, value)| (text.as_str(), *value))
            .collect();
        assert_eq!(got, want, "{family}");
    }
    let infos: Vec<_> = shown
        .samples("cloudspend_project_info")
        .map(|sample| {
            (
                sample.label("project"),
                sample.label("project_id"),
                sample.label("id"),
            )
        })
        .collect();
    let ids: Vec<_> = want
        .iter()
        .map(|(text, id, _)| (text.as_str(), "", *id))
        .collect();
    assert_eq!(infos, ids);
}
