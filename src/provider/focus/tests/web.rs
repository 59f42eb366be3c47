//! One file of a web server: what is requested, what shows that it is unchanged, and what the server may refuse.

use serde_json::json;

use super::{
    web_server::{Web, response},
    *,
};

pub(super) const TOKEN: &str = "glc_eyJvIjoiMTIzIiwibiI6ImZvY3VzLXRva2VuIn0";
pub(super) const PATH: &str = "api/orgs/acme/focus";

/// An account over one file of a server.
pub(super) fn web_account(web: &Web, path: &str, token: &str) -> Account {
    let secrets = [secret(token), secret("unused")];
    let section = json!({
        "location": format!("{}/{path}", web.url),
        "bearer_token_file": secrets[0].path(),
        "costs": ["billed"],
    });
    let entry = ProviderEntry::of::<Config>();
    Account {
        provider: build_entry(&entry, section, &[]).unwrap(),
        secrets,
    }
}

pub(super) fn rows() -> Vec<u8> {
    csv(&[("2026-04", "web", 1.0), ("2026-05", "web", 2.0)])
}

#[tokio::test]
async fn file_is_requested_once_a_poll_and_read_where_it_changed() {
    let web = Web::start().await;
    web.sends(response("200 OK", &[("ETag", "\"one\"")], &rows()));
    let account = web_account(&web, PATH, TOKEN);
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(first.total(), "3");
    assert_eq!(first.sink.reported, ["2026-04", "2026-05"]);
    let heads = web.take_heads();
    assert_eq!(heads.len(), 1);
    let head = &heads[0];
    assert!(
        head.starts_with("get /api/orgs/acme/focus http/1.1\r\n"),
        "{head}"
    );
    let bearer = format!("authorization: bearer {}\r\n", TOKEN.to_ascii_lowercase());
    assert!(head.contains(&bearer), "{head}");
    assert!(head.contains("accept-encoding: identity\r\n"), "{head}");
    let second = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(second.unchanged(), ["2026-04", "2026-05"]);
    web.sends(response("200 OK", &[("ETag", "\"two\"")], &rows()));
    let third = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(third.total(), "3");
    let heads = web.take_heads();
    assert_eq!(heads.len(), 2);
    // A server is never asked to answer that nothing has changed.
    assert!(heads.iter().all(|head| !head.contains("if-")), "{heads:?}");
}

#[tokio::test]
async fn marks_of_a_response_tell_whether_it_is_unchanged() {
    let long_ago = ("Last-Modified", "Fri, 01 May 2026 06:00:00 GMT");
    for (headers, is_same) in [
        (&[("ETag", "\"a\"")][..], true),
        // The same content in another form is the same.
        (&[("ETag", "W/\"a\""), long_ago], true),
        (&[long_ago], true),
        // It may be written again in the same second.
        (&[("Last-Modified", "Fri, 29 May 2026 11:59:30 GMT")], false),
        (&[("Last-Modified", "yesterday")], false),
        (&[("ETag", "")], false),
        (&[], false),
    ] {
        let web = Web::start().await;
        web.sends(response("200 OK", headers, &rows()));
        let secrets = [secret(TOKEN), secret("")];
        let section = json!({
            "location": format!("{}/{PATH}", web.url),
            "bearer_token_file": secrets[0].path(),
            "costs": ["billed"],
        });
        let clock = crate::clock::Clock::from_fn(|| "2026-05-29T12:00:00Z".parse().unwrap());
        let entry = ProviderEntry::of::<Config>();
        let provider = build_at(&entry, section, &[], clock, &|_| None).unwrap();
        let first = poll(&*provider, &Deliveries::default()).await.unwrap();
        let second = poll(&*provider, &first.known()).await.unwrap();
        assert_eq!(!second.unchanged().is_empty(), is_same, "{headers:?}");
        assert_eq!(
            second.total(),
            if is_same { "-0" } else { "3" },
            "{headers:?}"
        );
        let delivered = first.known().into_values().next().unwrap().delivered;
        let want = match headers {
            [.., (_, time)] if time.ends_with("06:00:00 GMT") => "2026-05-01T06:00:00Z",
            [.., (_, time)] if time.ends_with("11:59:30 GMT") => "2026-05-29T11:59:30Z",
            _ => "2026-05-29T12:00:00Z",
        };
        assert_eq!(delivered.to_string(), want, "{headers:?}");
        assert_eq!(web.take_lines().len(), 2);
    }
}

