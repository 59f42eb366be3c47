//! The layout `append`: which files make a month, and what may become of them.

use serde_json::json;

use super::{
    server::{Fault, Server},
    *,
};
use crate::charge::Month;

const APRIL_FILE: &str = "2026/a.csv";
const MAY_FILE: &str = "2026/b.csv";

/// An account over an export to which files are added.
pub(super) fn appended(server: &Server) -> Account {
    account(server, &json!({"layout": "append"}))
}

/// A poll of the two months that a time is about.
pub(super) fn poll_at(now: &str) -> PollRequest {
    let (day, _) = now.split_once('T').unwrap();
    let mut request = poll_on(day);
    request.now = now.parse().unwrap();
    request
}

pub(super) async fn poll_then(
    account: &Account,
    now: &str,
    known: &Deliveries,
) -> Result<Fetch, ProviderError> {
    let request = poll_at(now);
    let parts = account.parts(&request).await?;
    assert_eq!(parts, [Part::whole_account()]);
    fetch(&**account, "account", &request, known).await
}

/// The billed cost of a month.
pub(super) fn of_month(fetch: &Fetch, month: &str) -> String {
    let charges = fetch.sink.charges.iter();
    let of = charges.filter(|charge| charge.starts_with(month));
    let costs = of.map(|charge| {
        let (_, rest) = charge.split_once("BilledCost ").unwrap();
        rest.split([' ', ','])
            .next()
            .unwrap()
            .parse::<f64>()
            .unwrap()
    });
    costs.fold(0.0, |sum, cost| sum + cost).to_string()
}

/// A file for each of the two months, the second with a late row of the first.
fn write_months(server: &Server) {
    let april = csv(&[("2026-04", "web", 1.0)]);
    server.put(APRIL_FILE, april, "2026-04-10T06:00:00Z");
    let may = csv(&[("2026-05", "web", 2.0), ("2026-04", "shop", 4.0)]);
    server.put(MAY_FILE, may, "2026-05-03T06:00:00Z");
}

