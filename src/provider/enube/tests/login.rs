//! Both ways to log in, and when there is a new login.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use jiff::Timestamp;
use serde_json::json;

use crate::{
    error::Reason,
    provider::{
        Part,
        enube::login::token,
        test_support::{self, Api},
    },
};

use super::{LOGIN, OAUTH2_TOKEN, account, rocket, sent};

#[test]
fn token_expires_as_the_response_states() {
    let now: Timestamp = "2025-06-25T16:48:58Z".parse().unwrap();
    for (body, want) in [
        (LOGIN, Some("2025-06-26T16:48:58Z")),
        (OAUTH2_TOKEN, Some("2021-06-01T13:52:52Z")),
        (
            r#"{"access_token": "t", "expires_in": "60"}"#,
            Some("2025-06-25T16:49:58Z"),
        ),
        (
            r#"{"access_token": "t", "expires_in": -1}"#,
            Some("2025-06-25T16:48:58Z"),
        ),
        (r#"{"token": "t", "expiresAt": null}"#, None),
    ] {
        let token = token(body.as_bytes(), now).unwrap();
        let got = token.expires.map(|end| end.to_string());
        assert_eq!(got.as_deref(), want, "{body}");
    }
    let endless = token(br#"{"token": "t", "expiresAt": 1e300}"#, now).unwrap();
    assert_eq!(endless.expires, Some(Timestamp::MAX));
}

#[test]
fn error_does_not_quote_the_response() {
    for body in [
        r#""s3cret""#,
        r#"{"token": ["s3cret"]}"#,
        r#"{"token": "", "more": "s3cret"}"#,
        "s3cret",
    ] {
        let error = token(body.as_bytes(), Timestamp::UNIX_EPOCH).unwrap_err();
        assert_eq!(error.reason(), Reason::Malformed, "{body}");
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[tokio::test]
async fn refused_token_is_renewed_once() {
    for (lives, renewed) in [(1, true), (usize::MAX, false)] {
        let logins = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&logins);
        let api = Api::start(move |seen| {
            if seen.line.ends_with("/auth/login") {
                let token = format!("t{}", count.fetch_add(1, Ordering::SeqCst));
                (
                    200,
                    json!({"token": token, "expiresAt": 9_999_999_999_u64}).to_string(),
                )
            } else if (0..lives.min(5))
                .any(|old| seen.header("authorization") == format!("Bearer t{old}"))
            {
                (401, String::new())
            } else {
                (200, "[]".to_owned())
            }
        })
        .await;
        let password = test_support::secret("p4ssw0rd");
        let enube = account(&api.url, &password, json!({"catalogs": []}));
        let got = test_support::fetch(
            &*enube,
            &Part::whole_account(),
            &test_support::poll_on("2024-05-10"),
        )
        .await;
        assert_eq!(got.is_ok(), renewed, "{got:?}");
        if let Err(error) = got {
            assert_eq!(error.reason(), Reason::Unauthorized);
        }
        assert_eq!(logins.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn concurrent_requests_share_one_login() {
    let api = rocket(|_| "[]").await;
    let password = test_support::secret("p4ssw0rd");
    let enube = account(&api.url, &password, json!({"catalogs": []}));
    let poll = test_support::poll_on("2024-05-10");
    let part = Part::whole_account();
    let fetches = (0..4).map(|_| test_support::fetch(&*enube, &part, &poll));
    for got in futures_util::future::join_all(fetches).await {
        got.unwrap();
    }
    let lines = api.lines();
    assert_eq!(lines.len(), 5);
    let logins = lines.iter().filter(|line| line.ends_with("/login")).count();
    assert_eq!(logins, 1, "{lines:?}");
}

#[tokio::test]
async fn basic_login_keeps_a_token_that_seems_expired() {
    let api = Api::start(|seen| {
        let response = if seen.line == "GET /old/oauth2/token" {
            OAUTH2_TOKEN
        } else {
            "[]"
        };
        (200, response.to_owned())
    })
    .await;
    let password = test_support::secret("p4ssw0rd");
    let token_url = format!("{}/old/oauth2/token", api.url);
    let enube = account(
        &api.url,
        &password,
        json!({"auth": "basic", "token_url": token_url, "cloud": "aws"}),
    );
    for _ in 0..2 {
        test_support::fetch(
            &*enube,
            &Part::whole_account(),
            &test_support::poll_on("2024-05-10"),
        )
        .await
        .unwrap();
    }
    let [login, usages, again] = &api.seen()[..] else {
        panic!("{:?}", api.lines());
    };
    assert_eq!(login.header("authorization"), "Basic dXNlcjpwNHNzdzByZA==");
    assert_eq!(usages.line, "POST /aws/usages");
    let token = sent(OAUTH2_TOKEN)["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(usages.header("authorization"), format!("Bearer {token}"));
    assert_eq!(again.line, "POST /aws/usages");
}
