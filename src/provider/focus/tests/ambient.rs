//! Credentials of AWS's environment: each service simulated on loopback, and what a bucket is asked with.

mod refused;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use jiff::Timestamp;
use serde_json::json;

use super::{aws::write_export, server::Server, *};
use crate::{
    clock::{Clock, add},
    provider::test_support::{Api, Seen},
};

const NOW: &str = "2026-05-29T12:00:00Z";
const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.token-of-the-pod.0001";

/// Answers a request by what is known for the beginning of its line.
type Answers = Arc<Mutex<BTreeMap<&'static str, (u16, String)>>>;

/// A service that issues credentials, and a store that is read with them.
struct World {
    store: Server,
    service: Api,
    answers: Answers,
    now: Arc<Mutex<Timestamp>>,
    token: tempfile::NamedTempFile,
}

/// Which of AWS's services it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    WebIdentity,
    Container,
    Instance,
}

const KINDS: [Kind; 3] = [Kind::WebIdentity, Kind::Container, Kind::Instance];

impl Kind {
    /// The request whose response holds the credential.
    fn last_request(self) -> &'static str {
        match self {
            Self::WebIdentity => "POST /",
            Self::Container => "GET /v1/credentials",
            Self::Instance => "GET /latest/meta-data/iam/security-credentials/costs",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::WebIdentity => "AWS STS for the web identity",
            Self::Container => "the credential service of the container",
            Self::Instance => "the metadata service of the instance",
        }
    }

    /// A credential that lasts so long.
    fn credential(self, id: &str, seconds: u64) -> String {
        let now: Timestamp = NOW.parse().unwrap();
        let expires = add(now, Duration::from_secs(seconds));
        match self {
            Self::WebIdentity => format!(
                "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey><SessionToken>session-of-{id}</SessionToken><Expiration>{expires}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>\n"
            ),
            _ => json!({
                "Code": "Success", "AccessKeyId": id, "SecretAccessKey": SECRET_KEY,
                "Token": format!("session-of-{id}"), "Expiration": expires,
            })
            .to_string(),
        }
    }
}

impl World {
    async fn new() -> Self {
        let store = Server::start().await;
        write_export(&store);
        let mut known = BTreeMap::from([
            ("PUT /latest/api/token", (200, "instance-token".to_owned())),
            (
                "GET /latest/meta-data/iam/security-credentials/",
                (200, "costs".to_owned()),
            ),
        ]);
        for kind in KINDS {
            let credential = kind.credential("ASIAEXAMPLE000000001", 3600);
            known.insert(kind.last_request(), (200, credential));
        }
        let answers: Answers = Arc::new(Mutex::new(known));
        let shared = Arc::clone(&answers);
        let service = Api::start(move |seen: &Seen| {
            let answers = shared.lock().unwrap();
            let found = answers.iter().find(|(line, _)| **line == seen.line);
            found.map_or((404, String::new()), |(_, answer)| answer.clone())
        });
        Self {
            store,
            service: service.await,
            answers,
            now: Arc::new(Mutex::new(NOW.parse().unwrap())),
            token: secret(&format!("{TOKEN}\n")),
        }
    }

    /// The variables that lead to the service.
    fn variables(&self, kind: Kind) -> Vec<(&'static str, String)> {
        let file = self.token.path().display().to_string();
        let url = self.service.url.clone();
        match kind {
            Kind::WebIdentity => vec![
                ("AWS_WEB_IDENTITY_TOKEN_FILE", file),
                ("AWS_ROLE_ARN", "arn:aws:iam::1000:role/costs".to_owned()),
                ("AWS_ENDPOINT_URL_STS", url),
            ],
            Kind::Container => vec![
                (
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                    format!("{url}/v1/credentials"),
                ),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file),
            ],
            Kind::Instance => vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)],
        }
    }

    fn account(&self, variables: &[(&str, String)], more: &Value) -> Box<dyn Provider> {
        let now = Arc::clone(&self.now);
        let clock = Clock::from_fn(move || *now.lock().unwrap());
        let mut section = json!({
            "location": "s3://billing/exports", "endpoint": self.store.url, "costs": ["billed"],
            "credentials": "ambient",
        });
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
        self.account(&self.variables(kind), &json!({}))
    }

    fn answer(&self, line: &'static str, status: u16, body: impl Into<String>) {
        let mut answers = self.answers.lock().unwrap();
        answers.insert(line, (status, body.into()));
    }

    fn pass(&self, seconds: u64) {
        let mut now = self.now.lock().unwrap();
        *now = add(*now, Duration::from_secs(seconds));
    }

    /// The text of the error of a poll, with a name for the address of the service.
    async fn error(&self, kind: Kind) -> String {
        let error = error(&*self.ambient(kind)).await;
        error.replace(&self.service.url, "SERVICE")
    }
}

