//! The ways to a store: over TLS with an authority of one's own, through a proxy, and no faster than configured.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use cloudspend_exporter::{
    charge::Measure,
    clock::Clock,
    demo::{Demo, Options},
    view::Window,
};
use rcgen::SanType;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use super::account_over;
use crate::{
    faults::{
        account::{RetryLimits, TestAccount},
        server::{Reply, Server},
    },
    support::{Folder, Program, pki::Authority},
};

/// A name that only the proxy knows.
const NAME: &str = "store.example";

/// A server of TLS before the demo's store, for this machine and [`NAME`]. Its address.
async fn tls_before(demo: &Demo, authority: &Authority) -> String {
    let sans = vec![
        SanType::IpAddress("127.0.0.1".parse().unwrap()),
        SanType::DnsName(NAME.try_into().unwrap()),
    ];
    let issued = authority.issue("store", sans);
    let certs = vec![CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certs, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let url = demo.store().url().clone();
    let store = (url.host_str().unwrap().to_owned(), url.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, store) = (acceptor.clone(), store.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut store = TcpStream::connect(store).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut store).await;
            });
        }
    });
    address
}

/// A proxy that connects everybody to one address, and the lines that it was sent.
async fn proxy_to(address: String) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://user:p4ss@{}", listener.local_addr().unwrap());
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&lines);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (address, seen) = (address.clone(), Arc::clone(&seen));
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let head = String::from_utf8_lossy(&head);
                let line = head.lines().next().unwrap_or_default();
                seen.lock().unwrap().push(line.to_owned());
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                let mut target = TcpStream::connect(address).await.unwrap();
                let _ = copy_bidirectional(&mut stream, &mut target).await;
            });
        }
    });
    (url, lines)
}

/// What `explain` says of an account over a store at an endpoint.
async fn explained(
    folder: &Folder,
    endpoint: &str,
    more: &str,
    environment: &[(&str, &str)],
) -> (Option<i32>, Value) {
    let yaml =
        account_over(folder, endpoint).replace("interval: 2s", &format!("interval: 1m{more}"));
    let file = folder.path().join("cloudspend.yml");
    std::fs::write(&file, yaml).unwrap();
    let line = ["explain", "--json", "--config.file", file.to_str().unwrap()];
    let ended = Program::exporter_in(environment, &line).end().await;
    let json = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    (ended.status.code(), json)
}

/// The parts of what `explain` says that do not change with the way.
fn totals(explained: &Value) -> &Value {
    let totals = &explained["accounts"][0]["totals"];
    assert!(
        totals.as_array().is_some_and(|totals| !totals.is_empty()),
        "{explained}"
    );
    totals
}

#[tokio::test(flavor = "multi_thread")]
async fn store_is_read_over_tls_and_through_a_proxy() {
    // It stands still, so that nothing is delivered between two commands.
    let now = Clock::system().now();
    let demo = Demo::start(Clock::from_fn(move || now), Options::default())
        .await
        .unwrap();
    let authority = Authority::new("private");
    let address = tls_before(&demo, &authority).await;
    let (proxy, lines) = proxy_to(address.clone()).await;
    let folder = Folder::with(&Demo::secrets());
    std::fs::write(folder.path().join("own.pem"), &authority.pem).unwrap();
    let ca_file = format!(", ca_file: {}", folder.yaml("own.pem"));
    let plain = demo.store().url().to_string();
    let (code, direct) = explained(&folder, plain.trim_end_matches('/'), "", &[]).await;
    assert_eq!(code, Some(0), "{direct}");

    let over_tls = format!("https://{address}");
    let (code, found) = explained(&folder, &over_tls, &ca_file, &[]).await;
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(totals(&found), totals(&direct));
    // Without the file the authority is unknown.
    let (code, found) = explained(&folder, &over_tls, "", &[]).await;
    assert_eq!(code, Some(1), "{found}");
    assert_eq!(
        found["accounts"][0]["failures"][0]["reason"], "tls",
        "{found}"
    );
    assert!(lines.lock().unwrap().is_empty());

    let environment = [("HTTPS_PROXY", proxy.as_str())];
    let named = format!("https://{NAME}");
    let (code, found) = explained(&folder, &named, &ca_file, &environment).await;
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(totals(&found), totals(&direct));
    let lines = std::mem::take(&mut *lines.lock().unwrap());
    let connect = format!("CONNECT {NAME}:443 HTTP/1.1");
    assert!(
        !lines.is_empty() && lines.iter().all(|line| *line == connect),
        "{lines:?}"
    );
    assert!(!found.to_string().contains("p4ss"), "{found}");
}

const HEADER: &str = "BilledCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargeCategory";

#[tokio::test(start_paused = true)]
async fn store_is_asked_no_faster_than_configured() {
    const FILES: usize = 12;
    let server = Server::start(|seen| {
        if seen.line.contains("list-type=2") {
            let objects: String = (0..FILES).map(listed).collect();
            let page = format!("<?xml version=\"1.0\"?><ListBucketResult><Name>billing</Name><IsTruncated>false</IsTruncated>{objects}</ListBucketResult>");
            return Reply::status(200, "content-type: application/xml\r\n", page);
        }
        let number = seen.line.trim_end_matches(".csv").rsplit('/').next().unwrap_or_default();
        let headers = format!("etag: \"e{number}\"\r\nlast-modified: Sat, 20 Jul 2024 06:00:00 GMT\r\n");
        Reply::status(200, &headers, file())
    })
    .await;
    let secret = crate::faults::account::secret("k3y-of-the-store");
    let section = json!({
        "provider": "focus",
        "location": "s3://billing/exports",
        "layout": "files",
        "endpoint": server.url(),
        "access_key_id_file": secret.path(),
        "secret_access_key_file": secret.path(),
        "costs": ["billed"],
        "requests_per_second": 4,
        "concurrency": 8,
    });
    let account = TestAccount::new(&section, RetryLimits::standard());
    account.poll().await;
    assert_eq!(account.failure(), None);
    let billed = account.total(Measure::BilledCost, Window::MonthToDate);
    assert!((billed - FILES as f64).abs() < 1e-9, "{billed}");
    let seen = server.take();
    // The listing, and each file once.
    assert_eq!(seen.len(), 1 + FILES);
    // Timers are as fine as a millisecond.
    let least = Duration::from_millis(249);
    for pair in seen.windows(2) {
        let gap = pair[1].at - pair[0].at;
        assert!(gap >= least, "{gap:?} before {}", pair[1].line);
    }
}

/// A file with a charge of 1 USD in July.
fn file() -> String {
    format!(
        "{HEADER}\n1,USD,2024-07-01T00:00:00Z,2024-08-01T00:00:00Z,2024-07-02T00:00:00Z,Usage\n"
    )
}

/// A file in the listing.
fn listed(number: usize) -> String {
    let size = file().len();
    format!(
        "<Contents><Key>exports/{number}.csv</Key><LastModified>2024-07-20T06:00:00.000Z</LastModified><ETag>&quot;e{number}&quot;</ETag><Size>{size}</Size></Contents>"
    )
}
