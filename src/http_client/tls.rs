//! How all accounts speak TLS: one configuration, since reading the system's certificates takes longer than all else
//! that an account costs at the start.

use std::sync::{Arc, LazyLock};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_platform_verifier::BuilderVerifierExt;

/// The certificates of the system as they were when the first account was built, and sessions to resume.
static CONFIGURATION: LazyLock<ClientConfig> = LazyLock::new(|| {
    let builder = || {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider supports the default versions")
    };
    let verified = builder().with_platform_verifier().unwrap_or_else(|error| {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "the system's certificates: no server can be trusted");
        builder().with_root_certificates(RootCertStore::empty())
    });
    let mut configuration = verified.with_no_client_auth();
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    configuration
});

/// The configuration; what it holds is shared.
pub(super) fn configuration() -> ClientConfig {
    CONFIGURATION.clone()
}
