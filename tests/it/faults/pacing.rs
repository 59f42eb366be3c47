//! How fast an account asks, how long it waits, and how often it logs in, as the server sees it. Time is paused: it moves
//! only where everybody waits.

use std::{sync::Arc, time::Duration};

use cloudspend_exporter::{
    clock::Clock, error::Reason, http_client::retry::Backoff, poller::Poller, state::AccountHandle,
};
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::{
    account::{NOW, RetryLimits, TestAccount, secret},
    apis::{ACTIVEPLATFORM, OTC_LINES, Version},
    server::{RecordedRequest, Reply, Server},
};

/// An account of several customers, who are parts of their own.
pub(super) fn portal(url: &str, secret: &str, customers: usize, more: &Value) -> Value {
    let customers: Vec<_> = (0..customers).map(|number| format!("c{number}")).collect();
    let mut section = json!({
        "provider": "cloudcockpit", "base_url": url, "token_url": format!("{url}/token"),
        "tenant": "portal.example.com", "client_id": "id", "client_secret_file": secret,
        "customers": customers, "provider_instances": ["i"], "requests_per_second": 1000,
    });
    let more = more.as_object().unwrap().clone();
    section.as_object_mut().unwrap().extend(more);
    section
}

/// Good answers of a portal; the lists are not for us.
pub(super) fn portal_says(seen: &RecordedRequest) -> Reply {
    if seen.line == "POST /token" {
        return Reply::good(r#"{"access_token":"t0k3n-of-cockpit","expires_in":3599}"#);
    }
    if is_licences(seen) {
        return Reply::good(r#"[{"skuId":"s","name":"L","totalLicenses":5}]"#);
    }
    Reply::status(403, "", "")
}

pub(super) fn is_licences(seen: &RecordedRequest) -> bool {
    seen.line.contains("/licenses")
}

fn gaps(seen: &[RecordedRequest]) -> Vec<Duration> {
    seen.windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn rate_limit_counts_redirects() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(|seen| {
        if is_licences(seen) && !seen.line.contains("/moved") {
            let path = seen.line.trim_start_matches("GET ");
            return Reply::status(302, &format!("location: /moved{path}\r\n"), "");
        }
        portal_says(seen)
    })
    .await;
    let more = json!({"requests_per_second": 4, "concurrency": 8});
    let path = secret.path().to_str().unwrap();
    let account = TestAccount::new(
        &portal(&server.url(), path, 8, &more),
        RetryLimits::standard(),
    );
    account.poll().await;
    assert_eq!(account.failure(), None);
    let seen = server.take();
    assert_eq!(seen.len(), 1 + 2 + 2 * 8);
    let gaps = gaps(&seen);
    let a_quarter = Duration::from_millis(250);
    // Timers are as fine as a millisecond.
    let least = Duration::from_millis(249);
    assert!(gaps.iter().all(|gap| *gap >= least), "{gaps:?}");
    let all: Duration = gaps.iter().sum();
    assert!(all < a_quarter * 19, "{all:?}");
}

#[tokio::test(start_paused = true)]
async fn concurrency_limit_holds() {
    for concurrency in [1, 2, 5] {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(|seen| portal_says(seen).after(Duration::from_secs(1))).await;
        let more = json!({"concurrency": concurrency});
        let path = secret.path().to_str().unwrap();
        let account = TestAccount::new(
            &portal(&server.url(), path, 10, &more),
            RetryLimits::standard(),
        );
        account.poll().await;
        assert_eq!(account.failure(), None);
        assert_eq!(server.busiest(), concurrency);
    }
}

#[tokio::test(start_paused = true)]
async fn backoff_ceiling_doubles() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(|_| Reply::status(500, "", "")).await;
    let section = (ACTIVEPLATFORM.section)(&server.url(), secret.path().to_str().unwrap());
    let mut waits = [Duration::ZERO; 3];
    for _ in 0..20 {
        let account = TestAccount::new(&section, RetryLimits::standard());
        account.poll().await;
        let gaps = gaps(&server.take());
        assert_eq!(gaps.len(), 3);
        for (attempt, gap) in (1..).zip(&gaps) {
            let ceiling = Backoff::REQUEST.ceiling(attempt) + Duration::from_millis(2);
            assert!(*gap <= ceiling, "{attempt}: {gap:?}");
            let longest = &mut waits[attempt as usize - 1];
            *longest = (*longest).max(*gap);
        }
    }
    // Of twenty waits below 4 s none is above 2 s once in a million times.
    assert!(waits[2] > Duration::from_secs(2), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_honoured_within_a_request() {
    for (status, headers, least) in [
        (429, "retry-after: 7\r\n", 7),
        (503, "retry-after: 7\r\n", 7),
        (429, "Retry-After: Sat, 20 Jul 2024 12:00:09 GMT\r\n", 9),
        (503, "retry-after: Saturday, 20-Jul-24 12:00:09 GMT\r\n", 9),
        (429, "retry-after: 15\r\n", 15),
        (500, "retry-after: 6\r\n", 6),
    ] {
        let secret = secret("s3cret-of-the-account");
        let mut asked = 0;
        let server = Server::start(move |seen| {
            asked += 1;
            if asked == 1 {
                return Reply::status(status, headers, "");
            }
            Reply::good((ACTIVEPLATFORM.answer)(seen, Version::One))
        })
        .await;
        let section = (ACTIVEPLATFORM.section)(&server.url(), secret.path().to_str().unwrap());
        let account = TestAccount::new(&section, RetryLimits::standard());
        assert_eq!(account.poll().await, Duration::ZERO);
        assert_eq!(account.failure(), None, "{status} {headers}");
        let gaps = gaps(&server.take());
        let least = Duration::from_secs(least);
        assert_eq!(gaps.len(), 1);
        assert!(gaps[0] >= least, "{status} {headers}: {gaps:?}");
        assert!(
            gaps[0] < least + Duration::from_secs(1),
            "{headers}: {gaps:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn long_retry_after_is_left_to_the_next_poll() {
    const A_DAY: u64 = 86_400;
    for (status, headers, wait) in [
        (429, "retry-after: 16\r\n", 16),
        (503, "retry-after: 7200\r\n", 7200),
        (
            429,
            "retry-after: Sat, 20 Jul 2024 15:00:00 GMT\r\n",
            3 * 3600,
        ),
        (429, "retry-after: 31536000000\r\n", A_DAY),
        (503, "retry-after: 18446744073709551615\r\n", A_DAY),
        (503, "retry-after: 99999999999999999999999999\r\n", A_DAY),
        (429, "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n", A_DAY),
    ] {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(portal_says).await;
        let path = secret.path().to_str().unwrap();
        let section = portal(&server.url(), path, 6, &json!({"concurrency": 2}));
        let account = TestAccount::new(&section, RetryLimits::standard());
        account.poll().await;
        assert_eq!(account.failure(), None);
        let before = account.shown();
        server.take();
        let mut asked = 0;
        server.now(move |seen| {
            if is_licences(seen) {
                asked += 1;
                if asked == 2 {
                    return Reply::status(status, headers, "");
                }
            }
            portal_says(seen)
        });
        let asked_to_wait = account.poll().await;
        let least = Duration::from_secs(wait).saturating_sub(Duration::from_secs(1));
        assert!(
            asked_to_wait >= least && asked_to_wait <= Duration::from_secs(wait),
            "{headers}: {asked_to_wait:?}"
        );
        assert_eq!(account.reason(), Some(Reason::RateLimited), "{headers}");
        let licences = server
            .take()
            .iter()
            .filter(|seen| is_licences(seen))
            .count();
        // The one that ran beside it was on its way.
        assert!((2..=3).contains(&licences), "{headers}: {licences}");
        assert_eq!(account.view().health.failing_parts, 6 + 1 - licences);
        assert_eq!(account.shown(), before);
        tokio::time::advance(asked_to_wait).await;
        server.now(portal_says);
        account.poll().await;
        assert_eq!(account.failure(), None, "{headers}");
    }
}

#[tokio::test(start_paused = true)]
async fn short_retry_after_delays_the_whole_account() {
    let secret = secret("s3cret-of-the-account");
    let mut asked = 0;
    let server = Server::start(move |seen| {
        if is_licences(seen) {
            asked += 1;
            if asked == 3 {
                return Reply::status(503, "retry-after: 10\r\n", "");
            }
        }
        portal_says(seen)
    })
    .await;
    let path = secret.path().to_str().unwrap();
    // Several requests wait for their turn already when the pause is asked for.
    let more = json!({"concurrency": 5, "requests_per_second": 2});
    let account = TestAccount::new(
        &portal(&server.url(), path, 9, &more),
        RetryLimits::standard(),
    );
    account.poll().await;
    assert_eq!(account.failure(), None);
    let seen: Vec<_> = server.take().into_iter().filter(is_licences).collect();
    assert_eq!(seen.len(), 10);
    let paused = seen[2].at;
    for (number, seen) in seen.iter().enumerate().skip(3) {
        let wait = seen.at - paused;
        assert!(wait >= Duration::from_secs(10), "{number}: {wait:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn next_poll_honours_any_retry_after() {
    for (headers, wait) in [
        ("retry-after: 18446744073709551615\r\n", 24 * 3600),
        ("retry-after: 10000\r\n", 10_000),
        ("retry-after: 100\r\n", 3600),
    ] {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(move |_| Reply::status(429, headers, "")).await;
        let section = (OTC_LINES.section)(&server.url(), secret.path().to_str().unwrap());
        let cell = Arc::clone(&TestAccount::new(&section, RetryLimits::standard()).cell);
        let ended = Arc::new(Notify::new());
        let clock = Clock::starting_at(NOW.parse().unwrap());
        let cell = Arc::new(AccountHandle::new(Arc::clone(&cell.account)));
        let poller = Poller::new(cell, clock, Arc::clone(&ended));
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(poller.run(stopped));
        ended.notified().await;
        let first = server.take();
        ended.notified().await;
        let second = server.take();
        let gap = second[0].at - first[0].at;
        let least = Duration::from_secs(wait - 1);
        assert!(
            gap >= least && gap < least + Duration::from_mins(8),
            "{headers}: {gap:?}"
        );
        stop.send(true).unwrap();
        running.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn one_401_costs_one_login() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(|seen| {
        if is_licences(seen) {
            return Reply::status(401, "", "");
        }
        portal_says(seen)
    })
    .await;
    let path = secret.path().to_str().unwrap();
    let account = TestAccount::new(
        &portal(&server.url(), path, 20, &json!({})),
        RetryLimits::standard(),
    );
    account.poll().await;
    assert_eq!(account.reason(), Some(Reason::Unauthorized));
    let logins = |lines: Vec<String>| lines.iter().filter(|line| *line == "POST /token").count();
    assert_eq!(logins(server.lines()), 2);
    account.later(Duration::from_secs(10));
    account.poll().await;
    assert_eq!(logins(server.lines()), 0);
    account.later(Duration::from_secs(30));
    server.now(portal_says);
    account.poll().await;
    assert_eq!(account.failure(), None);
}

#[tokio::test(start_paused = true)]
async fn failed_login_is_not_retried_by_every_part() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(|_| Reply::status(500, "", "")).await;
    let path = secret.path().to_str().unwrap();
    let section = portal(&server.url(), path, 20, &json!({}));
    let account = TestAccount::new(&section, RetryLimits::once());
    account.poll().await;
    assert_eq!(server.lines(), ["POST /token"]);
    server.now(portal_says);
    for (seconds, want) in [(29, Some(Reason::UpstreamError)), (1, None)] {
        account.later(Duration::from_secs(seconds));
        account.poll().await;
        assert_eq!(account.reason(), want, "{seconds}");
    }
}
