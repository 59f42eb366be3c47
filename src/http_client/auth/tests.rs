//! Tests of logins over a real server: when a token is used again, renewed or discarded, and how failed logins are
//! delayed.

use std::{
    sync::{
        Arc, Mutex as SyncMutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Method;
use url::Url;

use super::*;
use crate::{
    clock::add,
    counters::Counters,
    http_client::{
        Authorities, Bounds, Settings,
        renewal::{MAX_LOGIN_DELAY, MIN_LOGIN_DELAY},
        retry::Backoff,
    },
    provider::test_support::{self, Api, Seen},
    telemetry::error_chain::chain,
};

/// Logs in at `POST /token`, which responds with a token or an error. The token lasts for some seconds, if for any.
#[derive(Debug)]
struct TokenLogin {
    url: Url,
    lifetime: Option<i64>,
}

impl Login for TokenLogin {
    fn login<'a>(
        &'a self,
        http: &'a Http,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Token, ProviderError>> {
        Box::pin(async move {
            let body = http.body(&http.at(Method::POST, self.url.clone())).await?;
            let lifetime = self.lifetime.map(jiff::SignedDuration::from_secs);
            Ok(Token {
                value: SecretString::from(String::from_utf8_lossy(&body).into_owned()),
                expires: lifetime.map(|lifetime| now.checked_add(lifetime).unwrap()),
            })
        })
    }
}

/// A server, an account's client that logs in there, and the account's clock.
struct Bench {
    api: Api,
    http: Http,
    now: Arc<SyncMutex<Timestamp>>,
}

impl Bench {
    /// `respond` gets each request and the number of logins so far.
    async fn start(
        lifetime: Option<i64>,
        respond: impl Fn(&Seen, usize) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Self {
        let logins = Arc::new(AtomicUsize::new(0));
        let api = Api::start(move |seen| {
            if is_login(&seen.line) {
                logins.fetch_add(1, Ordering::SeqCst);
            }
            respond(seen, logins.load(Ordering::SeqCst))
        })
        .await;
        let url = Url::parse(&api.url).unwrap();
        let login = TokenLogin {
            url: url.join("/token").unwrap(),
            lifetime,
        };
        let (http, now) = client(url, Auth::Login(Box::new(login)));
        Self { api, http, now }
    }

    async fn get(&self) -> Result<(), ProviderError> {
        self.http.body(&self.http.get(&["data"])).await.map(drop)
    }

    fn advance(&self, seconds: u64) {
        let mut now = self.now.lock().unwrap();
        *now = add(*now, Duration::from_secs(seconds));
    }

    fn logins(&self) -> usize {
        let lines = self.api.lines();
        lines.iter().filter(|line| is_login(line)).count()
    }
}

fn is_login(line: &str) -> bool {
    line == "POST /token"
}

fn client(base: Url, auth: Auth) -> (Http, Arc<SyncMutex<Timestamp>>) {
    let now = Arc::new(SyncMutex::new("2024-05-10T12:00:00Z".parse().unwrap()));
    let clock = Arc::clone(&now);
    let settings = Settings {
        account: "test".to_owned(),
        requests_per_second: 10_000.0,
        concurrency: 4,
        timeout: Duration::from_mins(2),
        backoff: Backoff {
            attempts: 1,
            ..Backoff::REQUEST
        },
        bounds: Bounds::default(),
        authorities: Authorities::of_process(),
        counters: Arc::new(Counters::default()),
        clock: Clock::from_fn(move || *clock.lock().unwrap()),
    };
    (Http::new(base, auth, settings), now)
}

/// Issues `t1`, `t2`, ... and accepts each of them.
fn accept_all(seen: &Seen, logins: usize) -> (u16, String) {
    if is_login(&seen.line) {
        (200, format!("t{logins}"))
    } else {
        (200, String::new())
    }
}

#[tokio::test]
async fn refused_token_is_renewed_once() {
    for (accepted, renewed) in [("Bearer t2", true), ("none", false)] {
        let bench = Bench::start(None, move |seen, logins| {
            if is_login(&seen.line) || seen.header("authorization") == accepted {
                accept_all(seen, logins)
            } else {
                (401, String::new())
            }
        })
        .await;
        let result = bench.get().await;
        let reason = result.as_ref().err().map(ProviderError::reason);
        assert_eq!(reason, (!renewed).then_some(Reason::Unauthorized));
        assert_eq!(
            bench.api.lines(),
            ["POST /token", "GET /data", "POST /token", "GET /data"]
        );
    }
}

#[tokio::test]
async fn further_401s_wait_for_the_delay() {
    let bench = Bench::start(None, |seen, logins| {
        if is_login(&seen.line) {
            accept_all(seen, logins)
        } else {
            (401, String::new())
        }
    })
    .await;
    for (seconds, logins) in [(0, 2), (0, 2), (29, 2), (1, 3)] {
        bench.advance(seconds);
        assert!(bench.get().await.is_err());
        assert_eq!(bench.logins(), logins, "after {seconds} s");
    }
}

#[tokio::test]
async fn concurrent_requests_share_one_login() {
    let bench = Bench::start(Some(3600), accept_all).await;
    for result in futures_util::future::join_all((0..4).map(|_| bench.get())).await {
        result.unwrap();
    }
    assert_eq!(bench.logins(), 1);
    assert_eq!(bench.api.lines().len(), 5);
}

#[tokio::test]
async fn token_is_renewed_after_nine_tenths() {
    for (lifetime, steps) in [
        (Some(3600), [(0, 1), (3239, 1), (1, 2)]),
        // An expiry in the past or soon does not cost a login for each request.
        (Some(-60), [(0, 1), (29, 1), (1, 2)]),
        (Some(10), [(0, 1), (29, 1), (1, 2)]),
        (None, [(0, 1), (1_000_000, 1), (0, 1)]),
    ] {
        let bench = Bench::start(lifetime, accept_all).await;
        for (seconds, logins) in steps {
            bench.advance(seconds);
            bench.get().await.unwrap();
            assert_eq!(bench.logins(), logins, "{lifetime:?} after {seconds} s");
            let seen = bench.api.seen();
            let sent = seen.last().unwrap().header("authorization").to_owned();
            assert_eq!(sent, format!("Bearer t{logins}"));
        }
    }
}

#[tokio::test]
async fn refused_logins_are_delayed_longer_each_time() {
    let works = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let repaired = Arc::clone(&works);
    let bench = Bench::start(None, move |seen, logins| {
        if repaired.load(Ordering::SeqCst) {
            accept_all(seen, logins)
        } else {
            (401, String::new())
        }
    })
    .await;
    assert!(bench.get().await.is_err());
    let mut logins = 1;
    for delay in [30, 60, 120, 240, 480, 900, 900] {
        for (seconds, more) in [(delay - 1, 0), (1, 1)] {
            bench.advance(seconds);
            logins += more;
            let error = bench.get().await.unwrap_err();
            assert_eq!(error.reason(), Reason::Unauthorized);
            let waits = error.to_string().ends_with("; the next login is in 1s");
            assert_eq!(waits, more == 0, "{error}");
            assert_eq!(bench.logins(), logins, "{delay}");
        }
    }
    works.store(true, Ordering::SeqCst);
    assert!(bench.get().await.is_err());
    bench.advance(900);
    bench.get().await.unwrap();
}

#[tokio::test]
async fn other_failed_logins_keep_the_shortest_delay() {
    let bench = Bench::start(None, |_, _| (500, String::new())).await;
    for (seconds, logins) in [(0, 1), (0, 1), (29, 1), (1, 2), (30, 3), (30, 4)] {
        bench.advance(seconds);
        let error = bench.get().await.unwrap_err();
        assert_eq!(error.reason(), Reason::UpstreamError);
        assert_eq!(bench.logins(), logins, "after {seconds} s");
    }
}

#[tokio::test]
async fn header_secret_is_read_for_every_request() {
    let api = Api::start(|_| (200, String::new())).await;
    let file = test_support::secret("one\n");
    let auth = Auth::Header {
        name: header::AUTHORIZATION,
        prefix: "Key ",
        secret: SecretSource::File(file.path().to_owned()),
    };
    let (http, _) = client(Url::parse(&api.url).unwrap(), auth);
    for secret in ["one", "two"] {
        std::fs::write(file.path(), secret).unwrap();
        http.body(&http.get(&["data"])).await.unwrap();
        let sent = api
            .seen()
            .last()
            .unwrap()
            .header("authorization")
            .to_owned();
        assert_eq!(sent, format!("Key {secret}"));
    }
    std::fs::remove_file(file.path()).unwrap();
    let error = http.body(&http.get(&["data"])).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Unauthorized);
    let want = format!(
        "the credential is not available: cannot read the secret file {}: No such file",
        file.path().display()
    );
    assert!(chain(&error).starts_with(&want), "{}", chain(&error));
    assert_eq!(api.lines().len(), 2);
}

#[test]
fn documented_pauses_are_the_delays() {
    let (least, most) = (MIN_LOGIN_DELAY.as_secs(), MAX_LOGIN_DELAY.as_secs() / 60);
    for page in [
        include_str!("../../../docs/internals.md"),
        include_str!("../../../docs/security.md"),
        include_str!("../../../docs/providers/enube.md"),
    ] {
        assert!(page.contains(&format!("{least} s")));
        assert!(
            page.contains(&format!("further refusal, up to {most} min"))
                || page.contains(&format!(
                    "further refusal doubles the pause, up to {most} min"
                ))
        );
    }
}
