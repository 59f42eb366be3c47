//! Buckets of Google Cloud Storage: a scheduled query's files by month, pages, refusals, and what its keys may be.

use std::io::Write as _;

use serde_json::json;

use super::{
    server::{Fault, Server},
    *,
};

const APRIL: &str = "2026-04/000000000000.csv.gz";
const MAY: &str = "2026-05/000000000000.csv.gz";
const MAY_2: &str = "2026-05/000000000001.csv.gz";

/// A public bucket, with further keys or others.
fn public(server: &Server, more: &Value) -> Box<dyn Provider> {
    let mut section = json!({
        "location": "gs://billing/exports/{month}", "layout": "files", "endpoint": server.url,
        "credentials": "anonymous", "costs": ["billed"],
    });
    for (key, value) in more.as_object().unwrap() {
        section[key] = value.clone();
    }
    build_entry(&ProviderEntry::of::<Config>(), section, &[]).unwrap()
}

fn zipped(rows: &[(&str, &str, f64)]) -> Vec<u8> {
    let level = flate2::Compression::default();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
    encoder.write_all(&csv(rows)).unwrap();
    encoder.finish().unwrap()
}

/// What a scheduled query has written: a file of April, and two of May.
fn write_months(server: &Server) {
    server.put(
        APRIL,
        zipped(&[("2026-04", "a", 7.0)]),
        "2026-05-28T06:00:00Z",
    );
    server.put(
        MAY,
        zipped(&[("2026-05", "a", 20.0)]),
        "2026-05-28T06:00:00Z",
    );
    server.put(
        MAY_2,
        zipped(&[("2026-05", "b", 30.0)]),
        "2026-05-28T06:00:00Z",
    );
}

