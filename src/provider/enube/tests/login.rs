//! Both ways to log in, and when there is a new login.

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

use super::{LOGIN, OAUTH2_TOKEN, account, sent};

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
