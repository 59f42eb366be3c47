//! The account's own client below `object_store`: every request passes its rate limit, counters, bounds, proxies and
//! authorities, and every failure gets its reason here.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use http::{Method, Response, Uri};
use http_body::Frame;
use memchr::memmem;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};

use super::refusal;
use crate::{
    error::{ProviderError, Reason},
    http_client::Http,
    telemetry::error_chain::sources,
};

/// The maximum size of one page of a listing, and of a response with a credential.
const MAX_PAGE: usize = 16 << 20;

/// Sends the requests of one bucket, and those for its credential.
#[derive(Debug, Clone)]
pub(super) struct Service {
    http: Arc<Http>,
    /// Scheme and authority of the store.
    endpoint: String,
    /// Whether other servers may be asked for a credential.
    is_ambient: bool,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// One page of a listing.
    List,
    /// A file, or a range of it.
    Read,
    /// A credential of the environment.
    Credential,
}

impl Service {
    pub(super) fn new(http: Arc<Http>, endpoint: String, is_ambient: bool) -> Self {
        Self {
            http,
            endpoint,
            is_ambient,
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
        let (head, body) = request.into_parts();
        let purpose = purpose(&head.method, &head.uri, &self.endpoint, self.is_ambient)?;
        let body = body.as_bytes().cloned().unwrap_or_default();
        let sent = refusal::sent(&head.headers);
        let refused =
            |refusal: &crate::http_client::Refusal<'_>| refusal::error(refusal, purpose, &sent);
        let request = http::Request::from_parts(head, body);
        let (status, headers, body): (_, _, HttpResponseBody) = if purpose == Purpose::Read {
            let exchange = self.http.exchange(request, refused).await?;
            let (status, headers) = (exchange.status, exchange.headers.clone());
            let bytes = exchange.into_stream(self.http.bounds().stream);
            (status, headers, StoredBody::wrap(bytes))
        } else {
            let place = format!("{} {}", request.method(), request.uri().path());
            let whole = self.http.exchange_whole(request, MAX_PAGE, refused).await?;
            if purpose == Purpose::List {
                check_page(&place, &whole.1)?;
            }
            (http::StatusCode::OK, whole.0, whole.1.into())
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

/// What a request is for; an error for one that must not be sent: anything that is no reading, and anything to another
/// server, unless a credential of the environment is wanted.
fn purpose(
    method: &Method,
    uri: &Uri,
    endpoint: &str,
    is_ambient: bool,
) -> Result<Purpose, ProviderError> {
    let not_sent = |what: String| Err(ProviderError::new(Reason::UpstreamError, what));
    let text = uri.to_string();
    let below = text.strip_prefix(endpoint.trim_end_matches('/'));
    if !below.is_some_and(|rest| rest.starts_with('/')) {
        if is_ambient {
            return Ok(Purpose::Credential);
        }
        return not_sent("a request to another server than the store was not sent".to_owned());
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return not_sent(format!(
            "a {method} request was not sent: a store is only read"
        ));
    }
    let query = uri.query().unwrap_or_default();
    Ok(if query.split('&').any(|pair| pair == "list-type=2") {
        Purpose::List
    } else {
        Purpose::Read
    })
}

/// Refuses what is not a whole page of a listing: `object_store` reads any other XML as a page without files.
fn check_page(place: &str, page: &[u8]) -> Result<(), ProviderError> {
    let begins = memmem::find(page, b"<ListBucketResult");
    let before = &page[..begins.unwrap_or_default()];
    let only_prolog = !memmem::find_iter(before, b"<").any(|at| before.get(at + 1) != Some(&b'?'));
    if begins.is_none() || !only_prolog {
        let what = format!("{place}: the response is not a list of files");
        return Err(ProviderError::malformed(what));
    }
    if !page.trim_ascii_end().ends_with(b"</ListBucketResult>")
        // A folder without a file may come as one empty element.
        && !page.trim_ascii_end().ends_with(b"/>")
    {
        let what = format!("{place}: the list of files is incomplete");
        return Err(ProviderError::truncated(what));
    }
    let is_truncated = memmem::find(page, b"<IsTruncated>true").is_some();
    if is_truncated && memmem::find(page, b"<NextContinuationToken>").is_none() {
        let what = format!(
            "{place}: the list of files has more pages, but does not say where they begin (ListObjectsV2 is needed)"
        );
        return Err(ProviderError::malformed(what));
    }
    Ok(())
}

impl HttpService for Service {
    fn call<'life, 'a>(
        &'life self,
        request: HttpRequest,
    ) -> Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>
    where
        'life: 'a,
        Self: 'a,
    {
        Box::pin(async move { self.send(request).await.map_err(Carried::http_error) })
    }
}

impl HttpConnector for Service {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// A body that is read while it arrives.
struct StoredBody {
    /// In a mutex only because a body must be shareable between threads; it is never locked.
    bytes: Mutex<BoxStream<'static, Result<Bytes, ProviderError>>>,
}

impl StoredBody {
    fn wrap(bytes: BoxStream<'static, Result<Bytes, ProviderError>>) -> HttpResponseBody {
        HttpResponseBody::new(Self {
            bytes: Mutex::new(bytes),
        })
    }
}

impl http_body::Body for StoredBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let bytes = self.bytes.get_mut().unwrap_or_else(PoisonError::into_inner);
        bytes
            .poll_next_unpin(context)
            .map(|chunk| chunk.map(|chunk| chunk.map(Frame::data).map_err(Carried::http_error)))
    }
}

/// An error of the account's client on its way through `object_store`.
pub(super) struct Carried(Mutex<Option<ProviderError>>);

impl Carried {
    fn new(error: ProviderError) -> Self {
        Self(Mutex::new(Some(error)))
    }

    fn http_error(error: ProviderError) -> HttpError {
        HttpError::new(HttpErrorKind::Unknown, Self::new(error))
    }

    pub(super) fn store_error(error: ProviderError) -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: Box::new(Self::new(error)),
        }
    }

    /// The error that another one carries.
    pub(super) fn find(error: &object_store::Error) -> Option<ProviderError> {
        sources(error)
            .find_map(|source| source.downcast_ref::<Self>())
            .and_then(|carried| {
                let mut carried = carried.0.lock().unwrap_or_else(PoisonError::into_inner);
                carried.take()
            })
    }
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Carried")
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request failed")
    }
}

