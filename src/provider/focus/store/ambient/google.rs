//! Access tokens of Google Cloud: for the key of a service account, from its token endpoint; or for the service account of
//! a machine or a pod, from the metadata server. They are for reading objects and nothing else.
//!
//! Sources: "Using OAuth 2.0 for Server to Server Applications" and "View and query VM metadata" of Google's
//! documentation.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    rsa::KeyPair,
    signature::RSA_PKCS1_SHA256,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use object_store::gcp::GcpCredential;
use rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::{Asked, below, check_sendable, read_json, service_url};
use crate::{
    clock::add,
    error::{ProviderError, Reason},
    http_client::{Http, Renewal},
    provider::focus::store::credentials::{CredentialSource, Refused},
    secret::SecretSource,
};

const ENDPOINT: &str = "Google's token endpoint";
const METADATA: &str = "Google's metadata server";
/// All that a token is for.
const SCOPE: &str = "https://www.googleapis.com/auth/devstorage.read_only";
/// Where a key names no endpoint.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
/// How long an assertion is valid, and the token for it at most.
const LIFETIME: i64 = 3600;
/// The longest lifetime of a token that is believed.
const MAX_LIFETIME: u64 = 24 * 3600;

/// The names and addresses of the metadata server.
const METADATA_HOSTS: [&str; 3] = [
    "metadata.google.internal",
    "169.254.169.254",
    "fd20:ce::254",
];

/// What issues the tokens.
#[derive(Debug, PartialEq)]
pub(in crate::provider::focus) enum Source {
    /// The endpoint that the key of a service account names.
    Key(SecretSource),
    /// The metadata server.
    Metadata(Url),
    /// None: the bucket is public.
    Public,
}

/// A token, and when it expires.
type Issued = (Arc<GcpCredential>, Option<Timestamp>);

impl Source {
    /// The metadata server that the environment leads to; `Err` says which variable is wrong.
    pub(in crate::provider::focus) fn metadata(
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        const HOST: &str = "GCE_METADATA_HOST";
        let host = variable(HOST).unwrap_or_else(|| METADATA_HOSTS[0].to_owned());
        let is_host = !host.contains(['/', '?', '#', '@', '\\']);
        let text = if is_host {
            format!("http://{host}/")
        } else {
            String::new()
        };
        let base = service_url(HOST, &text, &METADATA_HOSTS).map_err(|_| {
            let hosts = METADATA_HOSTS.join(", ");
            format!("the environment variable {HOST} must be a host and perhaps a port, on loopback or one of {hosts}")
        })?;
        Ok(Self::Metadata(base))
    }
}

/// The key of a service account, as Google writes it.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "type")]
    kind: String,
    client_email: Option<String>,
    private_key: Option<String>,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

/// An access token as both services issue it.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    expires_in: u64,
}

impl TokenResponse {
    fn read(service: &'static str, body: &[u8], now: Timestamp) -> Result<Issued, ProviderError> {
        let Self {
            access_token: bearer,
            expires_in,
        } = read_json(service, body)?;
        check_sendable(service, &bearer)?;
        let lifetime = std::time::Duration::from_secs(expires_in.min(MAX_LIFETIME));
        let expires = add(now, lifetime);
        super::check_expiry(service, expires, now)?;
        Ok((Arc::new(GcpCredential { bearer }), Some(expires)))
    }
}

/// A key that can be used.
struct Signer {
    token_uri: Url,
    assertion: String,
}

