//! How requests are sent: login, pace, repeats, redirects, bounds, and an error in the operator's words for each failure.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::OwnedSemaphorePermit;
use url::Url;
use uuid::Uuid;

pub use crate::json::row_splitter::Frame;
use crate::json::without_quoted_values;
use crate::{
    charge::SharedSink,
    clock::Clock,
    counters::{Code, Counters},
    http_client::retry::Backoff,
};
use crate::{
    error::{ProviderError, Reason},
    json::row_splitter::Splitter,
};

mod auth;
mod pagination;
mod rate_limit;
mod redact;
mod redirect;
mod response;
pub mod retry;
mod row_stream;
mod status;
mod tls;

use crate::http_client::auth::Session;
pub use crate::http_client::auth::{Auth, Login, Token};
pub use crate::http_client::pagination::Pages;
use crate::http_client::rate_limit::Pace;
use crate::http_client::redirect::{redirect, retry_after};
use crate::http_client::response::Body;
use crate::http_client::row_stream::{Batch, Reading};
pub use crate::http_client::row_stream::{Fold, Read};
use crate::http_client::status::{is_passing, send_fault, status_fault};

/// The bounds of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest body that is held in memory at once, after decompression.
    pub body: usize,
    /// The longest body that is read row by row, after decompression.
    pub stream: u64,
    /// The longest row.
    pub row: usize,
    /// The most pages of one list.
    pub pages: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body: 64 << 20,
            stream: 64 << 30,
            row: 1 << 20,
            pages: 10_000,
        }
    }
}

/// How an account's requests are sent.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The account's name, for the log.
    pub account: String,
    /// Requests a second, at the most.
    pub requests_per_second: f64,
    /// Requests at the same time, at the most.
    pub concurrency: usize,
    /// The most time one part may take. An answer may be silent for half of it, so that there is time to ask again.
    pub timeout: Duration,
    /// How often one request is sent, and how long the waits between are where the provider names none.
    pub backoff: Backoff,
    /// The bounds of one answer.
    pub bounds: Bounds,
    /// Where requests are counted.
    pub counters: Arc<Counters>,
    /// Tells when a token ends, and how long a date in Retry-After is away.
    pub clock: Clock,
}

/// One request, before it is sent. What a provider does not set is not sent.
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Bytes>,
    anonymous: bool,
    correlation: Option<Correlation>,
    page: Option<usize>,
}

/// The header that a fresh id is sent in, and the one that was sent last.
#[derive(Clone)]
struct Correlation {
    header: HeaderName,
    last: Arc<Mutex<Option<Uuid>>>,
}

impl Request {
    /// Adds one pair to the query, percent-encoded.
    #[must_use]
    pub fn query(mut self, key: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(key, value);
        self
    }

    /// Sets a header. Only for values that are fixed or were checked with the configuration.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
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

    /// Sends a header that is a secret: it is kept out of every debug output.
    #[must_use]
    pub fn secret_header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(mut value) = HeaderValue::from_str(value) {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }

    /// Sends it without the account's credential: a login, or a health check. Nothing of an error's body is told,
    /// since a login's may repeat what was sent.
    #[must_use]
    pub fn anonymous(mut self) -> Self {
        self.anonymous = true;
        self
    }

    /// Sends a fresh UUID with every attempt in this header; it is in the log and in the error, too.
    #[must_use]
    pub fn correlated(mut self, name: &'static str) -> Self {
        self.correlation = Some(Correlation {
            header: HeaderName::from_static(name),
            last: Arc::default(),
        });
        self
    }

    /// Adds to an error the id that was sent last, where one was: for faults that show only once its answer is read.
    pub fn correlate(&self, error: ProviderError) -> ProviderError {
        let last = self.correlation.as_ref().and_then(|correlation| {
            let last = correlation.last.lock();
            *last.unwrap_or_else(PoisonError::into_inner)
        });
        error.with_correlation_id(last)
    }

    /// Says which page of a list it asks for, so that a fault of a row can be found.
    #[must_use]
    pub fn page(mut self, number: usize) -> Self {
        self.page = Some(number);
        self
    }

