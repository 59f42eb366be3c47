//! The web configuration file: TLS, users, headers and a rate limit of the server, in the format of Prometheus' exporter-toolkit.

use std::{collections::BTreeMap, time::Duration};

use http::HeaderMap;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

mod read;
mod watched;

pub use read::read;
pub use watched::Watched;

/// What the file says.
pub struct WebFile {
    /// How TLS is spoken; without it the server speaks plain text.
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is offered over TLS.
    pub http2: bool,
    /// Headers of every answer.
    pub headers: HeaderMap,
    /// The bcrypt hash of each user's password; with none everyone may ask.
    pub users: BTreeMap<String, String>,
    /// How many requests are answered.
    pub rate_limit: Option<RateLimit>,
    /// Every file that was read or should have been, as it was just before.
    pub watched: Vec<Watched>,
}

/// How TLS is spoken. The names of suites and curves are the format's and unchecked.
pub struct Tls {
    /// The server's certificate, then those that lead to its root; at least one.
    pub certificates: Vec<CertificateDer<'static>>,
    /// The certificate's key.
    pub key: PrivateKeyDer<'static>,
    /// What is asked of clients.
    pub client_auth: ClientAuth,
    /// Who may issue certificates of clients; at least one where these are verified.
    pub client_cas: Vec<CertificateDer<'static>>,
    /// The alternative names of which a client's certificate must have one; with none any will do.
    pub client_allowed_sans: Vec<String>,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// The newest version that is spoken.
    pub max_version: TlsVersion,
    /// Suites of TLS 1.2 by name; with none all that are supported.
    pub cipher_suites: Vec<String>,
    /// Whether the server's order of suites counts, not the client's.
    pub prefer_server_cipher_suites: bool,
    /// Curves by name, best first; with none all that are supported.
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

/// What is asked of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// Nothing.
    None,
    /// A certificate, which may be absent and is not verified.
    Request,
    /// A certificate, which is not verified.
    RequireAny,
    /// A certificate, which may be absent.
    VerifyIfGiven,
    /// A certificate.
    RequireAndVerify,
}

impl ClientAuth {
    /// Whether a client without a certificate is refused.
    pub fn is_mandatory(self) -> bool {
        matches!(self, Self::RequireAny | Self::RequireAndVerify)
    }

    /// Whether a certificate must come from one of the authorities.
    pub fn verifies(self) -> bool {
        matches!(self, Self::VerifyIfGiven | Self::RequireAndVerify)
    }
}

/// A bucket of requests that fills up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The time in which one more request may come; not zero.
    pub interval: Duration,
    /// How many may come at once; at least 1.
    pub burst: u32,
}
