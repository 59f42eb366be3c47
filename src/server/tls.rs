//! TLS of the web configuration file: versions, cipher suites, curves, and the verification of client certificates.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
};

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme, SupportedCipherSuite, SupportedProtocolVersion,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs},
    pki_types::{CertificateDer, UnixTime},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    version::{TLS12, TLS13},
};
use x509_cert::{
    Certificate,
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use crate::{
    config::web::{ClientAuth, Tls, TlsVersion},
    diagnostics::Diagnostics,
};

/// The TLS configuration of the server. `None` where errors were reported.
pub(super) fn server_config(
    tls: Tls,
    http2: bool,
    diagnostics: &mut Diagnostics,
) -> Option<ServerConfig> {
    let known = diagnostics.len();
    let mut provider = aws_lc_rs::default_provider();
    if !tls.cipher_suites.is_empty() {
        provider.cipher_suites = suites(&tls.cipher_suites, &provider, diagnostics);
    }
    if !tls.curve_preferences.is_empty() {
        provider.kx_groups = curves(&tls.curve_preferences, diagnostics);
    }
    let provider = Arc::new(provider);
    let verifier = client_verifier(&tls, &provider, diagnostics);
    if diagnostics.len() > known {
        return None;
    }
    let versions: Vec<&SupportedProtocolVersion> =
        [(TlsVersion::Tls12, &TLS12), (TlsVersion::Tls13, &TLS13)]
            .into_iter()
            .filter(|(version, _)| (tls.min_version..=tls.max_version).contains(version))
            .map(|(_, supported)| supported)
            .collect();
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions);
    let Ok(builder) = builder else {
        let message = "leaves no cipher suite and curve for the TLS versions";
        diagnostics.push("tls_server_config", message);
        return None;
    };
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = match builder.with_single_cert(tls.certificates, tls.key) {
        Ok(config) => config,
        Err(error) => {
            let (key, message) = refused(&error);
            diagnostics.push(key, message);
            return None;
        }
    };
    config.ignore_client_order = tls.prefer_server_cipher_suites;
    let protocols: &[&[u8]] = if http2 {
        &[b"h2", b"http/1.1"]
    } else {
        &[b"http/1.1"]
    };
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Some(config)
}

/// What is wrong with a certificate or its key.
fn refused(error: &Error) -> (&'static str, String) {
    match error {
        Error::InconsistentKeys(_) => (
            "tls_server_config.key_file",
            "does not belong to the certificate".to_owned(),
        ),
        Error::InvalidCertificate(_) => (
            "tls_server_config.cert_file",
            "contains no valid certificate".to_owned(),
        ),
        other => (
            "tls_server_config.key_file",
            format!("cannot be used: {other}"),
        ),
    }
}

/// The suites of TLS 1.2 that are named. Those of TLS 1.3 are always there, as in Go, whose names these are.
fn suites(
    names: &[String],
    provider: &CryptoProvider,
    diagnostics: &mut Diagnostics,
) -> Vec<SupportedCipherSuite> {
    let all = &provider.cipher_suites;
    let mut chosen: Vec<_> = all
        .iter()
        .copied()
        .filter(|suite| suite.tls13().is_some())
        .collect();
    for (position, name) in names.iter().enumerate() {
        match all.iter().find(|suite| name_of(**suite) == *name) {
            Some(suite) if chosen.contains(suite) => {}
            Some(suite) => chosen.push(*suite),
            None => {
                let allowed: Vec<_> = all.iter().map(|suite| name_of(*suite)).collect();
                let key = format!("tls_server_config.cipher_suites.{position}");
                diagnostics.push(key, unsupported(name, &allowed.join(", ")));
            }
        }
    }
    chosen
}

/// The name that Go gives a suite.
fn name_of(suite: SupportedCipherSuite) -> String {
    let name = suite.suite().as_str().unwrap_or_default();
    name.replacen("TLS13_", "TLS_", 1)
}