impl Error for Carried {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_store_is_asked_and_only_read() {
        let endpoint = "https://s3.eu-central-1.amazonaws.com";
        let ask = |method: Method, uri: &str, is_ambient| {
            purpose(&method, &uri.parse().unwrap(), endpoint, is_ambient).ok()
        };
        let list = format!("{endpoint}/billing?list-type=2&prefix=x");
        let file = format!("{endpoint}/billing/x.csv");
        assert_eq!(ask(Method::GET, &list, false), Some(Purpose::List));
        assert_eq!(ask(Method::GET, &file, false), Some(Purpose::Read));
        assert_eq!(ask(Method::HEAD, &file, false), Some(Purpose::Read));
        for method in [Method::PUT, Method::POST, Method::DELETE] {
            for is_ambient in [false, true] {
                assert_eq!(ask(method.clone(), &file, is_ambient), None);
            }
        }
        for other in [
            "http://169.254.169.254/latest/api/token",
            "http://169.254.170.2/v2/credentials",
            "https://sts.eu-central-1.amazonaws.com/",
            "https://s3.eu-central-1.amazonaws.com.example.com/billing",
        ] {
            assert_eq!(ask(Method::GET, other, false), None, "{other}");
            let wanted = Some(Purpose::Credential);
            assert_eq!(ask(Method::PUT, other, true), wanted, "{other}");
        }
    }

    #[test]
    fn only_whole_pages_are_accepted() {
        let page = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><KeyCount>0</KeyCount></ListBucketResult>\n";
        assert!(check_page("GET /b", page.as_bytes()).is_ok());
        for (page, want) in [
            (
                "<Error><Code>InternalError</Code></Error>",
                Reason::Malformed,
            ),
            (
                "<html><ListBucketResult></ListBucketResult></html>",
                Reason::Malformed,
            ),
            ("", Reason::Malformed),
            (
                "<ListBucketResult><Contents><Key>a</Key>",
                Reason::Truncated,
            ),
            (
                "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                Reason::Malformed,
            ),
        ] {
            let error = check_page("GET /b", page.as_bytes()).unwrap_err();
            assert_eq!(error.reason(), want, "{page}");
        }
    }
}
