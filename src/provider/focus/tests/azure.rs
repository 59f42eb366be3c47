//! The layout of Azure's exports: which runs make a month.

mod local;
mod sources;
mod whole;

use serde_json::{Value, json};

use super::{server::Server, *};

/// One run of an export.
pub(super) struct Run {
    scope: &'static str,
    export: &'static str,
    /// The folder of its dates.
    dates: &'static str,
    id: String,
    start: String,
    end: String,
    submitted: String,
    files: Vec<(String, Vec<u8>, u64)>,
}

impl Run {
    /// The daily export of May, as it runs on a day.
    pub(super) fn daily(day: u8, cost: f64) -> Self {
        Self {
            scope: "/subscriptions/sub-1",
            export: "daily",
            dates: "20260501-20260531",
            id: format!("run-{day}"),
            start: "2026-05-01T00:00:00".to_owned(),
            end: format!("2026-05-{day:02}T00:00:00Z"),
            submitted: format!("2026-05-{day:02}T06:49:06.5756051Z"),
            files: vec![(
                "part_0_0001.csv".to_owned(),
                csv(&[("2026-05", "web", cost)]),
                1,
            )],
        }
    }

    /// The monthly export of April.
    pub(super) fn april(cost: f64) -> Self {
        Self {
            export: "monthly",
            dates: "20260401-20260430",
            id: "april".to_owned(),
            start: "2026-04-01T00:00:00".to_owned(),
            end: "2026-04-30T00:00:00".to_owned(),
            submitted: "2026-05-05T06:00:00Z".to_owned(),
            files: vec![(
                "part_0_0001.csv".to_owned(),
                csv(&[("2026-04", "web", cost)]),
                1,
            )],
            ..Self::daily(1, 0.0)
        }
    }

    /// A run of a year, with a row for each of the two months.
    pub(super) fn year(submitted: &str, april: f64, may: f64) -> Self {
        let rows = csv(&[
            ("2026-04", "web", april),
            ("2026-05", "web", may),
            ("2026-01", "web", 7.0),
        ]);
        Self {
            export: "once",
            dates: "20260101-20261231",
            id: "year".to_owned(),
            start: "2026-01-01T00:00:00".to_owned(),
            end: "2026-12-31T00:00:00".to_owned(),
            submitted: submitted.to_owned(),
            files: vec![("part_0_0001.csv".to_owned(), rows, 3)],
            ..Self::daily(1, 0.0)
        }
    }

    pub(super) fn folder(&self) -> String {
        let Self {
            export, dates, id, ..
        } = self;
        format!("sub-1/{export}/{dates}/{id}")
    }

    /// Its manifest, as manifestVersion 2024-04-01 is documented.
    pub(super) fn manifest(&self) -> Value {
        let blob = |(name, content, rows): &(String, Vec<u8>, u64)| {
            json!({
                "blobName": format!("some/where/exports/{}/{name}", self.folder()),
                "byteCount": content.len(),
                "dataRowCount": rows,
            })
        };
        let export = format!(
            "{}/providers/Microsoft.CostManagement/exports/{}",
            self.scope, self.export
        );
        json!({
            "manifestVersion": "2024-04-01",
            "byteCount": self.files.iter().map(|(_, content, _)| content.len()).sum::<usize>(),
            "blobCount": self.files.len(),
            "dataRowCount": self.files.iter().map(|(_, _, rows)| rows).sum::<u64>(),
            "exportConfig": {
                "exportName": self.export,
                "resourceId": export,
                "dataVersion": "1.2-preview",
                "apiVersion": "2023-07-01-preview",
                "type": "FocusCost",
                "timeFrame": "MonthToDate",
                "granularity": "Daily",
            },
            "deliveryConfig": {"partitionData": true, "dataOverwriteBehavior": "CreateNewReport"},
            "runInfo": {
                "executionType": "Scheduled",
                "submittedTime": self.submitted,
                "runId": self.id,
                "startDate": self.start,
                "endDate": self.end,
            },
            "blobs": self.files.iter().map(blob).collect::<Vec<_>>(),
        })
    }

    pub(super) fn manifest_name(&self) -> String {
        format!("{}/manifest.json", self.folder())
    }

    /// Writes its files, and then its manifest.
    pub(super) fn put(&self, server: &Server) {
        self.put_with(server, &self.manifest());
    }

    pub(super) fn put_with(&self, server: &Server, manifest: &Value) {
        for (name, content, _) in &self.files {
            server.put(&format!("{}/{name}", self.folder()), content.clone(), EARLY);
        }
        server.put(&self.manifest_name(), manifest.to_string(), LATE);
    }
}

