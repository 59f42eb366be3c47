//! A server that writes its answers byte by byte as it is told, and so can send what no HTTP library would.

use std::{
    io::Write,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
    time::Instant,
};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct RecordedRequest {
    /// Method, path and query; `TLS` for a handshake.
    pub(crate) line: String,
    /// The headers as they were sent.
    pub(crate) head: String,
    pub(crate) body: String,
    /// When it was there.
    pub(crate) at: Instant,
}

impl RecordedRequest {
    /// A header's value; empty where it was not sent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value)
    }
}

/// What the server does next with a connection.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Each byte by itself.
    Drip(Vec<u8>),
    /// The same again and again, until nobody takes it.
    Endless(Vec<u8>),
    /// One byte of white space after each such while, for ever.
    Trickle(Duration),
    /// Waits on tokio's clock.
    Wait(Duration),
    /// Says nothing more until the other side is gone.
    Hang,
    /// Ends in good order.
    Close,
    /// Ends with a reset.
    Reset,
}

/// What the server does with a request. Where no step ends the connection it is kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply(pub(crate) Vec<Step>);

impl Reply {
    /// Bytes as they are.
    pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self(vec![Step::Send(bytes.as_ref().to_vec())])
    }

    /// A good answer.
    pub(crate) fn good(body: impl AsRef<[u8]>) -> Self {
        Self::status(200, "", body)
    }

    /// An answer with a status and further headers, each with its line end.
    pub(crate) fn status(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} TestCharge\r\ncontent-length: {length}\r\n{headers}\r\n");
        Self::raw([head.as_bytes(), body].concat())
    }

    pub(crate) fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    /// Waits first.
    pub(crate) fn after(mut self, wait: Duration) -> Self {
        self.0.insert(0, Step::Wait(wait));
        self
    }
}

/// A body by gzip.
pub(crate) fn zipped(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A body in chunks of a size, the last one included.
pub(crate) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut framed = Vec::new();
    for chunk in body.chunks(size) {
        framed.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        framed.extend_from_slice(chunk);
        framed.extend_from_slice(b"\r\n");
    }
    framed.extend_from_slice(b"0\r\n\r\n");
    framed
}

type Script = Box<dyn FnMut(&RecordedRequest) -> Reply + Send>;

#[derive(Default)]
struct State {
    script: Mutex<Option<Script>>,
    seen: Mutex<Vec<RecordedRequest>>,
    busy: AtomicUsize,
    busiest: AtomicUsize,
    changed: Notify,
}

/// A server on the loopback. It stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// A server whose script says what it does with each request.
    pub(crate) async fn start(
        script: impl FnMut(&RecordedRequest) -> Reply + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::<State>::default();
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        let server = Self {
            address,
            state,
            task,
        };
        server.now(script);
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts another script in place.
    pub(crate) fn now(&self, script: impl FnMut(&RecordedRequest) -> Reply + Send + 'static) {
        *self.state.script.lock().unwrap() = Some(Box::new(script));
    }

    /// The requests since it was last asked.
    pub(crate) fn take(&self) -> Vec<RecordedRequest> {
        std::mem::take(&mut self.state.seen.lock().unwrap())
    }

    /// The lines of the requests since it was last asked.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.take().into_iter().map(|seen| seen.line).collect()
    }

    /// The most requests that were being answered at one time.
    pub(crate) fn busiest(&self) -> usize {
        self.state.busiest.load(Ordering::SeqCst)
    }

    /// Returns when no request is being answered: nobody waits for an answer any more.
    pub(crate) async fn idle(&self) {
        loop {
            let changed = self.state.changed.notified();
            if self.state.busy.load(Ordering::SeqCst) == 0 {
                return;
            }
            changed.await;
        }
    }
}

/// A request that is being answered.
struct InFlight<'a>(&'a State);

impl<'a> InFlight<'a> {
    fn new(state: &'a State) -> Self {
        let busy = state.busy.fetch_add(1, Ordering::SeqCst) + 1;
        state.busiest.fetch_max(busy, Ordering::SeqCst);
        Self(state)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<State>) {
    stream.set_nodelay(true).unwrap();
    while let Some(seen) = read(&mut stream).await {
        let _busy = InFlight::new(&state);
        state.seen.lock().unwrap().push(seen.clone());
        let Reply(steps) = state.script.lock().unwrap().as_mut().unwrap()(&seen);
        for step in steps {
            if !carry_out(step, &mut stream).await {
                return;
            }
        }
    }
}

/// False where the connection is over.
async fn carry_out(step: Step, stream: &mut TcpStream) -> bool {
    match step {
        Step::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
        Step::Drip(bytes) => {
            for byte in bytes {
                if stream.write_all(&[byte]).await.is_err() {
                    return false;
                }
                tokio::task::yield_now().await;
            }
            true
        }
        Step::Endless(bytes) => {
            while stream.write_all(&bytes).await.is_ok() {}
            false
        }
        Step::Trickle(wait) => {
            while stream.write_all(b" ").await.is_ok() {
                tokio::time::sleep(wait).await;
            }
            false
        }
        Step::Wait(wait) => {
            tokio::time::sleep(wait).await;
            true
        }
        Step::Hang => {
            let mut rest = [0; 1024];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            false
        }
        Step::Close => {
            // What was sent is read before the end is seen, which a reset would not wait for.
            let _ = stream.shutdown().await;
            let mut rest = [0; 1024];
            while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
            false
        }
        Step::Reset => {
            stream.set_zero_linger().unwrap();
            false
        }
    }
}

/// The next request; `None` where there is none.
async fn read(stream: &mut TcpStream) -> Option<RecordedRequest> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let end = bytes.windows(4).position(|end| end == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut seen = RecordedRequest {
                line: head
                    .lines()
                    .next()?
                    .trim_end_matches(" HTTP/1.1")
                    .to_owned(),
                head,
                body: String::new(),
                at: now(),
            };
            let length: usize = seen.header("content-length").parse().unwrap_or(0);
            while bytes.len() < end + 4 + length {
                let read = stream.read(&mut chunk).await.ok()?;
                if read == 0 {
                    return None;
                }
                bytes.extend_from_slice(&chunk[..read]);
            }
            seen.body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
            return Some(seen);
        }
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
        // The first byte of a TLS handshake, which is no text.
        if bytes[0] == 0x16 {
            return Some(RecordedRequest {
                line: "TLS".to_owned(),
                head: String::new(),
                body: String::new(),
                at: now(),
            });
        }
    }
}

pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the test measures time")]
    Instant::now()
}
