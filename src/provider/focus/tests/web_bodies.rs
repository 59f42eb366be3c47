//! One file of a web server: bodies that do not come whole, one file for each month, Parquet, TLS.

use std::io::Write as _;

use super::{
    web::{PATH, TOKEN, rows, web_account},
    web_server::{Web, bare, chunked, response},
    *,
};
use crate::{
    account,
    clock::Clock,
    config::{self, ShardFlags, Sources},
    provider::focus::test_support::zipped,
};

/// The accounts of a configuration that is written as an operator does.
fn loaded(folder: &tempfile::TempDir, yaml: &str) -> Arc<account::Account> {
    let file = folder.path().join("config.yml");
    std::fs::write(&file, yaml).unwrap();
    let sources = Sources {
        file: Some(file),
        environment: Vec::new(),
        log_level: None,
        shard: ShardFlags::default(),
    };
    let clock = Clock::from_fn(|| "2026-05-29T12:00:00Z".parse().unwrap());
    let config = config::load(&sources, &clock, &mut |_| Arc::default()).unwrap();
    Arc::new(config.accounts.into_iter().next().unwrap())
}

#[tokio::test]
async fn body_whose_end_nothing_tells_must_tell_it_itself() {
    let web = Web::start().await;
    let account = web_account(&web, PATH, TOKEN);
    web.sends(bare(&[], &rows()));
    let error = error(&*account).await;
    assert_eq!(
        error,
        "truncated: focus: nothing says where the file ends, so it cannot be known to be complete; send it with its length or in chunks, or compress it with gzip"
    );
    for whole in [
        bare(&[], &zipped(&rows())),
        bare(&[("Content-Encoding", "gzip")], &zipped(&rows())),
        chunked(&[], &rows()),
        chunked(&[("Content-Type", "text/csv")], &zipped(&rows())),
        response("200 OK", &[("Content-Encoding", "gzip")], &zipped(&rows())),
    ] {
        web.sends(whole);
        let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(fetch.total(), "3");
    }
}

#[tokio::test]
async fn body_that_is_cut_anywhere_is_an_error() {
    let web = Web::start().await;
    let account = web_account(&web, PATH, TOKEN);
    for whole in [
        response("200 OK", &[], &rows()),
        chunked(&[], &rows()),
        bare(&[], &zipped(&rows())),
    ] {
        let head = whole
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        // Within a row, between two of them, and one byte before the end.
        let body = whole.len() - head;
        for kept in [1, 4, body / 3, body / 2, body - 80, body - 1] {
            web.sends(whole[..head + kept].to_vec());
            let error = error(&*account).await;
            assert!(
                error.starts_with("truncated: "),
                "{kept} of {body}: {error}"
            );
        }
        web.sends(whole);
        let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(fetch.total(), "3");
    }
}

#[tokio::test]
async fn response_that_is_no_file_is_refused() {
    let web = Web::start().await;
    let account = web_account(&web, PATH, TOKEN);
    for (headers, body, want) in [
        (
            &[("Content-Type", "text/html; charset=utf-8")][..],
            "<html>log in</html>",
            "malformed: GET HOST/api/orgs/acme/focus: the response is a web page; location must be the address of the file",
        ),
        (
            &[("Content-Type", "application/json")],
            "{}",
            "malformed: GET HOST/api/orgs/acme/focus: the response is JSON; CSV, CSV with gzip, and Parquet can be read",
        ),
        (
            &[("Content-Encoding", "br")],
            "x",
            "malformed: GET HOST/api/orgs/acme/focus: the response is compressed, but not with gzip",
        ),
        (
            &[],
            "",
            "truncated: GET HOST/api/orgs/acme/focus: the response is empty",
        ),
        (
            &[],
            "a,b\n1,2\n",
            "malformed: focus: no FOCUS cost and usage dataset, missing columns: BilledCost, BillingCurrency, BillingPeriodEnd, BillingPeriodStart, ChargeCategory, ChargePeriodStart; if the export has other names for them, set columns",
        ),
    ] {
        web.sends(response("200 OK", headers, body.as_bytes()));
        assert_eq!(error(&*account).await.replace(&web.url, "HOST"), want);
    }
    // Nothing, and less than shows what a file is.
    web.sends(chunked(&[], b""));
    assert_eq!(
        error(&*account).await,
        "malformed: focus: the file has no header line"
    );
    for body in [&b"a"[..], b"PAR", b"\x1f\x8b"] {
        web.sends(chunked(&[], body));
        let error = error(&*account).await;
        assert!(
            error.starts_with("malformed: focus: ") || error.starts_with("truncated: focus: "),
            "{error}"
        );
    }
}

