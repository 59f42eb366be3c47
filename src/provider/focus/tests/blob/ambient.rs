//! Credentials of Azure's environment: each service simulated on loopback, and what a container is asked with.

use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::{
    clock::{Clock, add},
    provider::test_support::{Api, Seen},
};

const NOW: &str = "2026-05-29T12:00:00Z";
/// What a pod, or an app, proves with that it is itself.
const PROOF: &str = "eyJhbGciOiJSUzI1NiJ9.proof-of-the-workload.0001";
const RESOURCE: &str = "resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=c1";

/// A service that issues tokens, and a store that is read with them.
struct World {
    store: Server,
    service: Api,
    answer: Arc<Mutex<(u16, String)>>,
    now: Arc<Mutex<Timestamp>>,
    proof: tempfile::NamedTempFile,
}

/// Which of Azure's services it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Workload,
    App,
    Machine,
}

const KINDS: [Kind; 3] = [Kind::Workload, Kind::App, Kind::Machine];

impl Kind {
    /// The request for a token, without its query.
    fn request(self) -> &'static str {
        match self {
            Self::Workload => "POST /t1/oauth2/v2.0/token",
            Self::App => "GET /msi/token",
            Self::Machine => "GET /metadata/identity/oauth2/token",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Workload => "Microsoft Entra ID for the workload identity",
            Self::App => "the identity endpoint of the app",
            Self::Machine => "the metadata service of the machine (managed identity)",
        }
    }

    /// A response with a token that lasts so long, in the form of this service.
    fn token(self, token: &str, seconds: u64) -> String {
        let now: Timestamp = NOW.parse().unwrap();
        let expires = add(now, Duration::from_secs(seconds)).as_second();
        match self {
            Self::Workload => json!({
                "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
            }),
            Self::App => json!({
                "access_token": token, "expires_on": expires.to_string(),
                "resource": "https://storage.azure.com/", "token_type": "Bearer", "client_id": "c1",
            }),
            Self::Machine => json!({
                "access_token": token, "refresh_token": "", "expires_in": seconds.to_string(),
                "expires_on": "1506484173", "not_before": "1506480273",
                "resource": "https://storage.azure.com/", "token_type": "Bearer",
            }),
        }
        .to_string()
    }
}

impl World {
    async fn new(kind: Kind) -> Self {
        let store = Server::start().await;
        write_costs(&store);
        let answer = Arc::new(Mutex::new((200, kind.token("token-0000001", 3600))));
        let shared = Arc::clone(&answer);
        let service = Api::start(move |seen: &Seen| {
            if seen.line.starts_with(kind.request()) {
                shared.lock().unwrap().clone()
            } else {
                (404, String::new())
            }
        });
        Self {
            store,
            service: service.await,
            answer,
            now: Arc::new(Mutex::new(NOW.parse().unwrap())),
            proof: secret(&format!("{PROOF}\n")),
        }
    }

    /// The variables that lead to the service.
    fn variables(&self, kind: Kind) -> Vec<(&'static str, String)> {
        let url = &self.service.url;
        let mut variables = vec![("AZURE_CLIENT_ID", "c1".to_owned())];
        match kind {
            Kind::Workload => variables.extend([
                ("AZURE_TENANT_ID", "t1".to_owned()),
                ("AZURE_AUTHORITY_HOST", format!("{url}/")),
                (
                    "AZURE_FEDERATED_TOKEN_FILE",
                    self.proof.path().display().to_string(),
                ),
            ]),
            Kind::App => variables.extend([
                ("IDENTITY_ENDPOINT", format!("{url}/msi/token")),
                ("IDENTITY_HEADER", PROOF.to_owned()),
            ]),
            Kind::Machine => variables.push(("AZURE_POD_IDENTITY_AUTHORITY_HOST", url.clone())),
        }
        variables
    }

