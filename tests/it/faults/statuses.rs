//! Refusals, redirects, garbage and what is too large: which reason each has, what is asked again and what is not.

use cloudspend_exporter::{charge::Measure, error::Reason, http_client::Bounds, view::Window};
use serde_json::json;
use url::Url;

use super::{
    account::{ONCE, RetryLimits, TestAccount, secret, times},
    apis::{ACTIVEPLATFORM, CUSTOMERS, Case, ENUBE, LICENCES, MIKE_FIRST_PAGE, OTC_LINES, Version},
    server::{RecordedRequest, Reply, Server, Step, zipped},
};

mod losses;
mod redirects;

/// Good answers in one version, but for what the faults meet.
fn but(
    case: &Case,
    version: Version,
    mut fault: impl FnMut(&RecordedRequest) -> Reply + Send + 'static,
) -> impl FnMut(&RecordedRequest) -> Reply + Send + 'static {
    let (answer, target) = (case.answer, case.target);
    move |seen| {
        if target(seen) {
            fault(seen)
        } else {
            Reply::good(answer(seen, version))
        }
    }
}

fn good(case: &Case, version: Version) -> impl FnMut(&RecordedRequest) -> Reply + Send + 'static {
    let answer = case.answer;
    move |seen| Reply::good(answer(seen, version))
}