#[tokio::test]
async fn file_for_each_month_is_one_request_a_month() {
    let web = Web::start().await;
    let folder = tempfile::tempdir().unwrap();
    // Responses that wait to be read do not keep others from being requested.
    let yaml = format!(
        "accounts: {{grafana: {{provider: focus, location: '{}/focus/{{month}}.csv', costs: [billed], concurrency: 1}}}}",
        web.url
    );
    let account = loaded(&folder, &yaml);
    web.says(|head| {
        let month = if head.contains("2026-04") {
            "2026-04"
        } else {
            "2026-05"
        };
        let etag = format!("\"{month}\"");
        let rows = csv(&[(month, "web", 2.0), ("2026-03", "web", 64.0)]);
        response("200 OK", &[("ETag", &etag)], &rows)
    });
    let first = poll(&*account.provider, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(first.total(), "4");
    let want = [
        "get /focus/2026-04.csv http/1.1",
        "get /focus/2026-05.csv http/1.1",
    ];
    assert_eq!(web.take_lines(), want);
    let second = poll(&*account.provider, &first.known()).await.unwrap();
    assert_eq!(second.unchanged(), ["2026-04", "2026-05"]);
    assert_eq!(web.take_lines(), want);
    // The current month is not there yet.
    web.says(|head| {
        if head.contains("2026-05") {
            return response("404 Not Found", &[], b"");
        }
        response(
            "200 OK",
            &[("ETag", "\"2026-04\"")],
            &csv(&[("2026-04", "web", 2.0)]),
        )
    });
    let third = poll(&*account.provider, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(third.sink.withheld, ["2026-05"]);
    assert_eq!(third.total(), "2");
    web.sends(response("404 Not Found", &[], b""));
    let error = error(&*account.provider).await;
    assert!(error.starts_with("not_found: "), "{error}");
    assert!(
        error.ends_with("focus/{month}.csv: there is no file below the location"),
        "{error}"
    );
}

#[tokio::test]
async fn response_that_could_not_wait_is_requested_again() {
    let web = Web::start().await;
    let location = format!("{}/focus/{{month}}.csv", web.url);
    let section = serde_json::json!({"location": location, "costs": ["billed"]});
    let entry = ProviderEntry::of::<Config>();
    let provider = build_entry(&entry, section, &[]).unwrap();
    let mut request = poll_on(TODAY);
    request.months.insert(0, "2026-03".parse().unwrap());
    let serve = |changed: bool| {
        move |head: &str| {
            let month = head.split("focus/").nth(1).unwrap()[..7].to_owned();
            let tag = if changed && head.contains("if-match") {
                "\"b\""
            } else {
                "\"a\""
            };
            response("200 OK", &[("ETag", tag)], &csv(&[(&month, "web", 1.0)]))
        }
    };
    web.says(serve(false));
    let none = Deliveries::default();
    provider.parts(&request).await.unwrap();
    let found = fetch(&*provider, "account", &request, &none).await.unwrap();
    assert_eq!(found.total(), "3");
    let heads = web.take_heads();
    assert_eq!(heads.len(), 4);
    assert!(
        heads[3].contains("2026-03") && heads[3].contains("if-match: \"a\""),
        "{heads:?}"
    );
    // It must be the one that was looked at, even if the server does not compare.
    web.says(serve(true));
    provider.parts(&request).await.unwrap();
    let error = fetch(&*provider, "account", &request, &none)
        .await
        .unwrap_err();
    assert_eq!(
        text(&error),
        "truncated: 2026-03.csv: is another file now than before"
    );
}

#[tokio::test]
async fn certificate_is_verified_by_the_account_s_authority() {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
    let web = Web::start_tls(&certificate, &key).await;
    web.sends(response("200 OK", &[], &rows()));
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let mut file = std::fs::File::create(place("ca.pem")).unwrap();
    file.write_all(certificate.as_bytes()).unwrap();
    std::fs::write(place("token"), TOKEN).unwrap();
    let yaml = |more: &str| {
        format!(
            "accounts: {{grafana: {{provider: focus, location: '{}/{PATH}', bearer_token_file: '{}', costs: [billed]{more}}}}}",
            web.url,
            place("token"),
        )
    };
    let account = loaded(&folder, &yaml(&format!(", ca_file: '{}'", place("ca.pem"))));
    let fetch = poll(&*account.provider, &Deliveries::default())
        .await
        .unwrap();
    assert_eq!(fetch.total(), "3");
    let head = web.take_heads().remove(0);
    assert!(head.contains("authorization: bearer glc_"), "{head}");
    // Without it, no token is sent.
    let account = loaded(&folder, &yaml(""));
    let error = error(&*account.provider).await;
    assert!(error.starts_with("tls: "), "{error}");
    assert!(web.take_heads().is_empty());
}
