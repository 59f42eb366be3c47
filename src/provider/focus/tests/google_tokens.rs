//! Tokens for buckets of Google Cloud Storage: for the key of a service account, and from the metadata server, each
//! simulated on loopback.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use serde_json::json;

use super::{
    server::{Fault, Server},
    *,
};
use crate::{
    clock::{Clock, add},
    provider::test_support::{Api, Seen},
};

const NOW: &str = "2026-05-29T12:00:00Z";
const TOKEN_LINE: &str = "POST /token";
const METADATA_LINE: &str = "GET /computeMetadata/v1/instance/service-accounts/default/token?scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fdevstorage.read_only";

/// A bucket, and a service that issues tokens for it.
struct World {
    store: Server,
    service: Api,
    answers: Arc<Mutex<BTreeMap<&'static str, (u16, String)>>>,
    now: Arc<Mutex<Timestamp>>,
    pair: KeyPair,
    key: tempfile::NamedTempFile,
}

impl World {
    async fn new() -> Self {
        let store = Server::start().await;
        let rows = csv(&[("2026-05", "a", 50.0)]);
        store.put("costs.csv", rows, "2026-05-28T06:00:00Z");
        let token = token("ya29.first-token", 3600);
        let answers = Arc::new(Mutex::new(BTreeMap::from([
            (TOKEN_LINE, (200, token.clone())),
            (METADATA_LINE, (200, token)),
        ])));
        let shared = Arc::clone(&answers);
        let service = Api::start(move |seen: &Seen| {
            let answers = shared.lock().unwrap();
            let found = answers.get(seen.line.as_str());
            found.cloned().unwrap_or((404, String::new()))
        });
        let world = Self {
            store,
            service: service.await,
            answers,
            now: Arc::new(Mutex::new(NOW.parse().unwrap())),
            pair: KeyPair::generate(KeySize::Rsa2048).unwrap(),
            key: secret(""),
        };
        world.write_key(&json!({}));
        world
    }

    /// Writes the key of the service account, with other fields or without (`null`).
    fn write_key(&self, more: &Value) {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        );
        let mut key = json!({
            "type": "service_account", "project_id": "p", "private_key_id": "key-1",
            "private_key": pem, "client_email": "costs@p.iam.gserviceaccount.com",
            "token_uri": format!("{}/token", self.service.url),
        });
        for (name, value) in more.as_object().unwrap() {
            key[name] = value.clone();
        }
        let text = serde_json::to_string_pretty(&key).unwrap();
        std::fs::write(self.key.path(), text).unwrap();
    }

    fn account(&self, more: &Value) -> Box<dyn Provider> {
        let now = Arc::clone(&self.now);
        let clock = Clock::from_fn(move || *now.lock().unwrap());
        let mut section = json!({
            "location": "gs://billing/exports", "layout": "files", "endpoint": self.store.url,
            "costs": ["billed"],
        });
        for (key, value) in more.as_object().unwrap() {
            section[key] = value.clone();
        }
        // Wherever it is configured, this is where the metadata server would be.
        let host = self.service.url.replace("http://", "");
        let variable = |name: &str| (name == "GCE_METADATA_HOST").then(|| host.clone());
        let entry = ProviderEntry::of::<Config>();
        build_at(&entry, section, &[], clock, &variable).unwrap()
    }

    fn with_key(&self) -> Box<dyn Provider> {
        self.account(&json!({"service_account_file": self.key.path()}))
    }

    fn ambient(&self) -> Box<dyn Provider> {
        self.account(&json!({"credentials": "ambient"}))
    }

    fn answer(&self, line: &'static str, status: u16, body: impl Into<String>) {
        self.answers
            .lock()
            .unwrap()
            .insert(line, (status, body.into()));
    }

    fn pass(&self, seconds: u64) {
        let mut now = self.now.lock().unwrap();
        *now = add(*now, Duration::from_secs(seconds));
    }

    /// The tokens that the store was sent since the last call.
    fn bearers(&self) -> Vec<String> {
        let headers = std::mem::take(&mut self.store.state().headers);
        let mut bearers: Vec<String> = headers
            .iter()
            .map(|headers| headers["authorization"].to_str().unwrap().to_owned())
            .collect();
        bearers.dedup();
        bearers
    }

    /// Checks the signature of an assertion; its header and its claims.
    fn verified(&self, assertion: &str) -> (Value, Value) {
        let (message, signature) = assertion.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = self.pair.public_key().as_ref();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
            .verify(message.as_bytes(), &signature)
            .unwrap();
        let (header, claims) = message.split_once('.').unwrap();
        let read = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        (read(header), read(claims))
    }
}

fn token(value: &str, seconds: u64) -> String {
    json!({"access_token": value, "expires_in": seconds, "token_type": "Bearer"}).to_string()
}

