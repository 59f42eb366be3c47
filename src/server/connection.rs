//! Connections: how many there are, the time and memory that each may take, and their shutdown.

use std::{
    convert::Infallible,
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::{Service, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
    service::TowerToHyperService,
};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{Sleep, sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::server::auth::Access;

mod activity;

use activity::{Activity, ActivityTracker, Answer, Phase, TrackedBody, TrackedStream};

/// Limits of connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How many there are at once; further ones wait in the system's queue until one ends. At least one more than listeners.
    pub(super) connections: usize,
    /// The time for a TLS handshake.
    pub(super) handshake: Duration,
    /// The time for a request's line and headers, from the first byte on; for the first one from the start.
    pub(super) headers: Duration,
    /// The time for a response to be read. Then the connection gets no other request, and after as long again it is cut.
    pub(super) response: Duration,
    /// The time between a response and the next request.
    pub(super) idle: Duration,
    /// The time for running responses during a shutdown.
    pub(super) shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            handshake: Duration::from_secs(10),
            headers: Duration::from_secs(10),
            response: Duration::from_mins(1),
            // Longer than common scrape intervals, so that a TLS connection serves many scrapes.
            idle: Duration::from_mins(6),
            shutdown: Duration::from_secs(10),
        }
    }
}

/// The largest size of a request's line and headers, in HTTP/1 and HTTP/2.
const MAX_HEAD: u32 = 16 << 10;
/// Concurrent requests of one HTTP/2 connection.
const STREAMS: u32 = 32;
/// The pause after an error of accepting, such as when the system has no descriptor left.
const RECOVERY: Duration = Duration::from_secs(1);

