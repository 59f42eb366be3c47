//! Drafts that the API refuses, and responses that cannot be read.

use super::*;

#[tokio::test]
async fn refusal_switches_drafts_off_for_a_day() {
    for status in [403, 404] {
        for mode in ["auto", "drafts"] {
            let api = Answers {
                named: &["2024-04"],
                drafts: if status == 403 {
                    |_| Err(403)
                } else {
                    |_| Err(404)
                },
            }
            .start()
            .await;
            let provider = account(&api, section(mode), &[]);
            for (day, requests) in [("2024-05-03", 1), ("2024-05-03", 1), ("2024-05-04", 2)] {
                let notes = fetch(&*provider, &Part::new("7"), &poll_on(day))
                    .await
                    .unwrap();
                assert_eq!(notes.charges.len(), 1);
                assert_eq!(notes.withheld, ["2024-05"]);
                let remark = format!(
                    "the API refuses drafts of subscriptions (status {status}): their months are withheld until final data names them"
                );
                assert_eq!(notes.remarks, [remark]);
                let lines = api.lines();
                let drafts = lines.iter().filter(|line| line.contains("drafts")).count();
                assert_eq!(drafts, requests, "{status} {mode} {day}");
            }
        }
    }
}

#[tokio::test]
async fn refused_drafts_do_not_end_those_of_others() {
    let api = Api::start(|seen: &Seen| {
        let id = if seen.line.contains("subscription_id=8") {
            8
        } else {
            7
        };
        let is_refused = id == 8 && seen.line.contains("drafts");
        let items = if seen.line.contains("drafts") {
            json!([{ "billed_day": "2024-05-01", "total": 1 }])
        } else {
            json!([])
        };
        let body =
            json!({ "billing_periods": ["2024-04"], "subscription": { "id": id, "items": items } });
        (if is_refused { 404 } else { 200 }, body.to_string())
    })
    .await;
    let section = json!({ "reseller_id": 1, "currency": "USD" });
    let provider = account(&api, section, &[]);
    for (id, drafted) in [("8", 0), ("7", 1), ("8", 0), ("7", 1)] {
        let notes = fetch(&*provider, &Part::new(id), &poll_on("2024-05-03"))
            .await
            .unwrap();
        assert_eq!(notes.provisional.len(), drafted, "{id}");
    }
}

#[tokio::test]
async fn drafts_in_neither_form_depend_on_the_mode() {
    let refusals: [(u16, DraftsOf); 2] = [(400, |_| Err(400)), (422, |_| Err(422))];
    for (status, drafts) in refusals {
        let answers = Answers {
            named: &["2024-04"],
            drafts,
        };
        let (notes, lines) = read(answers.clone(), section("auto"), &poll_on("2024-05-03")).await;
        let notes = notes.unwrap();
        assert_eq!((notes.charges.len(), notes.remarks.len()), (1, 1));
        assert!(lines[0].ends_with("period_to=2024-05"), "{}", lines[0]);
        assert!(lines[1].ends_with("date_to=2024-05-03"), "{}", lines[1]);
        let (notes, _) = read(answers, section("drafts"), &poll_on("2024-05-03")).await;
        assert!(notes.unwrap_err().contains(&status.to_string()));
    }
    // Any other failure fails the part: its months would be too small.
    let answers = Answers {
        named: &["2024-04"],
        drafts: |_| Err(501),
    };
    let (notes, _) = read(answers, section("auto"), &poll_on("2024-05-03")).await;
    assert!(notes.unwrap_err().starts_with("upstream_error"));
}

#[tokio::test]
async fn unreadable_drafts_fail_the_part() {
    let cases: [(DraftsOf, &str); 6] = [
        (
            |_| Ok(json!([{ "total": 1 }])),
            "row 1: field billed_day: must be a day as YYYY-MM-DD",
        ),
        (
            |_| Ok(json!([{ "billed_day": "May", "total": 1 }])),
            "row 1: field billed_day: must be a day as YYYY-MM-DD",
        ),
        (
            |_| Ok(json!([{ "billed_day": "2024-05-01" }])),
            "row 1: field total: is missing",
        ),
        (
            |_| Ok(json!([{ "billed_day": "2024-05-01", "total": null }])),
            "row 1: field total: is missing",
        ),
        (
            |_| {
                Ok(
                    json!([{ "billed_day": "2024-05-04", "total": 1 }, { "billed_day": "2024-05-05", "total": 1 }]),
                )
            },
            "row 2: field billed_day: 2024-05-05 lies in the future",
        ),
        (
            |_| Ok(json!({ "a": 1 })),
            "the response has an unexpected format",
        ),
    ];
    for (drafts, want) in cases {
        let answers = Answers {
            named: &["2024-04"],
            drafts,
        };
        let (notes, _) = read(answers, section("auto"), &poll_on("2024-05-03")).await;
        assert_eq!(notes, Err(format!("malformed: {PLACE}: {want}")));
    }
}

#[tokio::test]
async fn drafts_of_another_subscription_fail_the_part() {
    let api = Api::start(|seen: &Seen| {
        let id = if seen.line.contains("drafts") {
            "8"
        } else {
            "7"
        };
        let body = json!({ "billing_periods": [], "subscription": { "id": id, "items": [] } });
        (200, body.to_string())
    })
    .await;
    let provider = account(&api, section("auto"), &[]);
    let error = fetch(&*provider, &Part::new("7"), &poll_on("2024-05-03"))
        .await
        .unwrap_err();
    assert_eq!(
        error_text(&error),
        format!("malformed: {PLACE}: field id: the response is for another subscription")
    );
}
