//! A server that speaks HTTP/2 over TLS and writes the frames of its answers by hand, so that a stream may end as no
//! HTTP library would end it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use axum::body::{Body, to_bytes};
use hyper::{Request, Response, body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, sink, split},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::server::{RecordedRequest, now};

/// What a client says first.
const PREFACE: usize = 24;
/// The head of a frame.
const HEAD: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;

pub(crate) const NO_FLAGS: u8 = 0;
/// No frame of the stream follows; of settings, that they are taken.
pub(crate) const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

/// One frame of a stream, as bytes.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A piece of a body.
pub(crate) fn data(stream: u32, flags: u8, piece: &[u8]) -> Vec<u8> {
    frame(DATA, flags, stream, piece)
}

/// A piece of a body with so much padding.
pub(crate) fn padded(stream: u32, flags: u8, piece: &[u8], padding: u8) -> Vec<u8> {
    let mut payload = vec![padding];
    payload.extend(piece);
    payload.extend(vec![0; padding.into()]);
    frame(DATA, flags | PADDED, stream, &payload)
}

/// A field as a literal that is not indexed, without Huffman's code.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut field = vec![0];
    for text in [name, value] {
        let length = u8::try_from(text.len()).unwrap();
        assert!(length < 0x7f, "one byte of length");
        field.push(length);
        field.extend(text.as_bytes());
    }
    field
}

/// The head of an answer.
pub(crate) fn head(stream: u32, flags: u8, status: &str, fields: &[(&str, String)]) -> Vec<u8> {
    let mut block = literal(":status", status);
    for (name, value) in fields {
        block.extend(literal(name, value));
    }
    frame(HEADERS, flags | END_HEADERS, stream, &block)
}

/// Fields after the body, which end the stream.
pub(crate) fn trailers(stream: u32) -> Vec<u8> {
    let block = literal("x-checked", "yes");
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block)
}

/// Ends a stream at once.
pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, NO_FLAGS, stream, &code.to_be_bytes())
}

/// Ends the connection; streams up to the last one are still answered.
pub(crate) fn go_away(last: u32, code: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
    frame(GOAWAY, NO_FLAGS, 0, &payload)
}

/// How a connection goes on after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Keep,
    /// TLS and TCP end in good order.
    Close,
    /// TCP ends, TLS does not say so.
    Cut,
    /// TCP is reset.
    Reset,
}

/// The frames of an answer, and what comes after them.
pub(crate) struct Answer {
    pub(crate) frames: Vec<u8>,
    pub(crate) after: After,
}

impl Answer {
    pub(crate) fn kept(frames: Vec<u8>) -> Self {
        let after = After::Keep;
        Self { frames, after }
    }

    /// A good answer; an empty one ends with its head.
    pub(crate) fn good(stream: u32, body: &[u8]) -> Self {
        if body.is_empty() {
            return Self::kept(head(stream, END_STREAM, "200", &[]));
        }
        let head = head(stream, NO_FLAGS, "200", &[]);
        Self::kept([head, data(stream, END_STREAM, body)].concat())
    }
}

type Script = Box<dyn FnMut(&RecordedRequest, u32) -> Answer + Send>;

#[derive(Default)]
struct State {
    script: Mutex<Option<Script>>,
    seen: Mutex<Vec<String>>,
}

/// A server on the loopback. It stops when it is dropped.
pub(crate) struct Http2Server {
    address: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Drop for Http2Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Http2Server {
    /// A server with the certificate and the key of a folder.
    pub(crate) async fn start(folder: &Path) -> Self {
        let acceptor = acceptor(folder);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&shared)));
            }
        });
        Self {
            address,
            state,
            task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Puts another script in place.
    pub(crate) fn now(&self, script: impl FnMut(&RecordedRequest, u32) -> Answer + Send + 'static) {
        *self.state.script.lock().unwrap() = Some(Box::new(script));
    }

    /// The lines of the requests since it was last asked.
    pub(crate) fn lines(&self) -> Vec<String> {
        std::mem::take(&mut self.state.seen.lock().unwrap())
    }
}

/// Writes a certificate for the loopback, and its key, where `acceptor` finds them.
pub(crate) fn write_certificate(folder: &Path) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(folder.join("cert.pem"), signed.cert.pem()).unwrap();
    fs::write(folder.join("key.pem"), signed.signing_key.serialize_pem()).unwrap();
}

