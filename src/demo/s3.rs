//! A small S3-compatible store with exports of costs in FOCUS: a bucket as AWS Data Exports deliver them, one as Azure
//! does, one as Oracle does. Lists, heads and gets over HTTP, each signature checked.

use std::sync::Arc;

use axum::{Router, extract::State, response::Response, routing::any};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use jiff::Timestamp;

use super::{
    export_delivery::{Bucket, Object, Objects},
    s3_signature as signature,
    server::{ApiState, response, text},
};

/// The most keys in a page of a listing, and how many there are unless a client says otherwise.
const MAX_KEYS: usize = 1000;

pub(super) fn router() -> Router<ApiState> {
    Router::new()
        .route("/{bucket}", any(answer))
        .route("/{bucket}/", any(answer))
        .route("/{bucket}/{*key}", any(answer))
}

async fn answer(
    State(api_state): State<ApiState>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let asked = Asked {
        method,
        uri,
        headers,
    };
    // Making files takes a while.
    tokio::task::spawn_blocking(move || {
        asked
            .answer(&api_state)
            .unwrap_or_else(StoreError::response)
    })
    .await
    .unwrap_or_else(|_| {
        StoreError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "a bug in the demo",
        )
        .response()
    })
}

/// An error as S3 sends it.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoreError {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

impl StoreError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self {
            status,
            code,
            message,
        }
    }

    fn response(self) -> Response {
        let Self { code, message, .. } = self;
        response(self.status, "application/xml", error_xml(code, message))
    }
}

/// The body of an error.
pub(super) fn error_xml(code: &str, message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>0DE0</RequestId></Error>"
    )
}

struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Asked {
    fn answer(&self, api_state: &ApiState) -> Result<Response, StoreError> {
        let path = signature::decode(self.uri.path().trim_start_matches('/'));
        let path = String::from_utf8_lossy(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        if ![Method::GET, Method::HEAD].contains(&self.method) {
            let message = "The specified method is not allowed against this resource";
            return Err(StoreError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                message,
            ));
        }
        let bucket = Bucket::named(bucket).ok_or_else(|| {
            let message = "The specified bucket does not exist";
            StoreError::new(StatusCode::NOT_FOUND, "NoSuchBucket", message)
        })?;
        signature::check(&self.method, &self.uri, &self.headers)?;
        let objects = api_state.objects(bucket);
        if key.is_empty() {
            return self.list(bucket, &objects);
        }
        let object = objects.get(key).ok_or_else(|| {
            StoreError::new(
                StatusCode::NOT_FOUND,
                "NoSuchKey",
                "The specified key does not exist.",
            )
        })?;
        self.object(object)
    }

    fn list(&self, bucket: Bucket, objects: &Objects) -> Result<Response, StoreError> {
        let pairs = signature::pairs(&self.uri);
        let text = |key: &str| {
            let known = pairs.iter().find(|(known, _)| known == key);
            known.map_or("", |(_, value)| value.as_str())
        };
        let invalid = || {
            StoreError::new(
                StatusCode::BAD_REQUEST,
                "InvalidArgument",
                "Invalid Argument",
            )
        };
        if text("list-type") != "2" {
            return Err(StoreError::new(
                StatusCode::NOT_IMPLEMENTED,
                "NotImplemented",
                "only version 2 of the listing is simulated",
            ));
        }
        let max_keys = match text("max-keys") {
            "" => MAX_KEYS,
            number => number
                .parse::<usize>()
                .map_err(|_| invalid())?
                .min(MAX_KEYS),
        };
        let after = match text("continuation-token") {
            "" => text("start-after").to_owned(),
            token => {
                let key = BASE64.decode(token).map_err(|_| invalid())?;
                String::from_utf8(key).map_err(|_| invalid())?
            }
        };
        let listing = Listing::of(objects, text("prefix"), text("delimiter"), &after, max_keys);
        Ok(response(
            StatusCode::OK,
            "application/xml",
            listing.xml(bucket.name(), text("prefix"), max_keys),
        ))
    }

    fn object(&self, object: &Object) -> Result<Response, StoreError> {
        let failed = || {
            let message = "At least one of the pre-conditions you specified did not hold";
            StoreError::new(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                message,
            )
        };
        let names = |header: &str| {
            text(&self.headers, header).split(',').any(|etag| {
                etag.trim() == "*" || etag.trim().trim_matches('"') == object.etag.trim_matches('"')
            })
        };
        if self.headers.contains_key(header::IF_MATCH) && !names("if-match") {
            return Err(failed());
        }
        if self.headers.contains_key(header::IF_NONE_MATCH) && names("if-none-match") {
            return Ok(response(
                StatusCode::NOT_MODIFIED,
                "binary/octet-stream",
                Bytes::new(),
            ));
        }
        let size = object.bytes.len();
        let range = match text(&self.headers, "range") {
            "" => None,
            range => Some(range_of(range, size).ok_or_else(|| {
                let message = "The requested range is not satisfiable";
                StoreError::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message)
            })?),
        };
        let (status, bytes) = match &range {
            None => (StatusCode::OK, object.bytes.clone()),
            Some(range) => (
                StatusCode::PARTIAL_CONTENT,
                object.bytes.slice(range.clone()),
            ),
        };
        let mut response = response(status, "binary/octet-stream", bytes);
        let mut set = |name, value: String| {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(header::ETAG, object.etag.clone());
        set(header::ACCEPT_RANGES, "bytes".to_owned());
        set(header::LAST_MODIFIED, http_date(object.modified));
        if let Some(range) = range {
            set(
                header::CONTENT_RANGE,
                format!("bytes {}-{}/{size}", range.start, range.end - 1),
            );
        }
        Ok(response)
    }
}

