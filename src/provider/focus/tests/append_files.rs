//! The layout `append`: many files, empty ones, copies that lost their times, and what is no data.

use serde_json::json;

use super::{
    append::{appended, of_month, poll_then},
    server::Server,
    *,
};
use crate::provider::focus::test_support::zipped;

const NOW: &str = "2026-05-29T12:00:00Z";

/// Four files a day from the first of April on, each with a row of its day's month.
fn write_days(server: &Server, days: u64) {
    let first: jiff::Timestamp = "2026-04-01T03:00:00Z".parse().unwrap();
    for number in 0..days * 4 {
        let written = first + jiff::SignedDuration::from_hours(6 * i64::try_from(number).unwrap());
        let written = written.to_string();
        let rows = zipped(&csv(&[(&written[..7], "web", 1.0)]));
        let folder = written[..10].replace('-', "/");
        server.put(&format!("{folder}/{number:04}.csv.gz"), rows, &written);
    }
}

#[tokio::test]
async fn hundreds_of_files_are_read_once_and_listed_after() {
    let server = Server::start().await;
    write_days(&server, 58);
    let account = appended(&server);
    let first = poll_then(&account, NOW, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(
        (of_month(&first, "2026-04"), of_month(&first, "2026-05")),
        ("120".to_owned(), "112".to_owned())
    );
    // A listing of one page, and every file once, though 20 days of them belong to both months.
    assert_eq!(server.take_lines().len(), 1 + 232);
    let second = poll_then(&account, NOW, &first.known()).await.unwrap();
    assert_eq!(second.unchanged(), ["2026-04", "2026-05"]);
    assert_eq!(server.take_lines().len(), 1);
    // A file after the restatement of April: only May is read again.
    let rows = csv(&[("2026-05", "web", 1.0), ("2026-04", "web", 64.0)]);
    server.put("2026/05/29/0232.csv", rows, "2026-05-29T13:00:00Z");
    let third = poll_then(&account, "2026-05-29T14:00:00Z", &first.known())
        .await
        .unwrap();
    assert_eq!(third.unchanged(), ["2026-04"]);
    assert_eq!(third.total(), "113");
    assert_eq!(server.take_lines().len(), 1 + 113);
}

#[tokio::test]
async fn names_and_order_of_files_do_not_matter() {
    let parts: [&[(&str, &str, f64)]; 4] = [
        &[("2026-05", "web", 0.1), ("2026-04", "web", 8.0)],
        &[("2026-05", "shop", 0.2)],
        &[("2026-05", "web", 1e9), ("2026-05", "web", -1e9)],
        &[("2026-05", "web", 0.3)],
    ];
    let mut sums = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let server = Server::start().await;
        for (place, part) in order.into_iter().enumerate() {
            server.put(
                &format!("{place}.csv"),
                csv(parts[part]),
                "2026-05-12T06:00:00Z",
            );
        }
        let fetch = poll_then(&appended(&server), NOW, &Deliveries::default())
            .await
            .unwrap();
        let mut charges = fetch.sink.charges.clone();
        charges.sort_unstable();
        sums.push((charges, fetch.sink.rows));
    }
    assert!(sums.windows(2).all(|pair| pair[0] == pair[1]), "{sums:?}");
    assert_eq!(sums[0].1, 6);
}

