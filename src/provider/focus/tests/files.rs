//! The layout `files`: all files below the location, or those of a month.

use serde_json::json;

use super::{
    aws::EARLY,
    server::{Fault, Server},
    *,
};

#[tokio::test]
async fn all_files_are_read_for_both_months() {
    let server = Server::start().await;
    server.put(
        "a.csv",
        csv(&[("2026-04", "web", 1.0), ("2026-05", "web", 2.0)]),
        EARLY,
    );
    server.put(
        "b/c.csv",
        csv(&[("2026-05", "shop", 4.0), ("2026-03", "web", 64.0)]),
        EARLY,
    );
    let account = account(&server, &json!({"layout": "files"}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "7");
    assert_eq!(fetch.sink.reported, ["2026-04", "2026-05"]);
    server.take_lines();
    let again = poll(&*account, &fetch.known()).await.unwrap();
    assert_eq!(again.unchanged(), ["2026-04", "2026-05"]);
    assert_eq!(
        server.take_lines(),
        ["GET /billing?list-type=2&prefix=exports/"]
    );
}

#[tokio::test]
async fn month_without_rows_is_withheld_and_not_read_again() {
    let server = Server::start().await;
    server.put("a.csv", csv(&[("2026-04", "web", 1.0)]), EARLY);
    let account = account(&server, &json!({"layout": "files"}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.sink.withheld, ["2026-05"]);
    server.take_lines();
    let again = poll(&*account, &fetch.known()).await.unwrap();
    assert_eq!(again.sink.withheld, ["2026-05"]);
    assert_eq!(again.unchanged(), ["2026-04"]);
    assert_eq!(server.take_lines().len(), 1);
}

#[tokio::test]
async fn new_file_is_read_with_the_others() {
    let server = Server::start().await;
    server.put(
        "a.csv",
        csv(&[("2026-05", "web", 1.0), ("2026-04", "web", 8.0)]),
        EARLY,
    );
    let account = account(&server, &json!({"layout": "files"}));
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    server.put(
        "b.csv",
        csv(&[("2026-05", "shop", 2.0)]),
        "2026-05-29T06:00:00Z",
    );
    let second = poll(&*account, &first.known()).await.unwrap();
    assert!(second.unchanged().is_empty());
    assert_eq!(second.total(), "11");
}

#[tokio::test]
async fn month_in_the_location_chooses_the_files() {
    let server = Server::start().await;
    server.put("2026-04/a.csv", csv(&[("2026-04", "web", 1.0)]), EARLY);
    server.put(
        "2026-05/a.csv",
        csv(&[("2026-05", "web", 2.0), ("2026-04", "web", 64.0)]),
        EARLY,
    );
    let more = json!({"layout": "files", "location": "s3://billing/exports/{month}"});
    let account = account(&server, &more);
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    // A row of another month than that of its folder does not count.
    assert_eq!(fetch.total(), "3");
    server.state().objects.remove("exports/2026-05/a.csv");
    let again = poll(&*account, &fetch.known()).await.unwrap();
    assert_eq!(again.sink.withheld, ["2026-05"]);
    assert_eq!(again.unchanged(), ["2026-04"]);
}

#[tokio::test]
async fn location_may_be_one_file() {
    let server = Server::start().await;
    server.put("costs.csv", csv(&[("2026-05", "web", 2.0)]), EARLY);
    server.put("costs.csv.old", csv(&[("2026-05", "web", 64.0)]), EARLY);
    let more = json!({"layout": "files", "location": "s3://billing/exports/costs.csv"});
    let fetch = poll(&*account(&server, &more), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "2");
}

#[tokio::test]
async fn folder_may_be_named_like_a_file() {
    let server = Server::start().await;
    let rows = csv(&[("2026-05", "web", 2.0)]);
    server.put("costs.csv/part-0.csv", rows, EARLY);
    server.put("costs.csv2/part-0.csv", "x", EARLY);
    let more = json!({"layout": "files", "location": "s3://billing/exports/costs.csv"});
    let fetch = poll(&*account(&server, &more), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "2");
}

#[tokio::test]
async fn filtered_month_is_withheld_and_not_0() {
    let server = Server::start().await;
    let rows = csv(&[("2026-04", "web", 1.0), ("2026-05", "shop", 2.0)]);
    server.put("a.csv", rows, EARLY);
    let more = json!({"layout": "files", "filters": {"sub_account_id": "web"}});
    let fetch = poll(&*account(&server, &more), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "1");
    assert_eq!(fetch.sink.withheld, ["2026-05"]);
}

#[tokio::test]
async fn marks_are_ignored_and_empty_data_is_not() {
    let server = Server::start().await;
    server.put("2026", "", EARLY);
    server.put("2026/a.csv", csv(&[("2026-05", "web", 2.0)]), EARLY);
    server.put("2026/_SUCCESS", "done", EARLY);
    server.put("2026/.a.csv.crc", "crc", EARLY);
    let account = account(&server, &json!({"layout": "files"}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "2");
    let ignored = fetch.ignored();
    assert!(
        ignored.contains(&"2026-05: 1 mark of a folder".to_owned()),
        "{ignored:?}"
    );
    assert!(
        ignored
            .iter()
            .any(|what| what.contains("2 files with a name")),
        "{ignored:?}"
    );
    server.put("2026/b.csv", "", EARLY);
    assert_eq!(error(&*account).await, "truncated: 2026/b.csv: is empty");
}

#[tokio::test]
async fn too_many_files_are_refused() {
    let server = Server::start().await;
    for number in 0..=10_000 {
        server.put(&format!("{number:05}.csv"), "x", EARLY);
    }
    let error = error(&*account(&server, &json!({"layout": "files"}))).await;
    assert_eq!(error, "too_large: more than 10000 files in a month");
}

#[tokio::test]
async fn listing_that_does_not_go_on_is_refused() {
    let server = Server::start().await;
    let page = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>a</NextContinuationToken></ListBucketResult>";
    server.fault("list-type=2", 9, Fault::Answer(200, page.to_owned()));
    let error = error(&*account(&server, &json!({"layout": "files"}))).await;
    assert!(error.contains("the listing does not go on"), "{error}");
    assert_eq!(server.take_lines().len(), 2);
}
