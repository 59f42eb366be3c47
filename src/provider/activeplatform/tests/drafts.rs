//! Drafts: which months they stand for, what ends them, and what is refused.

use serde_json::{Value, json};

use super::account;
use crate::{
    charge::Measure,
    provider::{
        Granularity, Part, PollRequest,
        test_support::{Api, RecordingSink, Seen, error_text, fetch, poll_on},
    },
};

mod refused;

const PLACE: &str = "GET /api/v3/analytics_daily_drafts";

/// What an API answers: the months that final data names, and the items of the drafts of each requested period.
#[derive(Clone)]
struct Answers {
    named: &'static [&'static str],
    drafts: fn(&str) -> Result<Value, u16>,
}

impl Answers {
    async fn start(self) -> Api {
        Api::start(move |seen: &Seen| {
            let line = &seen.line;
            if line.contains("analytics_monthly") {
                let rows = self.named.iter().map(|month| {
                    json!({ "billing_period": month, "total": "100", "category": "Compute" })
                });
                let rows: Vec<Value> = rows.filter(|row| line.contains(row["billing_period"].as_str().unwrap())).collect();
                let periods: Vec<&Value> = rows.iter().map(|row| &row["billing_period"]).collect();
                let body = json!({ "billing_periods": periods, "subscription": { "id": 7, "items": rows } });
                return (200, body.to_string());
            }
            assert!(line.contains("/api/v3/analytics_daily_drafts?subscription_id=7&"), "{line}");
            let period = line.split_once("period_from=").map_or("", |(_, rest)| &rest[..7]);
            match (self.drafts)(period) {
                Ok(items) => (200, json!({ "subscription": { "id": "7", "items": items } }).to_string()),
                Err(status) => (status, String::new()),
            }
        })
        .await
    }
}

/// The drafts of a period, or the status of a refusal.
type DraftsOf = fn(&str) -> Result<Value, u16>;

/// Drafts of April and May 2024, a period each.
#[expect(clippy::unnecessary_wraps, reason = "drafts may be refused")]
fn two_months(period: &str) -> Result<Value, u16> {
    Ok(match period {
        "2024-04" => json!([{ "billed_day": "2024-04-30", "total": "3.10" }]),
        _ => json!([
            { "billed_day": "2024-05-01", "total": "-0.4" },
            { "billed_day": "2024-05-02", "total": 2 },
            { "billed_day": "2024-05-02", "total": "1.5" },
        ]),
    })
}

fn section(current_month: &str) -> Value {
    json!({ "subscriptions": [7], "currency": "USD", "current_month": current_month })
}

async fn read(
    answers: Answers,
    section: Value,
    poll: &PollRequest,
) -> (Result<RecordingSink, String>, Vec<String>) {
    let api = answers.start().await;
    let provider = account(&api, section, &["env"]);
    let read = fetch(&*provider, &Part::new("7"), poll).await;
    let drafts = api
        .lines()
        .into_iter()
        .filter(|line| line.contains("drafts"));
    (read.map_err(|error| error_text(&error)), drafts.collect())
}

fn draft(day: &str, value: &str) -> String {
    format!("{day} [||(draft)|7|||] BilledCost {value} USD")
}

fn whole(month: &str) -> String {
    format!("{month} [||Compute|7|||] BilledCost 100 USD")
}

