//! One file of a web server: a GET is its listing, and the same response is read afterwards where the file has changed.

mod refusal;

use std::{
    collections::VecDeque,
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, future::BoxFuture};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use url::Url;
use uuid::Uuid;

use super::{Counted, Head, Keep, Listed, Listing, Store, Version};
use crate::{
    error::{ProviderError, Reason},
    http_client::{Exchange, Http},
    provider::focus::file::{ExportFile, FileBytes},
    secret::SecretSource,
};

/// How many responses wait to be read at most: those of the current and the previous month.
const MAX_WAITING: usize = 2;
/// A file that was written so recently may be written again within the same second.
const RECENT: SignedDuration = SignedDuration::from_mins(1);

/// A web server, as far as one address on it, or one for each month, is asked.
#[derive(Debug)]
pub(in crate::provider::focus) struct WebStore(Arc<Server>);

/// How a web server is asked.
pub(in crate::provider::focus) struct Server {
    /// The client of the account.
    pub(in crate::provider::focus) http: Http,
    /// Scheme and authority.
    pub(in crate::provider::focus) base: String,
    /// Where the bearer token is.
    pub(in crate::provider::focus) token: Option<SecretSource>,
    /// Whether there is an address for each month, so that one may not be there yet.
    pub(in crate::provider::focus) by_month: bool,
    /// Responses whose bodies were not read yet, by path and version.
    pub(in crate::provider::focus) waiting: Waiting,
}

/// Responses whose bodies were not read yet, by path and version.
#[derive(Debug, Default)]
pub(in crate::provider::focus) struct Waiting(Mutex<VecDeque<(String, Version, Exchange)>>);

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Waiting {
    /// Keeps a response, in the place of an older one of its path.
    fn put(&self, path: &str, version: Version, exchange: Exchange) {
        let mut waiting = self.lock();
        waiting.retain(|(other, ..)| other != path);
        while waiting.len() >= MAX_WAITING {
            waiting.pop_front();
        }
        waiting.push_back((path.to_owned(), version, exchange));
    }

    /// The response of a path, if it is the one with this version.
    fn take(&self, path: &str, version: &Version) -> Option<Exchange> {
        let mut waiting = self.lock();
        let found = waiting.iter().position(|(other, ..)| other == path)?;
        let (_, known, exchange) = waiting.remove(found)?;
        (known == *version).then_some(exchange)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(String, Version, Exchange)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WebStore {
    pub(in crate::provider::focus) fn new(server: Server) -> Self {
        Self(Arc::new(server))
    }
}

impl Store for WebStore {
    fn list<'a>(
        &'a self,
        path: &'a str,
        _: &'a Keep,
    ) -> BoxFuture<'a, Result<Listing, ProviderError>> {
        Box::pin(async move {
            let server = &self.0;
            let mut listing = Listing::default();
            let mut exchange = match server.get(path, &[]).await {
                Ok(exchange) => exchange,
                Err(error) if server.by_month && error.reason() == Reason::NotFound => {
                    return Ok(listing);
                }
                Err(error) => return Err(error),
            };
            // It may wait while other requests are sent, with one at a time as well.
            exchange.release_permit();
            let file = server.listed(path, &exchange)?;
            server.waiting.put(path, file.version.clone(), exchange);
            listing.files.insert(file.name.clone(), file);
            Ok(listing)
        })
    }

    fn open(&self, path: &str, file: &Listed) -> Result<Arc<dyn ExportFile>, ProviderError> {
        Ok(Arc::new(WebFile {
            server: Arc::clone(&self.0),
            path: path.to_owned(),
            listed: file.clone(),
        }))
    }

    fn forget(&self) {
        self.0.waiting.lock().clear();
    }
}

