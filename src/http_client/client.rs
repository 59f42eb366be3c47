//! The client of one account: sends requests with its credential, within its limits, and retries what may succeed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Method;
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;
use url::Url;
use uuid::Uuid;

use super::{
    auth::{Auth, Credential, Session},
    connections::Connections,
    deadline,
    proxy::{self, Proxies},
    rate_limit::RateLimiter,
    redirect::{location, may_follow},
    request::Request,
    response::Response,
    row_stream::{Fold, Folded, RowReader},
    settings::{Bounds, Settings},
    status::{is_success, no_response, send_error, status_error},
};
use crate::{
    charge::SharedSink,
    clock::Clock,
    counters::Code,
    error::{ProviderError, Reason},
    json::row_splitter::{Frame, Splitter},
    secret::network_variable,
    telemetry::error_chain::chain,
};

/// The client of one account's API.
#[derive(Debug)]
pub struct Http {
    pub(super) connections: Mutex<Connections>,
    pub(super) base: Url,
    pub(super) session: Session,
    pub(super) rate_limiter: RateLimiter,
    pub(super) proxies: Proxies,
    pub(super) settings: Settings,
}

/// The longest Retry-After that one request waits for; a longer one is left to the poller.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(15);
const MAX_REDIRECTS: usize = 5;
/// How long a response that is read whole may send nothing, at most. Half-open connections are found this way.
const MAX_SILENCE: Duration = Duration::from_mins(5);

impl Http {
    /// A client for the API below a base URL, whose path is kept as a prefix.
    pub fn new(base: Url, auth: Auth, settings: Settings) -> Self {
        Self::through(Proxies::new(&network_variable), base, auth, settings)
    }

    pub(super) fn through(proxies: Proxies, base: Url, auth: Auth, settings: Settings) -> Self {
        let trust = settings.authorities.current();
        let connections = Connections::new(trust, &proxies, settings.timeout);
        Self {
            connections: Mutex::new(connections),
            base,
            session: Session::new(auth),
            rate_limiter: RateLimiter::new(settings.requests_per_second, settings.concurrency),
            proxies,
            settings,
        }
    }

    /// The limits of one response.
    pub fn bounds(&self) -> Bounds {
        self.settings.bounds
    }

    /// The clock that the expiry of credentials is compared with.
    pub fn clock(&self) -> &Clock {
        &self.settings.clock
    }

    /// The account's name, for the log.
    pub fn account(&self) -> &str {
        &self.settings.account
    }

    /// A GET of a path below the base URL. Each segment is percent-encoded; an empty last one gives a trailing slash.
    pub fn get(&self, segments: &[&str]) -> Request {
        Request::new(Method::GET, below(&self.base, segments))
    }

    /// A POST to a path below the base URL.
    pub fn post(&self, segments: &[&str]) -> Request {
        Request::new(Method::POST, below(&self.base, segments))
    }

    /// A request to an absolute URL, such as a token endpoint's; never with the account's credential.
    pub fn at(&self, method: Method, url: Url) -> Request {
        let _ = self;
        Request::new(method, url).anonymous()
    }

    /// Sends a request and decodes the whole body as JSON. A request whose body is cut off is retried.
    pub async fn json<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ProviderError> {
        let body = self.body(request).await?;
        request.read(&body)
    }

    /// Sends a request and reads the whole body. A request whose body is cut off is retried. All of that, a login
    /// included, takes no longer than the timeout; half of it without a byte is reason enough for a retry.
    pub async fn body(&self, request: &Request) -> Result<Bytes, ProviderError> {
        let late = || no_whole_response(request);
        let reading = Box::pin(self.whole_body(request));
        deadline::within(self.settings.timeout, reading, late).await
    }

    /// How long a response that is read whole may send nothing.
    pub(super) fn silence_of_whole(&self) -> Duration {
        (self.settings.timeout / 2).min(MAX_SILENCE)
    }

    async fn whole_body(&self, request: &Request) -> Result<Bytes, ProviderError> {
        let silence = self.silence_of_whole();
        let mut attempt = 1;
        loop {
            let sending = self.send_with_retries(request, attempt, silence);
            let (mut response, spent) = sending.await?;
            attempt = spent;
            match response.whole(self.settings.bounds.body).await {
                Ok(body) => return Ok(body),
                Err(error) => {
                    drop(response);
                    self.wait_before_retry(request, error, attempt).await?;
                    attempt += 1;
                }
            }
        }
    }

