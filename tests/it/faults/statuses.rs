//! Refusals, redirects, garbage and what is too large: which reason each has, what is asked again and what is not.

use cloudspend_exporter::{charge::Measure, error::Reason, http_client::Bounds, view::Window};
use serde_json::json;
use url::Url;

use super::{
    account::{ONCE, RetryLimits, TestAccount, secret, times},
    apis::{ACTIVEPLATFORM, CUSTOMERS, Case, ENUBE, LICENCES, MIKE_FIRST_PAGE, OTC_LINES, Version},
    server::{RecordedRequest, Reply, Server, Step, zipped},
};

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

#[tokio::test]
async fn redirect_is_followed_on_the_same_host_only() {
    let secret = secret("s3cret-of-the-account");
    let other = Server::start(|_| Reply::good("")).await;
    let server = Server::start(|_| Reply::default()).await;
    let port = other.address.rsplit(':').next().unwrap();
    let section = (OTC_LINES.section)(&server.url(), secret.path().to_str().unwrap());
    for (status, location, followed) in [
        (301, "/moved?month=8".to_owned(), true),
        (302, "/moved?month=8".to_owned(), true),
        (303, "moved?month=8".to_owned(), true),
        (307, format!("{}/moved?month=8", server.url()), true),
        (308, format!("//{}/moved?month=8", server.address), true),
        (302, other.url(), false),
        (302, format!("http://localhost:{port}/"), false),
        (302, format!("//{}/", other.address), false),
        (
            302,
            format!("http://{}@{}/", server.address, other.address),
            false,
        ),
        (
            302,
            format!("http://user:pass@{}/moved?month=8", server.address),
            false,
        ),
        (304, "/moved?month=8".to_owned(), false),
        (305, "/moved?month=8".to_owned(), false),
    ] {
        let place = format!("{status} to {location}");
        let header = format!("location: {location}\r\n");
        server.now(but(&OTC_LINES, Version::One, move |_| {
            Reply::status(status, &header, "")
        }));
        let account = TestAccount::new(&section, RetryLimits::once());
        account.poll().await;
        let seen = server.take();
        let moved = seen.iter().filter(|seen| seen.line.contains("/moved"));
        let moved: Vec<_> = moved.map(|seen| seen.header("authorization")).collect();
        if followed {
            assert_eq!(account.failure(), None, "{place}");
            assert_eq!(moved, ["Bearer s3cret-of-the-account"], "{place}");
        } else {
            let (reason, message) = account.failure().expect(&place);
            assert_eq!(reason, Reason::UpstreamError, "{place}");
            assert_eq!(moved.len(), 0, "{place}");
            let asked = format!("GET {}/", server.url());
            let target = Url::parse(&server.url()).unwrap().join(&location).unwrap();
            let (host, port) = (target.host_str().unwrap(), target.port().unwrap());
            let end = format!("not followed: http://{host}:{port}{}", target.path());
            assert!(message.starts_with(&asked), "{place}: {message}");
            assert!(message.ends_with(&end), "{place}: {message}");
        }
        assert!(other.take().is_empty(), "{place}");
    }
}

#[tokio::test]
async fn redirected_login_keeps_its_body() {
    let secret = secret("p4ssw0rd-of-the-bot");
    let other = Server::start(|_| Reply::good(r#"{"token":"stolen"}"#)).await;
    let server = Server::start(|_| Reply::default()).await;
    let section = (ENUBE.section)(&server.url(), secret.path().to_str().unwrap());
    for (status, location, followed) in [
        (307, "/elsewhere/auth/login".to_owned(), true),
        (308, "/elsewhere/auth/login".to_owned(), true),
        (302, "/elsewhere/auth/login".to_owned(), false),
        (307, format!("{}/auth/login", other.url()), false),
    ] {
        let place = format!("{status} to {location}");
        let header = format!("location: {location}\r\n");
        server.now(move |seen| {
            if seen.line == "POST /auth/login" {
                return Reply::status(status, &header, "");
            }
            Reply::good((ENUBE.answer)(seen, Version::One))
        });
        let account = TestAccount::new(&section, RetryLimits::once());
        account.poll().await;
        let seen = server.take();
        let moved: Vec<_> = seen
            .iter()
            .filter(|seen| seen.line == "POST /elsewhere/auth/login")
            .collect();
        if followed {
            assert_eq!(account.failure(), None, "{place}");
            assert!(moved[0].body.contains("p4ssw0rd-of-the-bot"), "{place}");
        } else {
            let (reason, message) = account.failure().expect(&place);
            assert_eq!(reason, Reason::UpstreamError, "{place}");
            assert_eq!(moved.len(), 0, "{place}");
            let asked = format!("POST {}/auth/login: ", server.url());
            let target = Url::parse(&server.url()).unwrap().join(&location).unwrap();
            let (host, port) = (target.host_str().unwrap(), target.port().unwrap());
            let end = format!("not followed: http://{host}:{port}{}", target.path());
            assert!(message.starts_with(&asked), "{place}: {message}");
            assert!(message.ends_with(&end), "{place}: {message}");
        }
        assert!(other.take().is_empty(), "{place}");
    }
}

#[tokio::test]
async fn redirect_loop_ends() {
    let secret = secret("s3cret-of-the-account");
    let server = Server::start(but(&OTC_LINES, Version::One, |seen| {
        let path = seen.line.split(' ').nth(1).unwrap();
        Reply::status(302, &format!("location: {path}&again=1\r\n"), "")
    }))
    .await;
    let section = (OTC_LINES.section)(&server.url(), secret.path().to_str().unwrap());
    let account = TestAccount::new(&section, RetryLimits::standard());
    account.poll().await;
    assert_eq!(account.reason(), Some(Reason::UpstreamError));
    let asked = server
        .take()
        .iter()
        .filter(|seen| (OTC_LINES.target)(seen))
        .count();
    assert_eq!(asked, 6);
}

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