#[tokio::test]
async fn each_service_opens_the_bucket() {
    for kind in KINDS {
        let world = World::new().await;
        let fetch = poll(&*world.ambient(kind), &Deliveries::default()).await;
        assert_eq!(fetch.unwrap().total(), "50", "{kind:?}");
        for headers in &world.store.state().headers {
            assert_eq!(
                headers["x-amz-security-token"],
                "session-of-ASIAEXAMPLE000000001"
            );
            let authorization = headers["authorization"].to_str().unwrap();
            assert!(authorization.contains("Credential=ASIAEXAMPLE000000001/"));
        }
        let seen = world.service.seen();
        let lines: Vec<&str> = seen.iter().map(|seen| seen.line.as_str()).collect();
        match kind {
            Kind::WebIdentity => {
                assert_eq!(lines, ["POST /"]);
                assert_eq!(
                    seen[0].body,
                    format!(
                        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&DurationSeconds=3600&RoleArn=arn%3Aaws%3Aiam%3A%3A1000%3Arole%2Fcosts&RoleSessionName=cloudspend-exporter&WebIdentityToken={TOKEN}"
                    )
                );
            }
            Kind::Container => {
                assert_eq!(lines, ["GET /v1/credentials"]);
                assert_eq!(seen[0].header("authorization"), TOKEN);
            }
            Kind::Instance => {
                assert_eq!(
                    lines,
                    [
                        "PUT /latest/api/token",
                        "GET /latest/meta-data/iam/security-credentials/",
                        "GET /latest/meta-data/iam/security-credentials/costs"
                    ]
                );
                let header = "x-aws-ec2-metadata-token-ttl-seconds";
                assert_eq!(seen[0].header(header), "300");
                assert_eq!(seen[1].header("x-aws-ec2-metadata-token"), "instance-token");
                assert_eq!(seen[2].header("x-aws-ec2-metadata-token"), "instance-token");
            }
        }
    }
}

#[tokio::test]
async fn credential_is_renewed_before_it_expires() {
    for kind in KINDS {
        let world = World::new().await;
        let account = world.ambient(kind);
        poll(&*account, &Deliveries::default()).await.unwrap();
        let once = world.service.lines().len();
        world.pass(3_230);
        poll(&*account, &Deliveries::default()).await.unwrap();
        assert_eq!(world.service.lines().len(), once, "{kind:?}");
        let next = kind.credential("ASIAEXAMPLE000000002", 7200);
        world.answer(kind.last_request(), 200, next);
        // The token of a pod is written again, too.
        std::fs::write(world.token.path(), "eyJ.second-token.0002").unwrap();
        world.pass(20);
        world.store.state().headers.clear();
        poll(&*account, &Deliveries::default()).await.unwrap();
        let seen = world.service.seen();
        assert_eq!(seen.len(), 2 * once, "{kind:?}");
        match kind {
            Kind::WebIdentity => assert!(seen[1].body.ends_with("=eyJ.second-token.0002")),
            Kind::Container => {
                assert_eq!(seen[1].header("authorization"), "eyJ.second-token.0002");
            }
            Kind::Instance => {}
        }
        for headers in &world.store.state().headers {
            let token = &headers["x-amz-security-token"];
            assert_eq!(token, "session-of-ASIAEXAMPLE000000002");
        }
    }
}

#[tokio::test]
async fn refusals_name_the_service() {
    for kind in KINDS {
        let xml = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized</Message></Error></ErrorResponse>";
        let expired = kind.credential("ASIAEXAMPLE000000003", 0);
        for (status, body, want) in [
            (
                403,
                xml,
                "unauthorized: no credential from NAME: LINE: 403, AccessDenied: Not authorized",
            ),
            (404, "", "unauthorized: no credential from NAME: LINE: 404"),
            (
                200,
                "<html>login</html>",
                "malformed: no credential from NAME: the response has an unexpected format",
            ),
            (
                200,
                "",
                "malformed: no credential from NAME: the response has an unexpected format",
            ),
            (
                200,
                &expired,
                "unauthorized: no credential from NAME: it expired at 2026-05-29T12:00:00Z",
            ),
        ] {
            let world = World::new().await;
            world.answer(kind.last_request(), status, body);
            let error = world.error(kind).await;
            let line = kind.last_request().replace(' ', " SERVICE");
            let (start, end) = want.split_once("NAME").unwrap();
            assert!(
                error.starts_with(&format!("{start}{}", kind.name())),
                "{error}"
            );
            assert!(error.contains(&end.replace("LINE", &line)), "{error}");
            assert!(!error.contains(SECRET_KEY), "{error}");
            assert!(world.store.take_lines().is_empty(), "{kind:?}");
        }
    }
}

