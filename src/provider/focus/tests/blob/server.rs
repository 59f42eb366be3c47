//! A small store that speaks as much of Azure Blob Storage as is asked: lists with markers, and blobs with If-Match and
//! Range. Faults are switched on by the part of the request that they answer.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

pub(super) const ACCOUNT: &str = "costsaccount";

/// What the store says of the time of a blob, and of its own clock.
const MODIFIED: &str = "Thu, 28 May 2026 06:00:00 GMT";
const NOW: &str = "Fri, 29 May 2026 12:00:00 GMT";

/// One blob.
#[derive(Debug, Clone)]
struct Blob {
    content: Vec<u8>,
    etag: String,
}

/// What is answered in place of the response.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// A status with a code, and with details in XML.
    Refuse(u16, &'static str, &'static str),
    /// A status with the code in a header alone.
    Head(u16, &'static str),
    /// The text of the response is this one.
    Answer(String),
    /// The same with the status 400.
    Bad(String),
    /// The blob is another one from here on.
    Replace(Vec<u8>),
    /// This text of the response is another one.
    Change(&'static str, &'static str),
}

#[derive(Debug, Default)]
pub(super) struct State {
    blobs: BTreeMap<String, Blob>,
    /// Faults by a part of the line of the request.
    faults: Vec<(String, Fault)>,
    /// Method, path and query of every request.
    lines: Vec<String>,
    pub(super) headers: Vec<HeaderMap>,
    /// How many blobs a page has.
    pub(super) page: usize,
    /// How an `ETag` is written in headers: weak, quoted, or bare as in listings.
    pub(super) weak: bool,
    pub(super) bare: bool,
    /// Whether every page of a listing has another one after it.
    pub(super) endless: bool,
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

    /// Writes a blob of the container.
    pub(super) fn put(&self, key: &str, content: impl Into<Vec<u8>>) {
        self.state().put(key, content.into());
    }

    /// Answers every request whose line has this text in it by a fault.
    pub(super) fn fault(&self, text: &str, fault: Fault) {
        self.state().faults.push((text.to_owned(), fault));
    }

    /// Method, path and query of the requests so far.
    pub(super) fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.state().lines)
    }
}

impl State {
    fn put(&mut self, key: &str, content: Vec<u8>) {
        let etag = format!("0x8D{:012X}", crc32fast::hash(&content));
        self.blobs.insert(key.to_owned(), Blob { content, etag });
    }

    /// Answers every request by this refusal.
    pub(super) fn refuse(&mut self, xml: String) {
        self.faults = vec![(String::new(), Fault::Bad(xml))];
    }

    /// The `ETag` of a blob in a header.
    fn etag(&self, blob: &Blob) -> String {
        let tag = &blob.etag;
        match (self.weak, self.bare) {
            (true, _) => format!("W/\"{tag}\""),
            (_, true) => tag.clone(),
            _ => format!("\"{tag}\""),
        }
    }
}

fn respond(state: &mut State, request: &Request) -> Response {
    let line = format!("{} {}", request.method(), request.uri());
    state.lines.push(line.clone());
    state.headers.push(request.headers().clone());
    let key = request.uri().path();
    let key = key.strip_prefix(&format!("/{ACCOUNT}/exports"));
    let Some(key) = key else {
        return refusal(400, "InvalidUri", "");
    };
    let key = key.trim_start_matches('/').to_owned();
    let faults = state.faults.iter();
    let faults: Vec<Fault> = faults
        .filter(|(text, _)| line.contains(text.as_str()))
        .map(|(_, fault)| fault.clone())
        .collect();
    let mut changes = Vec::new();
    for fault in faults {
        match fault {
            Fault::Refuse(status, code, detail) => return refusal(status, code, detail),
            Fault::Head(status, code) => {
                let status = StatusCode::from_u16(status).unwrap();
                return (status, [("x-ms-error-code", code)]).into_response();
            }
            Fault::Answer(text) => return text.into_response(),
            Fault::Bad(text) => return (StatusCode::BAD_REQUEST, text).into_response(),
            Fault::Replace(content) => state.put(&key, content),
            Fault::Change(from, to) => changes.push((from, to)),
        }
    }
    if request
        .uri()
        .query()
        .unwrap_or_default()
        .contains("comp=list")
    {
        let mut page = list(state, request.uri().query().unwrap());
        for (from, to) in changes {
            assert!(page.contains(from), "{page}");
            page = page.replacen(from, to, 1);
        }
        return page.into_response();
    }
    read(state, request, &key)
}

