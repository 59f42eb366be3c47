//! The HTTP server: routes and responses made of shared bytes. Access control and limits of connections are in the folder.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{Ipv4Addr, Ipv6Addr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{net::TcpListener, sync::watch};

use crate::{
    exposition::LiveSource,
    poller::supervisor::{NotReloaded, Supervisor},
};

mod auth;
mod connection;
mod negotiate;
mod status;
mod tls;

pub use auth::Access;
use connection::Limits;

/// What the routes may use.
#[derive(Clone)]
pub struct Web {
    /// The accounts, what is rendered of them, and the reload of the configuration.
    pub supervisor: Arc<Supervisor>,
    /// Where the metrics are, such as `/metrics`.
    pub telemetry_path: String,
    /// Whether a request may trigger a reload.
    pub lifecycle: bool,
}

/// Serves on every listener until `stop` turns true, then completes the running responses.
pub async fn serve(
    listeners: Vec<TcpListener>,
    web: Web,
    access: Access,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let limits = Limits::default();
    connection::serve(listeners, routes(web), Arc::new(access), limits, stop).await
}

/// Binds a port of a host, or of every interface, IPv6 and IPv4, without one.
pub async fn bind(host: Option<&str>, port: u16) -> io::Result<TcpListener> {
    if let Some(host) = host {
        return TcpListener::bind((host, port)).await;
    }
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        // A machine without IPv6.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

fn routes(web: Web) -> Router {
    let source = Arc::new(LiveSource::new());
    let metrics = get(move |web: State<Arc<Web>>, headers: HeaderMap| {
        let source = Arc::clone(&source);
        async move { metrics(&web, &source, &headers).await }
    });
    Router::new()
        .route(&web.telemetry_path, metrics)
        .route("/", get(status_page))
        .route("/-/style.css", get(status::style))
        .route("/-/icon.svg", get(status::icon))
        .route("/-/healthy", get(|| async { "alive\n" }))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload).put(reload))
        .with_state(Arc::new(web))
}

async fn metrics(web: &Web, source: &LiveSource, headers: &HeaderMap) -> Response {
    let format = negotiate::format(headers);
    let published = web.supervisor.publisher().current();
    let rendered = &published.rendered;
    let live = source.live(&published.account_set, web.supervisor.loaded());
    let gzip = negotiate::accepts_gzip(headers);
    let body = if gzip {
        Pieces::new(rendered.gzip(&live, format))
    } else {
        Pieces::new(rendered.plain(&live, format).await)
    };
    let mut response = Response::new(Body::new(body));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    );
    headers.insert(
        header::VARY,
        HeaderValue::from_static("Accept, Accept-Encoding"),
    );
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

async fn status_page(State(web): State<Arc<Web>>) -> Response {
    status::page(&web)
}

/// 200 once every account was polled or restored and is in the rendering that is served.
async fn ready(State(web): State<Arc<Web>>) -> Response {
    let pending = web.supervisor.pending_accounts();
    if pending.is_empty() {
        return "ready\n".into_response();
    }
    let text = format!("not polled yet: {}\n", pending.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

/// Reloads the configuration, where requests may trigger that, and reports how it went.
async fn reload(State(web): State<Arc<Web>>) -> Response {
    if !web.lifecycle {
        let text = "reload over HTTP is disabled; enable it with --web.enable-lifecycle\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    let (status, text) = match web.supervisor.reload().await {
        Ok(changes) => return format!("reloaded; {changes}\n").into_response(),
        Err(errors @ NotReloaded::Diagnostics(_)) => (StatusCode::UNPROCESSABLE_ENTITY, errors),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error),
    };
    let text = format!("not reloaded, the previous configuration stays in effect:\n{text}\n");
    (status, text).into_response()
}

/// A body of shared pieces whose length is known.
struct Pieces(VecDeque<Bytes>);

impl Pieces {
    fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self(
            pieces
                .into_iter()
                .filter(|piece| !piece.is_empty())
                .collect(),
        )
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.iter().map(|piece| piece.len() as u64).sum())
    }
}

#[cfg(test)]
mod tests;