#[tokio::test]
async fn key_of_a_service_account_opens_the_bucket() {
    let world = World::new().await;
    let account = world.with_key();
    let fetch = poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(fetch.total(), "50");
    assert_eq!(world.bearers(), ["Bearer ya29.first-token"]);
    let seen = world.service.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].line, TOKEN_LINE);
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = seen[0].body.strip_prefix(grant).unwrap();
    let (header, claims) = world.verified(assertion);
    assert_eq!(
        header,
        json!({"alg": "RS256", "typ": "JWT", "kid": "key-1"})
    );
    let issued = NOW.parse::<Timestamp>().unwrap().as_second();
    assert_eq!(
        claims,
        json!({
            "iss": "costs@p.iam.gserviceaccount.com",
            "scope": "https://www.googleapis.com/auth/devstorage.read_only",
            "aud": format!("{}/token", world.service.url), "iat": issued, "exp": issued + 3600,
        })
    );
}

#[tokio::test]
async fn token_is_renewed_before_it_expires() {
    for is_key in [true, false] {
        let world = World::new().await;
        let account = if is_key {
            world.with_key()
        } else {
            world.ambient()
        };
        poll(&*account, &Deliveries::default()).await.unwrap();
        world.pass(3_230);
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.bearers(), ["Bearer ya29.first-token"]);
        world.pass(20);
        world.answer(TOKEN_LINE, 200, token("ya29.second-token", 3600));
        world.answer(METADATA_LINE, 200, token("ya29.second-token", 3600));
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.bearers(), ["Bearer ya29.second-token"]);
        assert_eq!(world.service.lines().len(), 2);
    }
}

#[tokio::test]
async fn replaced_key_is_used_at_once() {
    let world = World::new().await;
    let account = world.with_key();
    poll(&*account, &Deliveries::default()).await.unwrap();
    world.write_key(&json!({"private_key_id": "key-2"}));
    world.answer(TOKEN_LINE, 200, token("ya29.of-key-2", 3600));
    world.bearers();
    poll(&*account, &Deliveries::default()).await.unwrap();
    assert_eq!(world.bearers(), ["Bearer ya29.of-key-2"]);
    let body = world.service.seen()[1].body.clone();
    let (header, _) = world.verified(body.rsplit_once('=').unwrap().1);
    assert_eq!(header["kid"], "key-2");
    // Nor is a refused key in the way of the next one.
    world.answer(
        TOKEN_LINE,
        400,
        json!({"error": "invalid_grant"}).to_string(),
    );
    world.write_key(&json!({"private_key_id": "key-3"}));
    error(&*account).await;
    world.answer(TOKEN_LINE, 200, token("ya29.of-key-4", 3600));
    world.write_key(&json!({"private_key_id": "key-4"}));
    poll(&*account, &Deliveries::default()).await.unwrap();
}

#[tokio::test]
async fn metadata_server_opens_the_bucket() {
    let world = World::new().await;
    let fetch = poll(&*world.ambient(), &Deliveries::default()).await;
    assert_eq!(fetch.unwrap().total(), "50");
    assert_eq!(world.bearers(), ["Bearer ya29.first-token"]);
    let seen = world.service.seen();
    assert_eq!(world.service.lines(), [METADATA_LINE]);
    assert_eq!(seen[0].header("metadata-flavor"), "Google");
}

#[tokio::test]
async fn refusals_name_the_service() {
    let world = World::new().await;
    let grant = json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."});
    let line = world.service.url.clone();
    for (status, body, want) in [
        (
            400,
            grant.to_string(),
            "unauthorized: no credential from NAME: LINE: 400, invalid_grant: Invalid JWT Signature.",
        ),
        (
            404,
            String::new(),
            "unauthorized: no credential from NAME: LINE: 404",
        ),
        (
            200,
            "<html>".to_owned(),
            "malformed: no credential from NAME: the response has an unexpected format",
        ),
        (
            200,
            token("a b", 3600),
            "malformed: no credential from NAME: the response has an unexpected format",
        ),
        (
            200,
            token("ya29.expired", 0),
            "unauthorized: no credential from NAME: it expired at 2026-05-29T12:00:00Z",
        ),
    ] {
        world.answer(TOKEN_LINE, status, body.clone());
        world.answer(METADATA_LINE, status, body);
        for (account, name, path) in [
            (
                world.with_key(),
                "Google's token endpoint",
                format!("POST {line}/token"),
            ),
            (
                world.ambient(),
                "Google's metadata server",
                format!("GET {line}/computeMetadata/v1/instance/service-accounts/default/token"),
            ),
        ] {
            let error = error(&*account).await;
            let want = want.replace("NAME", name).replace("LINE", &path);
            assert!(error.starts_with(&want), "{error}\n{want}");
            assert!(!error.contains("ya29"), "{error}");
        }
    }
    assert!(world.store.take_lines().is_empty());
}

