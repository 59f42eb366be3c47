//! Whole or nothing: what changes between two requests, or does not come whole.

use serde_json::json;

use super::{
    aws::{APRIL, EARLY, LATE, MAY, MAY_MANIFEST, manifest, write_export},
    server::{Fault, Server},
    *,
};

#[tokio::test]
async fn file_replaced_after_the_listing_is_truncated() {
    let server = Server::start().await;
    write_export(&server);
    let other = csv(&[("2026-05", "web", 99.0)]);
    server.fault(MAY, 1, Fault::Replace(other));
    let error = error(&*account(&server, &json!({}))).await;
    assert!(
        error.starts_with("truncated: GET http://127.0.0.1"),
        "{error}"
    );
    assert!(
        error.contains("412 PreconditionFailed, the file was replaced"),
        "{error}"
    );
}

#[tokio::test]
async fn part_that_is_tried_again_lists_again() {
    let server = Server::start().await;
    write_export(&server);
    server.fault(MAY, 1, Fault::Replace(csv(&[("2026-05", "web", 99.0)])));
    let account = account(&server, &json!({}));
    let request = poll_on(TODAY);
    account.parts(&request).await.unwrap();
    let none = Deliveries::default();
    fetch(&*account, "exp", &request, &none).await.unwrap_err();
    let again = fetch(&*account, "exp", &request, &none).await.unwrap();
    assert_eq!(again.total(), "139");
    let lists = server.take_lines();
    assert_eq!(
        lists
            .iter()
            .filter(|line| line.contains("list-type=2"))
            .count(),
        2
    );
}

#[tokio::test]
async fn manifest_that_changes_meanwhile_is_truncated() {
    let server = Server::start().await;
    write_export(&server);
    let next = manifest("run-2", &[MAY]);
    let change = Fault::ReplaceAfter(MAY_MANIFEST.to_owned(), next.into_bytes());
    server.fault(MAY, 1, change);
    let error = error(&*account(&server, &json!({}))).await;
    assert!(error.starts_with("truncated: "), "{error}");
    assert!(error.contains("exp-Manifest.json: 412"), "{error}");
}

#[tokio::test]
async fn body_shorter_than_its_length_is_truncated() {
    let server = Server::start().await;
    write_export(&server);
    for length in [1, 170] {
        server.fault(MAY, 1, Fault::Cut(length));
        let error = error(&*account(&server, &json!({}))).await;
        assert!(error.starts_with("truncated: "), "{length}: {error}");
    }
}

#[tokio::test]
async fn list_that_is_cut_off_is_requested_again() {
    let server = Server::start().await;
    write_export(&server);
    let cut = "<ListBucketResult><Contents><Key>exports/exp".to_owned();
    server.fault("list-type=2", 1, Fault::Answer(200, cut));
    let error = error(&*account(&server, &json!({}))).await;
    assert!(error.starts_with("truncated: "), "{error}");
}

#[tokio::test]
async fn page_that_is_no_list_is_not_an_empty_one() {
    let server = Server::start().await;
    write_export(&server);
    server.state().page = 1;
    for body in [
        "<Error><Code>InternalError</Code></Error>",
        "<html>login</html>",
        "",
    ] {
        server.fault("continuation-token", 1, Fault::Answer(200, body.to_owned()));
        let error = error(&*account(&server, &json!({"layout": "files"}))).await;
        assert!(error.starts_with("malformed: "), "{error}");
        assert!(error.contains("not a list of files"), "{error}");
    }
}

#[tokio::test]
async fn weak_etags_are_compared() {
    let server = Server::start().await;
    write_export(&server);
    server.state().weak = true;
    let account = account(&server, &json!({}));
    let first = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(first.total(), "50");
    // The same content under a strong mark is the same delivery.
    server.state().weak = false;
    let second = poll(&*account, &first.known()).await.unwrap();
    assert_eq!(second.unchanged().len(), 2);
    server.state().weak = true;
    server.fault(MAY, 1, Fault::Replace(csv(&[("2026-05", "web", 20.0)])));
    let error = error(&*account).await;
    assert!(error.contains("is another file now"), "{error}");
}

#[tokio::test]
async fn delivery_under_way_is_not_read() {
    let server = Server::start().await;
    write_export(&server);
    // The poll is at 12:00.
    let new = csv(&[("2026-05", "web", 11.0)]);
    server.put(&format!("exp/{MAY}"), new, "2026-05-29T11:00:00Z");
    let account = account(&server, &json!({}));
    let delivery = error(&*account).await;
    assert!(delivery.starts_with("truncated: "), "{delivery}");
    assert!(delivery.contains("a delivery is under way"), "{delivery}");
    // A copy of an export has newer files for ever.
    let new = csv(&[("2026-05", "web", 11.0)]);
    server.put(&format!("exp/{MAY}"), new, "2026-05-29T09:00:00Z");
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "51");
}

#[tokio::test]
async fn row_of_another_month_is_malformed() {
    let server = Server::start().await;
    write_export(&server);
    let both = csv(&[("2026-05", "web", 10.0), ("2026-04", "web", 1.0)]);
    server.put(&format!("exp/{MAY}"), both, EARLY);
    server.put(MAY_MANIFEST, manifest("run-1", &[MAY]), LATE);
    let error = error(&*account(&server, &json!({}))).await;
    assert!(error.starts_with("malformed: "), "{error}");
    assert!(error.contains("2026-04"), "{error}");
}

#[tokio::test]
async fn failure_between_months_fails_the_part() {
    let server = Server::start().await;
    write_export(&server);
    server.fault(MAY, 9, Fault::Refuse(403, "AccessDenied"));
    let account = account(&server, &json!({}));
    let error = error(&*account).await;
    assert!(error.starts_with("forbidden: "), "{error}");
    assert!(server.take_lines().iter().any(|line| line.contains(APRIL)));
}