#[tokio::test]
async fn months_of_a_scheduled_query_are_read() {
    let server = Server::start().await;
    write_months(&server);
    server.put(
        "2026-03/000000000000.csv.gz",
        "not read",
        "2026-04-20T06:00:00Z",
    );
    let account = public(&server, &json!({}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "57");
    let lines = server.take_lines();
    let list = |month| format!("GET /billing?list-type=2&prefix=exports/{month}/");
    assert!(lines.contains(&list("2026-04")) && lines.contains(&list("2026-05")));
    assert_eq!(lines.len(), 5, "{lines:?}");
    // Nothing new: the two lists alone.
    let again = poll(&*account, &fetch.known()).await.unwrap();
    assert_eq!(again.unchanged(), ["2026-04", "2026-05"]);
    assert_eq!(server.take_lines().len(), 2);
    // The query has run again, and one of its files is another one now.
    server.put(
        MAY,
        zipped(&[("2026-05", "a", 21.0)]),
        "2026-05-29T06:00:00Z",
    );
    let next = poll(&*account, &fetch.known()).await.unwrap();
    assert_eq!(next.unchanged(), ["2026-04"]);
    assert_eq!(next.total(), "51");
}

#[tokio::test]
async fn compressed_files_are_read_as_they_are_stored() {
    let server = Server::start().await;
    write_months(&server);
    server.state().compressed = true;
    let fetch = poll(&*public(&server, &json!({})), &Deliveries::default()).await;
    assert_eq!(fetch.unwrap().total(), "57");
    let state = server.state();
    for (line, headers) in state.lines.iter().zip(&state.headers) {
        let want = if line.contains("list-type") {
            "identity"
        } else {
            "gzip"
        };
        assert_eq!(headers["accept-encoding"], want, "{line}");
        assert!(!headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn all_pages_of_a_list_are_read() {
    let server = Server::start().await;
    for number in 0..7 {
        let name = format!("2026-05/{number:012}.csv.gz");
        server.put(
            &name,
            zipped(&[("2026-05", "a", 3.0)]),
            "2026-05-28T06:00:00Z",
        );
    }
    server.state().page = 2;
    let account = public(&server, &json!({}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "21");
    let lines = server.take_lines();
    let pages = lines
        .iter()
        .filter(|line| line.contains("prefix=exports/2026-05/"));
    assert_eq!(pages.count(), 4);
    // A page that is cut off is no shorter list.
    server.fault(
        "continuation-token",
        9,
        Fault::Answer(
            200,
            "<ListBucketResult><Contents><Key>exports/2026-05/x.csv".to_owned(),
        ),
    );
    let error = error(&*account).await;
    assert!(error.starts_with("truncated: "), "{error}");
}

#[tokio::test]
async fn replaced_file_is_not_mixed_with_others() {
    for careless in [false, true] {
        let server = Server::start().await;
        write_months(&server);
        server.state().careless = careless;
        // Of the same length, so that only its version shows it.
        let other = zipped(&[("2026-05", "b", 90.0)]);
        server.fault(MAY_2, 1, Fault::Replace(other));
        let account = public(&server, &json!({}));
        let found = error(&*account).await;
        assert!(found.starts_with("truncated: "), "{found}");
        let want = if careless {
            "is another file now"
        } else {
            ": 412 PreconditionFailed, the file was replaced"
        };
        assert!(found.contains(want), "{found}");
        let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(fetch.total(), "117");
    }
}

#[tokio::test]
async fn refusals_have_their_reasons() {
    let xml = |code: &str, details: &str| {
        format!(
            "<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>said.</Message><Details>{details}</Details></Error>"
        )
    };
    let json = |code: u16, reason: &str, message: &str| {
        json!({"error": {"code": code, "message": message, "errors": [{"reason": reason, "message": message}]}}).to_string()
    };
    let list = "list-type=2";
    for (place, status, body, want) in [
        (
            list,
            401,
            xml("AuthenticationRequired", ""),
            "unauthorized: GET HOST/billing: 401 AuthenticationRequired, the credential was refused: said.",
        ),
        (
            list,
            401,
            json(401, "authError", "Invalid Credentials"),
            "unauthorized: GET HOST/billing: 401 authError, the credential was refused: Invalid Credentials",
        ),
        (
            list,
            403,
            xml(
                "AccessDenied",
                "a@p does not have storage.objects.list access.",
            ),
            "forbidden: GET HOST/billing: 403 AccessDenied, the credential lacks the permission storage.objects.list on the bucket: the role Storage Object Viewer (roles/storage.objectViewer) has it: said. a@p does not have storage.objects.list access.",
        ),
        (
            MAY,
            403,
            xml("AccessDenied", ""),
            "the permission storage.objects.get on the files",
        ),
        (
            list,
            403,
            json(403, "forbidden", "no"),
            "forbidden: GET HOST/billing: 403 forbidden, the credential lacks the permission",
        ),
        (
            list,
            403,
            xml(
                "UserProjectAccountProblem",
                "The billing account for the owning project is disabled in state absent",
            ),
            "forbidden: GET HOST/billing: 403 UserProjectAccountProblem, the billing of the bucket's project is switched off",
        ),
        (
            list,
            403,
            json(403, "accountDisabled", "disabled"),
            "the billing of the bucket's project is switched off",
        ),
        (
            list,
            400,
            xml("UserProjectMissing", ""),
            "forbidden: GET HOST/billing: 400 UserProjectMissing, the bucket bills whoever reads it",
        ),
        (
            MAY,
            403,
            xml("CloudKmsDisabledKey", ""),
            "the key that the files are encrypted with cannot be used",
        ),
        (
            list,
            404,
            xml("NoSuchBucket", ""),
            "not_found: GET HOST/billing: 404 NoSuchBucket, there is no such bucket",
        ),
        (
            list,
            404,
            json(404, "notFound", "gone"),
            "not_found: GET HOST/billing: 404 notFound, there is no such bucket",
        ),
        (MAY, 404, xml("NoSuchKey", ""), "truncated: "),
        (
            list,
            200,
            json(200, "", ""),
            "malformed: GET /billing: the response is not a list of files",
        ),
    ] {
        let server = Server::start().await;
        write_months(&server);
        server.fault(place, 9, Fault::Answer(status, body));
        let error = error(&*public(&server, &json!({}))).await;
        let error = error.replace(&server.url, "HOST");
        assert!(error.contains(want), "{status}: {error}");
    }
}

#[tokio::test]
async fn busy_store_is_asked_again() {
    tokio::time::pause();
    for (status, code) in [
        (429, "SlowDown"),
        (503, "ServiceUnavailable"),
        (403, "rateLimitExceeded"),
    ] {
        let server = Server::start().await;
        write_months(&server);
        server.fault("list-type=2", 1, Fault::Refuse(status, code));
        let account = public(&server, &json!({}));
        let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(fetch.total(), "57");
        server.fault("list-type=2", 9, Fault::Refuse(status, code));
        let error = error(&*account).await;
        assert!(error.starts_with("rate_limited: "), "{error}");
    }
}

#[test]
fn keys_must_fit_the_store() {
    let key = secret("{}");
    for (more, want) in [
        (
            json!({"credentials": "keys"}),
            "service_account_file: is required",
        ),
        (
            json!({"credentials": "keys", "service_account_file": ""}),
            "service_account_file: must not be empty",
        ),
        (
            json!({"service_account_file": key.path()}),
            "service_account_file: is for credentials: keys only",
        ),
        (json!({"region": "eu"}), "region: is for s3:// only"),
        (
            json!({"endpoint": "http://storage.example.com"}),
            "endpoint: must be https",
        ),
        (
            json!({"location": "s3://billing/x", "region": "eu", "credentials": "keys", "service_account_file": key.path()}),
            "service_account_file: is for gs:// only",
        ),
    ] {
        let mut section = json!({"location": "gs://billing/exports", "layout": "files", "credentials": "anonymous"});
        for (key, value) in more.as_object().unwrap() {
            section[key] = value.clone();
        }
        let errors = errors(section);
        assert!(
            errors.contains(&format!("accounts.test.{want}")),
            "{errors}"
        );
    }
}

#[tokio::test]
async fn hmac_keys_are_used_by_s3() {
    let server = Server::start().await;
    write_months(&server);
    let account = account(
        &server,
        &json!({"location": "s3://billing/exports/{month}", "layout": "files", "region": "auto"}),
    );
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "57");
    let state = server.state();
    assert!(
        state
            .lines
            .iter()
            .all(|line| line.starts_with("GET /billing"))
    );
    for headers in &state.headers {
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/")));
        assert!(
            authorization.contains("/auto/s3/aws4_request, "),
            "{authorization}"
        );
    }
}
