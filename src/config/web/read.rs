//! Reads the web configuration file and the certificates and keys that it names.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use bcrypt::HashParts;
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde::Deserialize;

use super::{ClientAuth, RateLimit, Tls, TlsVersion, WebFile};
use crate::{
    config::{
        scalar::Span,
        yaml::{Layer, join},
    },
    diagnostics::{Diagnostics, unknown_key},
    watched::Watched,
};

/// The headers that the format allows, each with its allowed values; an empty list allows any.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
];

/// The highest bcrypt cost. A higher one takes half a minute of CPU time for each login.
const MAX_COST: u32 = 18;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSection {
    tls_server_config: Option<TlsSection>,
    http_server_config: Option<HttpSection>,
    basic_auth_users: Option<BTreeMap<String, String>>,
    rate_limit: Option<RateSection>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsSection {
    cert: Option<String>,
    cert_file: Option<String>,
    key: Option<String>,
    key_file: Option<String>,
    client_auth_type: Option<String>,
    client_ca: Option<String>,
    client_ca_file: Option<String>,
    client_allowed_sans: Option<Vec<String>>,
    min_version: Option<String>,
    max_version: Option<String>,
    cipher_suites: Option<Vec<String>>,
    prefer_server_cipher_suites: Option<bool>,
    curve_preferences: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpSection {
    http2: Option<bool>,
    headers: Option<BTreeMap<String, String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateSection {
    interval: Option<Span>,
    burst: Option<u32>,
}

/// Reads the file and those that it names. Where errors were reported, what they are about is missing from the result.
pub fn read(path: &Path, diagnostics: &mut Diagnostics) -> WebFile {
    let mut reader = Reader {
        folder: path.parent().unwrap_or(Path::new("")),
        watched: Vec::new(),
        diagnostics,
    };
    let section = reader.section(path);
    let tls = section.tls_server_config;
    let tls = tls.and_then(|section| reader.tls(section));
    let http = section.http_server_config.unwrap_or_default();
    WebFile {
        tls,
        http2: http.http2.unwrap_or(true),
        headers: reader.headers(http.headers.unwrap_or_default()),
        users: reader.users(section.basic_auth_users.unwrap_or_default()),
        rate_limit: section.rate_limit.and_then(|rate| reader.rate(&rate)),
        watched: reader.watched,
    }
}

struct Reader<'a> {
    folder: &'a Path,
    watched: Vec<Watched>,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn section(&mut self, path: &Path) -> FileSection {
        let text = self.file(path.to_owned()).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| io::Error::other("file is not UTF-8"))
        });
        let text = match text {
            Ok(text) => text,
            Err(error) => {
                self.diagnostics
                    .push("", format!("cannot be read: {error}"));
                return FileSection::default();
            }
        };
        let layer = Layer::yaml("web", &text, self.diagnostics);
        self.diagnostics.origins = layer.origins;
        self.diagnostics.read(layer.values, "").unwrap_or_default()
    }

    fn file(&mut self, path: PathBuf) -> io::Result<Vec<u8>> {
        let watched = Watched::now(path);
        let read = watched.read();
        self.watched.push(watched);
        read
    }

    /// `None` only where certificate or key are missing; an error is reported then.
    fn tls(&mut self, section: TlsSection) -> Option<Tls> {
        let place = |key: &str| join("tls_server_config", key);
        let certificates = self.pem("cert", section.cert, section.cert_file);
        let certificates = self.required("cert", certificates);
        let certificates =
            certificates.and_then(|(key, bytes)| self.certificates(&key, &bytes, "certificate"));
        let key = self.pem("key", section.key, section.key_file);
        let key = self.required("key", key);
        let key = key.and_then(|(place, bytes)| self.private_key(&place, &bytes));
        let client_auth = self.client_auth(section.client_auth_type.as_deref());
        let sans = section.client_allowed_sans.unwrap_or_default();
        if !sans.is_empty() && !client_auth.is_mandatory() {
            let message =
                "needs client_auth_type RequireAndVerifyClientCert or RequireAnyClientCert";
            self.diagnostics.push(place("client_allowed_sans"), message);
        }
        let cas = self.pem("client_ca", section.client_ca, section.client_ca_file);
        let client_cas = match cas {
            Pem::Found(key, _) if client_auth == ClientAuth::None => {
                let message = "needs a client_auth_type, such as RequireAndVerifyClientCert";
                self.diagnostics.push(key, message);
                None
            }
            Pem::Found(key, bytes) => self.certificates(&key, &bytes, "certificate"),
            Pem::Absent if client_auth.verifies() => {
                let message = "is required with this client_auth_type: the authorities that issue client certificates";
                self.diagnostics.push(place("client_ca_file"), message);
                None
            }
            Pem::Absent | Pem::Unreadable => None,
        };
        let min_version = self.version("min_version", section.min_version.as_deref());
        let max_version = self.version("max_version", section.max_version.as_deref());
        let min_version = min_version.unwrap_or(TlsVersion::Tls12);
        let max_version = max_version.unwrap_or(TlsVersion::Tls13);
        if min_version > max_version {
            self.diagnostics
                .push(place("min_version"), "is newer than max_version");
        }
        Some(Tls {
            certificates: certificates?,
            key: key?,
            client_auth,
            client_cas: client_cas.unwrap_or_default(),
            client_allowed_sans: sans,
            min_version,
            max_version,
            cipher_suites: section.cipher_suites.unwrap_or_default(),
            prefer_server_cipher_suites: section.prefer_server_cipher_suites.unwrap_or(true),
            curve_preferences: section.curve_preferences.unwrap_or_default(),
        })
    }

    /// The PEM text, inline or from the file that is named.
    fn pem(&mut self, name: &str, inline: Option<String>, path: Option<String>) -> Pem {
        let given = |text: &String| !text.trim().is_empty();
        let file_key = join("tls_server_config", &format!("{name}_file"));
        match (inline.filter(given), path.filter(given)) {
            (Some(_), Some(_)) => {
                let message = format!("only one of {name} and {name}_file may be given");
                self.diagnostics.push(file_key, message);
                Pem::Unreadable
            }
            (Some(text), None) => Pem::Found(join("tls_server_config", name), text.into_bytes()),
            (None, Some(path)) => match self.file(self.folder.join(path)) {
                Ok(bytes) => Pem::Found(file_key, bytes),
                Err(error) => {
                    self.diagnostics
                        .push(file_key, format!("cannot be read: {error}"));
                    Pem::Unreadable
                }
            },
            (None, None) => Pem::Absent,
        }
    }

    fn required(&mut self, name: &str, pem: Pem) -> Option<(String, Vec<u8>)> {
        match pem {
            Pem::Found(key, bytes) => Some((key, bytes)),
            Pem::Unreadable => None,
            Pem::Absent => {
                let key = join("tls_server_config", &format!("{name}_file"));
                self.diagnostics
                    .push(key, format!("is required, or {name} instead"));
                None
            }
        }
    }

    fn certificates(
        &mut self,
        key: &str,
        bytes: &[u8],
        what: &str,
    ) -> Option<Vec<CertificateDer<'static>>> {
        let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(bytes).collect();
        let read = read.ok().filter(|certificates| !certificates.is_empty());
        if read.is_none() {
            self.diagnostics
                .push(key, format!("contains no {what} in PEM format"));
        }
        read
    }

    fn private_key(&mut self, key: &str, bytes: &[u8]) -> Option<PrivateKeyDer<'static>> {
        let read = PrivateKeyDer::from_pem_slice(bytes).ok();
        if read.is_none() {
            let message =
                "contains no private key in PEM format (encrypted keys are not supported)";
            self.diagnostics.push(key, message);
        }
        read
    }

    fn client_auth(&mut self, text: Option<&str>) -> ClientAuth {
        match text.unwrap_or_default() {
            "" | "NoClientCert" => ClientAuth::None,
            "RequestClientCert" => ClientAuth::Request,
            "RequireAnyClientCert" | "RequireClientCert" => ClientAuth::RequireAny,
            "VerifyClientCertIfGiven" => ClientAuth::VerifyIfGiven,
            "RequireAndVerifyClientCert" => ClientAuth::RequireAndVerify,
            _ => {
                let message = "unknown value; allowed are NoClientCert, RequestClientCert, RequireAnyClientCert, \
                               VerifyClientCertIfGiven, RequireAndVerifyClientCert";
                self.diagnostics
                    .push("tls_server_config.client_auth_type", message);
                // The value that causes no further errors.
                ClientAuth::RequireAny
            }
        }
    }

    fn version(&mut self, name: &str, text: Option<&str>) -> Option<TlsVersion> {
        let message = match text? {
            "TLS12" => return Some(TlsVersion::Tls12),
            "TLS13" => return Some(TlsVersion::Tls13),
            old @ ("TLS10" | "TLS11") => {
                format!("{old} is not supported; allowed are TLS12, TLS13")
            }
            "" => return None,
            _ => "unknown value; allowed are TLS12, TLS13".to_owned(),
        };
        self.diagnostics
            .push(join("tls_server_config", name), message);
        None
    }

    fn headers(&mut self, written: BTreeMap<String, String>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, text) in written {
            let key = join("http_server_config.headers", &name);
            let Some((known, allowed)) = HEADERS.iter().find(|(known, _)| *known == name) else {
                let message = unknown_key(&name, HEADERS.iter().map(|(name, _)| *name));
                self.diagnostics.push(key, message);
                continue;
            };
            if text.is_empty() {
                continue;
            }
            if !allowed.is_empty() && !allowed.contains(&text.as_str()) {
                let message = format!("unknown value; allowed are {}", allowed.join(", "));
                self.diagnostics.push(key, message);
                continue;
            }
            match HeaderValue::from_str(&text) {
                Ok(value) => {
                    let name = HeaderName::from_bytes(known.as_bytes());
                    headers.insert(name.expect("the names of the table are tokens"), value);
                }
                Err(_) => self
                    .diagnostics
                    .push(key, "contains characters that are not allowed in a header"),
            }
        }
        headers
    }

    fn users(&mut self, written: BTreeMap<String, String>) -> BTreeMap<String, String> {
        for (name, hash) in &written {
            let key = join("basic_auth_users", name);
            if name.contains(':') || name.chars().any(char::is_control) {
                self.diagnostics.push(
                    key,
                    "the user name must not contain a colon or control characters",
                );
                continue;
            }
            let cost = hash.parse().map(|parts: HashParts| parts.get_cost());
            match cost {
                Ok(4..=MAX_COST) => {}
                Ok(_) => {
                    let message = format!("must have a cost of 4 to {MAX_COST}");
                    self.diagnostics.push(key, message);
                }
                Err(_) => {
                    let message = "must be a bcrypt hash, as printed by htpasswd -nBC 10";
                    self.diagnostics.push(key, message);
                }
            }
        }
        written
    }

    fn rate(&mut self, section: &RateSection) -> Option<RateLimit> {
        let interval = section
            .interval
            .as_ref()
            .map_or(Duration::ZERO, |span| span.0);
        if interval.is_zero() {
            return None;
        }
        let burst = section.burst.filter(|burst| *burst > 0);
        if burst.is_none() {
            let message = "must be at least 1, otherwise every request is rejected";
            self.diagnostics.push("rate_limit.burst", message);
        }
        burst.map(|burst| RateLimit { interval, burst })
    }
}

enum Pem {
    /// The key under which it was given, and the text.
    Found(String, Vec<u8>),
    /// An error was reported.
    Unreadable,
    Absent,
}
