//! Pages of the log: when they end, and which are errors.

use serde_json::{Value, json};

use super::{account, page, row};
use crate::provider::{
    Part,
    test_support::{Api, error_text, fetch, poll_on},
};

/// Rows of so many projects, from one number on.
fn projects(from: usize, count: usize) -> Vec<Value> {
    (from..from + count)
        .map(|project| {
            let project = project.to_string();
            row(
                &project,
                "2024-05-10T00:00:00Z",
                "2024-05-11T00:00:00Z",
                &json!(1),
            )
        })
        .collect()
}

/// Fetches the flows of an API that sends these pages one after the other, then empty ones: the number of charges,
/// and the requested offsets.
async fn paged(pages: Vec<Vec<Value>>) -> (Result<usize, String>, Vec<u64>) {
    let requests = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let api = Api::start(move |_| {
        let number = requests.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        (200, page(pages.get(number).map_or(&[], Vec::as_slice)))
    })
    .await;
    let provider = account(&api, json!({ "level_metric_types": [] }));
    let notes = fetch(&*provider, &Part::whole_account(), &poll_on("2024-05-10")).await;
    let offsets = api.seen().into_iter().map(|seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        body["offset"].as_u64().unwrap()
    });
    (
        notes
            .map(|notes| notes.charges.len())
            .map_err(|error| error_text(&error)),
        offsets.collect(),
    )
}

#[tokio::test]
async fn offset_follows_rows_until_an_empty_page() {
    for (pages, charges, offsets) in [
        (vec![], 0, vec![0]),
        (vec![projects(0, 2)], 2, vec![0, 2]),
        (
            vec![projects(0, 1000), projects(1000, 7), projects(1007, 1)],
            1008,
            vec![0, 1000, 1007, 1008],
        ),
        // The server ignores the limit: it sends all rows, more than a page may have, each time.
        (
            vec![projects(0, 1001), projects(0, 1001)],
            1001,
            vec![0, 1001],
        ),
        // Two equal rows on one page are two rows.
        (
            vec![[projects(0, 2), projects(0, 2)].concat()],
            4,
            vec![0, 4],
        ),
    ] {
        assert_eq!(paged(pages).await, (Ok(charges), offsets));
    }
}

#[tokio::test]
async fn repeated_row_or_too_many_pages_fail() {
    for (pages, want) in [
        (
            vec![projects(0, 1000), projects(0, 1000)],
            "malformed: {}: page 2: row 1 is already on an earlier page",
        ),
        (
            vec![projects(0, 3), projects(3, 3), projects(5, 3)],
            "malformed: {}: page 3: row 1 is already on an earlier page",
        ),
        (
            (0..6).map(|number| projects(number, 1)).collect(),
            "too_large: {}: page 6: more than 5 pages",
        ),
    ] {
        let (result, _) = paged(pages).await;
        assert_eq!(
            result,
            Err(want.replace("{}", "POST /api/consumption/log/list"))
        );
    }
}
