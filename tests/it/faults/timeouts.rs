//! Answers that hang or drip: a request has its time, a stream of rows may not fall silent for longer, a poll has the
//! interval, the others move on, and nothing is left behind. Time is paused: it moves only where everybody waits.

use std::time::Duration;

use cloudspend_exporter::{charge::Measure, error::Reason, view::Window};
use serde_json::json;
use tokio::time::Instant;

use super::{
    account::{RetryLimits, TestAccount, secret},
    apis::{ACTIVEPLATFORM, MIKE_FIRST_PAGE, OTC_LINES, Version},
    pacing::{is_licences, portal, portal_says},
    server::{RecordedRequest, Reply, Server, Step},
};

/// Ways not to answer in time.
fn silences() -> Vec<(&'static str, Reply)> {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
    vec![
        ("before the answer", Reply(vec![Step::Hang])),
        (
            "within a header",
            Reply::raw("HTTP/1.1 200 OK\r\ncont").then(Step::Hang),
        ),
        ("before the body", Reply::raw(head).then(Step::Hang)),
        (
            "within the body",
            Reply::raw(format!("{head}[{{")).then(Step::Hang),
        ),
        (
            "drop by drop",
            Reply::raw(head).then(Step::Trickle(Duration::from_secs(1))),
        ),
    ]
}

fn is_of(seen: &RecordedRequest, customer: &str) -> bool {
    is_licences(seen) && seen.line.contains(&format!("/{customer}/"))
}

