//! The exporter over a storage account of Azure: Azurite's, with the demo's files in it.

mod layout;

use std::{collections::BTreeMap, path::Path};

use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use cloudspend_exporter::demo::{AZURE_BUCKET, AZURE_PREFIX, Demo, S3_BUCKET, S3_PREFIX};
use http::StatusCode;

use super::{account_over, assert_same, objects, objects_in, shown};
use crate::support::{Exporter, Folder, MOMENT, PLAIN, Program, answer, demo_at, stopped_at, tool};

const ACCOUNT: &str = "costsaccount";
const CONTAINER: &str = "exports";
/// A key of the account, and one of another.
const KEY: [u8; 64] = *b"the key of the storage account, which is 64 bytes long: 01234567";
const OTHER_KEY: [u8; 64] = [7; 64];
/// Whatever day it is.
const LATER: &str = "2100-01-01T00:00:00Z";
const EARLIER: &str = "2024-01-01T00:00:00Z";

/// A storage account.
struct Azurite {
    url: String,
    program: Program,
}

impl Azurite {
    /// A storage account with an empty container.
    async fn start() -> Self {
        let mut command = tool("azurite-blob");
        command
            .env(
                "AZURITE_ACCOUNTS",
                format!("{ACCOUNT}:{}", BASE64_STANDARD.encode(KEY)),
            )
            .args(["--blobHost", "127.0.0.1", "--blobPort", "0"])
            .args(["--inMemoryPersistence", "--disableTelemetry"]);
        let mut program = Program::start(command)
            .unwrap_or_else(|error| panic!("azurite-blob: {error}; `make test` fetches it"));
        let url = program.says("successfully listens on ").await;
        let azurite = Self { url, program };
        azurite.put("?restype=container&", Vec::new()).await;
        azurite
    }

    /// Writes a blob.
    async fn write(&self, key: &str, content: Vec<u8>) {
        self.put(&format!("/{key}?"), content).await;
    }

    async fn put(&self, below: &str, content: Vec<u8>) {
        let all = account_signature("rwdlac", LATER, "sco", &KEY);
        let put = PLAIN
            .put(format!("{}/{ACCOUNT}/{CONTAINER}{below}{all}", self.url))
            .header("x-ms-blob-type", "BlockBlob")
            .header("content-length", content.len())
            .body(content);
        let answer = answer(put).await.unwrap();
        let text = answer.text();
        assert_eq!(answer.status, StatusCode::CREATED, "{below}: {text}");
    }

    /// Deletes a blob.
    async fn delete(&self, key: &str) {
        let all = account_signature("rwdlac", LATER, "sco", &KEY);
        let delete = PLAIN.delete(format!("{}/{ACCOUNT}/{CONTAINER}/{key}?{all}", self.url));
        let answer = answer(delete).await.unwrap();
        assert_eq!(
            answer.status,
            StatusCode::ACCEPTED,
            "{key}: {}",
            answer.text()
        );
    }

    /// What was requested so far, as its log has it: method, path and query, status.
    fn requests(&self) -> Vec<String> {
        let log = self.program.output();
        let lines = log.lines().filter_map(|line| {
            let (_, rest) = line.split_once("] \"")?;
            Some(rest.replace(" HTTP/1.1\"", ""))
        });
        lines.collect()
    }
}

/// The signature over these lines.
fn sign(lines: &[&str], key: &[u8; 64]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let tag = hmac::sign(&key, lines.join("\n").as_bytes());
    BASE64_STANDARD.encode(tag)
}

fn query(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish()
}

const VERSION: &str = "2022-11-02";

/// A shared access signature of the account, from its public description.
fn account_signature(permissions: &str, expires: &str, types: &str, key: &[u8; 64]) -> String {
    let lines = [
        ACCOUNT,
        permissions,
        "b",
        types,
        "",
        expires,
        "",
        "",
        VERSION,
        "",
        "",
    ];
    query(&[
        ("sv", VERSION),
        ("ss", "b"),
        ("srt", types),
        ("sp", permissions),
        ("se", expires),
        ("sig", &sign(&lines, key)),
    ])
}

