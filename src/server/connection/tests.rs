//! Limits of connections over real sockets.

use std::{fs, net::SocketAddr, str};

use axum::routing::get;
use bytes::Bytes;
use rcgen::generate_simple_self_signed;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use tempfile::TempDir;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::interval,
};
use tokio_rustls::{TlsConnector, client};

use super::*;

mod responses;
mod shutdown;

/// How long anything may take on a slow and busy machine before a test fails.
const TEST_TIMEOUT: Duration = Duration::from_mins(1);
/// A time that is over soon, and yet not before a busy machine has sent a request.
const SOON: Duration = Duration::from_millis(500);
/// A time in which no test ends.
const LONG: Duration = Duration::from_hours(1);
/// More than all buffers between two sockets hold.
const LARGE: usize = 32 << 20;

fn limits() -> Limits {
    Limits {
        connections: 512,
        handshake: LONG,
        headers: LONG,
        response: LONG,
        idle: LONG,
        shutdown: LONG,
    }
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
    /// Notified of each large response that ended.
    over: mpsc::UnboundedReceiver<()>,
    /// Lets slow responses continue.
    go: Arc<Notify>,
    certificates: Option<(TempDir, RootCertStore)>,
}

impl Server {
    async fn plain(limits: Limits) -> Self {
        Self::start(limits, Access::open(), None).await
    }

    async fn tls(limits: Limits) -> Self {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("cert.pem", &made.cert.pem());
        write("key.pem", &made.signing_key.serialize_pem());
        write(
            "web.yml",
            "tls_server_config: {cert_file: cert.pem, key_file: key.pem}",
        );
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let access = Access::load(&folder.path().join("web.yml")).unwrap();
        Self::start(limits, access, Some((folder, roots))).await
    }

    async fn start(
        limits: Limits,
        access: Access,
        certificates: Option<(TempDir, RootCertStore)>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ended, over) = mpsc::unbounded_channel();
        let go = Arc::new(Notify::new());
        let body = Bytes::from(vec![b'x'; LARGE]);
        let slow = Arc::clone(&go);
        let routes = Router::new()
            .route("/", get(|| async { "well" }))
            .route(
                "/slow",
                get(async move || {
                    slow.notified().await;
                    "well"
                }),
            )
            .route(
                "/large",
                get(async move || {
                    Bytes::from_owner(Large {
                        shared: body,
                        ended: ended.clone(),
                    })
                }),
            );
        let (stop, stopped) = watch::channel(false);
        let serving = serve(vec![listener], routes, Arc::new(access), limits, stopped);
        Self {
            address,
            stop,
            task: tokio::spawn(serving),
            over,
            go,
            certificates,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn connect_tls(&self, protocol: &str) -> client::TlsStream<TcpStream> {
        let (_, roots) = self.certificates.as_ref().unwrap();
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.into()];
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, self.connect().await).await.unwrap()
    }

    /// Ends once every connection has.
    async fn end(self) {
        self.stop.send(true).unwrap();
        soon(self.task).await.unwrap().unwrap();
    }
}

/// A large shared response that notifies when nothing holds it any more.
struct Large {
    shared: Bytes,
    ended: mpsc::UnboundedSender<()>,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.shared
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        // Nobody listens where the test is over.
        let _ = self.ended.send(());
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(TEST_TIMEOUT, work).await.expect("not in time")
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Sends a request and reads the small response to it.
async fn exchange(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> String {
    stream.write_all(request(path).as_bytes()).await.unwrap();
    read_response(stream).await
}

async fn read_response(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    let reading = async {
        while !read.ends_with(b"well") {
            assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0);
        }
    };
    soon(reading).await;
    String::from_utf8(read).unwrap()
}

/// Reads until the other side closes, and gives what came.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut read = Vec::new();
    // One that is cut may be reset.
    let _ = soon(stream.read_to_end(&mut read)).await;
    read
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Server::plain(limits()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        let response = exchange(&mut stream, "/").await;
        assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
        assert!(response.contains("content-length: 4\r\n"), "{response}");
    }
    // It is idle, and does not keep the server from ending.
    server.end().await;
    assert_eq!(until_closed(&mut stream).await, b"");
}