/// What every connection shares.
struct Shared {
    routes: TowerToHyperService<Router>,
    access: Arc<Access>,
    limits: Limits,
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

/// Serves routes on every listener until `stop` turns true, then completes the running responses.
pub(super) async fn serve(
    listeners: Vec<TcpListener>,
    routes: Router,
    access: Arc<Access>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut beyond_this_host = false;
    for listener in &listeners {
        beyond_this_host |= !listener.local_addr()?.ip().to_canonical().is_loopback();
    }
    access.log_exposure(beyond_this_host);
    let places = Arc::new(Semaphore::new(limits.connections));
    let shared = Arc::new(Shared {
        routes: TowerToHyperService::new(routes),
        access: Arc::clone(&access),
        limits,
        places: Arc::clone(&places),
        stop: stop.clone(),
    });
    tokio::spawn(access.run(stop.clone()));
    for listener in listeners {
        tokio::spawn(accept(listener, Arc::clone(&shared)));
    }
    let mut stop = stop;
    // A closed channel means the end as well.
    let _ = stop.wait_for(|stop| *stop).await;
    // Listeners and connections have a place each, and give it back when they end.
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    let _ended = places.acquire_many(all).await;
    Ok(())
}

/// Accepts connections while there are places.
async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut stop = shared.stop.clone();
    let mut warned = false;
    let accepting = async {
        loop {
            if shared.places.available_permits() == 0 && !std::mem::replace(&mut warned, true) {
                let connections = shared.limits.connections;
                tracing::warn!(
                    connections,
                    "Connection limit reached, new connections wait until one ends"
                );
            }
            let place = Arc::clone(&shared.places)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(connection(stream, Arc::clone(&shared), place));
                }
                Err(error) if is_about_one(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "Cannot accept a connection");
                    sleep(RECOVERY).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Whether an error of accepting concerns one connection and not the listener.
fn is_about_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}

/// Serves one connection to its end and gives its place back.
async fn connection(stream: TcpStream, shared: Arc<Shared>, place: OwnedSemaphorePermit) {
    // A response is written in few pieces, none of which should wait for another.
    let _ = stream.set_nodelay(true);
    let tls = shared.access.rules().tls.clone();
    match tls {
        None => http(stream, false, &shared).await,
        Some(config) => {
            let mut stop = shared.stop.clone();
            let stream = tokio::select! {
                stream = timeout(shared.limits.handshake, handshake(stream, config)) => stream,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            if let Ok(Some(stream)) = stream {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                http(stream, http2, &shared).await;
            }
        }
    }
    drop(place);
}

const PLAIN_TEXT: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n\
    this port speaks HTTPS\n";
/// The first byte of a TLS connection: the record type of a handshake.
const HANDSHAKE: u8 = 22;

/// Performs the TLS handshake. `None` where it failed and the client was refused.
async fn handshake(stream: TcpStream, config: Arc<ServerConfig>) -> Option<TlsStream<TcpStream>> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 1 && first != [HANDSHAKE] {
        refuse(stream, PLAIN_TEXT).await;
        return None;
    }
    match TlsAcceptor::from(config)
        .accept(stream)
        .into_fallible()
        .await
    {
        Ok(stream) => Some(stream),
        Err((error, stream)) => {
            tracing::debug!(%error, "TLS handshake failed");
            refuse(stream, &[]).await;
            None
        }
    }
}

/// Ends a connection so that the client reads what was sent last: one closed over unread bytes would be reset.
async fn refuse(mut stream: TcpStream, last: &[u8]) {
    const MAX_READS: usize = 64;
    if stream.write_all(last).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut unread = [0; 1024];
    for _ in 0..MAX_READS {
        match stream.read(&mut unread).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

async fn http<S>(stream: S, http2: bool, shared: &Shared)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let activity = Arc::new(ActivityTracker::new(!http2));
    let stream = TokioIo::new(TrackedStream {
        stream,
        activity: Arc::clone(&activity),
    });
    let (routes, access) = (shared.routes.clone(), Arc::clone(&shared.access));
    let tracker = Arc::clone(&activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::new(Answer::begin(&tracker));
        let (routes, access) = (routes.clone(), Arc::clone(&access));
        async move {
            let response = respond(request, routes, &access).await;
            Ok::<_, Infallible>(response.map(|body| TrackedBody { body, answer }))
        }
    });
    if http2 {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(MAX_HEAD);
        watch_over(builder.serve_connection(stream, service), &activity, shared).await;
    } else {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            // It would run between requests as well; the activity keeps the time.
            .header_read_timeout(None)
            .max_header_size(MAX_HEAD as usize);
        watch_over(builder.serve_connection(stream, service), &activity, shared).await;
    }
}

async fn respond(
    request: Request<Incoming>,
    routes: TowerToHyperService<Router>,
    access: &Access,
) -> Response {
    let rules = access.rules();
    let mut response = match rules.refuse(request.headers()).await {
        Some(refusal) => refusal,
        None => match routes.call(request.map(Body::new)).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
    };
    for (name, value) in &rules.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

/// Drives a connection until it ends, takes longer than it may, or the program ends.
async fn watch_over<C: GracefulConnection>(
    connection: C,
    activity: &ActivityTracker,
    shared: &Shared,
) {
    let mut connection = pin!(connection);
    let mut stop = shared.stop.clone();
    let mut stopping = pin!(stop.wait_for(|stop| *stop));
    let mut stopped = false;
    let mut deadline = Deadline {
        current: activity.current(),
        timer: pin!(sleep(shared.limits.of(activity.current().doing))),
        is_last: false,
    };
    poll_fn(|context| {
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if !stopped && stopping.as_mut().poll(context).is_ready() {
            stopped = true;
            connection.as_mut().graceful_shutdown();
            deadline.set_last(shared.limits.shutdown);
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
        }
        // The activity changes only while the connection is polled, so it is read right after.
        deadline.follow(activity.current(), &shared.limits);
        while deadline.timer.as_mut().poll(context).is_ready() {
            if deadline.is_last || deadline.current.doing == Phase::Reading {
                return Poll::Ready(());
            }
            connection.as_mut().graceful_shutdown();
            deadline.set_last(
                shared
                    .limits
                    .of(deadline.current.doing)
                    .min(shared.limits.response),
            );
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    })
    .await;
}

impl Limits {
    fn of(&self, doing: Phase) -> Duration {
        match doing {
            Phase::Reading => self.headers,
            Phase::Answering => self.response,
            Phase::Idle => self.idle,
        }
    }
}

/// Until when the activity of a connection must change.
struct Deadline<'a> {
    current: Activity,
    timer: Pin<&'a mut Sleep>,
    /// Whether the connection is shutting down and nothing moves the deadline any more.
    is_last: bool,
}

impl Deadline<'_> {
    fn follow(&mut self, current: Activity, limits: &Limits) {
        if self.current != current && !self.is_last {
            self.current = current;
            self.timer.set(sleep(limits.of(current.doing)));
        }
    }

    fn set_last(&mut self, time: Duration) {
        self.is_last = true;
        self.timer.set(sleep(time));
    }
}

#[cfg(test)]
mod tests;