    /// The request as the log and errors show it: no query, no header, no body.
    pub fn place(&self) -> String {
        format!("{} {}", self.method, self.url.path())
    }

    /// Where the rows of its answer stand: the request, and the page where it asks for one.
    fn place_of_rows(&self) -> String {
        match self.page {
            Some(number) => format!("{}: page {number}", self.place()),
            None => self.place(),
        }
    }

    /// Reads the whole body of its answer as JSON, from which the result may borrow.
    pub fn read<'b, T: Deserialize<'b>>(&self, body: &'b [u8]) -> Result<T, ProviderError> {
        serde_json::from_slice(body).map_err(|error| {
            let place = self.place();
            // Where a value is only skipped, serde calls one that ends inside a number a wrong number.
            let inside_number =
                matches!(body.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E')) && error.is_syntax();
            let fault = if error.is_eof() || inside_number {
                ProviderError::truncated(format!("{place}: the JSON of the answer stops early"))
            } else {
                ProviderError::malformed(format!("{place}: the answer is not what it should be"))
            };
            // serde repeats what it cannot read, and a login's answer may be a token.
            self.correlate(if self.anonymous {
                fault
            } else {
                fault.because(without_quoted_values(&error))
            })
        })
    }
}

/// One account's way to its API.
#[derive(Debug)]
pub struct Http {
    client: reqwest::Client,
    base: Url,
    session: Session,
    pace: Pace,
    settings: Settings,
}

/// The longest Retry-After that is waited for within a request; after that the poller decides.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(15);
const MAX_REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer that is silent for so long will not come: half-open connections look like this.
const SILENCE_TIMEOUT: Duration = Duration::from_mins(5);

impl Http {
    /// A way to the API below a base URL, whose path is kept as a prefix.
    pub fn new(base: Url, auth: Auth, settings: Settings) -> Self {
        let silence = (settings.timeout / 2).min(SILENCE_TIMEOUT);
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where clients are made, with their bounds"
        )]
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::configuration())
            .user_agent(concat!("cloudspend-exporter/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .default_headers(HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("gzip"),
            )]))
            .connect_timeout(silence.min(CONNECT_TIMEOUT))
            .read_timeout(silence)
            .pool_idle_timeout(Duration::from_secs(30))
            .referer(false)
            .build()
            .expect("the TLS back end is compiled in");
        Self {
            client,
            base,
            session: Session::new(auth),
            pace: Pace::new(settings.requests_per_second, settings.concurrency),
            settings,
        }
    }

    /// The bounds of one answer.
    pub fn bounds(&self) -> Bounds {
        self.settings.bounds
    }

    /// The account's name, for the log.
    pub fn account(&self) -> &str {
        &self.settings.account
    }

    /// A GET of a path below the base URL. Each segment is percent-encoded; an empty last one gives a trailing slash.
    pub fn get(&self, segments: &[&str]) -> Request {
        self.request(Method::GET, below(&self.base, segments))
    }

    /// A POST to a path below the base URL.
    pub fn post(&self, segments: &[&str]) -> Request {
        self.request(Method::POST, below(&self.base, segments))
    }

    /// A request of an absolute URL, such as a token endpoint's; never with the account's credential.
    pub fn at(&self, method: Method, url: Url) -> Request {
        self.request(method, url).anonymous()
    }

    fn request(&self, method: Method, url: Url) -> Request {
        let _ = self;
        Request {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
            anonymous: false,
            correlation: None,
            page: None,
        }
    }

    /// Sends a request and reads the whole body as JSON. A body that breaks off is asked for again.
    pub async fn json<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ProviderError> {
        let body = self.body(request).await?;
        request.read(&body)
    }

    /// Sends a request and reads the whole body. A body that breaks off is asked for again.
    pub async fn body(&self, request: &Request) -> Result<Bytes, ProviderError> {
        let mut attempt = 1;
        loop {
            let (mut exchange, spent) = self.exchange(request, attempt).await?;
            attempt = spent;
            match exchange.whole(self.settings.bounds.body).await {
                Ok(body) => return Ok(body),
                Err(error) => {
                    drop(exchange);
                    self.wait_before_retry(error, attempt).await?;
                    attempt += 1;
                }
            }
        }
    }

    /// Sends a request and folds each row of the body while more of it arrives, long answers on a blocking thread. What
    /// is in memory at once does not depend on the length of the body.
    ///
    /// An error of `fold` becomes `malformed` and names the row. A bare body whose end nothing tells is `truncated`. One
    /// that breaks off before any of it was read is asked for again.
    pub async fn rows<F: Fold>(
        &self,
        request: &Request,
        frame: Frame,
        sink: &SharedSink,
        fold: F,
    ) -> Result<Read<F>, ProviderError> {
        let mut attempt = 1;
        let (mut exchange, mut batch) = loop {
            let (mut exchange, spent) = self.exchange(request, attempt).await?;
            if frame == Frame::Bare {
                exchange.must_be_framed()?;
            }
            match exchange.batch(self.settings.bounds.stream).await {
                Ok(batch) => break (exchange, batch),
                Err(error) => {
                    drop(exchange);
                    self.wait_before_retry(error, spent).await?;
                    attempt = spent + 1;
                }
            }
        };
        let splitter = Splitter::new(frame, self.settings.bounds.row);
        let place = request.place_of_rows();
        let mut reading = Reading::new(splitter, fold, SharedSink::clone(sink), place);
        while !batch.last {
            let place = batch.place().await;
            let read = reading.read(batch, place);
            let next = exchange.batch(self.settings.bounds.stream);
            (reading, batch) = tokio::try_join!(read, next)?;
        }
        let place = batch.place().await;
        reading.read(batch, place).await?.finish()
    }

    /// Sends a request until an answer of the 2xx kind begins, or it is given up. Returns how many attempts were
    /// spent, too.
    async fn exchange(
        &self,
        request: &Request,
        first_attempt: u32,
    ) -> Result<(Exchange, u32), ProviderError> {
        let mut attempt = first_attempt;
        let mut logged_in_again = false;
        loop {
            let credential = if request.anonymous {
                None
            } else {
                self.session.credential(self, &self.settings.clock).await?
            };
            let error = match self.send(request, credential.as_ref()).await {
                Ok(exchange) => return Ok((exchange, attempt)),
                Err(error) => error,
            };
            if error.status() == Some(401)
                && let Some(credential) = &credential
                && !logged_in_again
                && self
                    .session
                    .drop_token(credential, &self.settings.clock)
                    .await
            {
                logged_in_again = true;
                self.settings.counters.retried(error.reason());
                continue;
            }
            self.wait_before_retry(error, attempt).await?;
            attempt += 1;
        }
    }

    /// Waits with full jitter, and at least as long as the provider asked for. Gives the error back where asking
    /// again does not help, was done often enough, or has to wait too long: then it is not for the poller to repeat
    /// at once, either.
    async fn wait_before_retry(
        &self,
        error: ProviderError,
        attempt: u32,
    ) -> Result<(), ProviderError> {
        let asked = error.retry_after().unwrap_or_default();
        if !error.is_retryable()
            || attempt >= self.settings.backoff.attempts
            || asked > MAX_RETRY_AFTER
        {
            return Err(error.given_up());
        }
        let wait = self.settings.backoff.wait(attempt).max(asked);
        self.settings.counters.retried(error.reason());
        tracing::debug!(account = self.settings.account, ?wait, error = %error, "request is repeated");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// One attempt, redirects included.
    async fn send(
        &self,
        request: &Request,
        credential: Option<&auth::Credential>,
    ) -> Result<Exchange, ProviderError> {
        let held = |wait| {
            let what = "the provider asked to wait before the next request";
            ProviderError::new(Reason::RateLimited, what).with_retry_after(Some(wait))
        };
        let permit = self.pace.admit().await.map_err(held)?;
        let correlation_id = request.correlation.as_ref().map(|correlation| {
            let id = Uuid::new_v4();
            let last = correlation.last.lock();
            *last.unwrap_or_else(PoisonError::into_inner) = Some(id);
            id
        });
        let mut url = request.url.clone();
        for redirects in 0..=MAX_REDIRECTS {
            if redirects > 0 {
                self.pace.turn().await.map_err(held)?;
            }
            let mut builder = self
                .client
                .request(request.method.clone(), url.clone())
                .headers(request.headers.clone());
            if let Some(credential) = credential {
                builder = builder.header(credential.name.clone(), credential.value.clone());
            }
            if let (Some(correlation), Some(id)) = (&request.correlation, correlation_id) {
                builder = builder.header(correlation.header.clone(), id.to_string());
            }
            if let Some(body) = &request.body {
                builder = builder.body(body.clone());
            }
            let answer = builder.send().await.map_err(|error| {
                self.settings.counters.requested(Code::None);
                send_fault(&request.place(), error).with_correlation_id(correlation_id)
            })?;
            let status = answer.status();
            self.settings
                .counters
                .requested(Code::Status(status.as_u16()));
            tracing::debug!(
                account = self.settings.account,
                request = request.place(),
                status = status.as_u16(),
                correlation_id = correlation_id.map(tracing::field::display),
                "answer"
            );
            if matches!(status.as_u16(), 200 | 201 | 203 | 204) {
                return Ok(Exchange {
                    arrived: 0,
                    body: Body::of(answer, request.place())
                        .map_err(|error| error.with_correlation_id(correlation_id))?,
                    empty: status == StatusCode::NO_CONTENT,
                    place: request.place(),
                    correlation_id,
                    _permit: permit,
                });
            }
            if let Some(target) = redirect(&request.method, &url, status, answer.headers()) {
                url = target;
                continue;
            }
            let wait = is_passing(status.as_u16())
                .then(|| retry_after(answer.headers(), self.settings.clock.now()))
                .flatten();
            if let Some(wait) = wait
                && matches!(status.as_u16(), 429 | 503)
            {
                self.pace.hold(wait);
            }
            let secret = credential.map(|credential| &credential.secret);
            return Err(status_fault(
                &request.place(),
                answer,
                wait,
                (!request.anonymous).then_some(secret).flatten(),
            )
            .await
            .with_correlation_id(correlation_id));
        }
        Err(ProviderError::new(
            Reason::UpstreamError,
            format!("{}: more than {MAX_REDIRECTS} redirects", request.place()),
        ))
    }
}

