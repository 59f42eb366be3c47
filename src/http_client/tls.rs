//! The TLS configuration of all accounts: one, since loading the system's certificates is the most expensive part of
//! building an account.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_platform_verifier::BuilderVerifierExt;

/// The system's certificates as they were when the first account was built, and a cache of sessions to resume.
static CONFIGURATION: LazyLock<ClientConfig> = LazyLock::new(|| {
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions")
    };
    let verified = builder().with_platform_verifier().unwrap_or_else(|error| {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(
            error,
            "Cannot load the system's certificates, every TLS connection will fail"
        );
        builder().with_root_certificates(RootCertStore::empty())
    });
    let mut configuration = verified.with_no_client_auth();
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    configuration
});

/// The configuration. Clones share the certificates and sessions.
pub(super) fn configuration() -> ClientConfig {
    CONFIGURATION.clone()
}
