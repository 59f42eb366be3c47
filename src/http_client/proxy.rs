//! Which proxy a request takes, by the usual variables, and the status with which a proxy refuses a tunnel.

use std::{net::IpAddr, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use url::Url;

use super::request::origin;
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
    http: Option<Url>,
    https: Option<Url>,
    exceptions: Vec<Exception>,
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URLs may hold passwords.
        f.debug_struct("Proxies").finish_non_exhaustive()
    }
}

impl Proxies {
    /// The proxies that variables name: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case.
    pub(super) fn new(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| {
            [name.to_owned(), name.to_ascii_lowercase()]
                .iter()
                .filter_map(|name| variable(name))
                .find(|value| !value.trim().is_empty())
        };
        let proxy = |name: &str| proxy_url(&value(name).or_else(|| value("ALL_PROXY"))?);
        Self {
            http: proxy("HTTP_PROXY"),
            https: proxy("HTTPS_PROXY"),
            exceptions: value("NO_PROXY")
                .unwrap_or_default()
                .split([',', ' '])
                .filter_map(Exception::new)
                .collect(),
        }
    }

    /// The proxy of a request; `None` where it is sent directly.
    pub(super) fn of(&self, target: &Url) -> Option<&Url> {
        let proxy = match target.scheme() {
            "https" => self.https.as_ref(),
            _ => self.http.as_ref(),
        }?;
        let is_exception = self.exceptions.iter().any(|known| known.matches(target));
        (!is_exception).then_some(proxy)
    }

    /// The error of a connection that failed on its way through a proxy; `None` where none was in the way.
    pub(super) async fn explain(
        &self,
        place: &str,
        target: &Url,
        error: &reqwest::Error,
    ) -> Option<ProviderError> {
        let proxy = self.of(target)?;
        let is_refusal = sources(error).any(|source| source.to_string().contains("tunnel error"));
        if !is_refusal {
            return None;
        }
        let asking = refused_status(proxy, target);
        let status = tokio::time::timeout(REFUSAL_TIMEOUT, asking).await;
        Some(refused(place, proxy, status.ok().flatten()))
    }
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
async fn refused_status(proxy: &Url, target: &Url) -> Option<u16> {
    if proxy.scheme() != "http" {
        return None;
    }
    let port = target.port_or_known_default()?;
    let authority = format!("{}:{port}", target.host_str()?);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(credential) = credential(proxy) {
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&credential);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    let host = proxy.host_str()?.trim_matches(['[', ']']);
    let address = (host, proxy.port_or_known_default()?);
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
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
