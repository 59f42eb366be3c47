//! The bucket with Oracle's cost reports: files that are only ever added, and what all of them add up to.

use super::{super::*, Sums, bucket, bytes, list};
use crate::demo::setup::{ORACLE_BUCKET, ORACLE_PREFIX};

/// The keys at a time.
async fn keys_at(now: &str) -> Vec<String> {
    let options = Options {
        start: Some(jiff::civil::Date::constant(2025, 6, 18)),
        ..Options::default()
    };
    let demo = demo_at(now, options).await;
    let found = list(&bucket(&demo, ORACLE_BUCKET), ORACLE_PREFIX).await;
    found
        .iter()
        .map(|object| object.location.to_string())
        .collect()
}

#[tokio::test]
async fn all_rows_add_up_to_the_worlds_totals() {
    let demo = demo().await;
    let store = bucket(&demo, ORACLE_BUCKET);
    let found = list(&store, ORACLE_PREFIX).await;
    assert_eq!(found.len(), 360);
    let mut sums = Sums::default();
    for object in found {
        sums.add_rows_of_all_months(&bytes(&store, object.location.as_ref()).await);
    }
    assert_eq!(sums.0.len(), 9);
    for (family, sum) in sums.0 {
        assert_close(sum, total(&demo, "oracle exports", &family));
    }
}

#[tokio::test]
async fn files_are_only_added() {
    let before = keys_at(NOW).await;
    assert_eq!(
        before.last().unwrap(),
        "FOCUS Reports/2025/06/18/0000001750226400-00001.csv.gz"
    );
    let after = keys_at("2025-06-19T00:00:00Z").await;
    assert_eq!(after.len(), before.len() + 3);
    assert_eq!(after[..before.len()], before);
    let demo = demo().await;
    demo.store().redeliver_exports();
    let found = list(&bucket(&demo, ORACLE_BUCKET), ORACLE_PREFIX).await;
    assert_eq!(found.len(), before.len());
}
