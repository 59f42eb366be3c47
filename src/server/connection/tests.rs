//! Limits over real sockets: what a connection may take, and what becomes of one that takes more.

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
        answer: LONG,
        idle: LONG,
        end: LONG,
    }
}

struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<io::Result<()>>,
    /// Tells of each large answer that is over.
    over: mpsc::UnboundedReceiver<()>,
    /// Lets the slow answers go on.
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
        let (told, over) = mpsc::unbounded_channel();
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
                        told: told.clone(),
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

/// A large answer, all of it shared, that tells when nothing holds it any more.
struct Large {
    shared: Bytes,
    told: mpsc::UnboundedSender<()>,
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.shared
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        // Nobody listens where the test is over.
        let _ = self.told.send(());
    }
}

async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(TEST_TIMEOUT, work).await.expect("not in time")
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// Sends a request and reads the small answer to it.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), path: &str) -> String {
    stream.write_all(request(path).as_bytes()).await.unwrap();
    read_answer(stream).await
}

async fn read_answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
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
        let answer = ask(&mut stream, "/").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-length: 4\r\n"), "{answer}");
    }
    // It is idle, and does not keep the server from ending.
    server.end().await;
    assert_eq!(until_closed(&mut stream).await, b"");
}

#[tokio::test]
async fn who_comes_when_all_places_are_taken_waits_for_one() {
    let server = Server::plain(Limits {
        connections: 3,
        ..limits()
    })
    .await;
    let mut first_come = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        ask(&mut stream, "/").await;
        first_come.push(stream);
    }
    let mut waiting = server.connect().await;
    waiting.write_all(request("/").as_bytes()).await.unwrap();
    let mut byte = [0];
    assert!(timeout(SOON, waiting.peek(&mut byte)).await.is_err());
    // The others are served on.
    ask(&mut first_come[1], "/").await;
    drop(first_come.pop());
    read_answer(&mut waiting).await;
    drop(first_come);
    drop(waiting);
    server.end().await;
}

