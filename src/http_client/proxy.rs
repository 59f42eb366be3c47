//! Which proxy a request takes, by the usual variables, and the status with which a proxy refuses a tunnel.

use std::{
    ffi::OsString,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use url::Url;

use super::{deadline, request::origin, status::tls_error, tls::Trust};
use crate::{
    error::{ProviderError, Reason},
    telemetry::error_chain::sources,
};

/// How long a proxy may take to repeat its refusal.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(5);
/// How many bytes of a refusal are read for its status.
const MAX_STATUS_LINE: usize = 1024;

/// The proxies of http and https requests, and the hosts that are reached without one.
#[derive(Clone, Default)]
pub(super) struct Proxies {
    http: Option<Choice>,
    https: Option<Choice>,
    exceptions: Vec<Exception>,
}

/// What a variable names.
#[derive(Clone)]
enum Choice {
    Proxy(Url),
    /// The variable's value is no URL of a proxy. It may hold a password, so only its name is kept.
    Unusable(String),
}

const ALLOWED: &str =
    "must be the URL of an http or https proxy, such as http://proxy.example.com:3128";

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URLs may hold passwords.
        f.debug_struct("Proxies").finish_non_exhaustive()
    }
}

impl Proxies {
    /// The proxies that variables name: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case.
    pub(super) fn new(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let value = |name: &str| {
            [name.to_owned(), name.to_ascii_lowercase()]
                .into_iter()
                .filter_map(|name| {
                    let value = variable(&name)?;
                    Some((name, value.to_string_lossy().into_owned()))
                })
                .find(|(_, value)| !value.trim().is_empty())
        };
        let choice = |name: &str| {
            let (name, value) = value(name).or_else(|| value("ALL_PROXY"))?;
            Some(proxy_url(&value).map_or(Choice::Unusable(name), Choice::Proxy))
        };
        Self {
            http: choice("HTTP_PROXY"),
            https: choice("HTTPS_PROXY"),
            exceptions: value("NO_PROXY")
                .map_or_else(String::new, |(_, list)| list)
                .split([',', ' '])
                .filter_map(Exception::new)
                .collect(),
        }
    }

    fn choice(&self, target: &Url) -> Option<&Choice> {
        // No proxy reaches the loopback of this machine, where the demo and sidecars are, nor its link.
        if is_near(target) {
            return None;
        }
        let choice = match target.scheme() {
            "https" => self.https.as_ref(),
            _ => self.http.as_ref(),
        }?;
        let is_exception = self.exceptions.iter().any(|known| known.matches(target));
        (!is_exception).then_some(choice)
    }

    /// The proxy of a request; `None` where it is sent directly.
    pub(super) fn of(&self, target: &Url) -> Option<&Url> {
        match self.choice(target)? {
            Choice::Proxy(proxy) => Some(proxy),
            Choice::Unusable(_) => None,
        }
    }

    /// The error of a request whose proxy cannot be used. It is not sent: whoever sets a proxy wants none without it.
    pub(super) fn unusable_for(&self, place: &str, target: &Url) -> Option<ProviderError> {
        match self.choice(target)? {
            Choice::Proxy(_) => None,
            Choice::Unusable(variable) => Some(ProviderError::new(
                Reason::Unreachable,
                format!("{place}: the environment variable {variable} {ALLOWED}"),
            )),
        }
    }

    /// The error of a connection that failed on its way through a proxy, without its cause; `None` where no proxy was in
    /// the way, or TLS failed.
    pub(super) async fn explain(
        &self,
        place: &str,
        target: &Url,
        error: &reqwest::Error,
        trust: &Trust,
    ) -> Option<ProviderError> {
        let proxy = self.of(target)?;
        let says = |text: &str| sources(error).any(|source| source.to_string().contains(text));
        if tls_error(error).is_some() || !error.is_connect() {
            return None;
        }
        if says("tunnel error") && !says("underlying connection") {
            // A deadline may pass before the proxy answers again.
            deadline::retrying(refused(place, proxy, None));
            let asking = refused_status(proxy, target, trust);
            let status = tokio::time::timeout(REFUSAL_TIMEOUT, asking).await;
            return Some(refused(place, proxy, status.ok().flatten()));
        }
        let proxy = origin(proxy);
        Some(if error.is_timeout() {
            let what = format!("{place}: no connection through the proxy {proxy} in time");
            ProviderError::new(Reason::Timeout, what).retryable()
        } else {
            let what = format!("{place}: the proxy {proxy} cannot be reached");
            ProviderError::new(Reason::Unreachable, what).retryable()
        })
    }
}

/// What is wrong with the proxies that variables name, by variable.
pub(super) fn problems_of_variables(
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<(String, String)> {
    let Proxies {
        http,
        https,
        exceptions,
    } = Proxies::new(variable);
    if exceptions.iter().any(Exception::is_everything) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for choice in [https, http].into_iter().flatten() {
        if let Choice::Unusable(variable) = choice
            && problems.iter().all(|(known, _)| *known != variable)
        {
            problems.push((variable, ALLOWED.to_owned()));
        }
    }
    problems
}

/// The error of a request that a proxy refuses. It names the proxy without its user and password.
pub(super) fn refused(place: &str, proxy: &Url, status: Option<u16>) -> ProviderError {
    let proxy = origin(proxy);
    let what = match status {
        Some(407) => "refused the connection with 407: it requires a user and password".to_owned(),
        Some(status) => format!("refused the connection with {status}"),
        None => "did not open the connection".to_owned(),
    };
    let error = ProviderError::new(
        Reason::Unreachable,
        format!("{place}: the proxy {proxy} {what}"),
    );
    // A rule of the proxy, or its user, does not change within seconds.
    if matches!(status, Some(400..=428 | 430..=499)) {
        error
    } else {
        error.retryable()
    }
}

/// The client of the requests hides the status of a refused tunnel, so the proxy is asked once more.
async fn refused_status(proxy: &Url, target: &Url, trust: &Trust) -> Option<u16> {
    let host = proxy.host_str()?.trim_matches(['[', ']']);
    let address = (host, proxy.port_or_known_default()?);
    let stream = TcpStream::connect(address).await.ok()?;
    if proxy.scheme() == "http" {
        return ask(stream, proxy, target).await;
    }
    let mut tls = trust.tls.clone();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream);
    ask(stream.await.ok()?, proxy, target).await
}

