//! The HTTP side: routes, content negotiation, and answers made of shared bytes.

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
    response::{Html, IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    net::TcpListener,
    sync::{Mutex, watch},
    task::JoinSet,
};

use crate::{
    exposition::{Reload, Source},
    refresh::Page,
};

mod negotiate;
mod status;

/// What the web side may see.
#[derive(Clone)]
pub struct Web {
    /// The accounts and the bytes that are rendered of them.
    pub page: Arc<Page>,
    /// How the last loading of the configuration went.
    pub reload: Reload,
    /// Where the metrics are, such as `/metrics`.
    pub telemetry_path: String,
}

/// Serves on every listener until `stop` turns true, then lets running answers end.
pub async fn serve(
    listeners: Vec<TcpListener>,
    web: Web,
    stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let routes = routes(web);
    let mut servers = JoinSet::new();
    for listener in listeners {
        let mut stop = stop.clone();
        let server = axum::serve(listener, routes.clone()).with_graceful_shutdown(async move {
            // A closed channel means the end as well.
            let _ = stop.wait_for(|stop| *stop).await;
        });
        servers.spawn(async move { server.await });
    }
    while let Some(ended) = servers.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Binds a port of a host; of every interface, IPv6 and IPv4, where none is named.
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
    let source = Arc::new(Source::new());
    let metrics =
        get(async move |web: State<Arc<Web>>, headers: HeaderMap| metrics(&web, &source, &headers));
    let one = Arc::new(Mutex::new(()));
    let status_page = get(async move |State(web): State<Arc<Web>>| status_page(web, &one).await);
    Router::new()
        .route(&web.telemetry_path, metrics)
        .route("/", status_page)
        .route("/-/healthy", get(|| async { "alive\n" }))
        .route("/-/ready", get(ready))
        .with_state(Arc::new(web))
}

fn metrics(web: &Web, source: &Source, headers: &HeaderMap) -> Response {
    let format = negotiate::format(headers);
    let rendered = web.page.rendered();
    let live = source.live(web.page.cells(), web.reload);
    let zipped = negotiate::takes_gzip(headers);
    let body = if zipped {
        Pieces::new(rendered.gzip(&live, format))
    } else {
        Pieces::new(rendered.plain(&live, format))
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
    if zipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

/// Looked at one at a time and beside the async threads: it is made of all sums, and scrapes must not wait for it.
async fn status_page(web: Arc<Web>, one: &Mutex<()>) -> Response {
    let _one_at_a_time = one.lock().await;
    let page = tokio::task::spawn_blocking(move || status::page(&web).into_string()).await;
    page.map_or_else(
        |_| StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        |page| Html(page).into_response(),
    )
}

/// 200 once every account was tried once or restored.
async fn ready(State(web): State<Arc<Web>>) -> Response {
    let waiting: Vec<_> = web
        .page
        .cells()
        .iter()
        .filter(|cell| cell.state.load().status.last_attempt.is_none())
        .map(|cell| cell.account.name.as_str())
        .collect();
    if waiting.is_empty() {
        return "ready\n".into_response();
    }
    let text = format!("not polled yet: {}\n", waiting.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
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
