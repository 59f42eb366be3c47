//! An S3-compatible store with an AWS export of 24 months, which never changes. It counts requests, and says so for a line
//! on stdin.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{BufRead, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Path, Query, State},
    response::Response,
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use http::header;
use serde_json::json;
use tokio::net::TcpListener;

use crate::common::process::say;

pub(crate) const BUCKET: &str = "bench";
pub(crate) const PREFIX: &str = "exports";
const COLUMNS: &str = "BilledCost,EffectiveCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ChargeClass,ChargeFrequency,BillingAccountId,BillingAccountName,SubAccountId,SubAccountName,ServiceName,PublisherName";

struct Store {
    objects: BTreeMap<String, Vec<u8>>,
    requests: AtomicU64,
}

/// Serves until stdin ends.
pub(crate) fn run() -> anyhow::Result<()> {
    let store = Arc::new(Store {
        objects: objects()?,
        requests: AtomicU64::default(),
    });
    let counted = Arc::clone(&store);
    std::thread::spawn(move || {
        for _ in std::io::stdin().lock().lines() {
            say(&counted.requests.swap(0, Ordering::Relaxed).to_string());
        }
        std::process::exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        say(&listener.local_addr()?.port().to_string());
        let router = Router::new()
            .route("/{bucket}", get(list))
            .route("/{bucket}/{*key}", get(object))
            .with_state(store);
        axum::serve(listener, router).await?;
        Ok(())
    })
}

fn objects() -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut objects = BTreeMap::new();
    for number in 0..24 {
        // June 2024 to May 2026.
        let name = |number: i32| {
            format!(
                "{:04}-{:02}",
                2024 + (number + 5) / 12,
                (number + 5) % 12 + 1
            )
        };
        let (month, next) = (name(number), name(number + 1));
        let mut file = GzEncoder::new(Vec::new(), Compression::default());
        writeln!(file, "{COLUMNS}")?;
        for day in 1..=28 {
            writeln!(
                file,
                "1.25,1.25,USD,{month}-01T00:00:00Z,{next}-01T00:00:00Z,{month}-{day:02}T00:00:00Z,{month}-{day:02}T23:59:59Z,Usage,,Usage-Based,1,a,2,b,c,d"
            )?;
        }
        let key = format!("{PREFIX}/costs/data/BILLING_PERIOD={month}/costs-00001.csv.gz");
        let columns: Vec<_> = COLUMNS
            .split(',')
            .map(|name| json!({"name": name, "type": "string"}))
            .collect();
        let manifest = json!({
            "executionId": month, "exportArn": "arn:aws:bcm-data-exports:us-east-1:111122223333:export/costs-0",
            "columns": columns, "dataFiles": [format!("s3://{BUCKET}/{key}")],
        });
        objects.insert(key, file.finish()?);
        objects.insert(
            format!("{PREFIX}/costs/metadata/BILLING_PERIOD={month}/costs-Manifest.json"),
            manifest.to_string().into_bytes(),
        );
    }
    Ok(objects)
}

async fn list(
    State(store): State<Arc<Store>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    store.requests.fetch_add(1, Ordering::Relaxed);
    let prefix = query.get("prefix").map_or("", String::as_str);
    let delimiter = query.get("delimiter").map_or("", String::as_str);
    let mut contents = String::new();
    let mut folders = Vec::new();
    for (key, content) in &store.objects {
        let Some(rest) = key.strip_prefix(prefix) else {
            continue;
        };
        if let Some(end) = (!delimiter.is_empty())
            .then(|| rest.find(delimiter))
            .flatten()
        {
            let folder = format!("{prefix}{}", &rest[..=end]);
            if folders.last() != Some(&folder) {
                folders.push(folder);
            }
            continue;
        }
        let _ = write!(
            contents,
            "<Contents><Key>{key}</Key><LastModified>2026-05-15T18:00:00.000Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            etag(content),
            content.len(),
        );
    }
    for folder in folders {
        let _ = write!(
            contents,
            "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>"
        );
    }
    let xml = format!(
        "<ListBucketResult><Name>{BUCKET}</Name><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
    );
    let mut response = Response::new(Body::from(xml));
    if let Ok(xml) = "application/xml".parse() {
        response.headers_mut().insert(header::CONTENT_TYPE, xml);
    }
    response
}

async fn object(
    State(store): State<Arc<Store>>,
    Path((_, key)): Path<(String, String)>,
) -> Response {
    store.requests.fetch_add(1, Ordering::Relaxed);
    let mut response = Response::new(Body::empty());
    let Some(content) = store.objects.get(&key) else {
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        return response;
    };
    *response.body_mut() = Body::from(content.clone());
    for (name, value) in [
        (header::ETAG, etag(content)),
        (
            header::LAST_MODIFIED,
            "Fri, 15 May 2026 18:00:00 GMT".to_owned(),
        ),
    ] {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn etag(content: &[u8]) -> String {
    format!("\"{:08x}-{}\"", crc32fast::hash(content), content.len())
}
