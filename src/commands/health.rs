//! The command `health`: whether an exporter is alive, for containers without another HTTP client.

use std::{error::Error, fmt, io, net::IpAddr, process::ExitCode, time::Duration};

use reqwest::{Client, StatusCode, redirect::Policy};
use rustls::AlertDescription;
use url::Url;

use crate::{
    cli::{self, DEFAULT_PORT, Flags, ListenAddress},
    telemetry::error_chain::{chain, sources},
};

mod handshake;

/// The timeout of one URL.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);
/// The path where a URL has none.
const PATH: &str = "/-/healthy";

/// Why an exporter counts as not alive: the error of each URL.
#[derive(Debug)]
pub struct NotAlive(Vec<String>);

impl fmt::Display for NotAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not alive: {}", self.0.join("; "))
    }
}

impl Error for NotAlive {}

/// Checks the exporter; an error where it is not alive.
pub(super) async fn command(flags: &Flags, options: cli::Health) -> anyhow::Result<ExitCode> {
    check(&urls(options.url, flags.listen.first())).await?;
    Ok(ExitCode::SUCCESS)
}

/// The URLs to try in this order: the one that is given, or http and https at the first listen address.
pub fn urls(given: Option<Url>, listens: Option<&ListenAddress>) -> Vec<Url> {
    if let Some(mut url) = given {
        if url.path() == "/" && !url.cannot_be_a_base() {
            url.set_path(PATH);
        }
        return vec![url];
    }
    let host = listens.and_then(|address| address.host.as_deref());
    let port = listens.map_or(DEFAULT_PORT, |address| address.port);
    let host = match host.map(str::parse::<IpAddr>) {
        // Every interface includes loopback.
        Some(Ok(address)) if address.is_unspecified() => "127.0.0.1".to_owned(),
        Some(Ok(IpAddr::V6(address))) => format!("[{address}]"),
        _ => host.unwrap_or("127.0.0.1").to_owned(),
    };
    ["http", "https"]
        .iter()
        .filter_map(|scheme| Url::parse(&format!("{scheme}://{host}:{port}{PATH}")).ok())
        .collect()
}

/// Tries one URL after the other until one belongs to an exporter that is alive.
pub async fn check(urls: &[Url]) -> Result<(), NotAlive> {
    let client = client().map_err(|error| NotAlive(vec![chain(&error)]))?;
    let mut reasons = Vec::new();
    for url in urls {
        match client.get(url.clone()).send().await {
            Ok(response) if is_alive(response.status()) => return Ok(()),
            Ok(response) => reasons.push(format!("{}: {}", redacted(url), response.status())),
            Err(error) if requires_certificate(&error) => return Ok(()),
            // The alert may close the connection while the request is sent, and is lost then.
            Err(_) if url.scheme() == "https" && handshake::is_refused(url).await => return Ok(()),
            Err(error) => {
                reasons.push(format!(
                    "{}: {}",
                    redacted(url),
                    chain(&error.without_url())
                ));
            }
        }
    }
    Err(NotAlive(reasons))
}

fn client() -> reqwest::Result<Client> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a request to the exporter itself, without secrets and with a timeout"
    )]
    let client = Client::builder();
    client
        .no_proxy()
        .redirect(Policy::none())
        // With HTTP/2 an alert is only available as text.
        .http1_only()
        // The certificate is issued for another name than the one used locally.
        .danger_accept_invalid_certs(true)
        .timeout(HEALTH_TIMEOUT)
        .build()
}

/// Whether a status is that of a running exporter: success, missing credentials, or rate limited.
fn is_alive(status: StatusCode) -> bool {
    status == StatusCode::OK
        || status == StatusCode::UNAUTHORIZED
        || status == StatusCode::TOO_MANY_REQUESTS
}

/// Whether the server requires a client certificate.
fn requires_certificate(error: &reqwest::Error) -> bool {
    sources(error).any(is_certificate_alert)
}

/// Whether an error is the TLS alert of a server that requires a client certificate.
fn is_certificate_alert(error: &(dyn Error + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::BadCertificate
        ))
    ) || error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
        .is_some_and(|inner| is_certificate_alert(inner))
}

/// A URL without credentials and query.
fn redacted(url: &Url) -> String {
    let mut url = url.clone();
    // Fails only where there can be no credentials.
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_follow_flag_or_listen_address() {
        for (given, listens, want) in [
            (
                None,
                None,
                vec![
                    "http://127.0.0.1:10190/-/healthy",
                    "https://127.0.0.1:10190/-/healthy",
                ],
            ),
            (
                None,
                Some(":9000"),
                vec![
                    "http://127.0.0.1:9000/-/healthy",
                    "https://127.0.0.1:9000/-/healthy",
                ],
            ),
            (
                None,
                Some("0.0.0.0:9000"),
                vec![
                    "http://127.0.0.1:9000/-/healthy",
                    "https://127.0.0.1:9000/-/healthy",
                ],
            ),
            (
                None,
                Some("[::]:9000"),
                vec![
                    "http://127.0.0.1:9000/-/healthy",
                    "https://127.0.0.1:9000/-/healthy",
                ],
            ),
            (
                None,
                Some("[::1]:9000"),
                vec![
                    "http://[::1]:9000/-/healthy",
                    "https://[::1]:9000/-/healthy",
                ],
            ),
            (
                None,
                Some("node-1:9000"),
                vec![
                    "http://node-1:9000/-/healthy",
                    "https://node-1:9000/-/healthy",
                ],
            ),
            (
                Some("https://a:1"),
                Some(":9000"),
                vec!["https://a:1/-/healthy"],
            ),
            (Some("https://a:1/"), None, vec!["https://a:1/-/healthy"]),
            (Some("http://a/-/ready"), None, vec!["http://a/-/ready"]),
        ] {
            let listens: Option<ListenAddress> = listens.map(|address| address.parse().unwrap());
            let urls = urls(given.map(|url| url.parse().unwrap()), listens.as_ref());
            let urls: Vec<_> = urls.iter().map(Url::as_str).collect();
            assert_eq!(urls, want);
        }
    }
}