#[tokio::test]
async fn month_without_rows_is_withheld() {
    let web = Web::start().await;
    let rows = csv(&[("2026-04", "web", 1.0)]);
    web.sends(response("200 OK", &[("ETag", "\"a\"")], &rows));
    let account = web_account(&web, "costs.csv", TOKEN);
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.sink.reported, ["2026-04"]);
    assert_eq!(fetch.sink.withheld, ["2026-05"]);
}

#[tokio::test]
async fn name_of_the_file_does_not_matter() {
    for path in ["_focus", ".focus", "a/focus.dat", "a b/f%20g.csv"] {
        let web = Web::start().await;
        web.sends(response("200 OK", &[], &rows()));
        let account = web_account(&web, path, TOKEN);
        let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(fetch.total(), "3", "{path}");
    }
}

#[tokio::test]
async fn without_a_token_none_is_sent() {
    let web = Web::start().await;
    web.sends(response("200 OK", &[], &rows()));
    let section = json!({"location": format!("{}/costs.csv", web.url), "costs": ["billed"]});
    let entry = ProviderEntry::of::<Config>();
    let provider = build_entry(&entry, section, &[]).unwrap();
    assert_eq!(
        poll(&*provider, &Deliveries::default())
            .await
            .unwrap()
            .total(),
        "3"
    );
    assert!(!web.take_heads()[0].contains("authorization"));
    web.sends(response("401 Unauthorized", &[], b"who are you"));
    let error = error(&*provider).await;
    assert!(error.starts_with("unauthorized: "), "{error}");
    assert!(
        error.contains("401, the server wants a token; set bearer_token_file"),
        "{error}"
    );
}

#[tokio::test]
async fn token_is_read_again_for_every_request() {
    let web = Web::start().await;
    web.sends(response("200 OK", &[], &rows()));
    let account = web_account(&web, PATH, "first-token-0001");
    poll(&*account, &Deliveries::default()).await.unwrap();
    std::fs::write(account.secrets[0].path(), "second-token-0002").unwrap();
    poll(&*account, &Deliveries::default()).await.unwrap();
    assert!(web.take_heads()[1].contains("authorization: bearer second-token-0002\r\n"));
    std::fs::write(account.secrets[0].path(), "").unwrap();
    let error = error(&*account).await;
    assert!(
        error.starts_with("unauthorized: the credential is not available"),
        "{error}"
    );
    assert!(web.take_heads().is_empty());
}

#[tokio::test]
async fn refusals_have_their_reasons_and_no_token() {
    for (status, body, want) in [
        (
            "401 Unauthorized",
            "{\"message\": \"token expired\"}",
            "unauthorized: GET HOST/api/orgs/acme/focus: 401, the bearer token was refused; it may have expired, so put a new one in the place of the old one: {\"message\": \"token expired\"}",
        ),
        (
            "403 Forbidden",
            "",
            "forbidden: GET HOST/api/orgs/acme/focus: 403, the bearer token lacks the permission to read the file",
        ),
        (
            "404 Not Found",
            "<html>",
            "not_found: GET HOST/api/orgs/acme/focus: 404, there is no such file, or the token may not see it; check location",
        ),
        (
            "410 Gone",
            "",
            "not_found: GET HOST/api/orgs/acme/focus: 410, there is no such file, or the token may not see it; check location",
        ),
        (
            "400 Bad Request",
            "no",
            "upstream_error: GET HOST/api/orgs/acme/focus: 400, the server refused the request: no",
        ),
        (
            "204 No Content",
            "",
            "upstream_error: GET HOST/api/orgs/acme/focus: 204, no file in the response",
        ),
        (
            "304 Not Modified",
            "",
            "upstream_error: GET HOST/api/orgs/acme/focus: 304, the file is elsewhere; set location to where it is",
        ),
        (
            "206 Partial Content",
            "BilledCost",
            "truncated: GET HOST/api/orgs/acme/focus: 206, only a part of the file",
        ),
    ] {
        let web = Web::start().await;
        web.sends(response(status, &[], body.as_bytes()));
        let error = error(&*web_account(&web, PATH, TOKEN)).await;
        assert_eq!(error.replace(&web.url, "HOST"), want);
    }
}

