//! The exporter over another S3-compatible store: moto's, with the demo's files in it.

use std::collections::BTreeMap;

use cloudspend_exporter::demo::{Demo, S3_BUCKET, S3_REGION};
use http::StatusCode;

use super::{account_over, objects};
use crate::support::{
    Exporter, Exposition, Folder, MOMENT, PLAIN, Program, answer, demo_at, stopped_at, tool,
};

/// Starts moto and puts everything that is in the demo's store into it. Its address, without a slash at the end.
async fn moto_with(demo: &Demo) -> (Program, String) {
    let mut command = tool("moto_server");
    command.args(["--host", "127.0.0.1", "--port", "0"]);
    let mut program = Program::start(command).unwrap();
    let url = program.says("Running on ").await;
    let bucket = format!("{url}/{S3_BUCKET}");
    let location = format!(
        "<CreateBucketConfiguration><LocationConstraint>{S3_REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    let created = answer(PLAIN.put(&bucket).body(location)).await.unwrap();
    assert_eq!(created.status, StatusCode::OK, "{}", created.text());
    for (key, content) in objects(demo).await {
        let put = PLAIN.put(format!("{bucket}/{key}")).body(content);
        assert_eq!(answer(put).await.unwrap().status, StatusCode::OK, "{key}");
    }
    (program, url)
}

/// What an account over a store shows of costs and quantities of whole months, by family and labels.
async fn shown(endpoint: &str) -> BTreeMap<String, f64> {
    let folder = Folder::with(&Demo::secrets());
    let yaml = account_over(&folder, endpoint);
    let exporter = Exporter::start(folder, &yaml, stopped_at(MOMENT)).await;
    let shown: Exposition = exporter.polled().await;
    exporter.stop().await;
    let families = shown.families.iter().filter(|family| {
        family.name.ends_with("_cost_month_to_date") || family.name.ends_with("_previous_month")
    });
    families
        .flat_map(|family| &family.samples)
        .filter(|sample| !sample.name.contains("restated"))
        .map(|sample| (format!("{}{:?}", sample.name, sample.labels), sample.value))
        .collect()
}

#[tokio::test]
async fn moto_gives_the_same_sums_as_the_demo() {
    let demo = demo_at(MOMENT).await;
    let (_moto, url) = moto_with(&demo).await;
    let of_demo = shown(demo.store().url().as_str().trim_end_matches('/')).await;
    let of_moto = shown(&url).await;
    assert!(of_demo.len() > 300, "{} series", of_demo.len());
    assert_eq!(
        of_demo.keys().collect::<Vec<_>>(),
        of_moto.keys().collect::<Vec<_>>()
    );
    for (series, value) in &of_demo {
        let other = of_moto[series];
        assert!(
            (value - other).abs() <= 1e-9 * value.abs().max(1.0),
            "{series}: {value} and {other}"
        );
    }
}
