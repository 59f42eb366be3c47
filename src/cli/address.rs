//! The addresses of `--web.listen-address`.

use std::{fmt, str::FromStr};

/// An address to listen on, in the notation of Go programs: `:10190` is every interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// A name or an IP address without brackets; `None` is every interface, IPv6 and IPv4.
    pub host: Option<String>,
    /// The port; 0 selects a free one.
    pub port: u16,
}

/// A text that is not an address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be HOST:PORT or :PORT, an IPv6 address in brackets")]
pub struct NotAnAddress;

/// The port of the exporter where no flag names another one.
pub const DEFAULT_PORT: u16 = 10190;

impl ListenAddress {
    /// Every interface, on the default port.
    pub fn every_interface() -> Self {
        Self {
            host: None,
            port: DEFAULT_PORT,
        }
    }

    /// This machine alone, on the default port.
    pub fn loopback() -> Self {
        Self {
            host: Some("127.0.0.1".to_owned()),
            port: DEFAULT_PORT,
        }
    }
}

impl FromStr for ListenAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAnAddress)?;
        // `parse` would take a sign.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NotAnAddress);
        }
        let port = port.parse().map_err(|_| NotAnAddress)?;
        let host = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => inner,
            Some(_) => return Err(NotAnAddress),
            None if host.contains([':', '[', ']', '/', ' ']) => return Err(NotAnAddress),
            None => host,
        };
        Ok(Self {
            host: (!host.is_empty()).then(|| host.to_owned()),
            port,
        })
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.as_deref() {
            None => write!(f, ":{}", self.port),
            Some(host) if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            Some(host) => write!(f, "{host}:{}", self.port),
        }
    }
}
