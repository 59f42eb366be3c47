//! Faults of the simulated APIs: a status, a delay, a body that ends early, an export that changes while it is read.

use std::{io, time::Duration};

use axum::{
    body::{Body, to_bytes},
    response::Response,
};
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::{s3, server};

/// Bodies that are cut are smaller than this.
const MAX_BODY: usize = 64 << 20;

/// How an API fails for a while.
#[derive(Debug, Clone)]
pub struct Fault {
    /// Only requests whose path contains this; empty for all.
    pub path: String,
    /// How many requests it affects; `None` for all until [`SimulatedApi::heal`](super::SimulatedApi::heal).
    pub requests: Option<u64>,
    /// How long the response is delayed.
    pub delay: Duration,
    /// The status to return, and its headers; `None` for the usual response.
    pub response: Option<(StatusCode, HeaderMap)>,
    /// The code of an error of the simulated store, whose body is XML.
    pub store_code: Option<&'static str>,
    /// After how many bytes the connection breaks, if the body is longer.
    pub cut_after: Option<usize>,
    /// Whether all exports are delivered again after the response.
    pub redelivers: bool,
}

impl Fault {
    fn new() -> Self {
        Self {
            path: String::new(),
            requests: None,
            delay: Duration::ZERO,
            response: None,
            store_code: None,
            cut_after: None,
            redelivers: false,
        }
    }

    /// All requests get a status.
    pub fn status(status: StatusCode) -> Self {
        Self {
            response: Some((status, HeaderMap::new())),
            ..Self::new()
        }
    }

    /// All requests get an error of the simulated store, such as `SlowDown` with 503.
    pub fn store(status: StatusCode, code: &'static str) -> Self {
        Self {
            store_code: Some(code),
            ..Self::status(status)
        }
    }

    /// The usual response of all requests is delayed.
    pub fn delay(delay: Duration) -> Self {
        Self {
            delay,
            ..Self::new()
        }
    }

    /// The usual response of all requests breaks after so many bytes of its body, short of its `Content-Length`.
    pub fn cut(bytes: usize) -> Self {
        Self {
            cut_after: Some(bytes),
            ..Self::new()
        }
    }

    /// After the usual response, all exports are delivered again.
    pub fn redelivery() -> Self {
        Self {
            redelivers: true,
            ..Self::new()
        }
    }

    /// Sends a header with the status.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Some((_, headers)) = &mut self.response {
            headers.insert(name, value);
        }
        self
    }

    /// Affects only the next few requests.
    #[must_use]
    pub fn next(mut self, requests: u64) -> Self {
        self.requests = Some(requests);
        self
    }

    /// Affects only requests whose path contains a text.
    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// What is sent in place of the usual response.
    pub(super) fn response(&self) -> Option<Response> {
        let (status, headers) = self.response.clone()?;
        let mut response = match self.store_code {
            None => server::json_response(status, &json!({"error": "made to fail"})),
            Some(code) => server::response(
                status,
                "application/xml",
                s3::error_xml(code, "made to fail"),
            ),
        };
        response.headers_mut().extend(headers);
        Some(response)
    }
}

/// A response whose body breaks, if it is longer than so many bytes.
pub(super) async fn cut(response: Response, bytes: usize) -> Response {
    let (mut parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
    if body.len() <= bytes {
        return Response::from_parts(parts, Body::from(body));
    }
    parts
        .headers
        .insert(header::CONTENT_LENGTH, body.len().into());
    let piece = body.slice(..bytes);
    // While the stream yields, the server sends what it has.
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err(io::Error::other("made to break"))
    });
    let body = stream::once(async { Ok(piece) }).chain(broken);
    Response::from_parts(parts, Body::from_stream(body))
}