/// Every reply that is no good answer, and its reason.
fn refusals() -> Vec<(&'static str, Reply, Reason)> {
    let status = |status, headers| Reply::status(status, headers, "no");
    let found = |to: &str| Reply::status(302, &format!("location: {to}\r\n"), "");
    let zip = "content-encoding: gzip\r\n";
    vec![
        ("400", status(400, ""), Reason::UpstreamError),
        ("401", status(401, ""), Reason::Unauthorized),
        ("403", status(403, ""), Reason::Forbidden),
        ("404", status(404, ""), Reason::NotFound),
        ("408", status(408, ""), Reason::Timeout),
        ("425", status(425, ""), Reason::UpstreamError),
        ("429", status(429, ""), Reason::RateLimited),
        ("500", status(500, ""), Reason::UpstreamError),
        ("503", status(503, ""), Reason::UpstreamError),
        (
            "503 and a date that is over",
            status(503, "retry-after: Sat, 20 Jul 2024 11:59:59 GMT\r\n"),
            Reason::RateLimited,
        ),
        (
            "503 and no time",
            status(503, "retry-after: soon\r\n"),
            Reason::UpstreamError,
        ),
        ("202", status(202, ""), Reason::UpstreamError),
        ("300", status(300, ""), Reason::UpstreamError),
        (
            "a redirect to nowhere",
            status(302, ""),
            Reason::UpstreamError,
        ),
        (
            "a redirect to no URL",
            found("http://[::"),
            Reason::UpstreamError,
        ),
        (
            "a redirect to a file",
            found("file:///etc/passwd"),
            Reason::UpstreamError,
        ),
        (
            "a login page",
            Reply::good("<!doctype html><html></html>"),
            Reason::Malformed,
        ),
        (
            "JSON of something else",
            Reply::good(r#"{"error":"maintenance"}"#),
            Reason::Malformed,
        ),
        ("null", Reply::good("null"), Reason::Malformed),
        (
            "no UTF-8",
            Reply::good(b"{\"amount\":1,\"product\":\"\xff\"}"),
            Reason::Malformed,
        ),
        (
            "compressed by another way",
            Reply::status(200, "content-encoding: br\r\n", "x"),
            Reason::Malformed,
        ),
        (
            "plain text called gzip",
            Reply::status(200, zip, "{}"),
            Reason::Malformed,
        ),
        (
            "something behind gzip",
            Reply::status(200, zip, [zipped(b"[]"), b"junk".to_vec()].concat()),
            Reason::Malformed,
        ),
    ]
}

/// Every reply that is not even HTTP, and its reason.
fn noise() -> Vec<(&'static str, Reply, Reason)> {
    let line = "HTTP/1.1 200 OK\r\n";
    let with = |headers: &str, body: &str| {
        Reply::raw(format!("{line}{headers}\r\n\r\n{body}")).then(Step::Close)
    };
    let chunks = "transfer-encoding: chunked";
    vec![
        (
            "a greeting",
            Reply::raw("220 mail.example.com ESMTP\r\n\r\n").then(Step::Close),
            Reason::Malformed,
        ),
        (
            "garbage",
            Reply::raw([0xff; 100]).then(Step::Close),
            Reason::Malformed,
        ),
        (
            "another protocol",
            Reply::raw("HTTP/9.9 200 OK\r\n\r\n").then(Step::Close),
            Reason::Malformed,
        ),
        (
            "an alert of TLS",
            Reply::raw([0x15, 3, 1, 0, 2, 2, 0x0a]).then(Step::Close),
            Reason::Malformed,
        ),
        (
            "a header without a colon",
            with("nonsense", ""),
            Reason::Malformed,
        ),
        (
            "two lengths",
            with("content-length: 2\r\ncontent-length: 9", "[]"),
            Reason::Malformed,
        ),
        (
            "no length",
            with("content-length: many", "[]"),
            Reason::Malformed,
        ),
        (
            "a size of a chunk that is none",
            with(chunks, "many\r\n[]\r\n0\r\n\r\n"),
            Reason::Malformed,
        ),
        ("nothing", Reply(vec![Step::Close]), Reason::Unreachable),
        ("a reset", Reply(vec![Step::Reset]), Reason::Unreachable),
        (
            "endless headers",
            Reply::raw(line).then(Step::Endless(b"x-more: and more\r\n".to_vec())),
            Reason::TooLarge,
        ),
        (
            "an endless header",
            Reply::raw(format!("{line}x: ")).then(Step::Endless(vec![b'x'; 1000])),
            Reason::TooLarge,
        ),
    ]
}

#[tokio::test]
async fn every_error_has_its_reason_and_keeps_last_values() {
    for case in [OTC_LINES, ENUBE, LICENCES, ACTIVEPLATFORM, MIKE_FIRST_PAGE] {
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(good(&case, Version::One)).await;
        let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
        for (name, reply, reason) in refusals().into_iter().chain(noise()) {
            let place = format!("{}, {name}", case.name);
            // Where lists are written as Go writes them, null is one without elements.
            if (case.name, name) == (ENUBE.name, "null") {
                continue;
            }
            let account = TestAccount::new(&section, RetryLimits::once());
            server.now(good(&case, Version::One));
            account.poll().await;
            assert_eq!(account.failure(), None, "{place}");
            let before = account.shown();
            server.now(but(&case, Version::Two, move |_| reply.clone()));
            account.poll().await;
            let (got, message) = account.failure().expect(&place);
            // What only rows one after another cannot be: JSON that ends where it should not is cut.
            let cut = got == Reason::Truncated && message.contains("is incomplete");
            assert!(got == reason || cut, "{place}: {got:?}, {message}");
            assert_eq!(account.shown(), before, "{place}");
            server.now(good(&case, Version::Two));
            account.poll().await;
            assert_eq!(account.failure(), None, "after {place}");
            let total = account.total(case.family.0, case.family.1);
            assert!(
                (total - (case.sum)(Version::Two)).abs() < 1e-9,
                "after {place}"
            );
        }
    }
}

#[tokio::test]
async fn unreachable_and_no_tls_have_their_reasons() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(|seen| {
        assert_eq!(seen.line, "TLS");
        Reply::status(400, "", "this is no port for TLS").then(Step::Close)
    })
    .await;
    let free = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    for (url, want) in [
        (format!("https://{}", server.address), Reason::Tls),
        (format!("http://{free}"), Reason::Unreachable),
        (format!("https://{free}"), Reason::Unreachable),
    ] {
        let section = (OTC_LINES.section)(&url, secret.path().to_str().unwrap());
        let account = TestAccount::new(&section, RetryLimits::once());
        account.poll().await;
        assert_eq!(
            account.reason(),
            Some(want),
            "{url}: {:?}",
            account.failure()
        );
    }
}

