//! Why a part failed: the closed set of reasons, and the error in the operator's words that carries one.

use std::{error::Error, fmt, time::Duration};

/// Why a part failed: the closed set of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No complete response within the part's timeout or the poll's deadline.
    Timeout,
    /// No connection, or it was closed before a response.
    Unreachable,
    /// The TLS handshake failed.
    Tls,
    /// 401, or a refused login.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 429, or 503 with Retry-After.
    RateLimited,
    /// Any other refusal or failure of the provider.
    UpstreamError,
    /// A response that is not as documented.
    Malformed,
    /// A response that is incomplete.
    Truncated,
    /// A response over a limit.
    TooLarge,
    /// A response far smaller than the last, withheld.
    Implausible,
}

impl Reason {
    /// All of them, in the order of the contract.
    pub const ALL: [Self; 12] = [
        Self::Timeout,
        Self::Unreachable,
        Self::Tls,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::UpstreamError,
        Self::Malformed,
        Self::Truncated,
        Self::TooLarge,
        Self::Implausible,
    ];

    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RateLimited => "rate_limited",
            Self::UpstreamError => "upstream_error",
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::TooLarge => "too_large",
            Self::Implausible => "implausible",
        }
    }
}

/// How the message of an error starts whose cause is a secret that cannot be read. Its advice is recognised by it, after
/// a restart, too, since the state file keeps messages.
pub const NO_CREDENTIAL: &str = "the credential is not available";

/// How the message of an error starts whose cause is a service that issues credentials: a cloud's metadata service, or a
/// token endpoint. Its advice is recognised by it.
pub const NOT_ISSUED: &str = "no credential from ";

/// What the message of an error says where a shared access signature of Azure has expired. Its advice is recognised by it.
pub const SIGNATURE_EXPIRED: &str = "the shared access signature expired at ";

/// What the message of an error says where the certificate of a server, or of a proxy, is not trusted. Its advice is
/// recognised by it.
pub const UNTRUSTED: &str = "the certificate is signed by no authority that is trusted here";

/// The same where the server sends the certificate of an authority as its own, as self-signed ones often are.
pub const AUTHORITY_AS_SERVER: &str =
    "the certificate is one of an authority, which cannot be that of a server";

/// Why a part failed, in the operator's words. It never holds a secret or a URL's query.
#[derive(Debug)]
pub struct ProviderError {
    reason: Reason,
    message: String,
    status: Option<u16>,
    retry_after: Option<Duration>,
    retryable: bool,
    not_applicable: bool,
    correlation_id: Option<uuid::Uuid>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl ProviderError {
    /// An error with its reason and what happened, lower case and without a full stop.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            status: None,
            retry_after: None,
            retryable: false,
            not_applicable: false,
            correlation_id: None,
            source: None,
        }
    }

    /// A response that is not as documented.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(Reason::Malformed, message)
    }

    /// A response that is incomplete. A retry may help.
    pub fn truncated(message: impl Into<String>) -> Self {
        Self::new(Reason::Truncated, message).retryable()
    }

    /// The account's secret cannot be read, so nothing was sent. The cause names its file or variable.
    pub fn no_credential(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Reason::Unauthorized, NO_CREDENTIAL).because(cause)
    }

    /// Adds its cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds the pause that the provider requested.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Adds the correlation id that was sent with the request.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Option<uuid::Uuid>) -> Self {
        self.correlation_id = id;
        self
    }

    /// Marks that a retry may help.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Marks that there are to be no more retries.
    #[must_use]
    pub fn given_up(mut self) -> Self {
        self.retryable = false;
        self
    }

    /// Marks that the part may not exist at all: if it never succeeded, it is skipped and does not fail the poll.
    #[must_use]
    pub fn not_applicable(mut self) -> Self {
        self.not_applicable = true;
        self
    }

    /// The closed reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The HTTP status, if there was a response.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// The pause that the provider requested.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether a retry may help.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// Whether the part may not exist at all.
    pub fn is_not_applicable(&self) -> bool {
        self.not_applicable
    }

    /// The correlation id that was sent with the request.
    pub fn correlation_id(&self) -> Option<uuid::Uuid> {
        self.correlation_id
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ProviderError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn Error + 'static))
    }
}
