//! Redirects: followed on the same host only, with the body, and not for ever.

use super::*;

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
            let message = message.trim_end_matches(" (only 2024-07 failed)");
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
            let message = message.trim_end_matches(" (only 2024-07 failed)");
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