#[tokio::test]
async fn only_transient_errors_are_retried() {
    let limits = RetryLimits {
        request: times(3),
        part: ONCE,
        ..RetryLimits::standard()
    };
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(|_| Reply::default()).await;
    for (case, status, want) in [
        (OTC_LINES, 408, 3),
        (OTC_LINES, 425, 3),
        (OTC_LINES, 429, 3),
        (OTC_LINES, 500, 3),
        (ACTIVEPLATFORM, 502, 3),
        (ACTIVEPLATFORM, 503, 3),
        (ACTIVEPLATFORM, 504, 3),
        (OTC_LINES, 400, 1),
        (OTC_LINES, 401, 1),
        (OTC_LINES, 402, 1),
        (OTC_LINES, 403, 1),
        (OTC_LINES, 404, 1),
        (OTC_LINES, 409, 1),
        (OTC_LINES, 410, 1),
        (OTC_LINES, 422, 1),
        (ACTIVEPLATFORM, 404, 1),
        (MIKE_FIRST_PAGE, 403, 1),
    ] {
        let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
        server.now(but(&case, Version::One, move |_| {
            Reply::status(status, "", "no")
        }));
        let account = TestAccount::new(&section, limits);
        account.poll().await;
        let asked = server
            .take()
            .iter()
            .filter(|seen| (case.target)(seen))
            .count();
        assert_eq!(asked, want, "{}: {status}", case.name);
        assert_eq!(
            account.retries(),
            want as u64 - 1,
            "{}: {status}",
            case.name
        );
        assert_eq!(account.shown().len(), 0);
    }
}

#[tokio::test]
async fn cut_body_is_retried_where_it_can_start_over() {
    // A body of which nothing was read yet is asked for again as a request; rows that were read already, as a part.
    let long = "\n".repeat(2 << 20);
    for (case, before_end, request, part) in [
        (ACTIVEPLATFORM, "", 3, 1),
        (OTC_LINES, "", 3, 1),
        (OTC_LINES, long.as_str(), 1, 3),
    ] {
        let limits = RetryLimits {
            request: times(request),
            part: times(part),
            ..RetryLimits::standard()
        };
        let secret = secret("s3cret-of-the-account");
        let server = Server::start(|_| Reply::default()).await;
        let section = (case.section)(&server.url(), secret.path().to_str().unwrap());
        let answer = case.answer;
        let padding = before_end.to_owned();
        let mut broken = 0;
        server.now(but(&case, Version::One, move |seen| {
            broken += 1;
            let body = answer(seen, Version::One).replacen('\n', &format!("\n{padding}"), 1);
            if broken == 3 {
                return Reply::good(body);
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let cut = &body.as_bytes()[..body.len() - 20];
            Reply::raw([head.as_bytes(), cut].concat()).then(Step::Close)
        }));
        let account = TestAccount::new(&section, limits);
        account.poll().await;
        assert_eq!(account.failure(), None, "{}", case.name);
        let total = account.total(case.family.0, case.family.1);
        assert!((total - (case.sum)(Version::One)).abs() < 1e-9, "{total}");
        assert_eq!(account.retries(), 2);
    }
}

#[tokio::test]
async fn exhausted_retries_are_not_repeated_above() {
    let limits = RetryLimits {
        request: times(2),
        part: times(3),
        ..RetryLimits::standard()
    };
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(but(&OTC_LINES, Version::One, |_| {
        Reply::status(500, "", "")
    }))
    .await;
    let section = (OTC_LINES.section)(&server.url(), secret.path().to_str().unwrap());
    let account = TestAccount::new(&section, limits);
    account.poll().await;
    let asked = server
        .take()
        .iter()
        .filter(|seen| (OTC_LINES.target)(seen))
        .count();
    assert_eq!(asked, 2);
}
