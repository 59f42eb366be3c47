//! The connections of an account: proxies, timeouts, and the authorities that they trust.

use std::{sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, header};

use super::{proxy::Proxies, tls::Trust};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The connections of an account, and the authorities that they trust.
#[derive(Debug, Clone)]
pub(super) struct Connections {
    pub(super) client: reqwest::Client,
    pub(super) trust: Arc<Trust>,
}

impl Connections {
    pub(super) fn new(trust: Arc<Trust>, proxies: &Proxies, timeout: Duration) -> Self {
        let proxies = proxies.clone();
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where clients are made, with their limits"
        )]
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(trust.tls.clone())
            .user_agent(concat!("cloudspend-exporter/", env!("CARGO_PKG_VERSION")))
            .proxy(reqwest::Proxy::custom(move |target| {
                proxies.of(target).cloned()
            }))
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .default_headers(HeaderMap::from_iter([(
                header::ACCEPT_ENCODING,
                HeaderValue::from_static("gzip"),
            )]))
            // Below what a whole response may be silent, so that its error says what was missing.
            .connect_timeout((timeout * 2 / 5).min(CONNECT_TIMEOUT))
            .pool_idle_timeout(Duration::from_secs(30))
            .referer(false)
            .build()
            .expect("the TLS back end is compiled in");
        Self { client, trust }
    }
}
