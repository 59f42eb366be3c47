//! Containers of Azure Blob Storage: what is sent, what a listing means, and that each blob is the one that was listed.

mod ambient;
mod refusals;
mod server;

use serde_json::json;

use super::*;
use server::{ACCOUNT, Fault, Server};

/// A key of a storage account is 64 bytes in base64.
const ACCOUNT_KEY: &str =
    "c2VjcmV0LWtleS1vZi10aGUtc3RvcmFnZS1hY2NvdW50LTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMg==";
/// The signature, as it is sent and as it is.
const SIGNATURE: &str = "T3JkZXIyMDI2K3NpZ25hdHVyZS9vZi1jb3N0cw%3D%3D";
const SIGNATURE_DECODED: &str = "T3JkZXIyMDI2K3NpZ25hdHVyZS9vZi1jb3N0cw==";

fn sas() -> String {
    format!("?sv=2023-11-03&st=2026-01-01&se=2027-01-01T00:00:00Z&sr=c&sp=r&sig={SIGNATURE}")
}

/// Two months, in two files: 40 in April, 10 in May.
fn write_costs(server: &Server) {
    server.put("costs/2026-04.csv", csv(&[("2026-04", "web", 40.0)]));
    server.put("costs/2026-05.csv", csv(&[("2026-05", "web", 10.0)]));
}

fn section(server: &Server) -> Value {
    json!({
        "location": format!("az://{ACCOUNT}/exports/costs"), "layout": "files",
        "endpoint": server.url, "costs": ["billed"],
    })
}

fn build(server: &Server, more: &Value) -> Box<dyn Provider> {
    let mut section = section(server);
    for (key, value) in more.as_object().unwrap() {
        section[key] = value.clone();
    }
    build_entry(&ProviderEntry::of::<Config>(), section, &[]).unwrap()
}

/// An account with a key of the storage account.
fn with_key(server: &Server, more: &Value) -> (Box<dyn Provider>, tempfile::NamedTempFile) {
    let key = secret(&format!("{ACCOUNT_KEY}\n"));
    let mut keys = json!({"account_key_file": key.path()});
    for (key, value) in more.as_object().unwrap() {
        keys[key] = value.clone();
    }
    (build(server, &keys), key)
}

/// An account with a shared access signature.
fn with_sas(server: &Server) -> (Box<dyn Provider>, tempfile::NamedTempFile) {
    let sas = secret(&sas());
    (build(server, &json!({"sas_token_file": sas.path()})), sas)
}