#[tokio::test(start_paused = true)]
async fn hanging_part_times_out_others_are_updated() {
    for (name, silence) in silences() {
        for timeout in [2, 10, 300] {
            let place = format!("{name}, {timeout} s");
            let secret = secret("s3cret-of-the-account");
            let server = Server::start(portal_says).await;
            let path = secret.path().to_str().unwrap();
            let more = json!({"timeout": format!("{timeout}s")});
            let account = TestAccount::new(
                &portal(&server.url(), path, 5, &more),
                RetryLimits::standard(),
            );
            account.poll().await;
            assert_eq!(account.failure(), None, "{place}");
            let reply = silence.clone();
            server.now(move |seen| {
                if is_of(seen, "c1") {
                    return reply.clone();
                }
                if is_licences(seen) {
                    return Reply::good(r#"[{"skuId":"s","name":"L","totalLicenses":9}]"#);
                }
                portal_says(seen)
            });
            let began = now();
            account.poll().await;
            let took = began.elapsed();
            let timeout = Duration::from_secs(timeout);
            assert!(
                took <= timeout + Duration::from_millis(100),
                "{place}: {took:?}"
            );
            assert_eq!(
                account.reason(),
                Some(Reason::Timeout),
                "{place}: {:?}",
                account.failure()
            );
            assert_eq!(account.view().health.failing_parts, 1, "{place}");
            let seats = account.total(Measure::Seats, Window::Now);
            assert!((seats - (4.0 * 9.0 + 5.0)).abs() < 1e-9, "{place}: {seats}");
            // Nobody waits for what was given up; who writes finds that out at the second drop.
            tokio::time::timeout(Duration::from_secs(3), server.idle())
                .await
                .expect(&place);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_login_or_list_is_bounded_by_timeout() {
    for target in ["POST /token", "GET /v1/Customers?"] {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(portal_says).await;
        let path = secret.path().to_str().unwrap();
        let more = json!({"timeout": "10s", "interval": "1m"});
        let account = TestAccount::new(
            &portal(&server.url(), path, 3, &more),
            RetryLimits::standard(),
        );
        server.now(move |seen| {
            if seen.line.starts_with(target) {
                return Reply(vec![Step::Hang]);
            }
            portal_says(seen)
        });
        let began = now();
        account.poll().await;
        assert!(began.elapsed() <= Duration::from_millis(10_100), "{target}");
        assert_eq!(account.reason(), Some(Reason::Timeout), "{target}");
        tokio::time::timeout(Duration::from_secs(1), server.idle())
            .await
            .expect(target);
        account.later(Duration::from_mins(1));
        server.now(portal_says);
        account.poll().await;
        assert_eq!(account.failure(), None, "{target}");
    }
}

#[tokio::test(start_paused = true)]
async fn interval_bounds_a_poll_and_skipped_parts_go_first() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(portal_says).await;
    let path = secret.path().to_str().unwrap();
    let more = json!({"timeout": "20s", "interval": "50s", "concurrency": 1});
    let account = TestAccount::new(
        &portal(&server.url(), path, 6, &more),
        RetryLimits::standard(),
    );
    account.poll().await;
    assert_eq!(account.failure(), None);
    server.take();
    let hang = |seen: &RecordedRequest| {
        if is_licences(seen) {
            return Reply(vec![Step::Hang]);
        }
        portal_says(seen)
    };
    server.now(hang);
    account.later(Duration::from_mins(1));
    let began = now();
    account.poll().await;
    let took = began.elapsed();
    assert!(took <= Duration::from_millis(50_100), "{took:?}");
    assert_eq!(account.view().health.failing_parts, 6);
    tokio::time::timeout(Duration::from_secs(1), server.idle())
        .await
        .unwrap();
    // One part answers now and then: each has its turn before one has another.
    let mut answered = Vec::new();
    for _ in 0..6 {
        server.take();
        let mut first = None;
        server.now(move |seen| {
            if is_licences(seen) && first.get_or_insert_with(|| seen.line.clone()) != &seen.line {
                return Reply(vec![Step::Hang]);
            }
            portal_says(seen)
        });
        account.later(Duration::from_mins(1));
        account.poll().await;
        answered.extend(
            server
                .lines()
                .into_iter()
                .find(|line| line.contains("/licenses")),
        );
    }
    answered.sort();
    answered.dedup();
    assert_eq!(answered.len(), 6, "{answered:?}");
}

#[tokio::test(start_paused = true)]
async fn silent_request_leaves_time_for_a_retry() {
    for (case, silence) in [
        (ACTIVEPLATFORM, Reply(vec![Step::Hang])),
        (OTC_LINES, Reply(vec![Step::Hang])),
        (
            ACTIVEPLATFORM,
            Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").then(Step::Hang),
        ),
    ] {
        for timeout in ["20s", "2m", "20m"] {
            let secret = secret("s3cret-of-the-account");
            let silence = silence.clone();
            let mut asked = 0;
            let server = Server::start(move |seen| {
                if (case.target)(seen) {
                    asked += 1;
                    if asked == 1 {
                        return silence.clone();
                    }
                }
                Reply::good((case.answer)(seen, Version::One))
            })
            .await;
            let mut section = (case.section)(&server.url(), secret.path().to_str().unwrap());
            section["timeout"] = json!(timeout);
            let account = TestAccount::new(&section, RetryLimits::standard());
            account.poll().await;
            assert_eq!(account.failure(), None, "{}, {timeout}", case.name);
        }
    }
}

/// An account of OTC whose rows of the current month are sent by steps, with `timeout: 10s` and `interval: 1m`.
async fn poll_rows(steps: impl Fn(&[u8]) -> Reply + Send + 'static) -> (TestAccount, Duration) {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(move |seen| {
        let body = (OTC_LINES.answer)(seen, Version::One);
        if (OTC_LINES.target)(seen) {
            return steps(body.as_bytes());
        }
        Reply::good(body)
    })
    .await;
    let mut section = (OTC_LINES.section)(&server.url(), secret.path().to_str().unwrap());
    section["timeout"] = json!("10s");
    section["interval"] = json!("1m");
    let account = TestAccount::new(&section, RetryLimits::once());
    let began = now();
    account.poll().await;
    (account, began.elapsed())
}

fn head_of(body: &[u8]) -> Reply {
    let length = body.len();
    Reply::raw(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n"
    ))
}

#[tokio::test(start_paused = true)]
async fn rows_may_take_longer_than_timeout() {
    let (account, took) = poll_rows(|body| {
        let mut reply = head_of(body).after(Duration::from_secs(9));
        for piece in body.chunks(body.len() / 4 + 1) {
            let wait = Step::Wait(Duration::from_secs(9));
            reply = reply.then(wait).then(Step::Send(piece.to_vec()));
        }
        reply
    })
    .await;
    assert_eq!(account.failure(), None);
    assert!(took >= Duration::from_secs(45), "{took:?}");
    let billed = account.total(Measure::BilledCost, Window::MonthToDate);
    assert!((billed - Version::One.sum()).abs() < 1e-9, "{billed}");
}