#[tokio::test]
async fn assertion_is_not_shown() {
    let world = World::new().await;
    // Header and key are the same in every run, and the clock stands still: so is the assertion.
    error_with(&world, "first").await;
    let sent = world.service.seen()[0].body.clone();
    let assertion = sent.rsplit_once('=').unwrap().1.to_owned();
    let error = error_with(&world, &format!("wrong: {assertion}")).await;
    assert!(error.ends_with(": 400, invalid_grant"), "{error}");
}

async fn error_with(world: &World, description: &str) -> String {
    let body = json!({"error": "invalid_grant", "error_description": description});
    world.answer(TOKEN_LINE, 400, body.to_string());
    error(&*world.with_key()).await
}

#[tokio::test]
async fn unusable_keys_are_named() {
    let world = World::new().await;
    let path = world.key.path().display().to_string();
    let ec = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for (more, want) in [
        (
            json!({"type": "authorized_user"}),
            "its type is authorized_user; only service_account is supported",
        ),
        (
            json!({"type": "external_account"}),
            "its type is external_account; only service_account is supported",
        ),
        (
            json!({"type": "secret-kind"}),
            "its type is another; only service_account is supported",
        ),
        (
            json!({"client_email": null}),
            "client_email or private_key is missing",
        ),
        (
            json!({"private_key": null}),
            "client_email or private_key is missing",
        ),
        (
            json!({"private_key": "secret-text"}),
            "its private_key is not an RSA key in PEM (PKCS#8)",
        ),
        (
            json!({"private_key": ec}),
            "its private_key is not an RSA key in PEM (PKCS#8)",
        ),
        (
            json!({"token_uri": "http://example.com/secret"}),
            "its token_uri must be an https URL",
        ),
        (
            json!({"token_uri": "secret"}),
            "its token_uri must be an https URL",
        ),
        (
            json!({"type": 7}),
            "is not the key of a service account in JSON",
        ),
    ] {
        world.write_key(&more);
        let error = error(&*world.with_key()).await;
        let want =
            format!("unauthorized: the credential is not available: the file {path}: {want}");
        assert_eq!(error, want);
    }
    std::fs::write(world.key.path(), "  \n").unwrap();
    let empty = error(&*world.with_key()).await;
    assert!(empty.ends_with("is empty"), "{empty}");
    assert!(world.service.lines().is_empty());
    assert!(world.store.take_lines().is_empty());
}

#[tokio::test]
async fn no_service_is_asked_unless_configured() {
    let world = World::new().await;
    let public = world.account(&json!({"credentials": "anonymous"}));
    poll(&*public, &Deliveries::default()).await.unwrap();
    std::fs::remove_file(world.key.path()).unwrap();
    let missing = error(&*world.with_key()).await;
    assert!(missing.contains("cannot read the secret file"), "{missing}");
    assert!(world.service.lines().is_empty());
}

#[test]
fn host_of_the_metadata_server_is_checked() {
    use crate::provider::focus::store::GoogleTokens;
    let find = |host: &'static str| {
        GoogleTokens::metadata(&move |name: &str| {
            (name == "GCE_METADATA_HOST" && !host.is_empty()).then(|| host.to_owned())
        })
    };
    for (host, want) in [
        ("", "http://metadata.google.internal/"),
        ("169.254.169.254", "http://169.254.169.254/"),
        ("127.0.0.1:988", "http://127.0.0.1:988/"),
        ("[fd20:ce::254]:80", "http://[fd20:ce::254]/"),
    ] {
        let want = want.parse().unwrap();
        assert_eq!(find(host), Ok(GoogleTokens::Metadata(want)), "{host}");
    }
    for host in [
        "example.com",
        "http://127.0.0.1",
        "127.0.0.1/x",
        "a@127.0.0.1",
        "10.0.0.1",
        "127.0.0.1:x",
    ] {
        let message = find(host).unwrap_err();
        assert!(message.starts_with("the environment variable GCE_METADATA_HOST must be a host"));
        assert!(!message.contains(host), "{message}");
    }
}

#[tokio::test]
async fn refused_token_is_replaced_by_the_next_poll() {
    let world = World::new().await;
    for (account, line) in [
        (world.with_key(), TOKEN_LINE),
        (world.ambient(), METADATA_LINE),
    ] {
        poll(&*account, &Deliveries::default()).await.unwrap();
        let fault = Fault::Refuse(401, "AuthenticationRequired");
        world.store.fault("list-type=2", 1, fault);
        let refused = error(&*account).await;
        assert!(refused.starts_with("unauthorized: "), "{refused}");
        world.answer(line, 200, token("ya29.second-token", 3600));
        world.bearers();
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.bearers(), ["Bearer ya29.second-token"], "{line}");
    }
}