pub(super) const EARLY: &str = "2026-05-28T08:00:00Z";
pub(super) const LATE: &str = "2026-05-28T08:05:00Z";
pub(super) const SCOPE: &str = "/subscriptions/sub-1";

/// 40 in April and 10 in May.
async fn server() -> Server {
    let server = Server::start().await;
    Run::april(40.0).put(&server);
    Run::daily(28, 10.0).put(&server);
    server
}

async fn first(server: &Server) -> Fetch {
    let account = account(server, &json!({}));
    poll(&*account, &Deliveries::default()).await.unwrap()
}

#[tokio::test]
async fn newest_run_makes_a_month() {
    let server = server().await;
    for day in 1..28 {
        Run::daily(day, f64::from(day)).put(&server);
    }
    let account = account(&server, &json!({}));
    let parts = account.parts(&poll_on(TODAY)).await.unwrap();
    assert_eq!(parts, [Part::new(SCOPE)]);
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "50");
    assert_eq!(fetch.sink.reported, ["2026-04", "2026-05"]);
    let (_, source) = &fetch.sink.sources[1];
    assert_eq!(source.name, "s3://billing/exports/sub-1/daily");
    assert_eq!(source.delivery, "run-28");
    let submitted = source.delivered.unwrap().to_string();
    assert_eq!(submitted, "2026-05-28T06:49:06.5756051Z");
    assert_eq!((source.files, source.rows), (1, Some(1)));
    assert_eq!(fetch.ignored(), ["2026-05: 27 other runs of the month"]);
}

#[tokio::test]
async fn unchanged_export_is_one_list() {
    let server = server().await;
    let account = account(&server, &json!({"layout": "azure"}));
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    server.take_lines();
    let second = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(second.unchanged(), ["2026-04", "2026-05"]);
    assert_eq!(
        server.take_lines(),
        ["GET /billing?list-type=2&prefix=exports/"]
    );
}

#[tokio::test]
async fn new_run_is_all_that_is_read() {
    let server = server().await;
    let account = account(&server, &json!({}));
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    server.take_lines();
    let run = Run::daily(29, 11.0);
    run.put(&server);
    let second = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(second.unchanged(), ["2026-04"]);
    assert_eq!(second.total(), "11");
    let manifest = format!("GET /billing/exports/{}", run.manifest_name());
    let file = format!("GET /billing/exports/{}/part_0_0001.csv", run.folder());
    let lines = server.take_lines();
    assert_eq!(lines[1..], [manifest.clone(), file, manifest]);
}

#[tokio::test]
async fn later_run_over_fewer_days_never_wins() {
    let server = server().await;
    let short = Run {
        export: "once",
        id: "short".to_owned(),
        end: "2026-05-15T00:00:00Z".to_owned(),
        submitted: "2026-05-29T06:00:00Z".to_owned(),
        ..Run::daily(28, 4.0)
    };
    short.put(&server);
    assert_eq!(first(&server).await.total(), "50");
}

#[tokio::test]
async fn run_that_starts_later_is_not_the_month() {
    let server = Server::start().await;
    Run::april(40.0).put(&server);
    let late = Run {
        start: "2026-05-02T00:00:00Z".to_owned(),
        ..Run::daily(28, 9.0)
    };
    late.put(&server);
    let fetch = first(&server).await;
    assert_eq!(
        (fetch.total(), fetch.sink.withheld.clone()),
        ("40".to_owned(), vec!["2026-05".to_owned()])
    );
    assert_eq!(
        fetch.ignored(),
        ["2026-05: 1 run from a later day of the month on"]
    );
}

#[tokio::test]
async fn run_of_a_year_does_not_beat_newer_daily_runs() {
    let server = server().await;
    // It has April whole, and is newer than April's own run; of May it has less than the daily run.
    Run::year("2026-05-20T06:00:00Z", 41.0, 5.0).put(&server);
    let fetch = first(&server).await;
    assert_eq!(fetch.total(), "51");
    assert_eq!(fetch.sink.reported, ["2026-04", "2026-05"]);
}

#[tokio::test]
async fn run_of_two_months_is_read_once() {
    let server = Server::start().await;
    Run::year("2026-05-29T06:00:00Z", 40.0, 10.0).put(&server);
    let fetch = first(&server).await;
    assert_eq!(fetch.total(), "50");
    assert_eq!(fetch.sink.reported, ["2026-04", "2026-05"]);
    let lines = server.take_lines();
    let reads = lines
        .iter()
        .filter(|line| line.ends_with("part_0_0001.csv"));
    assert_eq!(reads.count(), 1);
}