#[tokio::test(start_paused = true)]
async fn silence_within_rows_is_bounded_by_timeout() {
    for cut in [0, 20] {
        let (account, took) = poll_rows(move |body| {
            let begin = Step::Send(body[..cut].to_vec());
            head_of(body).then(begin).then(Step::Hang)
        })
        .await;
        assert_eq!(account.reason(), Some(Reason::Timeout), "{cut}");
        assert!(took <= Duration::from_millis(10_100), "{cut}: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_month_does_not_block_the_closed_one() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(|seen| {
        if (OTC_LINES.target)(seen) {
            return Reply(vec![Step::Hang]);
        }
        Reply::good(r#"{"amount":5,"consumption_date":"2024-06-16","product":"a"}"#)
    })
    .await;
    let mut section = (OTC_LINES.section)(&server.url(), secret.path().to_str().unwrap());
    section["timeout"] = json!("10s");
    section["concurrency"] = json!(1);
    let account = TestAccount::new(&section, RetryLimits::once());
    account.poll().await;
    assert_eq!(account.reason(), Some(Reason::Timeout));
    let (_, failure) = account.failure().unwrap();
    assert!(failure.ends_with("(only 2024-07 failed)"), "{failure}");
    let billed = account.total(Measure::BilledCost, Window::PreviousMonth);
    assert!((billed - 5.0).abs() < 1e-9, "{billed}");
}

#[tokio::test(start_paused = true)]
async fn endless_rows_are_bounded_by_interval() {
    let (account, took) = poll_rows(|body| {
        let drops = Step::Trickle(Duration::from_secs(9));
        head_of(&[body, &[b' '; 1000]].concat()).then(drops)
    })
    .await;
    assert_eq!(account.reason(), Some(Reason::Timeout));
    assert!(took >= Duration::from_secs(59), "{took:?}");
    assert!(took <= Duration::from_millis(60_100), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn unanswered_handshake_times_out() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(|_| Reply(vec![Step::Hang])).await;
    let url = format!("https://{}", server.address);
    let section = (OTC_LINES.section)(&url, secret.path().to_str().unwrap());
    let account = TestAccount::new(&section, RetryLimits::once());
    let began = now();
    account.poll().await;
    assert_eq!(account.reason(), Some(Reason::Timeout));
    assert!(began.elapsed() <= Duration::from_millis(10_100));
}

#[tokio::test(start_paused = true)]
async fn deadline_while_retrying_reports_the_cause() {
    let limited = || Reply::status(429, "retry-after: 7\r\n", "");
    let silent = || Reply(vec![Step::Hang]);
    let stalled = || Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n").then(Step::Hang);
    for (name, replies, want) in [
        ("waiting", [limited(), limited()], Reason::RateLimited),
        ("trying again", [limited(), silent()], Reason::RateLimited),
        (
            "no connection",
            [limited(), Reply(vec![Step::Close])],
            Reason::Unreachable,
        ),
        ("slow response", [limited(), stalled()], Reason::Timeout),
        ("silence", [silent(), silent()], Reason::Timeout),
    ] {
        for case in [MIKE_FIRST_PAGE, ACTIVEPLATFORM] {
            let secret = secret("s3cret-of-the-account");
            let mut replies = replies.clone().into_iter();
            let last = replies.clone().last().unwrap();
            let server =
                Server::start(move |_| replies.next().unwrap_or_else(|| last.clone())).await;
            let mut section = (case.section)(&server.url(), secret.path().to_str().unwrap());
            section["timeout"] = json!("10s");
            section["interval"] = json!("10s");
            let account = TestAccount::new(&section, RetryLimits::standard());
            let began = now();
            account.poll().await;
            let place = format!("{}, {name}: {:?}", case.name, account.failure());
            assert_eq!(account.reason(), Some(want), "{place}");
            assert!(began.elapsed() <= Duration::from_millis(10_100), "{place}");
        }
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the test measures time")]
    Instant::now()
}