#[tokio::test]
async fn refused_service_is_not_asked_again_at_once() {
    let world = World::new().await;
    let account = world.ambient(Kind::WebIdentity);
    world.answer("POST /", 403, "");
    error(&*account).await;
    let next = error(&*account).await;
    assert!(next.ends_with("the next login is in 30s"), "{next}");
    assert_eq!(world.service.lines().len(), 1);
    world.pass(30);
    world.answer(
        "POST /",
        200,
        Kind::WebIdentity.credential("ASIAEXAMPLE000000004", 3600),
    );
    poll(&*account, &Deliveries::default()).await.unwrap();
}

#[tokio::test]
async fn what_was_sent_is_not_shown() {
    for kind in [Kind::WebIdentity, Kind::Container] {
        let world = World::new().await;
        let body = json!({"code": "InvalidToken", "message": format!("unknown token {TOKEN}")});
        world.answer(kind.last_request(), 400, body.to_string());
        let error = world.error(kind).await;
        assert!(error.ends_with(": 400, InvalidToken"), "{error}");
    }
}

#[tokio::test]
async fn failed_role_of_an_instance_is_reported() {
    let world = World::new().await;
    let body = json!({"Code": "AssumeRoleUnauthorizedAccess", "Message": "EC2 cannot assume"});
    world.answer(Kind::Instance.last_request(), 200, body.to_string());
    let error = world.error(Kind::Instance).await;
    let want = "it reports AssumeRoleUnauthorizedAccess for the role costs";
    assert!(error.ends_with(want), "{error}");
    for role in ["", "../user-data", "a b", ".."] {
        let line = "GET /latest/meta-data/iam/security-credentials/";
        world.answer(line, 200, role);
        let error = world.error(Kind::Instance).await;
        assert!(error.starts_with("malformed: "), "{role}: {error}");
    }
}

#[tokio::test]
async fn missing_token_of_a_pod_is_named() {
    for kind in [Kind::WebIdentity, Kind::Container] {
        let world = World::new().await;
        let path = world.token.path().to_owned();
        std::fs::remove_file(&path).unwrap();
        let error = world.error(kind).await;
        let want = format!(
            "unauthorized: the credential is not available: cannot read the secret file {}",
            path.display()
        );
        assert!(error.starts_with(&want), "{error}");
        assert!(world.service.lines().is_empty());
    }
}

#[tokio::test]
async fn silent_service_is_given_up_soon() {
    tokio::time::pause();
    // It accepts connections, and nobody ever reads from them.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let world = World::new().await;
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)];
    let account = world.account(&variables, &json!({}));
    let clock = Clock::starting_at(NOW.parse().unwrap());
    let error = error(&*account).await;
    let want = "timeout: no credential from the metadata service of the instance (IMDSv2): PUT http://127.0.0.1";
    assert!(error.starts_with(want), "{error}");
    assert!(error.ends_with("no complete response in time"), "{error}");
    let end = clock.now().to_string();
    assert!(end.starts_with("2026-05-29T12:00:20"), "{end}");
    drop(silent);
}

#[tokio::test]
async fn absent_service_is_unreachable() {
    tokio::time::pause();
    let absent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/c", absent.local_addr().unwrap());
    drop(absent);
    let world = World::new().await;
    let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)];
    let error = error(&*world.account(&variables, &json!({}))).await;
    let want = "unreachable: no credential from the credential service of the container";
    assert!(error.starts_with(want), "{error}");
}

#[tokio::test]
async fn no_service_is_asked_unless_configured() {
    for kind in KINDS {
        let world = World::new().await;
        let variables = world.variables(kind);
        let secrets = [secret(KEY_ID), secret(SECRET_KEY)];
        for keys in [
            json!({"credentials": "anonymous"}),
            json!({
                "credentials": "keys", "access_key_id_file": secrets[0].path(),
                "secret_access_key_file": secrets[1].path(),
            }),
        ] {
            let account = world.account(&variables, &keys);
            poll(&*account, &Deliveries::default()).await.unwrap();
            assert!(world.service.lines().is_empty(), "{keys}");
        }
        // Nor where the keys cannot be read.
        std::fs::remove_file(secrets[0].path()).unwrap();
        let keys = json!({
            "credentials": "keys", "access_key_id_file": secrets[0].path(),
            "secret_access_key_file": secrets[1].path(),
        });
        error(&*world.account(&variables, &keys)).await;
        assert!(world.service.lines().is_empty());
    }
}
