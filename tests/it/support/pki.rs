//! Certificates for tests: authorities, and what they issue.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType,
};

/// An authority of its own.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate in PEM.
    pub(crate) pem: String,
}

/// A certificate and its key in PEM.
pub(crate) struct Issued {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(name, Vec::new());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A certificate for alternative names.
    pub(crate) fn issue(&self, name: &str, sans: Vec<SanType>) -> Issued {
        let key = KeyPair::generate().unwrap();
        let cert = params(name, sans).signed_by(&key, &self.issuer).unwrap();
        Issued {
            cert: cert.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A certificate for a server of this machine.
    pub(crate) fn server(&self) -> Issued {
        let address = "127.0.0.1".parse().unwrap();
        let localhost = "localhost".try_into().unwrap();
        let sans = vec![SanType::DnsName(localhost), SanType::IpAddress(address)];
        self.issue("server", sans)
    }
}

fn params(name: &str, sans: Vec<SanType>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = sans;
    params
}
