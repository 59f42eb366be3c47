//! Cached responses, for a clock that stands still: a repeated request costs the simulated APIs nothing, so that a
//! test of size measures the exporter.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    extract::Request,
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, Method, StatusCode, Uri, header};

/// Requests and responses are smaller than this.
const MAX_BODY: usize = 64 << 20;

/// The responses of one API.
#[derive(Debug, Default)]
pub(super) struct ResponseCache(Mutex<HashMap<CacheKey, CachedResponse>>);

/// Everything that a response depends on. Credentials are in the headers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct CacheKey {
    method: Method,
    uri: Uri,
    headers: Vec<(String, Vec<u8>)>,
    body: Bytes,
}

#[derive(Debug, Clone)]
struct CachedResponse {
    headers: HeaderMap,
    body: Bytes,
}

impl ResponseCache {
    /// The cached response, or a new one. Only successes are cached.
    pub(super) async fn respond(&self, request: Request, next: Next) -> Response {
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
        let key = CacheKey {
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            headers: parts
                .headers
                .iter()
                .filter(|(name, _)| is_relevant(name))
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            body: body.clone(),
        };
        if let Some(known) = self.with(|responses| responses.get(&key).cloned()) {
            return known.into_response();
        }
        let request = Request::from_parts(parts, Body::from(body));
        let (parts, body) = next.run(request).await.into_parts();
        let body = to_bytes(body, MAX_BODY).await.unwrap_or_default();
        if parts.status == StatusCode::OK {
            let response = CachedResponse {
                headers: parts.headers.clone(),
                body: body.clone(),
            };
            self.with(|responses| responses.insert(key, response));
        }
        Response::from_parts(parts, Body::from(body))
    }

    fn with<T>(&self, look: impl FnOnce(&mut HashMap<CacheKey, CachedResponse>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether a response may depend on a header. A correlation id is new in every request.
fn is_relevant(name: &header::HeaderName) -> bool {
    !name.as_str().contains("correlation") && name != header::HOST
}

impl CachedResponse {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.headers_mut() = self.headers;
        response
    }
}