    /// Sends a request and folds each row of the body while more of it arrives, long responses on a blocking thread.
    /// Memory use does not grow with the length of the body. There is no limit to its duration but that of the poll; it is
    /// given up once nothing arrives for as long as the timeout.
    ///
    /// An error of `fold` becomes `malformed` and names the row. A bare body whose end cannot be known is `truncated`.
    /// A request whose body is cut off before any of it was folded is retried.
    pub async fn rows<F: Fold>(
        &self,
        request: &Request,
        frame: Frame,
        sink: &SharedSink,
        fold: F,
    ) -> Result<Folded<F>, ProviderError> {
        let silence = self.settings.timeout;
        let mut attempt = 1;
        let (mut response, mut batch) = loop {
            let sending = self.send_with_retries(request, attempt, silence);
            let (mut response, spent) = sending.await?;
            if frame == Frame::Bare {
                response.require_framing()?;
            }
            match response.batch(self.settings.bounds.stream).await {
                Ok(batch) => break (response, batch),
                Err(error) => {
                    drop(response);
                    self.wait_before_retry(request, error, spent).await?;
                    attempt = spent + 1;
                }
            }
        };
        let splitter = Splitter::new(frame, self.settings.bounds.row);
        let place = request.place_of_rows();
        let mut reader = RowReader::new(splitter, fold, SharedSink::clone(sink), place);
        while !batch.last {
            let permit = batch.acquire_permit().await;
            let read = reader.read(batch, permit);
            let next = response.batch(self.settings.bounds.stream);
            (reader, batch) = tokio::try_join!(read, next)?;
        }
        let permit = batch.acquire_permit().await;
        reader.read(batch, permit).await?.finish()
    }

    /// Sends a request until a successful response begins, or it is given up. Also returns the number of the attempt
    /// that succeeded. `silence` is how long the provider may send nothing.
    async fn send_with_retries(
        &self,
        request: &Request,
        first_attempt: u32,
        silence: Duration,
    ) -> Result<(Response, u32), ProviderError> {
        let mut attempt = first_attempt;
        let mut logged_in_again = false;
        loop {
            let credential = if request.anonymous {
                None
            } else {
                self.session.credential(self, &self.settings.clock).await?
            };
            let error = match self.send(request, credential.as_ref(), silence).await {
                Ok(response) => {
                    deadline::responding();
                    return Ok((response, attempt));
                }
                Err(error) => error,
            };
            if error.status() == Some(401)
                && let Some(credential) = &credential
                && !logged_in_again
                && self
                    .session
                    .invalidate(credential, &self.settings.clock)
                    .await
            {
                logged_in_again = true;
                self.log_retry(request, &error, attempt, Duration::ZERO);
                continue;
            }
            self.wait_before_retry(request, error, attempt).await?;
            attempt += 1;
        }
    }