#[tokio::test]
async fn account_key_signs_lists_and_gets() {
    let server = Server::start().await;
    write_costs(&server);
    let (account, _key) = with_key(&server, &json!({}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "50");
    let (month, source) = &fetch.sink.sources[0];
    assert_eq!(month.to_string(), "2026-04");
    assert_eq!(source.name, format!("az://{ACCOUNT}/exports/costs"));
    let lines = server.take_lines();
    assert_eq!(
        lines,
        [
            "GET /costsaccount/exports?restype=container&comp=list&prefix=costs%2F",
            "GET /costsaccount/exports/costs/2026-04.csv",
            "GET /costsaccount/exports/costs/2026-05.csv",
        ]
    );
    let headers = server.state().headers.clone();
    for headers in &headers {
        let authorization = headers["authorization"].to_str().unwrap();
        assert!(authorization.starts_with("SharedKey costsaccount:"));
        assert!(!authorization.contains(ACCOUNT_KEY));
        assert_eq!(headers["x-ms-version"], "2023-11-03");
        assert_eq!(headers["accept-encoding"], "identity");
    }
    for (headers, name) in headers[1..].iter().zip(["4.0", "1.0"]) {
        let tag = headers["if-match"].to_str().unwrap();
        assert!(tag.starts_with("\"0x8D"), "{name}: {tag}");
    }
}

#[tokio::test]
async fn signature_is_sent_and_read_again_for_every_request() {
    let server = Server::start().await;
    write_costs(&server);
    let (account, file) = with_sas(&server);
    poll(&*account, &Deliveries::default()).await.unwrap();
    let lines = server.take_lines();
    assert_eq!(lines.len(), 3);
    for line in lines {
        assert!(line.contains(&format!("&sp=r&sig={SIGNATURE}")), "{line}");
        assert!(line.contains("&se=2027-01-01T00%3A00%3A00Z"), "{line}");
    }
    let headers = server.state().headers.clone();
    assert!(
        headers
            .iter()
            .all(|headers| !headers.contains_key("authorization"))
    );
    std::fs::write(file.path(), "sv=2023-11-03&sp=rl&sig=second").unwrap();
    poll(&*account, &Deliveries::default()).await.unwrap();
    for line in server.take_lines() {
        assert!(line.ends_with("sv=2023-11-03&sp=rl&sig=second"), "{line}");
    }
    std::fs::remove_file(file.path()).unwrap();
    let error = error(&*account).await;
    let want = "unauthorized: the credential is not available";
    assert!(error.starts_with(want), "{error}");
    assert!(server.take_lines().is_empty());
}

#[tokio::test]
async fn anonymous_requests_are_not_signed() {
    let server = Server::start().await;
    write_costs(&server);
    let account = build(&server, &json!({"credentials": "anonymous"}));
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
async fn every_form_of_etag_is_read() {
    for (weak, bare) in [(false, false), (true, false), (false, true)] {
        let server = Server::start().await;
        write_costs(&server);
        (server.state().weak, server.state().bare) = (weak, bare);
        let (account, _key) = with_key(&server, &json!({}));
        let first = poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(first.total(), "50", "{weak} {bare}");
        let second = poll(&*account, &first.known()).await.unwrap();
        assert_eq!(second.unchanged(), ["2026-04", "2026-05"]);
    }
}

#[tokio::test]
async fn weak_etag_of_a_listing_is_compared_without_condition() {
    let server = Server::start().await;
    write_costs(&server);
    let may = csv(&[("2026-05", "web", 10.0)]);
    let etag = format!("0x8D{:012X}", crc32fast::hash(&may));
    let page = |weak: &str| {
        format!(
            "<?xml version=\"1.0\"?><EnumerationResults><Blobs><Blob><Name>costs/2026-05.csv</Name><Properties><Last-Modified>Thu, 28 May 2026 06:00:00 GMT</Last-Modified><Etag>{weak}</Etag><Content-Length>{}</Content-Length><Content-Type>text/csv</Content-Type></Properties></Blob></Blobs><NextMarker /></EnumerationResults>",
            may.len()
        )
    };
    let weak = page(&format!("W/&quot;{etag}&quot;"));
    server.fault("comp=list", Fault::Answer(weak));
    let (account, _key) = with_key(&server, &json!({}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "10");
    assert!(!server.state().headers[1].contains_key("if-match"));
    let server = Server::start().await;
    write_costs(&server);
    server.fault("comp=list", Fault::Answer(page("W/&quot;other&quot;")));
    let (account, _key) = with_key(&server, &json!({}));
    let error = error(&*account).await;
    assert!(error.starts_with("truncated: "), "{error}");
    assert!(error.contains("is another file now"), "{error}");
}

#[tokio::test]
async fn replaced_blob_is_noticed() {
    let server = Server::start().await;
    write_costs(&server);
    let other = csv(&[("2026-05", "web", 11.0)]);
    server.fault("2026-05.csv", Fault::Replace(other));
    let (account, _key) = with_key(&server, &json!({}));
    let error = error(&*account).await;
    assert!(error.starts_with("truncated: "), "{error}");
    let want = "412 ConditionNotMet, the file was replaced since it was listed";
    assert!(error.contains(want), "{error}");
}

#[tokio::test]
async fn all_pages_are_read() {
    let server = Server::start().await;
    write_costs(&server);
    server.state().page = 1;
    let (account, _key) = with_key(&server, &json!({}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "50");
    let lines = server.take_lines();
    assert_eq!(
        lines[..2],
        [
            "GET /costsaccount/exports?restype=container&comp=list&prefix=costs%2F",
            "GET /costsaccount/exports?restype=container&comp=list&prefix=costs%2F&marker=costs%2F2026-05.csv",
        ]
    );
}

#[tokio::test]
async fn pages_that_are_not_whole_are_refused() {
    for (from, to, want) in [
        ("<NextMarker /></EnumerationResults>", "", "truncated: "),
        ("</EnumerationResults>", "", "truncated: "),
        ("<NextMarker />", "", "malformed: "),
        ("<Blobs>", "<Blobs><Blob />", "malformed: "),
        ("EnumerationResults", "Html", "malformed: "),
        ("<Content-Length>", "<Content-Length>-", "malformed: "),
        (
            "<Name>costs/2026-04.csv",
            "<Name>costs/../2026-04.csv",
            "malformed: ",
        ),
        (
            "<NextMarker />",
            "<NextMarker>costs/</NextMarker>",
            "malformed: ",
        ),
    ] {
        tokio::time::pause();
        let server = Server::start().await;
        write_costs(&server);
        server.fault("comp=list", Fault::Change(from, to));
        let (account, _key) = with_key(&server, &json!({}));
        let error = error(&*account).await;
        assert!(error.starts_with(want), "{from}: {error}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn listing_without_end_is_given_up() {
    let server = Server::start().await;
    write_costs(&server);
    server.state().endless = true;
    let (account, _key) = with_key(&server, &json!({}));
    let error = error(&*account).await;
    let want = "too_large: az://costsaccount/exports/costs/: more than 1000 pages of files; name a narrower location";
    assert_eq!(error, want);
    assert_eq!(server.take_lines().len(), 1_000);
}

#[tokio::test]
async fn one_file_is_found_without_its_neighbours() {
    let server = Server::start().await;
    write_costs(&server);
    server.put(
        "costs/2026-05.csv.bak.csv",
        csv(&[("2026-05", "web", 99.0)]),
    );
    server.put("costs/2026-05.parquet", "neighbour");
    let location = format!("az://{ACCOUNT}/exports/costs/2026-05.csv");
    let (account, _key) = with_key(&server, &json!({"location": location}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "10");
}

#[tokio::test]
async fn folders_are_no_files() {
    let server = Server::start().await;
    write_costs(&server);
    // A hierarchical namespace lists folders, and other programs mark them by empty blobs.
    server.put("costs/", "");
    server.put("costs/more.csv/", "");
    server.put(
        "costs/more.csv/2026-05.csv",
        csv(&[("2026-05", "app", 1.0)]),
    );
    server.put("costs/most.csv", "");
    server.put(
        "costs/most.csv/2026-05.csv",
        csv(&[("2026-05", "lab", 2.0)]),
    );
    let (account, _key) = with_key(&server, &json!({}));
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "53");
}

#[test]
fn keys_of_a_container_are_checked() {
    let location = format!("az://{ACCOUNT}/exports/costs");
    for (more, want) in [
        (
            json!({}),
            "accounts.test.account_key_file: exactly one of account_key_file, account_key_env, sas_token_file and sas_token_env is required, or credentials: ambient",
        ),
        (
            json!({"account_key_file": "/k", "sas_token_env": "SAS"}),
            "accounts.test.sas_token_env: only one of an account key and a shared access signature may be given",
        ),
        (
            json!({"account_key_file": "/k", "account_key_env": "KEY"}),
            "accounts.test.account_key_env: only one of account_key_file and account_key_env may be given",
        ),
        (
            json!({"credentials": "anonymous", "sas_token_file": "/s"}),
            "accounts.test.sas_token_file: is for credentials: keys only",
        ),
        (
            json!({"account_key_file": "/k", "region": "westeurope"}),
            "accounts.test.region: is for s3:// only",
        ),
        (
            json!({"account_key_file": "/k", "endpoint": "http://costs.example.com"}),
            "accounts.test.endpoint: must be https; plain http is for loopback only",
        ),
    ] {
        let mut section = json!({"location": location, "layout": "files"});
        for (key, value) in more.as_object().unwrap() {
            section[key] = value.clone();
        }
        assert_eq!(errors(section), want);
    }
}
