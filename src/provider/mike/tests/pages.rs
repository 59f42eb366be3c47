//! Pages of the log: when they end, and which are errors.

use serde_json::{Value, json};

use super::{account, page, row};
use crate::provider::{
    Part,
    test_support::{Api, RecordingSink, Seen, error_text, fetch, poll_on},
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
    let api = Api::start(move |seen: &Seen| {
        let number = requests.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let rows = pages.get(number).map_or(&[][..], Vec::as_slice);
        (200, page(seen, rows))
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

/// Fetches two rows from an API whose pages have this after `data`, given the requested offset.
async fn echoed(
    echo: impl Fn(u64) -> String + Clone + Send + Sync + 'static,
) -> Result<RecordingSink, String> {
    let api = Api::start(move |seen: &Seen| {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let offset = body["offset"].as_u64().unwrap();
        let rows = if offset == 0 { projects(0, 2) } else { vec![] };
        (
            200,
            format!(r#"{{"data": {}{}}}"#, json!(rows), echo(offset)),
        )
    })
    .await;
    let provider = account(&api, json!({ "level_metric_types": [] }));
    let read = fetch(&*provider, &Part::whole_account(), &poll_on("2024-05-10")).await;
    read.map_err(|error| error_text(&error))
}

#[tokio::test]
async fn page_of_another_offset_fails() {
    for (echo, begins_at) in [(r#", "offset": 1"#, 1), (r#", "offset": "7""#, 7)] {
        let result = echoed(move |_| echo.to_owned()).await;
        let want = format!(
            "malformed: POST /api/consumption/log/list: field offset: the page begins at {begins_at}, 0 was requested"
        );
        assert_eq!(result, Err(want), "{echo}");
    }
    // The second page is not the one that was requested, although it is empty.
    let result = echoed(|_| r#", "offset": 0"#.to_owned()).await;
    assert!(result.unwrap_err().contains("begins at 0, 2 was requested"));
}

#[tokio::test]
async fn offset_that_is_echoed_or_absent_is_fine() {
    let echoes: [fn(u64) -> String; 3] = [
        |offset| format!(r#", "offset": {offset}, "limit": 1000"#),
        |offset| format!(r#", "offset": "{offset}", "limit": null"#),
        |_| String::new(),
    ];
    for echo in echoes {
        let notes = echoed(echo).await.unwrap();
        assert_eq!((notes.charges.len(), notes.remarks.len()), (2, 0));
    }
}

#[tokio::test]
async fn other_limit_is_reported_and_pages_are_complete() {
    let notes = echoed(|offset| format!(r#", "offset": {offset}, "limit": 500"#))
        .await
        .unwrap();
    assert_eq!(notes.charges.len(), 2);
    let remark = "the API answers with the limit 500 in place of page_size: 1000";
    assert_eq!(notes.remarks, [remark, remark]);
}