#[tokio::test]
async fn a_request_must_be_read_in_its_time_from_the_first_byte_on() {
    let server = Server::plain(Limits {
        headers: SOON,
        ..limits()
    })
    .await;
    let mut silent = server.connect().await;
    assert_eq!(until_closed(&mut silent).await, b"");

    for asked_before in [false, true] {
        let mut dripping = server.connect().await;
        if asked_before {
            ask(&mut dripping, "/").await;
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
async fn between_two_requests_there_is_more_time_and_it_ends_as_well() {
    let server = Server::plain(Limits {
        headers: SOON,
        idle: SOON * 4,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    ask(&mut stream, "/").await;
    sleep(SOON * 2).await;
    ask(&mut stream, "/").await;
    assert_eq!(until_closed(&mut stream).await, b"");
    server.end().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_before_it_is_read_whole() {
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
        let answer = String::from_utf8(until_closed(&mut stream).await).unwrap();
        assert!(answer.starts_with(want), "{size}: {answer}");
    }
    // Without an end, it is refused all the same.
    let mut stream = server.connect().await;
    let endless = format!("GET / HTTP/1.1\r\nX-Padding: {}", "x".repeat(20 << 10));
    stream.write_all(endless.as_bytes()).await.unwrap();
    let answer = String::from_utf8(until_closed(&mut stream).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_cut() {
    let answer = Limits {
        answer: SOON,
        ..limits()
    };
    let mut server = Server::plain(answer).await;
    let mut stream = server.connect().await;
    stream
        .write_all(request("/large").as_bytes())
        .await
        .unwrap();
    soon(server.over.recv()).await.unwrap();
    assert!(until_closed(&mut stream).await.len() < LARGE);
    server.end().await;
}

#[tokio::test]
async fn an_answer_that_is_taken_byte_by_byte_is_cut() {
    let mut server = Server::plain(Limits {
        answer: SOON,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    stream
        .write_all(request("/large").as_bytes())
        .await
        .unwrap();
    let mut sips = interval(SOON / 20);
    let mut sip = vec![0; 16 << 10];
    let sipping = async {
        loop {
            sips.tick().await;
            if !matches!(stream.read(&mut sip).await, Ok(1..)) {
                break;
            }
        }
    };
    tokio::select! {
        over = soon(server.over.recv()) => over.unwrap(),
        () = sipping => panic!("it was closed before the answer was over"),
    }
    server.end().await;
}

#[tokio::test]
async fn the_small_rest_of_an_answer_that_is_not_taken_is_cut_as_well() {
    // More than the system's buffers hold, in requests whose answers hyper has taken over whole.
    let server = Server::plain(Limits {
        connections: 2,
        answer: SOON,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    let asking = async {
        let many = request("/").repeat(1000);
        while stream.write_all(many.as_bytes()).await.is_ok() {}
    };
    soon(asking).await;
    server.end().await;
}

#[tokio::test]
async fn an_answer_over_http2_that_is_not_taken_is_cut() {
    let mut server = Server::tls(Limits {
        answer: SOON,
        ..limits()
    })
    .await;
    let (folder, _) = server.certificates.as_ref().unwrap();
    let root = fs::read(folder.path().join("cert.pem")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "the server is asked by a client")]
    let client = reqwest::Client::builder();
    let client = client
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&root).unwrap()])
        .build()
        .unwrap();
    let url = format!("https://localhost:{}", server.address.port());
    let answer = soon(client.get(format!("{url}/large")).send())
        .await
        .unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    // The window of the stream is full, while the connection itself moves. Once it is cut, only what came before is there.
    soon(server.over.recv()).await.unwrap();
    let mut answer = answer;
    let mut read = 0;
    while let Ok(Some(piece)) = soon(answer.chunk()).await {
        read += piece.len();
    }
    assert!(read < LARGE);
    // A new connection is served as the first was.
    let small = soon(client.get(&url).send()).await.unwrap();
    assert_eq!(small.version(), http::Version::HTTP_2);
    assert_eq!(small.text().await.unwrap(), "well");
    server.end().await;
}

/// What this process holds in memory.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse::<usize>().unwrap() << 10
}

#[tokio::test]
async fn those_who_do_not_read_take_no_memory_of_their_own() {
    const READERS: usize = 32;
    for encrypted in [false, true] {
        let server = if encrypted {
            Server::tls(limits()).await
        } else {
            Server::plain(limits()).await
        };
        let before = resident();
        let mut plain = Vec::new();
        let mut tls = Vec::new();
        let mut first = [0; 16];
        for _ in 0..READERS {
            let large = request("/large");
            if encrypted {
                let mut stream = server.connect_tls("http/1.1").await;
                stream.write_all(large.as_bytes()).await.unwrap();
                soon(stream.read_exact(&mut first)).await.unwrap();
                tls.push(stream);
            } else {
                let mut stream = server.connect().await;
                stream.write_all(large.as_bytes()).await.unwrap();
                soon(stream.read_exact(&mut first)).await.unwrap();
                plain.push(stream);
            }
            assert!(first.starts_with(b"HTTP/1.1 200 OK"));
        }
        let grown = resident().saturating_sub(before);
        // Copies of the body would be 1 GiB; other tests of this process take some memory, too.
        assert!(grown < READERS * LARGE / 4, "{grown} bytes");
        drop((plain, tls));
        server.end().await;
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_is_not_waited_for() {
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
    ask(&mut server.connect_tls("http/1.1").await, "/").await;
    server.end().await;
}

#[tokio::test]
async fn who_speaks_plain_text_to_tls_is_told() {
    let server = Server::tls(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(request("/").as_bytes()).await.unwrap();
    let answer = String::from_utf8(until_closed(&mut stream).await).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 Bad Request\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("this port speaks HTTPS\n"), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn a_running_answer_ends_before_the_server_does() {
    let server = Server::plain(limits()).await;
    let mut stream = server.connect().await;
    stream.write_all(request("/slow").as_bytes()).await.unwrap();
    let mut idle = server.connect().await;
    ask(&mut idle, "/").await;
    server.stop.send(true).unwrap();
    // The idle one is closed at once.
    assert_eq!(until_closed(&mut idle).await, b"");
    assert!(!server.task.is_finished());
    server.go.notify_one();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    soon(server.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn an_answer_that_is_not_taken_does_not_keep_the_server_from_ending() {
    let server = Server::plain(Limits {
        end: SOON,
        ..limits()
    })
    .await;
    let mut stream = server.connect().await;
    stream
        .write_all(request("/large").as_bytes())
        .await
        .unwrap();
    let mut first = [0; 16];
    stream.read_exact(&mut first).await.unwrap();
    server.end().await;
}

#[tokio::test]
async fn several_listeners_share_the_places() {
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
        ask(&mut TcpStream::connect(address).await.unwrap(), "/").await;
    }
    stop.send(true).unwrap();
    soon(task).await.unwrap().unwrap();
}
