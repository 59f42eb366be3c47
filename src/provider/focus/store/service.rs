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
use http::{HeaderValue, Method, Response, Uri, header};
use http_body::Frame;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};

use super::{
    credentials::Refused,
    dialect::{Dialect, Purpose},
    refusal,
};
use crate::{
    error::{ProviderError, Reason},
    http_client::Http,
    telemetry::error_chain::sources,
};

/// The maximum size of one page of a listing.
const MAX_PAGE: usize = 16 << 20;

/// Sends the requests of one bucket.
#[derive(Debug, Clone)]
pub(super) struct Service {
    http: Arc<Http>,
    allowed: Allowed,
    refused: Refused,
}

/// Which requests may be sent.
#[derive(Debug, Clone)]
struct Allowed {
    /// Scheme and authority of the store.
    endpoint: String,
    dialect: Dialect,
}

impl Service {
    pub(super) fn new(http: Arc<Http>, endpoint: String, dialect: Dialect) -> Self {
        Self {
            http,
            allowed: Allowed { endpoint, dialect },
            refused: Refused::default(),
        }
    }

    /// Whether the store refuses the credential that it is sent.
    pub(super) fn refused(&self) -> Refused {
        self.refused.clone()
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ProviderError> {
        let (head, body) = request.into_parts();
        let purpose = self.allowed.purpose(&head.method, &head.uri)?;
        let body = body.as_bytes().cloned().unwrap_or_default();
        let dialect = self.allowed.dialect;
        let sent = refusal::Sent::of(&head.headers, &head.uri);
        let refused = |refusal: &crate::http_client::Refusal<'_>| {
            let error = refusal::error(refusal, dialect, purpose, &sent);
            self.refused.note(&error);
            error
        };
        let mut request = http::Request::from_parts(head, body);
        if dialect == Dialect::Google && purpose == Purpose::Read {
            // Without it, files that are stored compressed are decompressed on the way: their length is another one then.
            let gzip = HeaderValue::from_static("gzip");
            request.headers_mut().insert(header::ACCEPT_ENCODING, gzip);
        }
        let (status, headers, body): (_, _, HttpResponseBody) = if purpose == Purpose::Read {
            let exchange = self.http.exchange(request, refused).await?;
            let (status, headers) = (exchange.status, exchange.headers.clone());
            let bytes = exchange.into_stream(self.http.bounds().stream);
            (status, headers, StoredBody::wrap(bytes))
        } else {
            let place = format!("{} {}", request.method(), request.uri().path());
            let whole = self.http.exchange_whole(request, MAX_PAGE, refused).await?;
            dialect.check_page(&place, &whole.1)?;
            (http::StatusCode::OK, whole.0, whole.1.into())
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

impl Allowed {
    /// What a request is for; an error for one that must not be sent: anything that is no reading, and anything to
    /// another server. Credentials are requested elsewhere, by their own code.
    fn purpose(&self, method: &Method, uri: &Uri) -> Result<Purpose, ProviderError> {
        let not_sent = |what: String| Err(ProviderError::new(Reason::UpstreamError, what));
        let text = uri.to_string();
        let is_below = |server: &str| {
            let rest = text.strip_prefix(server.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.starts_with('/'))
        };
        if !is_below(&self.endpoint) {
            return not_sent("a request to another server than the store was not sent".to_owned());
        }
        if !matches!(*method, Method::GET | Method::HEAD) {
            return not_sent(format!(
                "a {method} request was not sent: a store is only read"
            ));
        }
        Ok(if self.dialect.is_listing(uri) {
            Purpose::List
        } else {
            Purpose::Read
        })
    }
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
            store: "the store",
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
        let service = Allowed {
            endpoint: endpoint.to_owned(),
            dialect: Dialect::S3,
        };
        let ask = |method: Method, uri: &str| service.purpose(&method, &uri.parse().unwrap()).ok();
        let list = format!("{endpoint}/billing?list-type=2&prefix=x");
        let file = format!("{endpoint}/billing/x.csv");
        assert_eq!(ask(Method::GET, &list), Some(Purpose::List));
        assert_eq!(ask(Method::GET, &file), Some(Purpose::Read));
        assert_eq!(ask(Method::HEAD, &file), Some(Purpose::Read));
        for method in [Method::PUT, Method::POST, Method::DELETE] {
            assert_eq!(ask(method, &file), None);
        }
        let token = "http://169.254.169.254/latest/api/token";
        assert_eq!(ask(Method::PUT, token), None);
        for other in [
            "http://169.254.170.2/v2/credentials",
            "http://169.254.169.254/latest/meta-data/iam/security-credentials/",
            "http://metadata.google.internal/computeMetadata/v1/",
            "https://sts.eu-central-1.amazonaws.com/",
            "https://s3.eu-central-1.amazonaws.com.example.com/billing",
        ] {
            assert_eq!(ask(Method::GET, other), None, "{other}");
        }
    }
}