/// A shared access signature of the container.
fn container_signature(permissions: &str, expires: &str) -> String {
    let resource = format!("/blob/{ACCOUNT}/{CONTAINER}");
    let mut lines = vec![
        permissions,
        "",
        expires,
        &resource,
        "",
        "",
        "",
        VERSION,
        "c",
    ];
    lines.extend([""; 7]);
    query(&[
        ("sv", VERSION),
        ("sr", "c"),
        ("sp", permissions),
        ("se", expires),
        ("sig", &sign(&lines, &KEY)),
    ])
}

/// An account over the container, with its secret in the folder: a name of the account, a key and its value.
fn account(folder: &Path, url: &str, name: &str, key: &str, secret: &str, more: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, secret).unwrap();
    let file = file.display();
    format!(
        "  {name}: {{provider: focus, interval: 2s, location: 'az://{ACCOUNT}/{CONTAINER}/{S3_PREFIX}', endpoint: '{url}', {key}: '{file}'{more}}}\n"
    )
}

#[tokio::test]
async fn azurite_gives_the_same_sums_as_the_demo() {
    let demo = demo_at(MOMENT).await;
    let azurite = Azurite::start().await;
    for (key, content) in objects(&demo).await {
        azurite.write(key.as_ref(), content.to_vec()).await;
    }
    let folder = Folder::with(&Demo::secrets());
    let yaml = account_over(&folder, demo.store().url().as_str().trim_end_matches('/'));
    let of_demo = shown(folder, &yaml).await;
    assert!(of_demo.len() > 300, "{} series", of_demo.len());
    let costs = ", costs: [billed, effective, list, contracted], quantities: pricing";
    for (key, secret) in [
        ("account_key_file", BASE64_STANDARD.encode(KEY)),
        ("sas_token_file", container_signature("rl", LATER)),
        (
            "sas_token_file",
            format!("?{}", account_signature("rl", LATER, "co", &KEY)),
        ),
    ] {
        let folder = Folder::with(&[]);
        let account = account(folder.path(), &azurite.url, "main", key, &secret, costs);
        let yaml = format!("accounts:\n{account}");
        assert_same(&of_demo, &shown(folder, &yaml).await);
    }
    let requests = azurite.requests();
    let reads = requests.iter().filter(|line| line.starts_with("GET "));
    assert!(reads.count() > 10, "{requests:?}");
    assert!(
        requests
            .iter()
            .all(|line| line.starts_with("GET ") || line.starts_with("PUT ")),
        "{requests:?}"
    );
}

#[tokio::test]
async fn exports_of_azure_are_read_where_they_are_written() {
    let demo = demo_at(MOMENT).await;
    let azurite = Azurite::start().await;
    for (key, content) in objects_in(&demo, AZURE_BUCKET, AZURE_PREFIX).await {
        azurite.write(key.as_ref(), content.to_vec()).await;
    }
    let folder = Folder::with(&Demo::secrets());
    let yaml = account_over(&folder, demo.store().url().as_str().trim_end_matches('/'));
    let (aws, azure) = (
        format!("{S3_BUCKET}/{S3_PREFIX}"),
        format!("{AZURE_BUCKET}/{AZURE_PREFIX}"),
    );
    let of_demo = shown(folder, &yaml.replace(&aws, &azure)).await;
    assert!(of_demo.len() > 10, "{} series", of_demo.len());
    let folder = Folder::with(&[]);
    let costs =
        ", layout: azure, costs: [billed, effective, list, contracted], quantities: pricing";
    let secret = container_signature("rl", LATER);
    let key = "sas_token_file";
    let account = account(folder.path(), &azurite.url, "main", key, &secret, costs);
    let account = account.replace(
        &format!("{CONTAINER}/{S3_PREFIX}"),
        &format!("{CONTAINER}/{AZURE_PREFIX}"),
    );
    let of_azurite = shown(folder, &format!("accounts:\n{account}")).await;
    assert_same(&of_demo, &of_azurite);
}

/// What the month to date is, once it is this.
async fn is_shown(exporter: &Exporter, want: f64) {
    exporter
        .shows(&format!("the cost is {want}"), |shown| {
            let cost = shown.samples("cloudspend_billed_cost_month_to_date");
            let cost: f64 = cost.map(|sample| sample.value).sum();
            (cost - want).abs() < 1e-9
        })
        .await;
}