    fn account(&self, variables: &[(&str, String)], more: &Value) -> Box<dyn Provider> {
        let now = Arc::clone(&self.now);
        let clock = Clock::from_fn(move || *now.lock().unwrap());
        let mut section = section(&self.store);
        for (key, value) in more.as_object().unwrap() {
            section[key] = value.clone();
        }
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone())
        };
        let entry = ProviderEntry::of::<Config>();
        build_at(&entry, section, &[], clock, &variable).unwrap()
    }

    fn ambient(&self, kind: Kind) -> Box<dyn Provider> {
        self.account(&self.variables(kind), &json!({"credentials": "ambient"}))
    }

    fn answer(&self, status: u16, body: impl Into<String>) {
        *self.answer.lock().unwrap() = (status, body.into());
    }

    fn pass(&self, seconds: u64) {
        let mut now = self.now.lock().unwrap();
        *now = add(*now, Duration::from_secs(seconds));
    }

    /// What the store was asked with since the last call.
    fn sent(&self) -> Vec<String> {
        let headers = std::mem::take(&mut self.store.state().headers);
        let text = |headers: &axum::http::HeaderMap| {
            let value = headers["authorization"].to_str().unwrap();
            value.to_owned()
        };
        headers.iter().map(text).collect()
    }
}

#[tokio::test]
async fn each_service_opens_the_container() {
    for kind in KINDS {
        let world = World::new(kind).await;
        let fetch = poll(&*world.ambient(kind), &Deliveries::default()).await;
        assert_eq!(fetch.unwrap().total(), "50", "{kind:?}");
        assert_eq!(world.sent(), ["Bearer token-0000001"; 3]);
        let seen = world.service.seen();
        assert_eq!(seen.len(), 1, "{kind:?}");
        match kind {
            Kind::Workload => {
                assert_eq!(seen[0].line, "POST /t1/oauth2/v2.0/token");
                assert_eq!(
                    seen[0].body,
                    format!(
                        "grant_type=client_credentials&client_id=c1&scope=https%3A%2F%2Fstorage.azure.com%2F.default&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={PROOF}"
                    )
                );
            }
            Kind::App => {
                let want = format!("GET /msi/token?api-version=2019-08-01&{RESOURCE}");
                assert_eq!(seen[0].line, want);
                assert_eq!(seen[0].header("x-identity-header"), PROOF);
                assert_eq!(seen[0].header("metadata"), "");
            }
            Kind::Machine => {
                let want = format!(
                    "GET /metadata/identity/oauth2/token?api-version=2018-02-01&{RESOURCE}"
                );
                assert_eq!(seen[0].line, want);
                assert_eq!(seen[0].header("metadata"), "true");
                assert_eq!(seen[0].header("x-identity-header"), "");
            }
        }
    }
}

#[tokio::test]
async fn token_is_renewed_before_it_expires() {
    for kind in KINDS {
        let world = World::new(kind).await;
        let account = world.ambient(kind);
        poll(&*account, &Deliveries::default()).await.unwrap();
        world.pass(3_230);
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.service.seen().len(), 1, "{kind:?}");
        world.answer(200, kind.token("token-0000002", 7_200));
        // The token of a pod is written again, too.
        std::fs::write(world.proof.path(), "eyJ.second-proof.0002").unwrap();
        world.pass(20);
        world.sent();
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.sent(), ["Bearer token-0000002"; 3], "{kind:?}");
        let seen = world.service.seen();
        assert_eq!(seen.len(), 2, "{kind:?}");
        if kind == Kind::Workload {
            assert!(seen[1].body.ends_with("=eyJ.second-proof.0002"));
        }
    }
}