impl Server {
    /// A GET of a path, whose response is still to be read.
    async fn get(
        &self,
        path: &str,
        more: &[(header::HeaderName, String)],
    ) -> Result<Exchange, ProviderError> {
        let wrong = |what: &str| ProviderError::malformed(format!("{}/{path}: {what}", self.base));
        let url = Url::parse(&format!("{}/{path}", self.base));
        let url = url.map_err(|_| wrong("is no address"))?;
        let uri: http::Uri = url.as_str().parse().map_err(|_| wrong("is no address"))?;
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = uri;
        let token = self.token()?;
        if let Some(token) = &token {
            let value = authorization(token)?;
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        for (name, value) in more {
            let value = HeaderValue::from_str(value);
            let value = value.map_err(|_| wrong("has a mark that cannot be sent back"))?;
            request.headers_mut().insert(name.clone(), value);
        }
        let refused = |refusal: &crate::http_client::Refusal<'_>| {
            refusal::error(refusal, &url, token.as_ref())
        };
        let exchange = self.http.exchange(request, refused).await?;
        let wanted = if more.iter().any(|(name, _)| name == header::RANGE) {
            StatusCode::PARTIAL_CONTENT
        } else {
            StatusCode::OK
        };
        if exchange.status != wanted {
            let what = match exchange.status {
                StatusCode::OK => "the whole file, where a part of it was requested",
                _ => "only a part of the file",
            };
            return Err(ProviderError::truncated(format!(
                "{}: {}, {what}",
                exchange.place(),
                exchange.status.as_u16()
            )));
        }
        Ok(exchange)
    }

    fn token(&self) -> Result<Option<SecretString>, ProviderError> {
        let token = self.token.as_ref().map(SecretSource::read);
        token.transpose().map_err(ProviderError::no_credential)
    }

    /// The file as its response announces it.
    fn listed(&self, path: &str, exchange: &Exchange) -> Result<Listed, ProviderError> {
        let headers = &exchange.headers;
        check_content(&exchange.place(), headers)?;
        let size = exchange.length();
        if size == Some(0) {
            let what = format!("{}: the response is empty", exchange.place());
            return Err(ProviderError::truncated(what));
        }
        let now = self.http.clock().now();
        let written = modified(headers);
        let version = match (text(headers, &header::ETAG), written) {
            (Some(tag), _) if !tag.trim().is_empty() => Version::of_etag(tag),
            (_, Some(written)) if now.duration_since(written) > RECENT => Version::Time,
            _ => Version::Once(Uuid::new_v4()),
        };
        let ranges = text(headers, &header::ACCEPT_RANGES);
        Ok(Listed {
            name: path.rsplit('/').next().unwrap_or(path).to_owned(),
            size: size.unwrap_or_default(),
            // A server that says no time makes the file for the request.
            modified: written.unwrap_or(now),
            version,
            problem: None,
            head: Some(Head {
                is_sized: size.is_some(),
                is_framed: exchange.is_framed(),
                has_ranges: ranges.is_some_and(|text| text.trim().eq_ignore_ascii_case("bytes")),
            }),
        })
    }
}

