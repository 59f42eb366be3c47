//! A request that its caller has authorised, and its response as it was stored: for object stores, whose requests are
//! signed one by one and whose files are read as they are, compressed or not.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;

use super::{
    client::{Http, no_whole_response},
    deadline, proxy,
    redirect::retry_after,
    request::Request,
    response::Response,
    row_stream::Source,
    status::{error_body, is_retryable},
};
use crate::error::ProviderError;

/// How long a service that issues credentials may take, retries included. Where none is, its address is often silent.
const ISSUE_TIMEOUT: Duration = Duration::from_secs(20);
/// The maximum size of its response.
const MAX_ISSUED: usize = 256 << 10;

/// A successful response: its head, and its body, which is still to be read.
#[derive(Debug)]
pub struct Exchange {
    /// The status: 200 or 206.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    response: Response,
}

/// A response with any other status.
pub struct Refusal<'a> {
    /// The request as errors show it.
    pub place: String,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The beginning of the body, at most 8 KiB.
    pub body: Vec<u8>,
}

impl fmt::Debug for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The body may repeat what was sent.
        f.debug_struct("Refusal")
            .field("place", &self.place)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

impl Http {
    /// Sends a request that is complete, credential included, within the account's limits, with retries where the error
    /// of a refusal allows them. Redirects are not followed: a signature is for one host. The body of the response is
    /// not decompressed.
    pub async fn exchange(
        &self,
        request: http::Request<Bytes>,
        refused: impl Fn(&Refusal<'_>) -> ProviderError,
    ) -> Result<Exchange, ProviderError> {
        let request = complete(request)?;
        let mut attempt = 1;
        loop {
            let silence = self.settings.timeout;
            match self.exchange_once(&request, &refused, silence).await {
                Ok(exchange) => {
                    deadline::responding();
                    return Ok(exchange);
                }
                Err(error) => self.wait_before_retry(&request, error, attempt).await?,
            }
            attempt += 1;
        }
    }

    /// The same, with the whole body. A request whose body is cut off is sent again.
    pub async fn exchange_whole(
        &self,
        request: http::Request<Bytes>,
        limit: usize,
        refused: impl Fn(&Refusal<'_>) -> ProviderError,
    ) -> Result<(HeaderMap, Bytes), ProviderError> {
        let timeout = self.settings.timeout;
        self.whole_within(request, limit, timeout, refused).await
    }

    /// The same for a service that issues credentials: its response is small, and soon there or not at all.
    pub async fn issued(
        &self,
        request: http::Request<Bytes>,
        refused: impl Fn(&Refusal<'_>) -> ProviderError,
    ) -> Result<Bytes, ProviderError> {
        let timeout = self.settings.timeout.min(ISSUE_TIMEOUT);
        let whole = self.whole_within(request, MAX_ISSUED, timeout, refused);
        whole.await.map(|(_, body)| body)
    }

    async fn whole_within(
        &self,
        request: http::Request<Bytes>,
        limit: usize,
        timeout: Duration,
        refused: impl Fn(&Refusal<'_>) -> ProviderError,
    ) -> Result<(HeaderMap, Bytes), ProviderError> {
        let request = complete(request)?;
        let late = || no_whole_response(&request);
        let reading = Box::pin(self.read_whole(&request, limit, refused));
        deadline::within(timeout, reading, late).await
    }

    async fn read_whole(
        &self,
        request: &Request,
        limit: usize,
        refused: impl Fn(&Refusal<'_>) -> ProviderError,
    ) -> Result<(HeaderMap, Bytes), ProviderError> {
        let silence = self.silence_of_whole();
        let mut attempt = 1;
        loop {
            let read = async {
                let mut exchange = self.exchange_once(request, &refused, silence).await?;
                deadline::responding();
                let body = exchange.response.whole(limit).await?;
                Ok((exchange.headers, body))
            };
            match read.await {
                Ok(whole) => return Ok(whole),
                Err(error) => self.wait_before_retry(request, error, attempt).await?,
            }
            attempt += 1;
        }
    }

    async fn exchange_once(
        &self,
        request: &Request,
        refused: impl Fn(&Refusal<'_>) -> ProviderError,
        silence: Duration,
    ) -> Result<Exchange, ProviderError> {
        let permit = self.permit(request).await?;
        let sending = self.send_once(request, &request.url, None, None, silence);
        let response = sending.await?;
        let status = response.status();
        let headers = response.headers().clone();
        if matches!(status.as_u16(), 200 | 206) {
            return Ok(Exchange {
                status,
                headers,
                response: Response::as_stored(response, request.place(), permit, silence),
            });
        }
        if status.as_u16() == 407
            && let Some(proxy) = self.proxies.of(&request.url)
        {
            return Err(proxy::refused(&request.place(), proxy, Some(407)));
        }
        let wait = self.pause_after(status, &headers);
        let error = refused(&Refusal {
            place: request.place(),
            status,
            headers: &headers,
            body: error_body(response).await,
        });
        Err(error.with_status(status.as_u16()).with_retry_after(wait))
    }

    /// The pause that a response requests; one after which every request of the account waits begins here.
    pub(super) fn pause_after(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let wait = is_retryable(status.as_u16())
            .then(|| retry_after(headers, self.settings.clock.now()))
            .flatten();
        if let Some(wait) = wait
            && matches!(status.as_u16(), 429 | 503)
        {
            self.rate_limiter.pause(wait);
        }
        wait
    }
}

/// A request as it is sent: its response is not to be compressed on the way, unless the caller says that it may.
fn complete(request: http::Request<Bytes>) -> Result<Request, ProviderError> {
    let (head, body) = request.into_parts();
    let url = Url::parse(&head.uri.to_string())
        .map_err(|error| ProviderError::malformed("a request has no valid URL").because(error))?;
    let mut request = Request::new(head.method, url).anonymous();
    request.headers = head.headers;
    request.body = (!body.is_empty()).then_some(body);
    let identity = HeaderValue::from_static("identity");
    let accepted = request.headers.entry(header::ACCEPT_ENCODING);
    accepted.or_insert(identity);
    Ok(request)
}

impl Exchange {
    /// The request as errors show it.
    pub fn place(&self) -> String {
        self.response.place().to_owned()
    }

    /// The length of the body, if it is known before it is read.
    pub fn length(&self) -> Option<u64> {
        self.response.length()
    }

    /// Whether the end of the body can be known: by its length, its chunks, or the frames of HTTP/2.
    pub fn is_framed(&self) -> bool {
        self.response.is_framed()
    }

    /// No longer counts as one of the account's concurrent requests: a response that waits to be read must not keep the
    /// account from sending others.
    pub fn release_permit(&mut self) {
        self.response.release_permit();
    }

    /// The body as it arrives, at most this many bytes of it: a longer one is `too_large`. The response counts as one of
    /// the account's concurrent requests until the stream is dropped.
    pub fn into_stream(self, limit: u64) -> BoxStream<'static, Result<Bytes, ProviderError>> {
        let reading = Some((self.response, 0_u64));
        futures_util::stream::unfold(reading, move |reading| async move {
            let (mut response, read) = reading?;
            match response.chunk().await {
                Ok(None) => None,
                Ok(Some(chunk)) => {
                    let read = read + chunk.len() as u64;
                    if read > limit {
                        return Some((Err(response.too_large(limit)), None));
                    }
                    Some((Ok(chunk), Some((response, read))))
                }
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }
}
