//! Credentials are read again when they are used: one that was replaced needs no restart.

use std::time::Duration;

use cloudspend_exporter::error::Reason;

use super::{
    account::{Bench, Manner, secret},
    apis::{ACTIVEPLATFORM, Case, ENUBE, LICENCES, MIKE_FIRST_PAGE, OTC_LINES, Version},
    server::{Reply, Seen, Server},
};

/// Good answers to who knows a secret: by a header, or by a login whose token begins with it.
fn to_who_knows(case: Case, secret: &'static str) -> impl FnMut(&Seen) -> Reply + Send + 'static {
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
async fn a_replaced_credential_takes_effect_without_a_restart() {
    for case in [OTC_LINES, ENUBE, LICENCES, ACTIVEPLATFORM, MIKE_FIRST_PAGE] {
        let file = secret("s3cret-of-january\n");
        let server = Server::start(to_who_knows(case, "s3cret-of-january")).await;
        let section = (case.section)(&server.url(), file.path().to_str().unwrap());
        let bench = Bench::new(&section, Manner::once());
        bench.poll().await;
        assert_eq!(bench.failure(), None, "{}", case.name);
        let good = bench.shown();

        // The API forgets the old one before the file is replaced, and at a login it is the old one that is sent.
        server.now(to_who_knows(case, "s3cret-of-february"));
        bench.later(Duration::from_mins(1));
        bench.poll().await;
        assert_eq!(bench.reason(), Some(Reason::Unauthorized), "{}", case.name);
        assert_eq!(bench.shown(), good, "{}", case.name);

        std::fs::write(file.path(), "s3cret-of-february\n").unwrap();
        bench.later(Duration::from_mins(1));
        bench.poll().await;
        assert_eq!(bench.failure(), None, "{}", case.name);
        assert_eq!(bench.shown(), good, "{}", case.name);
    }
}

#[tokio::test]
async fn a_credential_that_is_gone_or_empty_fails_without_a_request() {
    for case in [OTC_LINES, ENUBE, LICENCES] {
        for content in [None, Some(""), Some(" \n"), Some("two\nlines")] {
            let file = secret("s3cret-of-january");
            let server = Server::start(|_| Reply::default()).await;
            let section = (case.section)(&server.url(), file.path().to_str().unwrap());
            let bench = Bench::new(&section, Manner::once());
            match content {
                Some(content) => std::fs::write(file.path(), content).unwrap(),
                None => std::fs::remove_file(file.path()).unwrap(),
            }
            bench.poll().await;
            let (reason, message) = bench.failure().expect("nothing can be sent");
            assert_eq!(reason, Reason::Unauthorized, "{content:?}");
            assert!(message.contains(file.path().to_str().unwrap()), "{message}");
            assert!(server.take().is_empty(), "{content:?}");
        }
    }
}
