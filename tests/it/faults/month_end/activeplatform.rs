//! The turn of a month of `ActivePlatform`: final data, and drafts until it is there.

use std::sync::{Arc, Mutex};

use cloudspend_exporter::view::Window::{
    MonthEnd, MonthToDate, PreviousDay, PreviousMonth, Restatement,
};
use serde_json::json;

use super::{
    super::{
        apis::ACTIVEPLATFORM,
        server::{RecordedRequest, Reply},
    },
    BilledCost, FIRST_MINUTE, LAST_MINUTE, LATER, MonthChange, by_labels,
};

/// An answer of ActivePlatform: the periods that it names, and the rows of each.
fn expenses(
    named: &[&str],
    rows: &[(&str, &str)],
) -> impl FnMut(&RecordedRequest) -> String + use<> {
    let items: Vec<_> = rows
        .iter()
        .zip(0..)
        .map(|((period, total), number)| {
            json!({"category": format!("c{number}"), "billing_period": period, "total": total})
        })
        .collect();
    let answer = json!({
        "billing_periods": named,
        "subscription": {"id": "7", "items": items},
    });
    move |_| answer.to_string()
}

#[tokio::test]
async fn activeplatform_named_period_is_replaced_whole() {
    // Few rows, and so many that the plausibility guard looks at them.
    for count in [2_u8, 40] {
        let month_end = MonthChange::new(
            ACTIVEPLATFORM.section,
            &json!({"current_month": "analytics"}),
        )
        .await;
        let each = (1000.0 / f64::from(count)).to_string();
        let november = vec![("2024-11", each.as_str()); usize::from(count)];
        month_end
            .poll(LAST_MINUTE, expenses(&["2024-10", "2024-11"], &november))
            .await;
        assert_eq!(month_end.months(), [Some(1000.0), Some(0.0)]);
        month_end.account.at(FIRST_MINUTE);
        assert_eq!(month_end.months(), [Some(0.0), Some(1000.0)]);

        month_end.poll(FIRST_MINUTE, expenses(&[], &[])).await;
        assert_eq!(month_end.months(), [None, Some(1000.0)]);
        assert!(!month_end.account.view().spend.complete);
        month_end
            .poll(LATER, expenses(&["2024-12"], &[("2024-12", "4")]))
            .await;
        assert_eq!(month_end.months(), [Some(4.0), Some(1000.0)]);
        assert!(month_end.account.view().spend.complete);
        // The running month that is not named any more is kept, too, and a budget knows that it is.
        month_end
            .poll("2024-12-01T03:00:00Z", expenses(&["2024-11"], &november))
            .await;
        assert_eq!(month_end.months(), [Some(4.0), Some(1000.0)]);
        assert!(!month_end.account.view().spend.complete);
        month_end
            .poll(
                "2024-12-01T04:00:00Z",
                expenses(&["2024-11", "2024-12"], &november[1..]),
            )
            .await;
        assert_eq!(
            month_end.months(),
            [Some(0.0), Some(1000.0 - 1000.0 / f64::from(count))]
        );
        if count == 2 {
            let december = expenses(&["2024-11", "2024-12"], &[("2024-12", "3")]);
            month_end.poll("2024-12-01T05:00:00Z", december).await;
            assert_eq!(month_end.months(), [Some(3.0), Some(0.0)]);
        }
    }
}