#[tokio::test]
async fn failures_of_the_server_are_tried_again() {
    for (status, headers, want) in [
        (
            "429 Too Many Requests",
            &[("Retry-After", "3600")][..],
            "rate_limited: ",
        ),
        (
            "503 Service Unavailable",
            &[("Retry-After", "3600")],
            "rate_limited: ",
        ),
        ("500 Internal Server Error", &[], "upstream_error: "),
        ("408 Request Timeout", &[], "timeout: "),
    ] {
        let web = Web::start().await;
        let refusal = response(status, headers, b"");
        web.sends(refusal);
        let error = error(&*web_account(&web, PATH, TOKEN)).await;
        assert!(error.starts_with(want), "{error}");
        // A long pause is left to the next poll.
        let requests = web.take_lines().len();
        assert_eq!(requests > 1, headers.is_empty(), "{status}: {requests}");
    }
}

#[tokio::test]
async fn response_that_repeats_the_token_is_not_shown() {
    let web = Web::start().await;
    for body in [
        format!("the token {TOKEN} has expired"),
        format!("the token {} has expired", &TOKEN[..20]),
    ] {
        web.sends(response("401 Unauthorized", &[], body.as_bytes()));
        let error = error(&*web_account(&web, PATH, TOKEN)).await;
        assert!(error.ends_with("in the place of the old one"), "{error}");
    }
}

#[tokio::test]
async fn redirect_to_another_host_is_refused_with_its_name() {
    let (web, other) = (Web::start().await, Web::start().await);
    other.sends(response("200 OK", &[], &rows()));
    let account = web_account(&web, PATH, TOKEN);
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let target = format!("{}/signed/costs.csv?sig=abcdef", other.url);
        web.sends(response(status, &[("Location", &target)], b""));
        let error = error(&*account).await;
        assert!(error.starts_with("upstream_error: "), "{error}");
        let want = format!(
            "the file is elsewhere; redirects are not followed, so that no token reaches another host, which is {}; set location to where the file is",
            other.url
        );
        assert!(error.ends_with(&want), "{error}");
    }
    // On the same host, its path helps.
    web.sends(response(
        "302 Found",
        &[("Location", "/v2/costs.csv?x=1")],
        b"",
    ));
    let error = error(&*account).await;
    let want = format!("so set location to {}/v2/costs.csv", web.url);
    assert!(error.ends_with(&want), "{error}");
    // A target that holds the token is not shown.
    let target = format!("/login/{TOKEN}");
    web.sends(response("302 Found", &[("Location", &target)], b""));
    let error = super::error(&*account).await;
    assert!(
        error.ends_with("the file is elsewhere; set location to where it is"),
        "{error}"
    );
    assert!(other.take_heads().is_empty());
}

#[test]
fn keys_must_fit_an_https_location() {
    for (section, want) in [
        (
            json!({"location": "https://example.com/focus", "layout": "append"}),
            "accounts.test.layout: must be files, or be left out, for https://",
        ),
        (
            json!({"location": "https://example.com/focus", "layout": "auto"}),
            "accounts.test.layout: must be files, or be left out, for https://",
        ),
        (
            json!({"location": "https://example.com/focus", "credentials": "keys"}),
            "accounts.test.credentials: is for s3:// and az:// and gs:// only",
        ),
        (
            json!({"location": "https://example.com/focus", "bearer_token_file": "a", "bearer_token_env": "b"}),
            "accounts.test.bearer_token_env: only one of bearer_token_file and bearer_token_env may be given",
        ),
        (
            json!({"location": "http://example.com/focus"}),
            "accounts.test.location: must be https; plain http is for loopback only",
        ),
        (
            json!({"location": "https://example.com"}),
            "accounts.test.location: must name a file: https://HOST/PATH",
        ),
        (
            json!({"location": "s3://billing/x", "region": "eu-central-1", "credentials": "anonymous", "bearer_token_env": "b"}),
            "accounts.test.bearer_token_env: is for https:// only",
        ),
    ] {
        assert_eq!(errors(section), want);
    }
}
