//! A small store that speaks as much of S3 as is asked: lists of version 2, and files with If-Match and Range. Faults are
//! switched on by the part of the request that they answer.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

/// One object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) content: Vec<u8>,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
}

/// What is answered in place of the response.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// A status with a code in XML.
    Refuse(u16, &'static str),
    /// Any response.
    Answer(u16, String),
    /// The body ends after so many bytes.
    Cut(usize),
    /// The file is another one from here on, and the request gets it.
    Replace(Vec<u8>),
    /// The same, but the request still gets the old one.
    ReplaceAfter(String, Vec<u8>),
    /// There is another file from here on.
    Add(String, Vec<u8>),
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) objects: BTreeMap<String, Object>,
    /// Faults by a part of the line of the request, and how often each comes.
    faults: Vec<(String, usize, Fault)>,
    /// Method, path and query of every request.
    pub(super) lines: Vec<String>,
    pub(super) headers: Vec<HeaderMap>,
    pub(super) page: usize,
    /// How an `ETag` is written.
    pub(super) weak: bool,
    /// Whether `If-Match` is ignored, as by the XML API of some emulators.
    pub(super) careless: bool,
    /// Whether files are marked as compressed.
    pub(super) compressed: bool,
}

/// The store.
pub(super) struct Server {
    pub(super) url: String,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(super) async fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            page: 1_000,
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        let router = Router::new().fallback(move |request: Request| {
            let shared = Arc::clone(&shared);
            async move { respond(&mut shared.lock().unwrap(), &request) }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Writes an object below the prefix of the tests.
    pub(super) fn put(&self, name: &str, content: impl Into<Vec<u8>>, modified: &str) {
        let content = content.into();
        self.state().put(name, content, modified.parse().unwrap());
    }

    /// Answers the next requests whose line has this text in it by a fault.
    pub(super) fn fault(&self, text: &str, times: usize, fault: Fault) {
        self.state().faults.push((text.to_owned(), times, fault));
    }

    /// The requests so far, without what is escaped or changes from run to run.
    pub(super) fn take_lines(&self) -> Vec<String> {
        let mut state = self.state();
        let lines = std::mem::take(&mut state.lines);
        lines.into_iter().map(|line| plain(&line)).collect()
    }
}

impl State {
    fn put(&mut self, name: &str, content: Vec<u8>, modified: Timestamp) {
        let etag = format!("{:x}", crc32fast::hash(&content));
        let object = Object {
            content,
            etag,
            modified,
        };
        self.objects.insert(format!("exports/{name}"), object);
    }

    fn etag(&self, object: &Object) -> String {
        let weak = if self.weak { "W/" } else { "" };
        format!("{weak}\"{}\"", object.etag)
    }
}

fn respond(state: &mut State, request: &Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    let plain = plain(&line);
    state.lines.push(line);
    state.headers.push(request.headers().clone());
    let fault = state
        .faults
        .iter_mut()
        .find(|(text, times, _)| *times > 0 && plain.contains(text.as_str()))
        .map(|(_, times, fault)| {
            *times -= 1;
            fault.clone()
        });
    let mut cut = None;
    let key = key_of(request);
    match fault {
        Some(Fault::Refuse(status, code)) => {
            let xml = format!(
                "<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>said the store</Message></Error>"
            );
            return (StatusCode::from_u16(status).unwrap(), xml).into_response();
        }
        Some(Fault::Answer(status, body)) => {
            return (StatusCode::from_u16(status).unwrap(), body).into_response();
        }
        Some(Fault::Cut(length)) => cut = Some(length),
        Some(Fault::Replace(content)) => {
            let name = key.strip_prefix("exports/").unwrap().to_owned();
            let modified = state.objects[&key].modified;
            state.put(&name, content, modified);
        }
        Some(Fault::ReplaceAfter(name, content)) => {
            let response = answer(state, request, &key, None);
            let modified = state.objects[&format!("exports/{name}")].modified;
            state.put(&name, content, modified);
            return response;
        }
        Some(Fault::Add(name, content)) => {
            let modified = state.objects[&key].modified;
            state.put(&name, content, modified);
        }
        None => {}
    }
    answer(state, request, &key, cut)
}

/// Without what clients escape.
fn plain(text: &str) -> String {
    [("%3D", "="), ("%2F", "/"), ("%2D", "-"), ("%2E", ".")]
        .into_iter()
        .fold(text.to_owned(), |text, (escaped, plain)| {
            text.replace(escaped, plain)
        })
}

/// The key of a request: its path without the bucket.
fn key_of(request: &Request) -> String {
    let path = plain(request.uri().path()).replace("%20", " ");
    let path = path.trim_start_matches('/');
    path.split_once('/')
        .map_or(String::new(), |(_, key)| key.to_owned())
}

fn answer(state: &State, request: &Request, key: &str, cut: Option<usize>) -> Response {
    let query = request.uri().query().unwrap_or_default();
    if query.contains("list-type=2") {
        return list(state, query);
    }
    let Some(object) = state.objects.get(key) else {
        return (
            StatusCode::NOT_FOUND,
            "<Error><Code>NoSuchKey</Code></Error>",
        )
            .into_response();
    };
    let header_of = |name| {
        let value = request.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    if let Some(tag) = header_of(header::IF_MATCH)
        && !state.careless
        && tag != state.etag(object)
    {
        let xml = "<Error><Code>PreconditionFailed</Code></Error>";
        return (StatusCode::PRECONDITION_FAILED, xml).into_response();
    }
    let size = object.content.len();
    let (status, start, end) = match header_of(header::RANGE) {
        None => (StatusCode::OK, 0, size),
        Some(range) => {
            let (start, last) = range
                .strip_prefix("bytes=")
                .unwrap()
                .split_once('-')
                .unwrap();
            let last: usize = last.parse().unwrap();
            (
                StatusCode::PARTIAL_CONTENT,
                start.parse().unwrap(),
                last + 1,
            )
        }
    };
    let content = Bytes::copy_from_slice(&object.content[start..end]);
    let length = content.len();
    let body = match cut {
        None => Body::from(content),
        Some(cut) => {
            let sent = stream::once(async move { Ok(content.slice(..cut)) });
            // What was sent is flushed while the body has nothing more to give.
            let broken = stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut"))
            });
            Body::from_stream(sent.chain(broken))
        }
    };
    let modified: std::time::SystemTime = object.modified.into();
    let mut response = Response::builder()
        .status(status)
        .header(header::ETAG, state.etag(object))
        .header(header::LAST_MODIFIED, httpdate::fmt_http_date(modified))
        .header(header::CONTENT_LENGTH, length);
    if state.compressed {
        response = response.header(header::CONTENT_ENCODING, "gzip");
    }
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {start}-{}/{size}", end - 1);
        response = response.header(header::CONTENT_RANGE, range);
    }
    response.body(body).unwrap()
}

fn list(state: &State, query: &str) -> Response {
    let value = |name: &str| {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let mut found = pairs.filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.into_owned())
    };
    let prefix = value("prefix").unwrap_or_default();
    let token = value("continuation-token").unwrap_or_default();
    let mut keys = state
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix) && **key > token);
    let page: Vec<_> = keys.by_ref().take(state.page).collect();
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">",
    );
    for (key, object) in &page {
        let _ = write!(
            xml,
            "<Contents><Key>{key}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            object.modified,
            state.etag(object).replace('"', "&quot;"),
            object.content.len()
        );
    }
    let more = keys.next().is_some();
    let _ = write!(xml, "<IsTruncated>{more}</IsTruncated>");
    if more {
        let last = page.last().unwrap().0;
        let _ = write!(xml, "<NextContinuationToken>{last}</NextContinuationToken>");
    }
    xml.push_str("</ListBucketResult>");
    xml.into_response()
}
