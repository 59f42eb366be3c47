//! What a store refuses gets its reason, and advice that names what is missing.

use serde_json::json;

use super::{
    aws::{MAY, write_export},
    server::{Fault, Server},
    *,
};

#[tokio::test]
async fn refusals_have_their_reasons() {
    for (place, status, code, want) in [
        (
            "list-type=2",
            403,
            "AccessDenied",
            "forbidden: GET HOST/billing: 403 AccessDenied, the credential lacks the permission s3:ListBucket on the bucket: said the store",
        ),
        (
            MAY,
            403,
            "AccessDenied",
            "403 AccessDenied, the credential lacks the permission s3:GetObject on the files",
        ),
        (
            "list-type=2",
            404,
            "NoSuchBucket",
            "not_found: GET HOST/billing: 404 NoSuchBucket, there is no such bucket",
        ),
        (MAY, 404, "NoSuchKey", "truncated: "),
        ("list-type=2", 403, "InvalidAccessKeyId", "unauthorized: "),
        (
            "list-type=2",
            403,
            "SignatureDoesNotMatch",
            "unauthorized: ",
        ),
        (
            "list-type=2",
            400,
            "ExpiredToken",
            "unauthorized: GET HOST/billing: 400 ExpiredToken, the session token has expired",
        ),
        (
            "list-type=2",
            403,
            "RequestTimeTooSkewed",
            "the clock of this machine is wrong",
        ),
        (
            "list-type=2",
            301,
            "PermanentRedirect",
            "upstream_error: GET HOST/billing: 301 PermanentRedirect, the bucket is elsewhere; set region",
        ),
        (MAY, 416, "InvalidRange", "truncated: "),
        ("list-type=2", 400, "InvalidArgument", "upstream_error: "),
    ] {
        let server = Server::start().await;
        write_export(&server);
        server.fault(place, 9, Fault::Refuse(status, code));
        let error = error(&*account(&server, &json!({}))).await;
        let error = error.replace(&server.url, "HOST");
        assert!(error.contains(want), "{status} {code}: {error}");
    }
}

#[tokio::test]
async fn busy_store_is_asked_again() {
    let server = Server::start().await;
    write_export(&server);
    server.fault("list-type=2", 1, Fault::Refuse(503, "SlowDown"));
    server.fault(MAY, 1, Fault::Refuse(500, "InternalError"));
    let fetch = poll(&*account(&server, &json!({})), &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "50");
}

#[tokio::test]
async fn store_that_stays_busy_is_rate_limited() {
    tokio::time::pause();
    let server = Server::start().await;
    server.fault("list-type=2", 9, Fault::Refuse(503, "SlowDown"));
    let error = error(&*account(&server, &json!({}))).await;
    assert!(error.starts_with("rate_limited: "), "{error}");
    assert_eq!(server.take_lines().len(), 4);
}

#[tokio::test]
async fn repeated_credential_is_not_shown() {
    let server = Server::start().await;
    let body = format!(
        "<Error><Code>InvalidAccessKeyId</Code><Message>unknown {KEY_ID}</Message><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId></Error>"
    );
    server.fault("list-type=2", 1, Fault::Answer(403, body));
    let error = error(&*account(&server, &json!({}))).await;
    assert!(error.contains("InvalidAccessKeyId"), "{error}");
    assert!(!error.contains(KEY_ID), "{error}");
}

#[tokio::test]
async fn keys_are_read_at_every_request() {
    let server = Server::start().await;
    write_export(&server);
    let account = account(&server, &json!({}));
    std::fs::write(account.secrets[0].path(), "AKIAEXAMPLE000000002").unwrap();
    poll(&*account, &Deliveries::default()).await.unwrap();
    let headers = server.state().headers[0].clone();
    let authorization = headers["authorization"].to_str().unwrap().to_owned();
    assert!(authorization.contains("AKIAEXAMPLE000000002"));
    std::fs::remove_file(account.secrets[1].path()).unwrap();
    server.take_lines();
    let error = error(&*account).await;
    assert!(
        error.starts_with("unauthorized: the credential is not available"),
        "{error}"
    );
    assert!(server.take_lines().is_empty());
}

#[tokio::test]
async fn key_that_no_header_can_hold_is_an_error() {
    let server = Server::start().await;
    let account = account(&server, &json!({}));
    std::fs::write(account.secrets[0].path(), "AKIÄ").unwrap();
    let error = error(&*account).await;
    assert!(error.starts_with("unauthorized: "), "{error}");
    assert!(server.take_lines().is_empty());
}

#[tokio::test]
async fn session_token_is_sent() {
    let server = Server::start().await;
    write_export(&server);
    let token = secret("session-token-0001");
    let account = account(&server, &json!({"session_token_file": token.path()}));
    poll(&*account, &Deliveries::default()).await.unwrap();
    let headers = server.state().headers[0].clone();
    assert_eq!(headers["x-amz-security-token"], "session-token-0001");
}

#[tokio::test]
async fn anonymous_requests_are_not_signed() {
    let server = Server::start().await;
    write_export(&server);
    let entry = ProviderEntry::of::<Config>();
    let section = json!({
        "location": "s3://billing/exports", "endpoint": server.url, "credentials": "anonymous",
        "costs": ["billed"],
    });
    let account = build_entry(&entry, section, &[]).unwrap();
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "50");
    let headers = server.state().headers.clone();
    assert!(
        headers
            .iter()
            .all(|headers| !headers.contains_key("authorization"))
    );
}

#[tokio::test]
async fn store_that_is_down_is_unreachable() {
    let entry = ProviderEntry::of::<Config>();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    tokio::time::pause();
    let section = json!({
        "location": "s3://billing/exports", "endpoint": url, "credentials": "anonymous",
    });
    let account = build_entry(&entry, section, &[]).unwrap();
    let error = error(&*account).await;
    assert!(
        error.starts_with("unreachable: GET http://127.0.0.1"),
        "{error}"
    );
}

#[tokio::test]
async fn page_of_a_listing_is_bounded() {
    let server = Server::start().await;
    let page = format!(
        "<ListBucketResult>{}</ListBucketResult>",
        " ".repeat(17 << 20)
    );
    server.fault("list-type=2", 1, Fault::Answer(200, page));
    let error = error(&*account(&server, &json!({}))).await;
    assert!(error.starts_with("too_large: "), "{error}");
}