#[tokio::test]
async fn month_that_final_data_does_not_name_is_drafted() {
    let may = [
        draft("2024-05-01", "-0.4"),
        draft("2024-05-02", "2"),
        draft("2024-05-02", "1.5"),
    ];
    let april = draft("2024-04-30", "3.1");
    for (current_month, named, charges, provisional, withheld) in [
        (
            "auto",
            &["2024-04", "2024-05"][..],
            vec![whole("2024-04"), whole("2024-05")],
            &[][..],
            &[][..],
        ),
        (
            "auto",
            &["2024-04"],
            [vec![whole("2024-04")], may.to_vec()].concat(),
            &["2024-05"],
            &[],
        ),
        (
            "auto",
            &["2024-05"],
            vec![whole("2024-05"), april.clone()],
            &["2024-04"],
            &[],
        ),
        (
            "auto",
            &[],
            [may.to_vec(), vec![april.clone()]].concat(),
            &["2024-04", "2024-05"],
            &[],
        ),
        (
            "analytics",
            &["2024-04", "2024-05"],
            vec![whole("2024-04"), whole("2024-05")],
            &[],
            &[],
        ),
        (
            "analytics",
            &["2024-04"],
            vec![whole("2024-04")],
            &[],
            &["2024-05"],
        ),
        ("analytics", &[], vec![], &[], &["2024-04", "2024-05"]),
        // Final data of the current month is not even requested.
        (
            "drafts",
            &["2024-04", "2024-05"],
            [vec![whole("2024-04")], may.to_vec()].concat(),
            &["2024-05"],
            &[],
        ),
        (
            "drafts",
            &[],
            [may.to_vec(), vec![april.clone()]].concat(),
            &["2024-04", "2024-05"],
            &[],
        ),
    ] {
        let answers = Answers {
            named,
            drafts: two_months,
        };
        let (notes, _) = read(answers, section(current_month), &poll_on("2024-05-03")).await;
        let notes = notes.unwrap();
        let case = format!("{current_month} {named:?}");
        assert_eq!(notes.charges, charges, "{case}");
        assert_eq!(notes.provisional, provisional, "{case}");
        assert_eq!(notes.withheld, withheld, "{case}");
        assert_eq!(notes.rows, charges.len() as u64, "{case}");
        assert_eq!(notes.remarks, [""; 0], "{case}");
    }
}

#[tokio::test]
async fn drafts_are_requested_by_period_as_documented() {
    let answers = Answers {
        named: &[],
        drafts: two_months,
    };
    let (_, lines) = read(answers.clone(), section("auto"), &poll_on("2024-05-03")).await;
    let want = ["2024-05", "2024-04"]
        .map(|month| format!("{PLACE}?subscription_id=7&period_from={month}&period_to={month}"));
    assert_eq!(lines, want);
    let mut dates = section("auto");
    dates["period_mode"] = json!("dates");
    let (_, lines) = read(answers.clone(), dates, &poll_on("2024-05-03")).await;
    let want = [
        "date_from=2024-05-01&date_to=2024-05-03",
        "date_from=2024-04-01&date_to=2024-04-30",
    ];
    assert_eq!(
        lines,
        want.map(|dates| format!("{PLACE}?subscription_id=7&{dates}"))
    );
    // Months before the previous one have final data, or none.
    let mut poll = poll_on("2024-05-03");
    poll.months = vec!["2024-02".parse().unwrap()];
    let (notes, lines) = read(answers, section("auto"), &poll).await;
    assert_eq!(
        (notes.unwrap().withheld, lines.len()),
        (vec!["2024-02".to_owned()], 0)
    );
}

#[tokio::test]
async fn month_that_neither_names_is_withheld() {
    let nothing: [DraftsOf; 3] = [
        |_| Ok(json!([])),
        |_| Ok(Value::Null),
        |_| Ok(json!([{ "billed_day": "2024-03-31", "total": 1 }])),
    ];
    for drafts in nothing {
        let answers = Answers {
            named: &["2024-04"],
            drafts,
        };
        let (notes, _) = read(answers, section("auto"), &poll_on("2024-05-03")).await;
        let notes = notes.unwrap();
        assert_eq!(
            (notes.charges.len(), &*notes.withheld),
            (1, &["2024-05".to_owned()][..])
        );
        assert_eq!(notes.provisional, [""; 0]);
    }
}

#[tokio::test]
async fn drafts_of_a_month_with_final_data_are_dropped() {
    let answers = Answers {
        named: &["2024-04"],
        drafts: |_| {
            Ok(json!([
                { "billed_day": "2024-04-30", "total": 50 },
                { "billed_day": "2024-05-01", "total": 1 },
            ]))
        },
    };
    let (notes, lines) = read(answers, section("auto"), &poll_on("2024-05-03")).await;
    assert_eq!(
        notes.unwrap().charges,
        [whole("2024-04"), draft("2024-05-01", "1")]
    );
    assert_eq!(lines.len(), 1);
}

