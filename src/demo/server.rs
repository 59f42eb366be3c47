//! What the simulated APIs share: counting of requests, fault injection, tokens, queries and JSON.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use jiff::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::{
    Options, World,
    export_delivery::Deliveries,
    fault::{self, Fault},
    response_cache::ResponseCache,
    skew::{self, Skew},
};
use crate::clock::Clock;

/// One of the APIs, seen from outside.
#[derive(Debug)]
pub struct SimulatedApi {
    url: Url,
    seen: Mutex<Seen>,
    faults: Mutex<Vec<Fault>>,
    skews: Mutex<Vec<Skew>>,
    /// When exports stopped being delivered, if they have.
    stopped: Mutex<Option<Timestamp>>,
    /// How often exports were delivered again out of turn.
    redeliveries: AtomicU64,
    /// The billed cost of a row that names no invoice, in cents.
    uninvoiced: Mutex<Option<i64>>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: BTreeMap<String, u64>,
    refused: u64,
}

impl SimulatedApi {
    pub(super) fn new(url: Url) -> Self {
        Self {
            url,
            seen: Mutex::default(),
            faults: Mutex::default(),
            skews: Mutex::default(),
            stopped: Mutex::default(),
            redeliveries: AtomicU64::default(),
            uninvoiced: Mutex::default(),
        }
    }

    /// Its root, with a slash at the end.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// An address below its root.
    pub fn at(&self, path: &str) -> String {
        format!("{}{}", self.url, path.trim_start_matches('/'))
    }

    /// Requests by method and path: `GET /v1/Customers/{id}/licenses`, without the query.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        lock(&self.seen).requests.clone()
    }

    /// How many requests were not a documented read.
    pub fn refused(&self) -> u64 {
        lock(&self.seen).refused
    }

    /// Adds a fault; a request is affected by the first that matches it.
    pub fn fail(&self, fault: Fault) {
        if fault.requests != Some(0) {
            lock(&self.faults).push(fault);
        }
    }

    /// Makes some responses differ in one amount.
    pub fn skew(&self, skew: Skew) {
        lock(&self.skews).push(skew);
    }

    /// Everything by which responses differ.
    pub(super) fn skews(&self) -> Vec<Skew> {
        lock(&self.skews).clone()
    }

    /// Removes all faults and differences; exports are delivered again, if they had stopped.
    pub fn heal(&self) {
        lock(&self.faults).clear();
        lock(&self.skews).clear();
        *lock(&self.stopped) = None;
        *lock(&self.uninvoiced) = None;
    }

    /// Stops the delivery of exports at a time.
    pub fn stop_exports(&self, at: Timestamp) {
        *lock(&self.stopped) = Some(at);
    }

    /// Delivers all exports again, with new names of their executions and new `ETag`s.
    pub fn redeliver_exports(&self) {
        self.redeliveries.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds a row to each month of the first export, of this billed cost in cents, which names no invoice.
    pub fn add_uninvoiced(&self, cents: i64) {
        *lock(&self.uninvoiced) = Some(cents);
    }

    /// The billed cost of a row that names no invoice, in cents.
    pub(super) fn uninvoiced(&self) -> Option<i64> {
        *lock(&self.uninvoiced)
    }

    /// The time up to which exports were delivered.
    pub(super) fn export_time(&self, now: Timestamp) -> Timestamp {
        lock(&self.stopped).map_or(now, |stopped| stopped.min(now))
    }

    /// How often exports were delivered out of turn.
    pub(super) fn redeliveries(&self) -> u64 {
        self.redeliveries.load(Ordering::Relaxed)
    }

    /// The fault that affects a request.
    fn fault(&self, path: &str) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        let position = faults.iter().position(|fault| path.contains(&fault.path))?;
        let fault = faults[position].clone();
        match &mut faults[position].requests {
            Some(left) if *left > 1 => *left -= 1,
            Some(_) => {
                faults.remove(position);
            }
            None => {}
        }
        Some(fault)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of one API's handlers.
#[derive(Debug, Clone)]
pub(super) struct ApiState {
    pub(super) world: Arc<World>,
    pub(super) clock: Clock,
    pub(super) api: Arc<SimulatedApi>,
    pub(super) options: Options,
    pub(super) cache: Option<Arc<ResponseCache>>,
    pub(super) deliveries: Arc<Deliveries>,
}

impl ApiState {
    async fn respond(&self, request: Request, next: Next) -> Response {
        let (request, skews) = skew::matching(self.api.skews(), request).await;
        let response = match &self.cache {
            Some(cache) => cache.respond(request, next).await,
            None => next.run(request).await,
        };
        skew::apply(&skews, response).await
    }
}

/// A router that counts its requests and injects faults.
pub(super) fn with_faults(router: Router<ApiState>, api_state: ApiState) -> Router {
    router
        .fallback(|| async { json_response(StatusCode::NOT_FOUND, &json!({"error": "not found"})) })
        .method_not_allowed_fallback(|| async {
            json_response(
                StatusCode::METHOD_NOT_ALLOWED,
                &json!({"error": "method not allowed"}),
            )
        })
        .layer(middleware::from_fn_with_state(
            api_state.clone(),
            count_and_inject,
        ))
        .with_state(api_state)
}

async fn count_and_inject(
    State(api_state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    *lock(&api_state.api.seen)
        .requests
        .entry(format!("{method} {}", pattern(&path)))
        .or_default() += 1;
    let response = match api_state.api.fault(&path) {
        None => api_state.respond(request, next).await,
        Some(fault) => {
            tokio::time::sleep(fault.delay).await;
            let response = match fault.response() {
                None => api_state.respond(request, next).await,
                Some(response) => response,
            };
            if fault.redelivers {
                api_state.api.redeliver_exports();
            }
            match fault.cut_after {
                Some(bytes) => fault::cut(response, bytes).await,
                None => response,
            }
        }
    };
    let reads = [Method::GET, Method::HEAD, Method::POST].contains(&method);
    if !reads || response.status() == StatusCode::METHOD_NOT_ALLOWED {
        lock(&api_state.api.seen).refused += 1;
    }
    response
}

/// A path with its ids and months left out.
fn pattern(path: &str) -> String {
    path.split('/')
        .map(|segment| {
            let numbered = segment.strip_suffix("-00001.csv.gz");
            if is_digits(segment) || uuid::Uuid::try_parse(segment).is_ok() {
                "{id}"
            } else if segment.starts_with("BILLING_PERIOD") || is_days(segment) {
                "{period}"
            } else if numbered.is_some_and(is_digits) {
                "{id}.csv.gz"
            } else {
                segment
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether it is a range of days such as `20260501-20260531`.
fn is_days(segment: &str) -> bool {
    let days = segment.split_once('-');
    days.is_some_and(|(from, to)| {
        [from, to]
            .iter()
            .all(|day| day.len() == 8 && is_digits(day))
    })
}

/// A response in JSON.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response {
    response(status, "application/json", body.to_string())
}

/// A response of a media type.
pub(super) fn response(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A header's text; empty if missing.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("")
}

/// Whether the content type is JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    text(headers, "content-type").starts_with("application/json")
}

/// The bearer token of a request; empty if missing.
pub(super) fn bearer(headers: &HeaderMap) -> &str {
    text(headers, "authorization")
        .strip_prefix("Bearer ")
        .unwrap_or("")
}

/// The pairs of a query.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or("").as_bytes();
        Self(url::form_urlencoded::parse(query).into_owned().collect())
    }

    /// The value of a key; empty if missing.
    pub(super) fn text(&self, key: &str) -> &str {
        self.0
            .iter()
            .find(|(known, _)| known == key)
            .map_or("", |(_, value)| value)
    }

    /// A number or date; `Ok(None)` if missing, the key if invalid.
    pub(super) fn parsed<'k, T: std::str::FromStr>(
        &self,
        key: &'k str,
    ) -> Result<Option<T>, &'k str> {
        match self.text(key) {
            "" => Ok(None),
            value => value.parse().map(Some).map_err(|_| key),
        }
    }

    /// All keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_str())
    }
}

