//! Responses that are too large, or from which pages or rows are missing.

use super::*;

type Script = Box<dyn FnMut(&RecordedRequest) -> Reply + Send>;

#[tokio::test]
async fn oversized_responses_are_refused_early() {
    let bounds = Bounds {
        body: 100_000,
        stream: 1_000_000,
        row: 10_000,
        pages: 3,
    };
    let limits = RetryLimits {
        bounds,
        ..RetryLimits::once()
    };
    let endless = |begin: &str, more: &str| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        Reply::raw(format!("{head}{}", chunk(begin)))
            .then(Step::Endless(chunk(&more.repeat(50)).into_bytes()))
    };
    let row = r#"{"amount":1,"consumption_date":"2024-07-01"}"#;
    let bomb = zipped(&vec![b' '; 10_000_000]);
    let mut page = 0;
    let more_pages = move |_: &RecordedRequest| {
        page += 1;
        let row = json!({"projectId": page, "value": 1, "validFrom": "2024-07-01T00:00:00Z"});
        Reply::good(json!({ "data": [row] }).to_string())
    };
    let always = |reply: Reply| -> Script { Box::new(move |_| reply.clone()) };
    let gzip = "content-encoding: gzip\r\n";
    let cases: [(&str, Case, Script); 9] = [
        (
            "an endless row",
            OTC_LINES,
            always(endless("{\"product\":\"", "x")),
        ),
        ("endless rows", OTC_LINES, always(endless(row, row))),
        ("endless blank lines", OTC_LINES, always(endless(row, "\n"))),
        (
            "a bomb of blanks",
            OTC_LINES,
            always(Reply::status(200, gzip, &bomb)),
        ),
        ("an endless list", ENUBE, always(endless("[", "1,"))),
        ("an endless text", LICENCES, always(endless("[\"", "x"))),
        (
            "a bomb",
            ACTIVEPLATFORM,
            always(Reply::status(200, gzip, &bomb)),
        ),
        (
            "endless nesting",
            MIKE_FIRST_PAGE,
            always(endless("{\"more\":", "[")),
        ),
        ("endless pages", MIKE_FIRST_PAGE, Box::new(more_pages)),
    ];
    for (name, case, script) in cases {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(good(&case, Version::One)).await;
        let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
        let account = TestAccount::new(&section, limits);
        account.poll().await;
        let before = account.shown();
        assert!(!before.is_empty(), "{name}");
        if name == "endless pages" {
            server.now(script);
        } else {
            server.now(but(&case, Version::Two, script));
        }
        account.poll().await;
        assert_eq!(
            account.reason(),
            Some(Reason::TooLarge),
            "{name}: {:?}",
            account.failure()
        );
        assert_eq!(account.shown(), before, "{name}");
        server.idle().await;
    }
}

#[tokio::test]
async fn missing_page_keeps_the_last_list() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(good(&CUSTOMERS, Version::One)).await;
    let section = (CUSTOMERS.section)(&server.url(), secret.path().to_str().unwrap());
    let account = TestAccount::new(&section, RetryLimits::once());
    account.poll().await;
    assert_eq!(account.view().health.parts, 2);
    for list in [
        json!({"items": [{"id": "c", "companyName": "C"}], "totalCount": 2, "hasNextPage": false}),
        json!({"items": [], "hasNextPage": true}),
        json!({"items": [], "totalCount": 2}),
    ] {
        server.now(but(&CUSTOMERS, Version::Two, move |_| {
            Reply::good(list.to_string())
        }));
        account.poll().await;
        assert_eq!(account.reason(), Some(Reason::Truncated));
        assert_eq!(account.view().health.parts, 2);
        let seats = account.total(Measure::Seats, Window::Now);
        assert!(
            (seats - (CUSTOMERS.sum)(Version::Two)).abs() < 1e-9,
            "{seats}"
        );
    }
}

/// Forty rows of a euro, of which an answer holds only the first few.
fn rows(count: usize) -> String {
    let rows = (0..count).map(|row| {
        format!("{{\"amount\":1,\"consumption_date\":\"2024-07-01\",\"product\":\"{row}\"}}\n")
    });
    rows.collect()
}

/// Content-Length that fits rows which are not all there cannot be told from an answer that is whole; compressed, it
/// can.
#[tokio::test]
async fn well_framed_loss_is_held_back_or_found_by_gzip() {
    for (zip, lie, want, total) in [
        (false, 40, None, 40.0),
        (false, 25, None, 25.0),
        (false, 15, Some(Reason::Implausible), 40.0),
        (false, 0, Some(Reason::Implausible), 40.0),
        (true, 25, Some(Reason::Truncated), 40.0),
        (true, 15, Some(Reason::Truncated), 40.0),
    ] {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(but(&OTC_LINES, Version::One, |_| Reply::good(rows(40)))).await;
        let section = (OTC_LINES.section)(&server.url(), secret.path().to_str().unwrap());
        let account = TestAccount::new(&section, RetryLimits::once());
        account.poll().await;
        server.now(but(&OTC_LINES, Version::One, move |_| {
            if zip {
                let whole = zipped(rows(40).as_bytes());
                let cut = &whole[..whole.len() * lie / 40];
                return Reply::status(200, "content-encoding: gzip\r\n", cut);
            }
            let length = rows(lie).len();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
            Reply::raw(format!("{head}{}", rows(40))).then(Step::Close)
        }));
        account.poll().await;
        assert_eq!(account.reason(), want, "{zip} {lie}");
        let sum = account.total(Measure::BilledCost, Window::MonthToDate);
        assert!((sum - total).abs() < 1e-9, "{zip} {lie}: {sum}");
    }
}