/// A refusal as the store writes it, with a byte order mark.
fn refusal(status: u16, code: &str, detail: &str) -> Response {
    let detail = match detail {
        "" => String::new(),
        text => format!("<AuthenticationErrorDetail>{text}</AuthenticationErrorDetail>"),
    };
    let xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>said the store.\nRequestId:1\nTime:2</Message>{detail}</Error>"
    );
    let headers = [("x-ms-error-code", code), ("date", NOW)];
    (StatusCode::from_u16(status).unwrap(), headers, xml).into_response()
}

fn list(state: &State, query: &str) -> String {
    let value = |name: &str| {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let mut found = pairs.filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.into_owned())
    };
    let prefix = value("prefix").unwrap_or_default();
    let marker = value("marker").unwrap_or_default();
    let mut keys = state
        .blobs
        .iter()
        .filter(|(key, _)| key.starts_with(&prefix) && **key >= marker);
    let page: Vec<_> = keys.by_ref().take(state.page).collect();
    let mut xml = format!(
        "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://{ACCOUNT}.blob.core.windows.net/\" ContainerName=\"exports\"><Prefix>{prefix}</Prefix><Blobs>"
    );
    for (key, blob) in page {
        // A name that ends in a slash stands for the folder that a hierarchical namespace has.
        let (name, kind) = match key.strip_suffix('/') {
            Some(name) => (name, "directory"),
            None => (key.as_str(), "file"),
        };
        let _ = write!(
            xml,
            "<Blob><Name>{name}</Name><Properties><Creation-Time>{MODIFIED}</Creation-Time><Last-Modified>{MODIFIED}</Last-Modified><Etag>{}</Etag><ResourceType>{kind}</ResourceType><Content-Length>{}</Content-Length><Content-Type>application/octet-stream</Content-Type><Content-Encoding /><Content-MD5 /><BlobType>BlockBlob</BlobType></Properties><OrMetadata /></Blob>",
            blob.etag,
            blob.content.len()
        );
    }
    xml.push_str("</Blobs>");
    match keys.next() {
        _ if state.endless => {
            let _ = write!(xml, "<NextMarker>page {}</NextMarker>", state.lines.len());
        }
        Some((next, _)) => {
            let _ = write!(xml, "<NextMarker>{next}</NextMarker>");
        }
        None => xml.push_str("<NextMarker />"),
    }
    xml.push_str("</EnumerationResults>");
    xml
}

fn read(state: &State, request: &Request, key: &str) -> Response {
    let Some(blob) = state.blobs.get(key) else {
        return refusal(404, "BlobNotFound", "");
    };
    let header_of = |name| {
        let value = request.headers().get(name);
        value
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    if let Some(tag) = header_of(header::IF_MATCH)
        && tag != format!("\"{}\"", blob.etag)
    {
        return refusal(412, "ConditionNotMet", "");
    }
    let size = blob.content.len();
    let range = header_of(header::RANGE).map(|range| {
        let range = range.strip_prefix("bytes=").unwrap();
        let (start, last) = range.split_once('-').unwrap();
        let last: usize = last.parse().unwrap();
        (start.parse::<usize>().unwrap(), last + 1)
    });
    let (start, end) = range.unwrap_or((0, size));
    let mut response = Response::builder()
        .status(if range.is_some() { 206 } else { 200 })
        .header(header::ETAG, state.etag(blob))
        .header(header::LAST_MODIFIED, MODIFIED);
    if range.is_some() {
        let range = format!("bytes {start}-{}/{size}", end - 1);
        response = response.header(header::CONTENT_RANGE, range);
    }
    response
        .body(blob.content[start..end].to_vec().into())
        .unwrap()
}