#[tokio::test]
async fn connection_beyond_the_limit_waits_for_a_free_place() {
    let server = Server::plain(Limits {
        connections: 3,
        ..limits()
    })
    .await;
    let mut first_come = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        exchange(&mut stream, "/").await;
        first_come.push(stream);
    }
    let mut waiting = server.connect().await;
    waiting.write_all(request("/").as_bytes()).await.unwrap();
    let mut byte = [0];
    assert!(timeout(SOON, waiting.peek(&mut byte)).await.is_err());
    // The others are served on.
    exchange(&mut first_come[1], "/").await;
    drop(first_come.pop());
    read_response(&mut waiting).await;
    drop(first_come);
    drop(waiting);
    server.end().await;
}

#[tokio::test]
async fn request_head_has_a_deadline_from_its_first_byte() {
    let server = Server::plain(Limits {
        headers: SOON,
        ..limits()
    })
    .await;
    let mut silent = server.connect().await;
    assert_eq!(until_closed(&mut silent).await, b"");

    for after_another in [false, true] {
        let mut dripping = server.connect().await;
        if after_another {
            exchange(&mut dripping, "/").await;
        }
        let (mut reading, mut writing) = dripping.split();
        let drip = async {
            let mut drops = interval(SOON / 10);
            // A head that does not end.
            for byte in b"GET / HTTP/1.1\r\nX-Padding: "
                .iter()
                .chain(std::iter::repeat(&b'x'))
            {
                drops.tick().await;
                if writing.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        };
        tokio::select! {
            read = until_closed(&mut reading) => assert_eq!(str::from_utf8(&read), Ok("")),
            () = drip => {}
        }
    }
    server.end().await;
}

#[tokio::test]
async fn idle_connection_lasts_longer_and_is_closed() {
    let server = Server::plain(Limits {
        headers: SOON,
        idle: SOON * 4,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    exchange(&mut stream, "/").await;
    sleep(SOON * 2).await;
    exchange(&mut stream, "/").await;
    assert_eq!(until_closed(&mut stream).await, b"");
    server.end().await;
}

#[tokio::test]
async fn too_large_head_is_refused_before_its_end() {
    let server = Server::plain(limits()).await;
    for (size, want) in [
        (8 << 10, "HTTP/1.1 200 OK\r\n"),
        (20 << 10, "HTTP/1.1 431 Request Header Fields Too Large\r\n"),
    ] {
        let mut stream = server.connect().await;
        let padding = "x".repeat(size);
        let request = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nX-Padding: {padding}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let response = String::from_utf8(until_closed(&mut stream).await).unwrap();
        assert!(response.starts_with(want), "{size}: {response}");
    }
    // Without an end, it is refused all the same.
    let mut stream = server.connect().await;
    let endless = format!("GET / HTTP/1.1\r\nX-Padding: {}", "x".repeat(20 << 10));
    stream.write_all(endless.as_bytes()).await.unwrap();
    let response = String::from_utf8(until_closed(&mut stream).await).unwrap();
    assert!(response.starts_with("HTTP/1.1 431 "), "{response}");
    server.end().await;
}

#[tokio::test]
async fn handshake_has_a_deadline() {
    let server = Server::tls(Limits {
        handshake: SOON,
        ..limits()
    })
    .await;
    let mut silent = server.connect().await;
    assert_eq!(until_closed(&mut silent).await, b"");
    let mut halting = server.connect().await;
    halting.write_all(&[HANDSHAKE, 3, 1]).await.unwrap();
    until_closed(&mut halting).await;
    // One that was in time is served.
    exchange(&mut server.connect_tls("http/1.1").await, "/").await;
    server.end().await;
}

#[tokio::test]
async fn plain_text_to_the_tls_port_gets_a_400() {
    let server = Server::tls(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(request("/").as_bytes()).await.unwrap();
    let response = String::from_utf8(until_closed(&mut stream).await).unwrap();
    assert!(
        response.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{response}"
    );
    assert!(response.ends_with("this port speaks HTTPS\n"), "{response}");
    server.end().await;
}

#[tokio::test]
async fn listeners_share_the_connection_limit() {
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for _ in 0..3 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap());
        listeners.push(listener);
    }
    let (stop, stopped) = watch::channel(false);
    let routes = Router::new().route("/", get(|| async { "well" }));
    let access = Arc::new(Access::open());
    let task = tokio::spawn(serve(listeners, routes, access, limits(), stopped));
    for address in addresses {
        exchange(&mut TcpStream::connect(address).await.unwrap(), "/").await;
    }
    stop.send(true).unwrap();
    soon(task).await.unwrap().unwrap();
}