/// An answer whose body is still to be read. It holds its place among the account's concurrent requests.
#[derive(Debug)]
struct Exchange {
    body: Body,
    /// How many bytes of it were taken.
    arrived: u64,
    /// The status says that there is no body.
    empty: bool,
    place: String,
    correlation_id: Option<Uuid>,
    _permit: OwnedSemaphorePermit,
}

impl Exchange {
    async fn chunk(&mut self) -> Result<Option<Bytes>, ProviderError> {
        if self.empty {
            return Ok(None);
        }
        let chunk = self.body.chunk().await;
        chunk.map_err(|error| error.with_correlation_id(self.correlation_id))
    }

    /// What comes next of a body that is read row by row.
    async fn batch(&mut self, bound: u64) -> Result<Batch, ProviderError> {
        let mut batch = Batch::default();
        while !batch.is_full() {
            let Some(chunk) = self.chunk().await? else {
                batch.last = true;
                break;
            };
            self.arrived += chunk.len() as u64;
            if self.arrived > bound {
                return Err(self.too_large(bound));
            }
            batch.push(chunk);
        }
        Ok(batch)
    }

    fn must_be_framed(&self) -> Result<(), ProviderError> {
        let framed = self.body.must_be_framed();
        framed.map_err(|error| error.with_correlation_id(self.correlation_id))
    }

    async fn whole(&mut self, bound: usize) -> Result<Bytes, ProviderError> {
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if body.len() + chunk.len() > bound {
                return Err(self.too_large(bound as u64));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn too_large(&self, bound: u64) -> ProviderError {
        ProviderError::new(
            Reason::TooLarge,
            format!("{}: the answer is longer than {bound} bytes", self.place),
        )
        .with_correlation_id(self.correlation_id)
    }
}

/// A URL below a base URL; an empty last segment gives a trailing slash.
fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

/// The text of a secret, for the one line that sends it.
fn expose(secret: &secrecy::SecretString) -> &str {
    secret.expose_secret()
}
