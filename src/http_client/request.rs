//! A request before it is sent, and reading its JSON response with errors that name it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde::{Deserialize, Serialize};
use url::Url;
use uuid::Uuid;

use crate::{error::ProviderError, json::without_quoted_values};

/// One request, before it is sent. What a provider does not set is not sent.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) anonymous: bool,
    pub(super) correlation: Option<Correlation>,
    page: Option<usize>,
}

/// The header that carries a new id with every attempt, and the id that was sent last.
#[derive(Clone)]
pub(super) struct Correlation {
    pub(super) header: HeaderName,
    last: Arc<Mutex<Option<Uuid>>>,
}

impl Request {
    pub(super) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            anonymous: false,
            correlation: None,
            page: None,
        }
    }

    /// Adds one pair to the query, percent-encoded.
    #[must_use]
    pub fn query(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    /// Sets a header. Only for values that are constant or were checked with the configuration.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Sets a header that the operator named. It was checked with the configuration.
    #[must_use]
    pub fn configured_header(mut self, name: &HeaderName, value: &HeaderValue) -> Self {
        self.headers.insert(name.clone(), value.clone());
        self
    }

    /// Sends a JSON body.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).ok().map(Bytes::from);
        self.headers
            .entry(header::CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        self
    }

    /// Sends a form.
    #[must_use]
    pub fn form(mut self, pairs: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        self.body = Some(Bytes::from(body));
        self.headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        self
    }

    /// Sends a header that holds a secret: it is hidden in every debug output.
    #[must_use]
    pub fn secret_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }

    /// Sends it without the account's credential: a login, or a health check. Nothing of an error's body is shown,
    /// since the response to a login may repeat what was sent.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Sends a new UUID with every attempt in this header; it is in the log and in errors, too.
    #[must_use]
    pub fn correlated(mut self, name: &'static str) -> Self {
        self.correlation = Some(Correlation {
            header: HeaderName::from_static(name),
            last: Arc::default(),
        });
        self
    }

    /// Makes the id of the next attempt, if the request carries one.
    pub(super) fn new_correlation_id(&self) -> Option<Uuid> {
        let correlation = self.correlation.as_ref()?;
        let id = Uuid::new_v4();
        let last = correlation.last.lock();
        *last.unwrap_or_else(PoisonError::into_inner) = Some(id);
        Some(id)
    }

    /// Adds the id that was sent last to an error, if there is one: for errors that are found only when the response
    /// is read.
    pub fn correlate(&self, error: ProviderError) -> ProviderError {
        let last = self.correlation.as_ref().and_then(|correlation| {
            let last = correlation.last.lock();
            *last.unwrap_or_else(PoisonError::into_inner)
        });
        error.with_correlation_id(last)
    }

    /// Sets which page of a list it requests, so that errors of a row name it.
    #[must_use]
    pub fn page(mut self, number: usize) -> Self {
        self.page = Some(number);
        self
    }

    /// The request as the log and errors show it, `GET https://host/path`: no query, no user, no header, no body.
    pub fn place(&self) -> String {
        format!("{} {}", self.method, without_query(&self.url))
    }

    /// The server as the log shows it: host, and the port if it is not the scheme's default.
    pub(super) fn host(&self) -> String {
        host_and_port(&self.url)
    }

    /// Where the rows of its response are: the request, and the page if it requests one.
    pub(super) fn place_of_rows(&self) -> String {
        match self.page {
            Some(number) => format!("{}: page {number}", self.place()),
            None => self.place(),
        }
    }

    /// Decodes the whole body of its response as JSON, from which the result may borrow.
    pub fn read<'b, T: Deserialize<'b>>(&self, body: &'b [u8]) -> Result<T, ProviderError> {
        serde_json::from_slice(body).map_err(|error| {
            let place = self.place();
            // Where serde skips a value, a number that is cut off is a syntax error to it.
            let inside_number =
                matches!(body.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E')) && error.is_syntax();
            let decoding = if error.is_eof() || inside_number {
                ProviderError::truncated(format!("{place}: the JSON of the response is incomplete"))
            } else {
                ProviderError::malformed(format!("{place}: the response has an unexpected format"))
            };
            // serde quotes what it cannot decode, and the response to a login may hold a token.
            self.correlate(if self.anonymous {
                decoding
            } else {
                decoding.because(without_quoted_values(&error))
            })
        })
    }
}

/// A URL as errors show it: scheme, host, port if it is not the default, and path. Never the user, query or fragment.
pub(super) fn without_query(url: &Url) -> String {
    format!("{}{}", origin(url), readable(url.path()))
}

/// A path without the escapes that some clients of stores write for harmless characters.
fn readable(path: &str) -> String {
    let harmless = [
        ("%2F", "/"),
        ("%2D", "-"),
        ("%2E", "."),
        ("%5F", "_"),
        ("%7E", "~"),
    ];
    harmless
        .into_iter()
        .fold(path.to_owned(), |path, (escaped, plain)| {
            path.replace(escaped, plain)
        })
}

/// Scheme, host, and port if it is not the default.
pub(super) fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme(), host_and_port(url))
}

fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

#[cfg(test)]
mod tests;