/// What an API reports: the rows of final months, and the daily drafts of each period.
#[derive(Default)]
struct Reports {
    /// Month, and its rows.
    months: Vec<(&'static str, Vec<f64>)>,
    /// Period, its number of days, and what each of them cost.
    drafts: Vec<(&'static str, u8, f64)>,
    /// The status of the method of drafts, if it refuses.
    refused: Option<u16>,
}

/// An account whose API reports what a test sets, answered by method and period.
struct Drafted {
    month_end: MonthChange,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Drafted {
    async fn new(current_month: &str) -> Self {
        let keys = json!({"current_month": current_month});
        Self {
            month_end: MonthChange::new(ACTIVEPLATFORM.section, &keys).await,
            requests: Arc::default(),
        }
    }

    /// Polls at a moment; the poll is to succeed.
    async fn poll(&self, moment: &str, reports: Reports) {
        let requests = Arc::clone(&self.requests);
        requests.lock().unwrap().clear();
        self.month_end.server.now(move |seen: &RecordedRequest| {
            requests.lock().unwrap().push(seen.line.clone());
            reports.reply(&seen.line)
        });
        self.month_end.account.at(moment);
        self.month_end.account.poll().await;
        assert_eq!(self.month_end.account.failure(), None, "{moment}");
    }

    /// The periods of the requests of the last poll for drafts.
    fn drafts(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let drafts = requests
            .iter()
            .filter(|line| line.contains("analytics_daily_drafts"));
        drafts
            .map(|line| line.split_once("period_from=").unwrap().1[..7].to_owned())
            .collect()
    }
}

impl Reports {
    fn reply(&self, line: &str) -> Reply {
        if line.contains("analytics_monthly") {
            let named: Vec<&str> = self.months.iter().map(|(month, _)| *month).collect();
            let items: Vec<_> = self
                .months
                .iter()
                .flat_map(|(month, rows)| rows.iter().zip(0..).map(move |(total, number)| {
                    json!({"category": format!("c{number}"), "billing_period": month, "total": total})
                }))
                .collect();
            let subscription = json!({"id": "7", "items": items});
            return Reply::good(
                json!({"billing_periods": named, "subscription": subscription}).to_string(),
            );
        }
        if let Some(status) = self.refused {
            return Reply::status(status, "", "");
        }
        let items: Vec<_> = self
            .drafts
            .iter()
            .filter(|(period, ..)| line.contains(&format!("period_from={period}&")))
            .flat_map(|(period, days, total)| {
                (1..=*days).map(move |day| {
                    json!({"billed_day": format!("{period}-{day:02}"), "total": total.to_string()})
                })
            })
            .collect();
        Reply::good(json!({"subscription": {"id": "7", "items": items}}).to_string())
    }
}

#[tokio::test]
async fn drafts_serve_until_final_data_replaces_them() {
    let mut drafted = Drafted::new("auto").await;
    let october = ("2024-10", vec![600.0, 300.0]);
    let reports = Reports {
        months: vec![october.clone()],
        drafts: vec![("2024-11", 20, 10.0)],
        ..Reports::default()
    };
    drafted.poll("2024-11-20T12:00:00Z", reports).await;
    assert_eq!(drafted.drafts(), ["2024-11"]);
    assert_eq!(drafted.month_end.months(), [Some(200.0), Some(900.0)]);
    // The 19th is the newest closed day. Nothing else was charged on it.
    assert_eq!(
        drafted.month_end.shows(BilledCost, PreviousDay),
        by_labels([("7 (draft)", 10.0), ("7 c0", 0.0), ("7 c1", 0.0)])
    );
    // 19 closed days, and 11 more at the daily rate.
    assert_eq!(drafted.month_end.sum(BilledCost, MonthEnd), Some(300.0));

    // The turn of the month: neither month has final data.
    let both = |days| Reports {
        months: vec![],
        drafts: vec![("2024-11", 30, 10.0), ("2024-12", days, 5.0)],
        ..Reports::default()
    };
    drafted.poll("2024-12-01T12:00:00Z", both(1)).await;
    assert_eq!(drafted.drafts(), ["2024-12", "2024-11"]);
    assert_eq!(drafted.month_end.months(), [Some(5.0), Some(300.0)]);
    assert_eq!(drafted.month_end.sum(BilledCost, PreviousDay), Some(10.0));
    drafted.poll("2024-12-05T12:00:00Z", both(5)).await;
    assert_eq!(drafted.month_end.months(), [Some(25.0), Some(300.0)]);
    assert_eq!(
        drafted.month_end.sum(BilledCost, Restatement),
        None,
        "drafts are no baseline"
    );

    // Drafts are deleted before final data is there: what was known stays.
    let gap = Reports {
        drafts: vec![("2024-12", 6, 5.0)],
        ..Reports::default()
    };
    drafted.poll("2024-12-06T12:00:00Z", gap).await;
    assert_eq!(drafted.month_end.months(), [Some(30.0), Some(300.0)]);

    // Final data replaces the drafts as a whole, although it is far smaller and has fewer rows.
    let november = |first: f64, days| Reports {
        months: vec![("2024-11", vec![first, 20.0])],
        drafts: vec![("2024-11", 30, 10.0), ("2024-12", days, 5.0)],
        ..Reports::default()
    };
    drafted
        .poll("2024-12-08T12:00:00Z", november(90.0, 8))
        .await;
    assert_eq!(drafted.drafts(), ["2024-12"]);
    assert_eq!(
        drafted.month_end.shows(BilledCost, PreviousMonth),
        by_labels([("7 (draft)", 0.0), ("7 c0", 90.0), ("7 c1", 20.0)])
    );
    assert_eq!(drafted.month_end.sum(BilledCost, MonthToDate), Some(40.0));
    // The first success with final data is the baseline.
    assert_eq!(drafted.month_end.sum(BilledCost, Restatement), Some(0.0));
    // Days of December alone: 7 closed days, and 24 more.
    let forecast = drafted.month_end.sum(BilledCost, MonthEnd).unwrap();
    assert!((forecast - 155.0).abs() < 1e-9, "{forecast}");
    drafted.month_end.restart().await;
    drafted
        .poll("2024-12-10T12:00:00Z", november(93.0, 10))
        .await;
    assert_eq!(drafted.month_end.sum(BilledCost, Restatement), Some(3.0));

    // Final data that is not named for once is not replaced by drafts.
    drafted.poll("2024-12-11T12:00:00Z", both(11)).await;
    assert_eq!(drafted.month_end.months(), [Some(55.0), Some(113.0)]);
}

#[tokio::test]
async fn provisional_month_survives_a_restart() {
    let mut drafted = Drafted::new("auto").await;
    let both = || Reports {
        drafts: vec![("2024-11", 30, 10.0), ("2024-12", 2, 5.0)],
        ..Reports::default()
    };
    drafted.poll("2024-12-02T12:00:00Z", both()).await;
    drafted.month_end.restart().await;
    drafted.poll("2024-12-04T12:00:00Z", both()).await;
    assert_eq!(drafted.month_end.sum(BilledCost, Restatement), None);
    let final_data = Reports {
        months: vec![("2024-11", vec![100.0])],
        drafts: vec![("2024-12", 9, 5.0)],
        ..Reports::default()
    };
    drafted.poll("2024-12-09T12:00:00Z", final_data).await;
    assert_eq!(drafted.month_end.months(), [Some(45.0), Some(100.0)]);
    assert_eq!(drafted.month_end.sum(BilledCost, Restatement), Some(0.0));
}

#[tokio::test]
async fn refused_drafts_withhold_the_month_and_fail_nothing() {
    for (current_month, refused, requests) in [
        ("auto", Some(404), 1),
        ("auto", Some(403), 1),
        ("drafts", Some(404), 1),
        ("analytics", None, 0),
    ] {
        let drafted = Drafted::new(current_month).await;
        let reports = || Reports {
            months: vec![("2024-10", vec![900.0])],
            drafts: vec![("2024-11", 20, 10.0)],
            refused,
        };
        drafted.poll("2024-11-20T12:00:00Z", reports()).await;
        assert_eq!(drafted.drafts().len(), requests, "{current_month}");
        assert_eq!(drafted.month_end.months(), [None, Some(900.0)]);
        let view = drafted.month_end.account.view();
        assert!(!view.spend.complete);
        assert_eq!(view.health.withheld.unwrap().month_to_date, 1);
        assert_eq!(view.previous_day, None);
        assert_eq!(view.state.status.remarks.len(), requests);
        drafted.poll("2024-11-20T13:00:00Z", reports()).await;
        assert_eq!(drafted.drafts().len(), 0, "{current_month}");
    }
}