#[tokio::test]
async fn late_rows_count_in_their_month() {
    let server = Server::start().await;
    write_months(&server);
    let account = appended(&server);
    let fetch = poll_then(&account, "2026-05-10T12:00:00Z", &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(of_month(&fetch, "2026-04"), "5");
    assert_eq!(of_month(&fetch, "2026-05"), "2");
    assert_eq!(fetch.sink.reported, ["2026-04", "2026-05"]);
    // One listing, and a file that both months are made of is read once.
    assert_eq!(
        server.take_lines(),
        [
            "GET /billing?list-type=2&prefix=exports/",
            "GET /billing/exports/2026/a.csv",
            "GET /billing/exports/2026/b.csv",
        ]
    );
    let again = poll_then(&account, "2026-05-10T13:00:00Z", &fetch.known())
        .await
        .unwrap();
    assert_eq!(again.unchanged(), ["2026-04", "2026-05"]);
    assert_eq!(
        server.take_lines(),
        ["GET /billing?list-type=2&prefix=exports/"]
    );
}

#[tokio::test]
async fn month_counts_as_read_when_its_newest_file_was_written() {
    let server = Server::start().await;
    write_months(&server);
    server.put(
        "c.csv",
        csv(&[("2026-05", "web", 8.0)]),
        "2026-05-25T06:00:00Z",
    );
    let fetch = poll_then(
        &appended(&server),
        "2026-05-29T12:00:00Z",
        &Deliveries::default(),
    )
    .await
    .unwrap();
    let delivered = fetch
        .known()
        .into_values()
        .map(|known| known.delivered.to_string());
    let want = ["2026-05-03T06:00:00Z", "2026-05-25T06:00:00Z"];
    assert_eq!(delivered.collect::<Vec<_>>(), want);
}

#[tokio::test]
async fn correction_of_the_previous_month_is_a_new_row() {
    let server = Server::start().await;
    write_months(&server);
    let account = appended(&server);
    let first = poll_then(&account, "2026-05-10T12:00:00Z", &Deliveries::default())
        .await
        .unwrap();
    let correction = csv(&[("2026-04", "web", -0.5)]);
    server.put("2026/c.csv", correction, "2026-05-15T06:00:00Z");
    let second = poll_then(&account, "2026-05-15T12:00:00Z", &first.known())
        .await
        .unwrap();
    assert!(second.unchanged().is_empty());
    assert_eq!(of_month(&second, "2026-04"), "4.5");
    assert_eq!(of_month(&second, "2026-05"), "2");
}

#[tokio::test]
async fn files_belong_to_a_month_by_the_time_of_writing() {
    // A row of each month in every file: which sums it is in shows which months it belongs to.
    for (written, april, may) in [
        ("2026-03-31T23:59:59Z", "0", "0"),
        ("2026-04-01T00:00:00Z", "1", "0"),
        ("2026-04-30T23:59:59Z", "1", "0"),
        ("2026-05-01T00:00:00Z", "1", "2"),
        ("2026-05-01T00:01:00Z", "1", "2"),
        ("2026-05-20T23:59:59Z", "1", "2"),
        // 20 days after the end of April.
        ("2026-05-21T00:00:00Z", "0", "2"),
        // The clock of a store may be ahead.
        ("2026-05-29T12:05:00Z", "0", "2"),
    ] {
        let server = Server::start().await;
        let rows = csv(&[("2026-04", "web", 1.0), ("2026-05", "web", 2.0)]);
        server.put("a.csv", rows, written);
        let fetch = poll_then(
            &appended(&server),
            "2026-05-29T12:00:00Z",
            &Deliveries::default(),
        )
        .await
        .unwrap();
        let sums = (of_month(&fetch, "2026-04"), of_month(&fetch, "2026-05"));
        assert_eq!(sums, (april.to_owned(), may.to_owned()), "{written}");
        let withheld = usize::from(april == "0") + usize::from(may == "0");
        assert_eq!(fetch.sink.withheld.len(), withheld, "{written}");
    }
}

#[tokio::test]
async fn past_month_is_read_for_a_backfill() {
    let server = Server::start().await;
    write_months(&server);
    let account = appended(&server);
    let mut request = poll_at("2026-09-10T12:00:00Z");
    request.months = vec!["2026-04".parse::<Month>().unwrap()];
    account.parts(&request).await.unwrap();
    let fetch = fetch(&*account, "account", &request, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "5");
}

#[tokio::test]
async fn file_that_vanished_is_truncated() {
    let server = Server::start().await;
    write_months(&server);
    let account = appended(&server);
    let now = "2026-05-10T12:00:00Z";
    let known = poll_then(&account, now, &Deliveries::default())
        .await
        .unwrap()
        .known();
    let object = server.state().objects.remove("exports/2026/a.csv").unwrap();
    let error = poll_then(&account, now, &known).await.unwrap_err();
    assert_eq!(
        text(&error),
        "truncated: no longer there: 1 file that 2026-04 was read from (2026/a.csv); its sum would be too small, so put back what was deleted, or restart without the account's state file to accept what is there"
    );
    // A listing that was late has it again with the next attempt.
    assert!(error.is_retryable());
    server
        .state()
        .objects
        .insert("exports/2026/a.csv".to_owned(), object);
    let again = poll_then(&account, now, &known).await.unwrap();
    assert_eq!(again.unchanged(), ["2026-04", "2026-05"]);
    // All of them are no empty month, either, and no location without files.
    server.state().objects.clear();
    server.put("readme.csv", csv(&[("2026-05", "web", 64.0)]), now);
    let error = poll_then(&account, now, &known).await.unwrap_err();
    assert!(
        text(&error).contains("2 files that 2026-04 was read from"),
        "{error}"
    );
}

#[tokio::test]
async fn month_that_is_over_is_kept_without_its_files() {
    let server = Server::start().await;
    write_months(&server);
    let account = appended(&server);
    let known = poll_then(&account, "2026-05-20T23:59:59Z", &Deliveries::default())
        .await
        .unwrap()
        .known();
    server.state().objects.remove("exports/2026/a.csv");
    let now = "2026-05-21T00:00:00Z";
    let fetch = poll_then(&account, now, &known).await.unwrap();
    assert_eq!(fetch.unchanged(), ["2026-04", "2026-05"]);
    let april = "2026-04".parse().unwrap();
    let kept = &fetch.fetched.months[&april];
    let delivered = known[&april].delivered;
    assert_eq!(*kept, FetchedMonth::Unchanged { delivered });
    let ignored = fetch.ignored();
    assert!(
        ignored
            .iter()
            .any(|what| what.starts_with("2026-04: no longer there: 1 file of the month")),
        "{ignored:?}"
    );
    // The current month is not over.
    server.state().objects.remove("exports/2026/b.csv");
    server.put("c.csv", csv(&[("2026-05", "web", 8.0)]), now);
    let error = poll_then(&account, now, &known).await.unwrap_err();
    assert!(text(&error).contains("that 2026-05 was read from (2026/b.csv)"));
}

#[tokio::test]
async fn rewritten_file_stays_one_of_its_month() {
    let server = Server::start().await;
    write_months(&server);
    let account = appended(&server);
    let known = poll_then(&account, "2026-05-10T12:00:00Z", &Deliveries::default())
        .await
        .unwrap()
        .known();
    // Written again, in the month and after it: by its time it is no longer a file of April.
    for (written, now) in [
        ("2026-05-12T06:00:00Z", "2026-05-12T12:00:00Z"),
        ("2026-05-25T06:00:00Z", "2026-05-25T12:00:00Z"),
    ] {
        let april = csv(&[("2026-04", "web", 1.5)]);
        server.put(APRIL_FILE, april, written);
        let again = poll_then(&account, now, &known).await.unwrap();
        assert!(again.unchanged().is_empty(), "{written}");
        assert_eq!(of_month(&again, "2026-04"), "5.5", "{written}");
    }
}

#[tokio::test]
async fn file_that_is_added_meanwhile_waits_for_the_next_poll() {
    let server = Server::start().await;
    write_months(&server);
    let account = appended(&server);
    let added = csv(&[("2026-05", "web", 8.0)]);
    server.fault("b.csv", 1, Fault::Add("2026/c.csv".to_owned(), added));
    let first = poll_then(&account, "2026-05-10T12:00:00Z", &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(of_month(&first, "2026-05"), "2");
    let second = poll_then(&account, "2026-05-10T13:00:00Z", &first.known())
        .await
        .unwrap();
    assert_eq!(of_month(&second, "2026-05"), "10");
    assert_eq!(of_month(&second, "2026-04"), "5");
}

#[tokio::test]
async fn file_that_is_replaced_meanwhile_is_truncated() {
    let server = Server::start().await;
    write_months(&server);
    let account = appended(&server);
    server.fault("b.csv", 1, Fault::Replace(csv(&[("2026-05", "web", 99.0)])));
    let error = poll_then(&account, "2026-05-10T12:00:00Z", &Deliveries::default())
        .await
        .unwrap_err();
    assert!(text(&error).contains("412 PreconditionFailed, the file was replaced"));
}