impl Signer {
    /// Reads a key and signs what a token is requested with.
    fn new(source: &SecretSource, content: &str, now: Timestamp) -> Result<Self, ProviderError> {
        let wrong =
            |what: &str| ProviderError::no_credential(format!("the {}: {what}", source.name()));
        let key: Document = serde_json::from_str(content)
            .map_err(|_| wrong("is not the key of a service account in JSON"))?;
        if key.kind != "service_account" {
            let known = [
                "authorized_user",
                "external_account",
                "gdch_service_account",
            ];
            let kind = known.iter().find(|known| **known == key.kind);
            let kind = kind.map_or("another", |kind| *kind);
            let what = format!("its type is {kind}; only service_account is supported");
            return Err(wrong(&what));
        }
        let (Some(email), Some(private_key)) = (&key.client_email, &key.private_key) else {
            return Err(wrong("client_email or private_key is missing"));
        };
        let token_uri = key.token_uri.as_deref().unwrap_or(TOKEN_URI);
        let url = service_url("token_uri", token_uri, &[])
            .map_err(|_| wrong("its token_uri must be an https URL"))?;
        let not_rsa = || wrong("its private_key is not an RSA key in PEM (PKCS#8)");
        let pem = private_key.as_bytes();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| not_rsa())?;
        let pair = KeyPair::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| not_rsa())?;
        let issued = now.as_second();
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": key.private_key_id});
        let claims = json!({
            "iss": email, "scope": SCOPE, "aud": token_uri, "iat": issued, "exp": issued + LIFETIME,
        });
        let encoded = |json: &serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encoded(&header), encoded(&claims));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(
            &RSA_PKCS1_SHA256,
            &SystemRandom::new(),
            message.as_bytes(),
            &mut signature,
        )
        .map_err(|_| not_rsa())?;
        Ok(Self {
            token_uri: url,
            assertion: format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)),
        })
    }

    async fn token(&self, http: &Http, now: Timestamp) -> Result<Issued, ProviderError> {
        let pairs = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"),
            ("assertion", self.assertion.as_str()),
        ];
        let asked = Asked::form(ENDPOINT, &self.token_uri, &pairs).hiding(&self.assertion);
        TokenResponse::read(ENDPOINT, &asked.send(http).await?, now)
    }
}

async fn metadata_token(http: &Http, base: &Url, now: Timestamp) -> Result<Issued, ProviderError> {
    let mut url = below(
        base,
        "computeMetadata/v1/instance/service-accounts/default/token",
    );
    url.query_pairs_mut().append_pair("scopes", SCOPE);
    let asked = Asked::get(METADATA, &url).header("metadata-flavor", "Google");
    TokenResponse::read(METADATA, &asked.send(http).await?, now)
}

/// The hash of what a token was issued for, and the token.
type Current = (Vec<u8>, Arc<Renewal<Arc<GcpCredential>>>);

/// Keeps a token for as long as it is valid, and its key is the same.
pub(in crate::provider::focus::store) struct Reader {
    http: Arc<Http>,
    source: Source,
    current: Mutex<Current>,
    refused: Refused,
}

impl Reader {
    pub(in crate::provider::focus::store) fn new(
        http: Arc<Http>,
        source: Source,
        refused: Refused,
    ) -> Self {
        Self {
            http,
            source,
            current: Mutex::default(),
            refused,
        }
    }

    /// The token of a key with this content.
    fn renewal(&self, content: &str) -> Arc<Renewal<Arc<GcpCredential>>> {
        let hash = digest(&SHA256, content.as_bytes()).as_ref().to_vec();
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0 != hash {
            *current = (hash, Arc::default());
        }
        Arc::clone(&current.1)
    }

    async fn token(&self) -> Result<Arc<GcpCredential>, ProviderError> {
        let clock = self.http.clock();
        match &self.source {
            Source::Key(source) => {
                let content = source.read().map_err(ProviderError::no_credential)?;
                let content = content.expose_secret();
                let issue = |now| async move {
                    let signer = Signer::new(source, content, now)?;
                    signer.token(&self.http, now).await
                };
                let current = self.renewal(content);
                self.refused.discard(&current, clock).await;
                current.get(clock, issue).await
            }
            Source::Metadata(base) => {
                let issue = |now| metadata_token(&self.http, base, now);
                let current = self.renewal("");
                self.refused.discard(&current, clock).await;
                current.get(clock, issue).await
            }
            Source::Public => {
                let what = "requests of a public bucket have no token";
                Err(ProviderError::new(Reason::Unauthorized, what))
            }
        }
    }
}

impl CredentialSource for Reader {
    type Credential = GcpCredential;

    fn credential(&self) -> BoxFuture<'_, Result<Arc<GcpCredential>, ProviderError>> {
        Box::pin(self.token())
    }
}