#[tokio::test]
async fn replaced_blob_is_read_again_and_others_are_not() {
    let azurite = Azurite::start().await;
    let costs = |cost: &str| {
        format!(
            "BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory,ServiceName\n{cost},EUR,2026-05-01T00:00:00Z,2026-06-01T00:00:00Z,2026-05-02T00:00:00Z,Usage,Compute\n"
        )
        .into_bytes()
    };
    azurite
        .write("exports/day%201+%C3%A4.csv", costs("1"))
        .await;
    azurite
        .write("exports/day%202+%C3%A4.csv", costs("2"))
        .await;
    let folder = Folder::with(&[]);
    let more = ", layout: files, costs: [billed]";
    let key = BASE64_STANDARD.encode(KEY);
    let account = account(
        folder.path(),
        &azurite.url,
        "main",
        "account_key_file",
        &key,
        more,
    );
    let yaml = format!("accounts:\n{account}");
    let exporter = Exporter::start(folder, &yaml, stopped_at("2026-05-29T12:00:00Z")).await;
    is_shown(&exporter, 3.0).await;
    azurite
        .write("exports/day%202+%C3%A4.csv", costs("20"))
        .await;
    is_shown(&exporter, 21.0).await;
    exporter.stop().await;
    let requests = azurite.requests();
    let reads: BTreeMap<u8, usize> = [1, 2]
        .map(|part| {
            let path = format!("GET /{ACCOUNT}/{CONTAINER}/exports/day%20{part}");
            let lines = requests.iter().filter(|line| line.starts_with(&path));
            (part, lines.count())
        })
        .into();
    // Both belong to the month, which is read as a whole.
    assert_eq!(reads, BTreeMap::from([(1, 2), (2, 2)]), "{requests:?}");
}

#[tokio::test]
async fn refusals_are_understood_and_show_no_secret() {
    let azurite = Azurite::start().await;
    azurite.write("exports/costs.csv", b"a".to_vec()).await;
    let expired = container_signature("rl", EARLIER);
    let unlisted = container_signature("r", LATER);
    let objects_only = account_signature("rl", LATER, "o", &KEY);
    let foreign = account_signature("rl", LATER, "co", &OTHER_KEY);
    let (key, other_key) = (
        BASE64_STANDARD.encode(KEY),
        BASE64_STANDARD.encode(OTHER_KEY),
    );
    let folder = Folder::with(&[]);
    let mut yaml = "accounts:\n".to_owned();
    for (name, kind, secret) in [
        ("expired", "sas_token_file", &expired),
        ("unlisted", "sas_token_file", &unlisted),
        ("objects", "sas_token_file", &objects_only),
        ("foreign", "sas_token_file", &foreign),
        ("wrong", "account_key_file", &other_key),
        ("absent", "account_key_file", &key),
    ] {
        let section = account(folder.path(), &azurite.url, name, kind, secret, "");
        let section = if name == "absent" {
            section.replace(&format!("/{CONTAINER}/"), "/nothing/")
        } else {
            section
        };
        yaml.push_str(&section);
    }
    let config = folder.path().join("cloudspend.yml");
    std::fs::write(&config, yaml).unwrap();
    let config = config.to_str().unwrap();
    let arguments = ["explain", "--config.file", config, "--log.level", "debug"];
    let ended = Program::exporter(&arguments).end().await;
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    for want in [
        "the shared access signature expired at 2024-01-01T00:00:00Z",
        "Issue a new shared access signature",
        "the shared access signature does not allow to list the container: it has sp=r and needs r and l",
        "srt must have c and o",
        "the shared access signature is not valid: it was changed",
        "the account key does not belong to the storage account, or was renewed",
        "404 ContainerNotFound, there is no such container",
    ] {
        assert!(said.contains(want), "{want}:\n{said}");
    }
    for signature in [&expired, &unlisted, &objects_only, &foreign] {
        let (_, signature) = signature.split_once("sig=").unwrap();
        let decoded: Vec<_> = url::form_urlencoded::parse(format!("s={signature}").as_bytes())
            .map(|(_, value)| value.into_owned())
            .collect();
        assert!(!said.contains(signature) && !said.contains(&decoded[0]));
    }
    assert!(!said.contains("sig=") && !said.contains(&key) && !said.contains(&other_key));
}
