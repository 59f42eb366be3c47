//! The small export of the five-minute path.

use super::super::support::{Exporter, Folder, repository, stopped_at};

#[tokio::test]
async fn fixture_shows_what_the_page_says() {
    let costs = std::fs::read_to_string(repository("tests/fixtures/focus/costs.csv")).unwrap();
    let files = Folder::with(&[("costs.csv", &costs)]);
    let location = files.path().display();
    let yaml = format!(
        "accounts:\n  files: {{provider: focus, provider_label: aws, location: 'file://{location}', layout: files, costs: [billed, effective, list, contracted]}}\n"
    );
    let folder = Folder::with(&[]);
    let exporter = Exporter::start(folder, &yaml, stopped_at("2024-05-12T08:00:00Z")).await;
    let shown = exporter.polled().await;
    exporter.stop().await;
    let page = std::fs::read_to_string(repository("docs/providers/focus.md")).unwrap();
    for (family, want) in [
        ("billed_cost_previous_month", 255.7574),
        ("effective_cost_previous_month", 255.7574),
        ("list_cost_previous_month", 266.4902),
        ("contracted_cost_previous_month", 255.7574),
        ("billed_cost_month_to_date", 44.3282),
        ("effective_cost_month_to_date", 30.3282),
        ("list_cost_month_to_date", 31.8414),
        ("contracted_cost_month_to_date", 30.3282),
    ] {
        let family = format!("cloudspend_{family}");
        let samples = shown.samples(&family);
        let got: f64 = samples.map(|sample| sample.value).sum();
        assert!((got - want).abs() < 1e-9, "{family}: {got}, not {want}");
    }
    for says in ["255.76 USD billed", "44.33 USD", "30.33 USD"] {
        assert!(page.contains(says), "the page no longer says {says}");
    }
}