/// The bytes that the header `Range` asks for; `None` if there are none.
fn range_of(header: &str, size: usize) -> Option<std::ops::Range<usize>> {
    let (from, to) = header.strip_prefix("bytes=")?.split_once('-')?;
    let range = if from.is_empty() {
        size.saturating_sub(to.parse().ok()?)..size
    } else {
        let last = if to.is_empty() {
            usize::MAX
        } else {
            to.parse().ok()?
        };
        from.parse().ok()?..last.saturating_add(1).min(size)
    };
    (range.start < range.end).then_some(range)
}

fn http_date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// One page of a listing.
struct Listing<'o> {
    objects: Vec<(&'o str, &'o Object)>,
    /// What keys have in common up to the delimiter.
    prefixes: Vec<String>,
    /// The last key or common prefix of this page, where there is another page.
    next: Option<String>,
}

impl<'o> Listing<'o> {
    fn of(
        objects: &'o Objects,
        prefix: &str,
        delimiter: &str,
        after: &str,
        max_keys: usize,
    ) -> Self {
        let mut page = Self {
            objects: Vec::new(),
            prefixes: Vec::new(),
            next: None,
        };
        let mut last = None;
        for (key, object) in objects {
            let Some(rest) = key.strip_prefix(prefix) else {
                continue;
            };
            let common = (!delimiter.is_empty())
                .then(|| rest.find(delimiter))
                .flatten()
                .map(|end| format!("{prefix}{}", &rest[..end + delimiter.len()]));
            let entry = common.as_deref().unwrap_or(key);
            if entry <= after || last.as_deref() == Some(entry) {
                continue;
            }
            if page.objects.len() + page.prefixes.len() == max_keys {
                page.next = last;
                break;
            }
            last = Some(entry.to_owned());
            match common {
                Some(common) => page.prefixes.push(common),
                None => page.objects.push((key, object)),
            }
        }
        page
    }

    fn xml(&self, bucket: &str, prefix: &str, max_keys: usize) -> String {
        use std::fmt::Write as _;
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>{bucket}</Name><Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{max_keys}</MaxKeys><IsTruncated>{}</IsTruncated>",
            escape(prefix),
            self.objects.len() + self.prefixes.len(),
            self.next.is_some(),
        );
        if let Some(next) = &self.next {
            let _ = write!(
                xml,
                "<NextContinuationToken>{}</NextContinuationToken>",
                BASE64.encode(next)
            );
        }
        for (key, object) in &self.objects {
            let _ = write!(
                xml,
                "<Contents><Key>{}</Key><LastModified>{}</LastModified><ETag>{}</ETag><Size>{}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                escape(key),
                object.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                escape(&object.etag),
                object.bytes.len(),
            );
        }
        for prefix in &self.prefixes {
            let _ = write!(
                xml,
                "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>",
                escape(prefix)
            );
        }
        xml.push_str("</ListBucketResult>");
        xml
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl ApiState {
    /// What lies in a bucket now.
    fn objects(&self, bucket: Bucket) -> Arc<Objects> {
        let at = self.api.export_time(self.clock.now());
        self.deliveries.objects(
            bucket,
            &self.world,
            at,
            self.api.redeliveries(),
            self.api.uninvoiced(),
        )
    }
}
