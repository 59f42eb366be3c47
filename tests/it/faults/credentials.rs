//! Credentials are read again when they are used: one that was replaced needs no restart.

use std::time::Duration;

use cloudspend_exporter::error::Reason;

use super::{
    account::{RetryLimits, TestAccount, secret},
    apis::{ACTIVEPLATFORM, Case, ENUBE, LICENCES, MIKE_FIRST_PAGE, OTC_LINES, Version},
    server::{RecordedRequest, Reply, Server},
};

/// Good answers to who knows a secret: by a header, or by a login whose token begins with it.
fn to_who_knows(
    case: Case,
    secret: &'static str,
) -> impl FnMut(&RecordedRequest) -> Reply + Send + 'static {
    move |seen| {
        let answer = (case.answer)(seen, Version::One);
        let is_login = seen.line == "POST /token" || seen.line.ends_with("/auth/login");
        let knows = if is_login {
            seen.body.contains(secret)
        } else if answer_needs_token(&case) {
            seen.header("authorization").contains(secret)
        } else {
            seen.head.contains(secret)
        };
        if !knows {
            return Reply::status(401, "", "");
        }
        // The token tells by which secret it was had.
        Reply::good(answer.replace("t0k3n", secret))
    }
}

fn answer_needs_token(case: &Case) -> bool {
    [ENUBE.name, LICENCES.name].contains(&case.name)
}

#[tokio::test]
async fn replaced_credential_needs_no_restart() {
    for case in [OTC_LINES, ENUBE, LICENCES, ACTIVEPLATFORM, MIKE_FIRST_PAGE] {
        let file = secret("s3cret-of-january\n");
        let server = Server::start(to_who_knows(case, "s3cret-of-january")).await;
        let section = (case.section)(&server.url(), file.path().to_str().unwrap());
        let account = TestAccount::new(&section, RetryLimits::once());
        account.poll().await;
        assert_eq!(account.failure(), None, "{}", case.name);
        let good = account.shown();

        // The API forgets the old one before the file is replaced, and at a login it is the old one that is sent.
        server.now(to_who_knows(case, "s3cret-of-february"));
        account.later(Duration::from_mins(1));
        account.poll().await;
        assert_eq!(
            account.reason(),
            Some(Reason::Unauthorized),
            "{}",
            case.name
        );
        assert_eq!(account.shown(), good, "{}", case.name);

        std::fs::write(file.path(), "s3cret-of-february\n").unwrap();
        account.later(Duration::from_mins(1));
        account.poll().await;
        assert_eq!(account.failure(), None, "{}", case.name);
        assert_eq!(account.shown(), good, "{}", case.name);
    }
}

#[tokio::test]
async fn missing_credential_fails_without_a_request() {
    for case in [OTC_LINES, ENUBE, LICENCES] {
        for content in [None, Some(""), Some(" \n"), Some("two\nlines")] {
            let file = secret("s3cret-of-january");
            let server = Server::start(|_| Reply::default()).await;
            let section = (case.section)(&server.url(), file.path().to_str().unwrap());
            let account = TestAccount::new(&section, RetryLimits::once());
            match content {
                Some(content) => std::fs::write(file.path(), content).unwrap(),
                None => std::fs::remove_file(file.path()).unwrap(),
            }
            account.poll().await;
            let (reason, message) = account.failure().expect("nothing can be sent");
            assert_eq!(reason, Reason::Unauthorized, "{content:?}");
            assert!(message.contains(file.path().to_str().unwrap()), "{message}");
            assert!(server.take().is_empty(), "{content:?}");
        }
    }
}