fn acceptor(folder: &Path) -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(folder.join("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

/// Reads requests as hyper understands them, which knows how their heads are compressed. What it answers is thrown away.
fn reader() -> (DuplexStream, UnboundedReceiver<RecordedRequest>) {
    let (ours, theirs) = duplex(1 << 20);
    let (sender, requests) = unbounded_channel();
    let service = service_fn(move |request: Request<Incoming>| {
        let sender = sender.clone();
        async move {
            let (parts, body) = request.into_parts();
            let path = parts.uri.path_and_query().unwrap().as_str();
            let line = format!("{} {path}", parts.method);
            let body = to_bytes(Body::new(body), usize::MAX).await.unwrap();
            let head = parts.headers.iter().map(|(name, value)| {
                format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
            });
            let seen = RecordedRequest {
                line,
                head: head.collect(),
                body: String::from_utf8(body.to_vec()).unwrap(),
                at: now(),
            };
            // Nobody may be there any more to answer it.
            let _ = sender.send(seen);
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let connection =
        http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(theirs), service);
    tokio::spawn(connection);
    (ours, requests)
}

/// What stands in what a client sends, as far as the server must know it.
#[derive(Default)]
struct Client {
    bytes: Vec<u8>,
    begun: bool,
    /// The streams of requests that are not answered.
    streams: VecDeque<u32>,
}

impl Client {
    /// Takes what has arrived; returns how many settings are to be acknowledged.
    fn push(&mut self, bytes: &[u8]) -> usize {
        self.bytes.extend(bytes);
        if !self.begun && self.bytes.len() >= PREFACE {
            self.bytes.drain(..PREFACE);
            self.begun = true;
        }
        let mut settings = 0;
        while self.begun && self.bytes.len() >= HEAD {
            let number = |from: usize, size: usize| {
                let bytes = &self.bytes[from..from + size];
                bytes
                    .iter()
                    .fold(0, |number, &byte| number << 8 | u32::from(byte))
            };
            let (length, stream) = (number(0, 3), number(5, 4));
            let (kind, flags) = (self.bytes[3], self.bytes[4]);
            let end = HEAD + length as usize;
            if self.bytes.len() < end {
                break;
            }
            match kind {
                HEADERS => self.streams.push_back(stream),
                SETTINGS if flags & ACK == 0 => settings += 1,
                _ => {}
            }
            self.bytes.drain(..end);
        }
        settings
    }
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, state: Arc<State>) {
    stream.set_nodelay(true).unwrap();
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let (reader, mut requests) = reader();
    let (mut thrown_away, mut reader) = split(reader);
    tokio::spawn(async move { tokio::io::copy(&mut thrown_away, &mut sink()).await });
    if write(&mut stream, &frame(SETTINGS, NO_FLAGS, 0, &[])).await {
        return;
    }
    let mut incoming = Client::default();
    let mut chunk = [0; 4096];
    loop {
        tokio::select! {
            read = stream.read(&mut chunk) => {
                let Ok(read @ 1..) = read else {
                    return;
                };
                let settings = incoming.push(&chunk[..read]);
                let taken = frame(SETTINGS, ACK, 0, &[]).repeat(settings);
                if write(&mut stream, &taken).await || reader.write_all(&chunk[..read]).await.is_err() {
                    return;
                }
            }
            Some(seen) = requests.recv() => {
                state.seen.lock().unwrap().push(seen.line.clone());
                let id = incoming.streams.pop_front().unwrap();
                let answer = state.script.lock().unwrap().as_mut().unwrap()(&seen, id);
                if write(&mut stream, &answer.frames).await || end(answer.after, &mut stream).await {
                    return;
                }
            }
        }
    }
}

/// True where the connection is over.
async fn write(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> bool {
    stream.write_all(bytes).await.is_err() || stream.flush().await.is_err()
}

/// True where the connection is over.
async fn end(after: After, stream: &mut TlsStream<TcpStream>) -> bool {
    let mut rest = [0; 4096];
    match after {
        After::Keep => return false,
        After::Reset => stream.get_ref().0.set_zero_linger().unwrap(),
        // What was sent is read before the end is seen, which a reset would not wait for.
        After::Close => {
            let _ = stream.shutdown().await;
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        }
        After::Cut => {
            let (tcp, _) = stream.get_mut();
            let _ = tcp.shutdown().await;
            while tcp.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        }
    }
    true
}