const CURVES: [(&str, &dyn SupportedKxGroup); 3] = [
    ("CurveP256", aws_lc_rs::kx_group::SECP256R1),
    ("CurveP384", aws_lc_rs::kx_group::SECP384R1),
    ("X25519", aws_lc_rs::kx_group::X25519),
];

fn curves(names: &[String], diagnostics: &mut Diagnostics) -> Vec<&'static dyn SupportedKxGroup> {
    let mut chosen = Vec::new();
    for (position, name) in names.iter().enumerate() {
        if let Some((_, curve)) = CURVES.iter().find(|(known, _)| known == name) {
            chosen.push(*curve);
        } else {
            let allowed = CURVES.map(|(name, _)| name).join(", ");
            let key = format!("tls_server_config.curve_preferences.{position}");
            diagnostics.push(key, unsupported(name, &allowed));
        }
    }
    chosen
}

/// Quotes the name only if it looks like one: anything else may be a misplaced secret.
fn unsupported(name: &str, allowed: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let is_suite = name.starts_with("TLS_") && name.len() <= 64 && name.bytes().all(plain);
    if is_suite || name == "CurveP521" || name == "X25519MLKEM768" {
        format!("{name} is not supported; allowed are {allowed}")
    } else {
        format!("unknown value; allowed are {allowed}")
    }
}

/// The verifier of client certificates, if they are requested.
fn client_verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
    diagnostics: &mut Diagnostics,
) -> Option<Arc<dyn ClientCertVerifier>> {
    if tls.client_auth == ClientAuth::None {
        return None;
    }
    let chain = if tls.client_auth.verifies() {
        let mut roots = RootCertStore::empty();
        let (_, unusable) = roots.add_parsable_certificates(tls.client_cas.iter().cloned());
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
                .allow_unauthenticated();
        match builder.build() {
            Ok(verifier) if unusable == 0 => Some(verifier),
            _ => {
                let message = "contains a certificate that is not of an authority";
                diagnostics.push("tls_server_config.client_ca_file", message);
                return None;
            }
        }
    } else {
        None
    };
    Some(Arc::new(ClientCheck {
        chain,
        mandatory: tls.client_auth.is_mandatory(),
        sans: tls.client_allowed_sans.clone(),
        provider: Arc::clone(provider),
    }))
}

/// Verifies a client certificate: its chain where required, then its alternative names where some are.
#[derive(Debug)]
struct ClientCheck {
    chain: Option<Arc<dyn ClientCertVerifier>>,
    mandatory: bool,
    sans: Vec<String>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for ClientCheck {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.chain
            .as_ref()
            .map_or(&[], |chain| chain.root_hint_subjects())
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if let Some(chain) = &self.chain {
            chain.verify_client_cert(end_entity, intermediates, now)?;
        }
        if !self.sans.is_empty()
            && !names(end_entity)?
                .iter()
                .any(|name| self.sans.contains(name))
        {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The alternative names of a certificate: host names, IP addresses, e-mail addresses and URIs, as text.
fn names(certificate: &CertificateDer<'_>) -> Result<Vec<String>, Error> {
    let unreadable = |_| Error::from(CertificateError::BadEncoding);
    let certificate = Certificate::from_der(certificate).map_err(unreadable)?;
    let names = certificate
        .tbs_certificate()
        .get_extension::<SubjectAltName>()
        .map_err(unreadable)?;
    let names = names.map(|(_, names)| names.0).unwrap_or_default();
    Ok(names.iter().filter_map(in_words).collect())
}

fn in_words(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(text)
        | GeneralName::Rfc822Name(text)
        | GeneralName::UniformResourceIdentifier(text) => Some(text.as_str().to_owned()),
        GeneralName::IpAddress(bytes) => {
            let bytes = bytes.as_bytes();
            let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)));
            let v6 = || <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into());
            v4.or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