#[tokio::test]
async fn previous_month_comes_with_the_daily_export_too() {
    let server = Server::start().await;
    Run::daily(28, 10.0).put(&server);
    // The second run of the first five days.
    let april = Run {
        export: "daily",
        id: "april-5".to_owned(),
        ..Run::april(42.0)
    };
    april.put(&server);
    Run::april(40.0).put_with(&server, &{
        let mut manifest = Run::april(40.0).manifest();
        manifest["runInfo"]["submittedTime"] = json!("2026-05-04T06:00:00Z");
        manifest
    });
    let account = account(&server, &json!({}));
    assert_eq!(account.parts(&poll_on(TODAY)).await.unwrap().len(), 1);
    assert_eq!(first(&server).await.total(), "52");
}

#[tokio::test]
async fn first_day_of_a_month_has_the_last_run_before_it() {
    let server = Server::start().await;
    Run::daily(30, 30.0).put(&server);
    Run::daily(31, 31.0).put(&server);
    let account = account(&server, &json!({}));
    let request = poll_on("2026-06-01");
    account.parts(&request).await.unwrap();
    let fetch = fetch(&*account, SCOPE, &request, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "31");
    assert_eq!(fetch.sink.reported, ["2026-05"]);
    assert_eq!(fetch.sink.withheld, ["2026-06"]);
}

#[tokio::test]
async fn overwritten_run_is_read_again() {
    let server = server().await;
    let account = account(&server, &json!({}));
    let known = poll(&*account, &Deliveries::default())
        .await
        .unwrap()
        .known();
    let next = Run {
        id: "run-28".to_owned(),
        ..Run::daily(29, 12.0)
    };
    next.put(&server);
    let fetch = poll(&*account, &known).await.unwrap();
    assert_eq!(
        (fetch.total(), fetch.unchanged()),
        ("12".to_owned(), vec!["2026-04".to_owned()])
    );
}

#[tokio::test]
async fn partitions_with_gzip_are_read() {
    let server = Server::start().await;
    Run::april(40.0).put(&server);
    let part =
        |cost| crate::provider::focus::test_support::zipped(&csv(&[("2026-05", "web", cost)]));
    let run = Run {
        files: vec![
            ("part_0_0001.csv.gz".to_owned(), part(6.0), 1),
            ("part_1_0001.csv.gz".to_owned(), part(4.0), 1),
        ],
        ..Run::daily(28, 0.0)
    };
    run.put(&server);
    assert_eq!(first(&server).await.total(), "50");
    // It is not documented whether the sizes are those before compression.
    let mut manifest = run.manifest();
    let length = csv(&[("2026-05", "web", 6.0)]).len();
    manifest["byteCount"] = json!(2 * length);
    manifest["blobs"][0]["byteCount"] = json!(length);
    run.put_with(&server, &manifest);
    assert_eq!(first(&server).await.total(), "50");
}

#[tokio::test]
async fn run_without_rows_is_a_delivery() {
    let server = Server::start().await;
    Run::april(40.0).put(&server);
    let empty = Run {
        files: vec![("part_0_0001.csv".to_owned(), csv(&[]), 0)],
        ..Run::daily(28, 0.0)
    };
    empty.put(&server);
    let fetch = first(&server).await;
    assert_eq!(fetch.sink.reported, ["2026-04", "2026-05"]);
    assert_eq!(fetch.total(), "40");
    let nothing = Run {
        id: "run-29".to_owned(),
        files: Vec::new(),
        ..Run::daily(29, 0.0)
    };
    nothing.put(&server);
    let fetch = first(&server).await;
    assert_eq!(fetch.sink.reported, ["2026-04", "2026-05"]);
    assert_eq!(fetch.sink.sources[1].1.delivery, "run-29");
}

#[tokio::test]
async fn runs_of_other_months_are_not_read() {
    let server = server().await;
    for month in 1..=12 {
        let mut run = Run::april(99.0);
        run.id = format!("old-{month}");
        run.dates = "20250101-20251231";
        run.put(&server);
    }
    server.take_lines();
    first(&server).await;
    let lines = server.take_lines();
    let manifests = lines.iter().filter(|line| line.contains("manifest.json"));
    // One more: each of the two is read again after its files.
    assert_eq!(manifests.count(), 4, "{lines:?}");
}
