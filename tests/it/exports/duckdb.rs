//! The demo's files as `DuckDB` adds them up.

use cloudspend_exporter::charge::Month;
use serde_json::Value;

use super::write_data_files;
use crate::support::{MOMENT, demo_at, repository, tool, tools::succeeds};

#[tokio::test]
async fn sums_of_duckdb_are_the_demos() {
    let demo = demo_at(MOMENT).await;
    let folder = tempfile::tempdir().unwrap();
    write_data_files(&demo, folder.path()).await;
    let mut python = tool("exports-python");
    python
        .arg(repository("tests/tools/exports/sums.py"))
        .arg(folder.path());
    let sums: Value = serde_json::from_str(&succeeds(python).await).unwrap();
    assert!(sums.as_object().unwrap().len() >= 3, "{sums}");
    let wanted = demo.world().totals(MOMENT.parse().unwrap());
    let wanted = |family: &str| {
        let of_it = wanted
            .iter()
            .find(|total| total.kind == "exports" && total.family == family);
        of_it.unwrap().value
    };
    let june: Month = "2025-06".parse().unwrap();
    for (month, window) in [(june, "month_to_date"), (june.previous(), "previous_month")] {
        let of_month = &sums[month.to_string()];
        assert!(of_month["rows"].as_f64().unwrap() > 500.0, "{of_month}");
        for base in ["billed", "effective", "list", "contracted"] {
            let got = of_month[base].as_f64().unwrap();
            let want = wanted(&format!("{base}_cost_{window}"));
            assert!(
                (got - want).abs() <= 1e-9 * want,
                "{base} of {month}: {got}, not {want}"
            );
        }
    }
}