/// Refuses what is no file: the page of a login, or an error that comes with status 200.
fn check_content(place: &str, headers: &HeaderMap) -> Result<(), ProviderError> {
    let kind = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let what = match kind.to_ascii_lowercase().as_str() {
        "text/html" => "the response is a web page; location must be the address of the file",
        "application/json" => "the response is JSON; CSV, CSV with gzip, and Parquet can be read",
        _ => match text(headers, &header::CONTENT_ENCODING).map(str::trim) {
            // As in what is stored: the reader of the file finds gzip by itself.
            None | Some("" | "identity" | "gzip" | "x-gzip") => return Ok(()),
            Some(_) => "the response is compressed, but not with gzip",
        },
    };
    Err(ProviderError::malformed(format!("{place}: {what}")))
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn modified(headers: &HeaderMap) -> Option<Timestamp> {
    let date = httpdate::parse_http_date(text(headers, &header::LAST_MODIFIED)?).ok()?;
    Timestamp::try_from(date).ok()
}

fn authorization(token: &SecretString) -> Result<HeaderValue, ProviderError> {
    let value = format!("Bearer {}", token.expose_secret());
    let mut value = HeaderValue::from_str(&value).map_err(|_| {
        ProviderError::new(
            Reason::Unauthorized,
            "the bearer token contains characters that are not allowed in a header",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The file, as it was listed.
struct WebFile {
    server: Arc<Server>,
    path: String,
    listed: Listed,
}

impl WebFile {
    fn head(&self) -> Head {
        self.listed.head.unwrap_or_default()
    }

    /// The file requested once more, which must be the one that was listed.
    async fn again(&self, range: Option<&Range<u64>>) -> Result<Exchange, ProviderError> {
        let mut headers = Vec::new();
        if let Version::ETag { tag, weak: false } = &self.listed.version {
            headers.push((header::IF_MATCH, format!("\"{tag}\"")));
        }
        if let Some(range) = range {
            let last = range.end.saturating_sub(1);
            headers.push((header::RANGE, format!("bytes={}-{last}", range.start)));
        }
        let exchange = self.server.get(&self.path, &headers).await?;
        let tag = text(&exchange.headers, &header::ETAG).map(Version::of_etag);
        let is_same = match (&self.listed.version, &tag) {
            (Version::ETag { .. }, Some(tag)) => tag.same(&self.listed.version),
            (Version::ETag { .. }, None) => false,
            (Version::Time, _) => modified(&exchange.headers) == Some(self.listed.modified),
            _ => true,
        };
        let has_size = match (range, exchange.length()) {
            (None, Some(length)) if self.head().is_sized => length == self.listed.size,
            (None, _) => !self.head().is_framed || exchange.is_framed(),
            (Some(range), _) => is_range_of(&exchange, range, self.listed.size),
        };
        if is_same && has_size {
            return Ok(exchange);
        }
        let what = format!("{}: is another file now than before", self.listed.name);
        Err(ProviderError::truncated(what))
    }
}

/// Whether a response says that it is this range of a file of this size.
fn is_range_of(exchange: &Exchange, range: &Range<u64>, size: u64) -> bool {
    let want = format!(
        "bytes {}-{}/{size}",
        range.start,
        range.end.saturating_sub(1)
    );
    text(&exchange.headers, &header::CONTENT_RANGE).is_some_and(|text| text.trim() == want)
}

impl ExportFile for WebFile {
    fn name(&self) -> &str {
        &self.listed.name
    }

    fn size(&self) -> Option<u64> {
        self.head().is_sized.then_some(self.listed.size)
    }

    fn has_end(&self) -> bool {
        self.head().is_framed
    }

    fn stream(&self) -> BoxFuture<'_, Result<FileBytes, ProviderError>> {
        Box::pin(async move {
            let waiting = self.server.waiting.take(&self.path, &self.listed.version);
            let exchange = match waiting {
                Some(exchange) => exchange,
                None => self.again(None).await?,
            };
            Ok(exchange.into_stream(self.server.http.bounds().stream))
        })
    }

    fn range(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes, ProviderError>> {
        Box::pin(async move {
            // Its columns are read with requests of their own.
            drop(self.server.waiting.take(&self.path, &self.listed.version));
            let is_strong = matches!(self.listed.version, Version::ETag { weak: false, .. });
            if !(self.head().has_ranges && is_strong) {
                let name = &self.listed.name;
                return Err(ProviderError::malformed(format!(
                    "{name}: Parquet can be read from a web server only if it announces ranges (Accept-Ranges: bytes) and a strong ETag; deliver CSV with gzip instead"
                )));
            }
            if range.is_empty() {
                return Ok(Bytes::new());
            }
            let mut counted = Counted::new(self.name(), range.end - range.start);
            let exchange = self.again(Some(&range)).await?;
            let mut chunks = exchange.into_stream(range.end - range.start);
            let mut bytes = BytesMut::new();
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk?;
                counted.add(chunk.len())?;
                bytes.extend_from_slice(&chunk);
            }
            counted.finish()?;
            Ok(bytes.freeze())
        })
    }
}