    /// Waits with full jitter, and at least as long as the provider requested. Returns the error where a retry does not
    /// help, the attempts are used up, or the provider requested a longer wait than a request may take: then the poller
    /// does not retry at once, either.
    pub(super) async fn wait_before_retry(
        &self,
        request: &Request,
        error: ProviderError,
        attempt: u32,
    ) -> Result<(), ProviderError> {
        let requested = error.retry_after().unwrap_or_default();
        if !error.is_retryable()
            || attempt >= self.settings.backoff.attempts
            || requested > MAX_RETRY_AFTER
        {
            return Err(error.given_up());
        }
        let wait = self.settings.backoff.wait(attempt).max(requested);
        self.log_retry(request, &error, attempt, wait);
        deadline::retrying(error);
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Counts and logs a retry; `failed` is the number of the attempt that failed.
    fn log_retry(&self, request: &Request, error: &ProviderError, failed: u32, wait: Duration) {
        self.settings.counters.retried(error.reason());
        tracing::debug!(
            account = self.settings.account,
            host = request.host(),
            reason = error.reason().as_str(),
            attempt = failed + 1,
            wait_seconds = wait.as_secs_f64(),
            correlation_id = error.correlation_id().map(tracing::field::display),
            error = chain(error),
            "Retrying request"
        );
    }

    /// Waits until a request may be sent.
    pub(super) async fn permit(
        &self,
        request: &Request,
    ) -> Result<OwnedSemaphorePermit, ProviderError> {
        if let Some(wait) = self.rate_limiter.pause_left() {
            deadline::retrying(paused(request, wait));
        }
        let permit = self.rate_limiter.acquire().await;
        permit.map_err(|wait| paused(request, wait))
    }

    /// One attempt, redirects included.
    async fn send(
        &self,
        request: &Request,
        credential: Option<&Credential>,
        silence: Duration,
    ) -> Result<Response, ProviderError> {
        let permit = self.permit(request).await?;
        let correlation_id = request.new_correlation_id();
        let mut url = request.url.clone();
        for redirects in 0..=MAX_REDIRECTS {
            if redirects > 0 {
                let slot = self.rate_limiter.wait().await;
                slot.map_err(|wait| paused(request, wait))?;
            }
            let response = self
                .send_once(request, &url, credential, correlation_id, silence)
                .await?;
            let status = response.status();
            if is_success(&request.method, status) {
                let place = request.place();
                return Response::new(response, place, correlation_id, permit, silence);
            }
            if status.as_u16() == 407
                && let Some(proxy) = self.proxies.of(&url)
            {
                let error = proxy::refused(&request.place(), proxy, Some(407));
                return Err(error.with_correlation_id(correlation_id));
            }
            let target = location(&url, response.headers());
            if let Some(target) = &target
                && may_follow(&request.method, status, &url, target)
            {
                url = target.clone();
                continue;
            }
            let wait = self.pause_after(status, response.headers());
            let error = status_error(request, response, target.as_ref(), wait, credential).await;
            return Err(error.with_correlation_id(correlation_id));
        }
        Err(ProviderError::new(
            Reason::UpstreamError,
            format!("{}: more than {MAX_REDIRECTS} redirects", request.place()),
        )
        .with_correlation_id(correlation_id))
    }

    /// The connections over the authorities as they are now: new ones where these changed.
    fn connections(&self) -> Connections {
        let trust = self.settings.authorities.current();
        let known = self.connections.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&known.trust, &trust) {
            *known = Connections::new(trust, &self.proxies, self.settings.timeout);
        }
        known.clone()
    }

    /// Sends one HTTP request, counts it and logs its status.
    pub(super) async fn send_once(
        &self,
        request: &Request,
        url: &Url,
        credential: Option<&Credential>,
        correlation_id: Option<Uuid>,
        silence: Duration,
    ) -> Result<reqwest::Response, ProviderError> {
        if let Some(error) = self.proxies.unusable_for(&request.place(), url) {
            return Err(error.with_correlation_id(correlation_id));
        }
        let Connections { client, trust } = self.connections();
        let mut builder = client
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
        #[expect(
            clippy::disallowed_methods,
            reason = "the duration of a request is a metric"
        )]
        let sent = tokio::time::Instant::now();
        let response = match tokio::time::timeout(silence, builder.send()).await {
            Ok(Ok(response)) => response,
            Err(_) => {
                self.settings.counters.requested(Code::None, sent.elapsed());
                let error = no_response(&request.place());
                return Err(error.with_correlation_id(correlation_id));
            }
            Ok(Err(error)) => {
                self.settings.counters.requested(Code::None, sent.elapsed());
                let place = request.place();
                let error = match self.proxies.explain(&place, url, &error, &trust).await {
                    Some(refusal) => refusal.because(error.without_url()),
                    None => send_error(&place, error, &trust),
                };
                return Err(error.with_correlation_id(correlation_id));
            }
        };
        let status = response.status().as_u16();
        let time = sent.elapsed();
        self.settings.counters.requested(Code::Status(status), time);
        tracing::debug!(
            account = self.settings.account,
            host = request.host(),
            request = request.place(),
            status,
            correlation_id = correlation_id.map(tracing::field::display),
            "Received response"
        );
        Ok(response)
    }
}

/// The error of a request that is not sent, since the provider requested a longer pause than one request waits.
fn paused(request: &Request, wait: Duration) -> ProviderError {
    let what = format!(
        "{}: the provider requested a pause before the next request",
        request.place()
    );
    ProviderError::new(Reason::RateLimited, what).with_retry_after(Some(wait))
}

/// The error of a request whose whole response did not come within the timeout.
pub(super) fn no_whole_response(request: &Request) -> ProviderError {
    let what = format!("{}: no complete response in time", request.place());
    request.correlate(ProviderError::new(Reason::Timeout, what))
}

/// A URL below a base URL; an empty last segment gives a trailing slash.
fn below(base: &Url, segments: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}
