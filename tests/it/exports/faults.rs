//! The exporter over the demo's store while the store fails for a moment, and for longer.

use cloudspend_exporter::demo::{Demo, Fault};
use http::StatusCode;

use super::account_over;
use crate::support::{Exporter, Exposition, Folder, MOMENT, demo_at, stopped_at};

async fn exporter(demo: &Demo) -> Exporter {
    let folder = Folder::with(&Demo::secrets());
    let yaml = account_over(&folder, demo.store().url().as_str().trim_end_matches('/'));
    Exporter::start(folder, &yaml, stopped_at(MOMENT)).await
}

#[track_caller]
fn assert_is_the_worlds(shown: &Exposition, demo: &Demo, what: &str) {
    for family in ["billed_cost_month_to_date", "effective_cost_previous_month"] {
        let totals = demo.world().totals(MOMENT.parse().unwrap());
        let of_it = |total: &&cloudspend_exporter::demo::Total| {
            total.kind == "exports" && total.family == family
        };
        let want = totals.iter().find(of_it).unwrap().value;
        let name = format!("cloudspend_{family}");
        let got: f64 = shown.samples(&name).map(|sample| sample.value).sum();
        assert!(
            (got - want).abs() <= 1e-9 * want,
            "{what}: {family} is {got}, not {want}"
        );
    }
}

#[tokio::test]
async fn passing_faults_leave_the_right_sums() {
    for (what, fault) in [
        (
            "SlowDown",
            Fault::store(StatusCode::SERVICE_UNAVAILABLE, "SlowDown").next(2),
        ),
        ("a cut list", Fault::cut(700).on("/demo-billing").next(1)),
        ("a cut manifest", Fault::cut(100).on("Manifest").next(1)),
        ("a cut CSV file", Fault::cut(3000).on(".csv.gz").next(1)),
        ("a cut Parquet file", Fault::cut(10).on(".parquet").next(1)),
        (
            "a new delivery after a manifest",
            Fault::redelivery().on("Manifest").next(1),
        ),
        (
            "a new delivery after a file",
            Fault::redelivery().on("00001.csv.gz").next(1),
        ),
    ] {
        let demo = demo_at(MOMENT).await;
        demo.store().fail(fault);
        let exporter = exporter(&demo).await;
        assert_is_the_worlds(&exporter.polled().await, &demo, what);
        exporter.stop().await;
    }
}

#[tokio::test]
async fn refused_export_has_a_reason_and_no_sums() {
    let demo = demo_at(MOMENT).await;
    demo.store()
        .fail(Fault::store(StatusCode::FORBIDDEN, "AccessDenied").on("/data/"));
    let exporter = exporter(&demo).await;
    let shown = exporter
        .shows("the poll has failed", |shown| {
            shown
                .samples("cloudspend_poll_failures_total")
                .any(|sample| sample.label("reason") == "forbidden" && sample.value > 0.0)
        })
        .await;
    assert_eq!(
        shown
            .samples("cloudspend_billed_cost_month_to_date")
            .count(),
        0
    );
    exporter.stop().await;
}