#[tokio::test]
async fn refusals_name_the_service() {
    for kind in KINDS {
        let repeated = json!({"error": "invalid_client", "error_description": format!("AADSTS700213 for {PROOF}")});
        let refused =
            json!({"error": "invalid_request", "error_description": "Identity not found"});
        for (status, body, want) in [
            (
                400,
                refused.to_string(),
                "unauthorized: no credential from NAME: URL: 400, invalid_request: Identity not found",
            ),
            (
                401,
                repeated.to_string(),
                "unauthorized: no credential from NAME: URL: 401, invalid_client",
            ),
            (
                404,
                String::new(),
                "unauthorized: no credential from NAME: URL: 404",
            ),
            (
                200,
                "<html>login</html>".to_owned(),
                "malformed: no credential from NAME: the response has an unexpected format",
            ),
            (
                200,
                json!({"access_token": "token-0000001"}).to_string(),
                "malformed: no credential from NAME: the response has an unexpected format",
            ),
            (
                200,
                kind.token("token 1\n", 3600),
                "malformed: no credential from NAME: the response has an unexpected format",
            ),
            (
                200,
                kind.token("token-0000001", 3600).replace("Bearer", "pop"),
                "malformed: no credential from NAME: the token is of a kind that cannot be sent",
            ),
            (
                200,
                kind.token("token-0000001", 0),
                "unauthorized: no credential from NAME: it expired at 2026-05-29T12:00:00Z",
            ),
        ] {
            if kind == Kind::Machine && body.contains(PROOF) {
                // Nothing is proved to it.
                continue;
            }
            let world = World::new(kind).await;
            world.answer(status, body);
            let error = error(&*world.ambient(kind)).await;
            let (start, end) = want.split_once("NAME").unwrap();
            let start = format!("{start}{}", kind.name());
            assert!(error.starts_with(&start), "{error}");
            let url = kind
                .request()
                .replacen(' ', &format!(" {}", world.service.url), 1);
            assert!(error.contains(&end.replace("URL", &url)), "{error}");
            for secret in [PROOF, "token-0000001", "AADSTS"] {
                assert!(!error.contains(secret), "{error}");
            }
            assert!(world.store.take_lines().is_empty(), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn service_that_fails_is_retried_and_then_left_alone() {
    tokio::time::pause();
    for kind in KINDS {
        let world = World::new(kind).await;
        let account = world.ambient(kind);
        world.answer(500, "");
        let first = error(&*account).await;
        assert!(first.starts_with("upstream_error: "), "{first}");
        let asked = world.service.seen().len();
        assert!(asked > 1, "{kind:?}: {asked}");
        let next = error(&*account).await;
        assert!(next.ends_with("the next login is in 30s"), "{next}");
        assert_eq!(world.service.seen().len(), asked);
        world.pass(30);
        world.answer(200, kind.token("token-0000003", 3600));
        poll(&*account, &Deliveries::default()).await.unwrap();
    }
}

#[tokio::test]
async fn refused_identity_names_the_role() {
    let world = World::new(Kind::Machine).await;
    let fault = Fault::Refuse(403, "AuthorizationPermissionMismatch", "");
    world.store.fault("comp=list", fault);
    let error = error(&*world.ambient(Kind::Machine)).await;
    assert!(error.starts_with("forbidden: "), "{error}");
    assert!(error.contains("Storage Blob Data Reader"), "{error}");
    let world = World::new(Kind::Machine).await;
    let fault = Fault::Refuse(401, "InvalidAuthenticationInfo", "");
    world.store.fault("comp=list", fault);
    let error = super::error(&*world.ambient(Kind::Machine)).await;
    assert!(error.starts_with("unauthorized: "), "{error}");
    assert!(error.contains("must be of the same tenant"), "{error}");
}

#[tokio::test]
async fn missing_token_of_a_workload_is_named() {
    let world = World::new(Kind::Workload).await;
    let path = world.proof.path().to_owned();
    std::fs::remove_file(&path).unwrap();
    let error = error(&*world.ambient(Kind::Workload)).await;
    let want = format!(
        "unauthorized: the credential is not available: cannot read the secret file {}",
        path.display()
    );
    assert!(error.starts_with(&want), "{error}");
    assert!(world.service.seen().is_empty());
}

#[tokio::test]
async fn absent_service_is_unreachable() {
    tokio::time::pause();
    let absent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", absent.local_addr().unwrap());
    drop(absent);
    let world = World::new(Kind::Machine).await;
    let variables = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", url)];
    let account = world.account(&variables, &json!({"credentials": "ambient"}));
    let error = error(&*account).await;
    let want = "unreachable: no credential from the metadata service of the machine";
    assert!(error.starts_with(want), "{error}");
}

#[tokio::test]
async fn no_service_is_asked_unless_configured() {
    for kind in KINDS {
        let world = World::new(kind).await;
        let variables = world.variables(kind);
        let (key, sas) = (secret(ACCOUNT_KEY), secret(&sas()));
        for keys in [
            json!({"credentials": "anonymous"}),
            json!({"account_key_file": key.path()}),
            json!({"credentials": "keys", "sas_token_file": sas.path()}),
        ] {
            let account = world.account(&variables, &keys);
            poll(&*account, &Deliveries::default()).await.unwrap();
            assert!(world.service.seen().is_empty(), "{keys}");
        }
        // Nor where the key cannot be read, or is refused.
        let keys = json!({"account_key_file": key.path()});
        let fault = Fault::Refuse(403, "AuthenticationFailed", "");
        world.store.fault("comp=list", fault);
        error(&*world.account(&variables, &keys)).await;
        std::fs::remove_file(key.path()).unwrap();
        error(&*world.account(&variables, &keys)).await;
        assert!(world.service.seen().is_empty());
    }
}