#[tokio::test]
async fn server_that_ignores_the_period_is_read_once() {
    // All drafts, whatever is requested.
    let answers = Answers {
        named: &[],
        drafts: |_| {
            Ok(json!([
                { "billed_day": "2024-04-30", "total": 5 },
                { "billed_day": "2024-05-01", "total": 1 },
            ]))
        },
    };
    let (notes, lines) = read(answers, section("auto"), &poll_on("2024-05-03")).await;
    assert_eq!(
        notes.unwrap().charges,
        [draft("2024-04-30", "5"), draft("2024-05-01", "1")]
    );
    assert_eq!(lines.len(), 1);
    // The same, once the drafts of April are deleted.
    let answers = Answers {
        named: &[],
        drafts: |_| {
            Ok(json!([
                { "billed_day": "2024-05-01", "total": 1 },
                { "billed_day": "2024-05-04", "total": 2 },
            ]))
        },
    };
    let (notes, lines) = read(answers, section("auto"), &poll_on("2024-05-05")).await;
    let notes = notes.unwrap();
    assert_eq!(
        notes.charges,
        [draft("2024-05-01", "1"), draft("2024-05-04", "2")]
    );
    assert_eq!((lines.len(), notes.remarks.len()), (2, 0));
    assert_eq!(notes.withheld, ["2024-04"]);
}

#[tokio::test]
async fn period_that_is_no_calendar_month_is_reported() {
    let late = |last: &'static str| match last {
        "2024-05-04" => {
            (|period: &str| {
                Ok(match period {
                    "2024-04" => json!([
                        { "billed_day": "2024-04-30", "total": 5 },
                        { "billed_day": "2024-05-04", "total": 7 },
                    ]),
                    _ => json!([]),
                })
            }) as fn(&str) -> Result<Value, u16>
        }
        _ => |period: &str| {
            Ok(match period {
                "2024-04" => json!([
                    { "billed_day": "2024-04-30", "total": 5 },
                    { "billed_day": "2024-05-02", "total": 7 },
                ]),
                _ => json!([{ "billed_day": "2024-05-02", "total": 1 }]),
            })
        },
    };
    let answers = Answers {
        named: &[],
        drafts: late("2024-05-04"),
    };
    let (notes, _) = read(answers, section("auto"), &poll_on("2024-05-04")).await;
    let notes = notes.unwrap();
    // Days count as written.
    assert_eq!(
        notes.charges,
        [draft("2024-04-30", "5"), draft("2024-05-04", "7")]
    );
    assert_eq!(
        notes.remarks,
        [
            "subscription 7: the billing period 2024-04 has days until 2024-05-04, so it is not the calendar month"
        ]
    );
    // What was used on the last day is billed a day or two later; the same day of the next period is another row.
    let answers = Answers {
        named: &[],
        drafts: late("2024-05-02"),
    };
    let (notes, _) = read(answers, section("auto"), &poll_on("2024-05-04")).await;
    let notes = notes.unwrap();
    assert_eq!(
        notes.charges,
        [
            draft("2024-05-02", "1"),
            draft("2024-04-30", "5"),
            draft("2024-05-02", "7")
        ]
    );
    assert_eq!(notes.remarks, [""; 0]);
}

#[tokio::test]
async fn prepaid_drafts_are_prepaid_cost() {
    let api = Answers {
        named: &["2024-04"],
        drafts: two_months,
    }
    .start()
    .await;
    let provider = account(&api, section("auto"), &[]);
    let part = Part::new("7")
        .with("name", "Azure")
        .with("payment_model", "prepay");
    let notes = fetch(&*provider, &part, &poll_on("2024-05-03"))
        .await
        .unwrap();
    assert_eq!(
        notes.charges[1],
        "2024-05-01 [|Azure|(draft)|7||] BilledCost -0.4 USD, PrepaidCost -0.4 USD"
    );
}

#[tokio::test]
async fn days_are_offered_unless_only_final_data_is_read() {
    let api = Answers {
        named: &[],
        drafts: two_months,
    }
    .start()
    .await;
    for (mode, granularity) in [
        ("auto", Granularity::Day),
        ("drafts", Granularity::Day),
        ("analytics", Granularity::Month),
    ] {
        let provider = account(&api, section(mode), &[]);
        assert_eq!(
            provider.measures(),
            [(Measure::BilledCost, granularity)],
            "{mode}"
        );
    }
}