/// Asks a proxy for a tunnel; the status where it refuses one.
async fn ask(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    proxy: &Url,
    target: &Url,
) -> Option<u16> {
    let port = target.port_or_known_default()?;
    let authority = format!("{}:{port}", target.host_str()?);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(credential) = credential(proxy) {
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&credential);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    stream.flush().await.ok()?;
    let mut line = Vec::new();
    while !line.contains(&b'\n') && line.len() < MAX_STATUS_LINE {
        if stream.read_buf(&mut line).await.ok()? == 0 {
            break;
        }
    }
    let line = String::from_utf8_lossy(&line);
    let status: u16 = line.split_whitespace().nth(1)?.parse().ok()?;
    (status >= 300).then_some(status)
}

/// User and password of a proxy's URL, as they are sent.
fn credential(proxy: &Url) -> Option<String> {
    if proxy.username().is_empty() && proxy.password().is_none() {
        return None;
    }
    let pair = format!(
        "{}:{}",
        decoded(proxy.username()),
        decoded(proxy.password().unwrap_or_default())
    );
    Some(BASE64_STANDARD.encode(pair))
}

/// A percent-encoded text. Plus signs are no spaces here.
fn decoded(text: &str) -> String {
    let text = format!("={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(text.as_bytes())
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

/// The URL of a proxy, which is one of `http` where it names no scheme.
fn proxy_url(text: &str) -> Option<Url> {
    let text = text.trim();
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("http://{text}"))
    };
    url.ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// One entry of `NO_PROXY`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Exception {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    All,
    /// An address, and how many bits of it count.
    Network(IpAddr, u8),
    /// A domain and those below it.
    Domain(String),
    /// Only those below it.
    Below(String),
}

impl Exception {
    fn new(entry: &str) -> Option<Self> {
        let entry = entry.trim();
        let (host, port) = match entry.rsplit_once(':') {
            // More than one colon is an IPv6 address, whose port follows a bracket.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, Some(port.parse().ok()?))
            }
            _ => (entry, None),
        };
        let host = host.trim_matches(['[', ']']).trim_end_matches('.');
        if host.is_empty() {
            return None;
        }
        let host = match (host, host.split_once('/')) {
            ("*", _) => Host::All,
            (_, Some((address, bits))) => Host::Network(address.parse().ok()?, bits.parse().ok()?),
            (host, None) => match (host.parse(), host.strip_prefix("*.")) {
                (Ok(address), _) => Host::Network(address, 128),
                (Err(_), Some(domain)) => Host::Below(domain.to_ascii_lowercase()),
                (Err(_), None) => Host::Domain(host.trim_start_matches('.').to_ascii_lowercase()),
            },
        };
        Some(Self { host, port })
    }

    fn is_everything(&self) -> bool {
        self.host == Host::All && self.port.is_none()
    }

    fn matches(&self, target: &Url) -> bool {
        if self.port.is_some() && self.port != target.port_or_known_default() {
            return false;
        }
        let host = target.host_str().unwrap_or_default();
        let host = host.trim_matches(['[', ']']).trim_end_matches('.');
        let is_below = |domain: &str| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.ends_with('.'))
        };
        match &self.host {
            Host::All => true,
            Host::Network(network, bits) => host
                .parse()
                .is_ok_and(|address| is_within(address, *network, *bits)),
            Host::Domain(domain) => host == domain || is_below(domain),
            Host::Below(domain) => is_below(domain),
        }
    }
}

/// The services of clouds for their own machines whose addresses are not those of a link: the name of Google's, and the
/// addresses that AWS and Google have in IPv6. A proxy would ask them for its own credential.
const METADATA_NAME: &str = "metadata.google.internal";
const METADATA_ADDRESSES: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Whether a server is on this machine, or only reached from its own link, such as the metadata service of a cloud.
fn is_near(target: &Url) -> bool {
    match target.host() {
        Some(url::Host::Domain(name)) => {
            matches!(name.trim_end_matches('.'), "localhost" | METADATA_NAME)
        }
        Some(url::Host::Ipv4(address)) => address.is_loopback() || address.is_link_local(),
        Some(url::Host::Ipv6(address)) => {
            address.is_loopback()
                || address.is_unicast_link_local()
                || METADATA_ADDRESSES.contains(&address)
        }
        None => false,
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (address, network, width) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            (address.to_bits().into(), network.to_bits().into(), 32_u8)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        _ => return false,
    };
    let differing: u128 = address ^ network;
    let ignored = u32::from(width.saturating_sub(bits));
    differing.checked_shr(ignored).unwrap_or_default() == 0
}

#[cfg(test)]
mod tests;