/// A token in the form of a JWT with an end. Its signature depends on a secret; nothing is stored.
pub(super) fn token(secret: &str, subject: &str, issued: Timestamp, life: Duration) -> String {
    let issued = issued.as_second();
    let expires = issued.saturating_add_unsigned(life.as_secs());
    let head = BASE64.encode(json!({"alg": "HS256", "typ": "JWT"}).to_string());
    let claims = json!({"sub": subject, "exp": expires, "nbf": issued, "iat": issued});
    let claims = BASE64.encode(claims.to_string());
    let signature = signature(secret, &claims);
    format!("{head}.{claims}.{signature}")
}

/// Whether a token was issued with this secret and has not expired.
pub(super) fn is_valid_token(secret: &str, token: &str, now: Timestamp) -> bool {
    let mut pieces = token.split('.').skip(1);
    let (Some(claims), Some(stamp)) = (pieces.next(), pieces.next()) else {
        return false;
    };
    let expires = BASE64
        .decode(claims)
        .ok()
        .and_then(|claims| serde_json::from_slice::<Value>(&claims).ok())
        .and_then(|claims| claims["exp"].as_i64());
    stamp == signature(secret, claims) && expires.is_some_and(|expires| now.as_second() < expires)
}

/// FNV-1a: enough for a simulation, not cryptography.
fn signature(secret: &str, claims: &str) -> String {
    let hash = secret
        .bytes()
        .chain(claims.bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    BASE64.encode(hash.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_valid_for_its_secret_until_it_expires() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let issued = at("2025-06-25T16:48:58Z");
        let good = token("s", "user", issued, Duration::from_hours(24));
        assert!(is_valid_token("s", &good, at("2025-06-26T16:48:57Z")));
        assert!(!is_valid_token("s", &good, at("2025-06-26T16:48:58Z")));
        assert!(!is_valid_token("t", &good, issued));
        for token in ["", "a", "a.b", "a.b.c", &good[..good.len() - 1]] {
            assert!(!is_valid_token("s", token, issued), "{token}");
        }
    }

    #[test]
    fn paths_are_counted_without_their_ids() {
        for (path, want) in [
            ("/v2/daily/consumption/", "/v2/daily/consumption/"),
            (
                "/v1/Customers/3eaf12bc-9f70-4e33-849b-fe9cd0de3d36/licenses",
                "/v1/Customers/{id}/licenses",
            ),
            ("/api/v3/resellers/77", "/api/v3/resellers/{id}"),
            (
                "/b/daily/20250601-20250630/202506180500/3eaf12bc-9f70-4e33-849b-fe9cd0de3d36/manifest.json",
                "/b/daily/{period}/{id}/{id}/manifest.json",
            ),
            (
                "/b/FOCUS%20Reports/2025/06/18/0001750233600-00001.csv.gz",
                "/b/FOCUS%20Reports/{id}/{id}/{id}/{id}.csv.gz",
            ),
        ] {
            assert_eq!(pattern(path), want);
        }
    }
}