#[tokio::test]
async fn month_without_files_or_records_is_withheld() {
    let server = Server::start().await;
    server.put(
        "a.csv",
        csv(&[("2026-04", "web", 1.0)]),
        "2026-04-10T06:00:00Z",
    );
    let account = appended(&server);
    let first = poll_then(&account, NOW, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(first.sink.withheld, ["2026-05"]);
    assert_eq!(first.sink.reported, ["2026-04"]);
    // A file of May with a header alone: no rows are known yet.
    server.put("b.csv", csv(&[]), "2026-05-25T06:00:00Z");
    let second = poll_then(&account, NOW, &first.known()).await.unwrap();
    assert_eq!(second.sink.withheld, ["2026-05"]);
    assert_eq!(second.unchanged(), ["2026-04"]);
    server.take_lines();
    poll_then(&account, NOW, &first.known()).await.unwrap();
    assert_eq!(server.take_lines().len(), 1);
    // Not a single byte is a file that was not written whole.
    server.put("c.csv", "", "2026-05-25T06:00:00Z");
    let error = poll_then(&account, NOW, &first.known()).await.unwrap_err();
    assert_eq!(text(&error), "truncated: c.csv: is empty");
}

#[tokio::test]
async fn empty_location_is_an_error() {
    let server = Server::start().await;
    let account = appended(&server);
    let error = poll_then(&account, NOW, &Deliveries::default())
        .await
        .unwrap_err();
    assert_eq!(
        text(&error),
        "not_found: s3://billing/exports: there is no file below the location"
    );
}

#[tokio::test]
async fn copy_without_times_goes_by_the_dates_of_folders() {
    let server = Server::start().await;
    let copied = "2026-05-28T06:00:00Z";
    for (name, month, cost) in [
        ("2026/03/31/a.csv", "2026-04", 64.0),
        ("2026/04/01/a.csv", "2026-04", 1.0),
        ("2026/05/20/a.csv", "2026-04", 2.0),
        ("2026/05/21/a.csv", "2026-04", 64.0),
        ("2026/05/21/b.csv", "2026-05", 4.0),
        // No date: the time is all there is.
        ("b.csv", "2026-05", 8.0),
    ] {
        server.put(name, csv(&[(month, "web", cost)]), copied);
    }
    let fetch = poll_then(&appended(&server), NOW, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(of_month(&fetch, "2026-04"), "3");
    assert_eq!(of_month(&fetch, "2026-05"), "12");
    let ignored = fetch.ignored();
    assert!(
        ignored.contains(&"2026-04: 4 files written in other months".to_owned()),
        "{ignored:?}"
    );
}

#[tokio::test]
async fn export_that_begins_within_a_month_is_remarked() {
    for (written, remarks) in [
        ("2026-04-03T00:00:00Z", 0),
        ("2026-04-03T00:00:01Z", 1),
        ("2026-05-10T06:00:00Z", 2),
    ] {
        let server = Server::start().await;
        let rows = csv(&[("2026-04", "web", 1.0), ("2026-05", "web", 2.0)]);
        server.put("a.csv", rows.clone(), written);
        server.put("b.csv", rows, "2026-05-11T06:00:00Z");
        let fetch = poll_then(&appended(&server), NOW, &Deliveries::default())
            .await
            .unwrap();
        let found = fetch.sink.remarks.iter();
        let found: Vec<_> = found
            .filter(|text| text.contains("the oldest file"))
            .collect();
        assert_eq!(found.len(), remarks, "{written}: {found:?}");
    }
}

#[tokio::test]
async fn file_of_another_dataset_is_malformed() {
    let server = Server::start().await;
    let other = "lineItem/referenceNo,lineItem/tenantId\n1,2\n";
    server.put("reports/cost-csv/1.csv", other, "2026-05-10T06:00:00Z");
    let error = poll_then(&appended(&server), NOW, &Deliveries::default())
        .await
        .unwrap_err();
    let error = text(&error);
    assert!(
        error.starts_with("malformed: reports/cost-csv/1.csv: no FOCUS cost and usage dataset"),
        "{error}"
    );
}

#[test]
fn month_in_the_location_is_refused() {
    let errors = errors(json!({
        "location": "s3://billing/exports/{month}",
        "layout": "append",
        "region": "eu-central-1",
        "credentials": "anonymous",
    }));
    assert_eq!(
        errors,
        "accounts.test.layout: must be files where location has {month} in it"
    );
}

#[tokio::test]
async fn layout_is_never_chosen_by_itself() {
    let server = Server::start().await;
    write_days(&server, 1);
    let error = error(&*account(&server, &json!({}))).await;
    assert!(
        error.starts_with("malformed: s3://billing/exports: "),
        "{error}"
    );
    assert!(
        error.contains("layout: append where files are only ever added"),
        "{error}"
    );
}

/// A local folder with files of these times.
fn folder(files: &[(&str, f64)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, cost) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, csv(&[("2026-05", "web", *cost)])).unwrap();
        let file = std::fs::File::options().append(true).open(&path).unwrap();
        let time: std::time::SystemTime = "2026-05-10T06:00:00Z"
            .parse::<jiff::Timestamp>()
            .unwrap()
            .into();
        file.set_modified(time).unwrap();
    }
    folder
}

fn local(folder: &tempfile::TempDir) -> Box<dyn Provider> {
    let location = format!("file://{}", folder.path().display());
    let section = json!({"location": location, "layout": "append", "costs": ["billed"]});
    build_entry(&ProviderEntry::of::<Config>(), section, &[]).unwrap()
}

#[tokio::test]
async fn further_name_of_a_local_file_replaces_none() {
    let folder = folder(&[("b.csv", 2.0)]);
    let provider = local(&folder);
    let first = poll(&*provider, &Deliveries::default()).await.unwrap();
    assert_eq!(first.total(), "2");
    // The file is now read under its other name; none of them is gone.
    std::fs::hard_link(folder.path().join("b.csv"), folder.path().join("a.csv")).unwrap();
    let second = poll(&*provider, &first.known()).await.unwrap();
    assert_eq!(second.total(), "2");
    std::fs::remove_file(folder.path().join("b.csv")).unwrap();
    let error = poll(&*provider, &first.known()).await.unwrap_err();
    assert!(
        text(&error).contains("no longer there: 1 file that 2026-05 was read from"),
        "{error}"
    );
}

#[tokio::test]
async fn link_out_of_a_folder_is_malformed() {
    let folder = folder(&[("b.csv", 2.0)]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("a.csv")).unwrap();
    let error = error(&*local(&folder)).await;
    assert!(
        error.starts_with("malformed: a.csv: is a link out of the location"),
        "{error}"
    );
}
