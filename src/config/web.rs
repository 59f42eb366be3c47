//! The web configuration file: TLS, users, headers and a rate limit of the server, in the format of Prometheus' exporter-toolkit.

use std::{collections::BTreeMap, time::Duration};

use http::HeaderMap;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::watched::Watched;

mod read;

pub use read::read;

/// The content of the file.
pub struct WebFile {
    /// TLS settings; without them the server speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is offered over TLS.
    pub http2: bool,
    /// Headers of every response.
    pub headers: HeaderMap,
    /// The bcrypt hash of each user's password. Without users there is no authentication.
    pub users: BTreeMap<String, String>,
    /// The rate limit for requests.
    pub rate_limit: Option<RateLimit>,
    /// Every file that was read or should have been, as it was just before reading.
    pub watched: Vec<Watched>,
}

/// TLS settings. The names of suites and curves are those of the format and not checked here.
pub struct Tls {
    /// The server's certificate, then those that lead to its root; at least one.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The certificate's key.
    pub key: PrivateKeyDer<'static>,
    /// Whether client certificates are required.
    pub client_auth: ClientAuth,
    /// The authorities that issue client certificates; at least one where these are verified.
    pub client_cas: Vec<CertificateDer<'static>>,
    /// Allowed subject alternative names of client certificates; an empty list allows any.
    pub client_allowed_sans: Vec<String>,
    /// The oldest version that is accepted.
    pub min_version: TlsVersion,
    /// The newest version that is accepted.
    pub max_version: TlsVersion,
    /// Cipher suites of TLS 1.2 by name; an empty list allows all that are supported.
    pub cipher_suites: Vec<String>,
    /// Whether the server's order of suites counts, not the client's.
    pub prefer_server_cipher_suites: bool,
    /// Curves by name, in order of preference; an empty list allows all that are supported.
    pub curve_preferences: Vec<String>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// 1.2
    Tls12,
    /// 1.3
    Tls13,
}

/// Whether client certificates are required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// No certificate is requested.
    None,
    /// A certificate is requested, may be absent and is not verified.
    Request,
    /// A certificate is required and not verified.
    RequireAny,
    /// A certificate is requested, may be absent and is verified if present.
    VerifyIfGiven,
    /// A certificate is required and verified.
    RequireAndVerify,
}

impl ClientAuth {
    /// Whether a client without a certificate is rejected.
    pub fn is_mandatory(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }

    /// Whether a certificate must come from one of the authorities.
    pub fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }
}

/// A token bucket for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The time in which one token is added; not zero.
    pub interval: Duration,
    /// The size of the bucket; at least 1.
    pub burst: u32,
}
