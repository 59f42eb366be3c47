//! Why a part failed: the closed set of reasons, and the error in the operator's words that carries one.

use std::{error::Error, fmt, time::Duration};

/// Why a part failed: the closed set of the label `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No whole answer within the part's timeout or the poll's deadline.
    Timeout,
    /// No connection, or it broke before an answer.
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
    /// An answer that does not say what it should.
    Malformed,
    /// An answer that stops early.
    Truncated,
    /// An answer over a bound.
    TooLarge,
    /// An answer far smaller than the last, held back.
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

/// Why a part failed, in the operator's words. It never holds a secret or a URL's query.
#[derive(Debug)]
pub struct ProviderError {
    reason: Reason,
    message: String,
    status: Option<u16>,
    retry_after: Option<Duration>,
    retryable: bool,
    not_a_part: bool,
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
            not_a_part: false,
            correlation_id: None,
            source: None,
        }
    }

    /// An answer that does not say what it should.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(Reason::Malformed, message)
    }

    /// An answer that stops early. PartFetcher again may help.
    pub fn truncated(message: impl Into<String>) -> Self {
        Self::new(Reason::Truncated, message).retryable()
    }

    /// Keeps what caused it.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Keeps the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Keeps how long the provider asked us to wait.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// Keeps the correlation id that was sent with the request.
    #[must_use]
    pub fn with_correlation_id(mut self, id: Option<uuid::Uuid>) -> Self {
        self.correlation_id = id;
        self
    }

    /// Marks it as worth asking again.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// Marks that it was asked again often enough.
    #[must_use]
    pub fn given_up(mut self) -> Self {
        self.retryable = false;
        self
    }

    /// Marks that the part may not exist at all: one that never succeeded is then skipped and fails nothing.
    #[must_use]
    pub fn not_applicable(mut self) -> Self {
        self.not_a_part = true;
        self
    }

    /// The closed reason.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The HTTP status, if an answer came.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// How long the provider asked us to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether asking again at once may help.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// Whether the part may not exist at all.
    pub fn is_not_applicable(&self) -> bool {
        self.not_a_part
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
