//! The program in environments as AWS makes them: simulated services issue what opens the demo's store, and moto's own
//! STS what opens moto's.

use std::sync::{Arc, Mutex};

use axum::{Router, extract::Request};
use cloudspend_exporter::{
    clock::Clock,
    demo::{
        Demo, Options, S3_ACCESS_KEY_ID, S3_BUCKET, S3_PREFIX, S3_REGION, S3_SECRET_ACCESS_KEY,
    },
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::moto::moto_with;
use crate::support::{Folder, Program, serve};

/// A service that issues the demo's key as a temporary one, to whoever asks for it as documented.
async fn service() -> (String, Arc<Mutex<Vec<String>>>) {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&lines);
    let router = Router::new().fallback(move |request: Request| {
        let log = Arc::clone(&log);
        async move {
            let line = format!("{} {}", request.method(), request.uri());
            log.lock().unwrap().push(line.clone());
            let header = |name: &str| {
                let value = request.headers().get(name);
                value.map_or("", |value| value.to_str().unwrap()).to_owned()
            };
            let expires = Clock::system().now() + SignedDuration::from_hours(1);
            match line.as_str() {
                "POST /" => xml_credential(expires),
                "PUT /latest/api/token" => "instance-token".to_owned(),
                "GET /latest/meta-data/iam/security-credentials/" => "costs".to_owned(),
                "GET /latest/meta-data/iam/security-credentials/costs"
                    if header("x-aws-ec2-metadata-token") == "instance-token" =>
                {
                    json_credential(expires)
                }
                "GET /v1/credentials" if header("authorization") == "pod-token" => {
                    json_credential(expires)
                }
                _ => String::new(),
            }
        }
    });
    (serve(router).await, lines)
}

fn json_credential(expires: Timestamp) -> String {
    json!({
        "Code": "Success", "AccessKeyId": S3_ACCESS_KEY_ID, "SecretAccessKey": S3_SECRET_ACCESS_KEY,
        "Token": "session-token", "Expiration": expires,
    })
    .to_string()
}

fn xml_credential(expires: Timestamp) -> String {
    format!(
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{S3_ACCESS_KEY_ID}</AccessKeyId><SecretAccessKey>{S3_SECRET_ACCESS_KEY}</SecretAccessKey><SessionToken>session-token</SessionToken><Expiration>{expires}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
}

/// What the program explains about an account over a store, in an environment, and whether it succeeded.
async fn explain(folder: &Folder, store: &str, keys: &str, environment: &[(&str, &str)]) -> Value {
    let file = folder.path().join("cloudspend.yml");
    let yaml = format!(
        "accounts:\n  main: {{provider: focus, layout: aws, location: 's3://{S3_BUCKET}/{S3_PREFIX}', endpoint: '{store}', region: {S3_REGION}, {keys}}}\n"
    );
    std::fs::write(&file, yaml).unwrap();
    let arguments = ["explain", "--json", "--config.file", file.to_str().unwrap()];
    let ended = Program::exporter_in(environment, &arguments).end().await;
    for (name, secret) in Demo::secrets() {
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(!said.contains(secret), "the secret of {name} is printed");
    }
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr))
}

/// The variables of each environment that lead to a service.
fn environments<'a>(
    url: &'a str,
    credentials: &'a str,
    token: &'a str,
) -> [Vec<(&'a str, &'a str)>; 3] {
    [
        vec![
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/costs"),
            ("AWS_ENDPOINT_URL_STS", url),
        ],
        vec![
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", credentials),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token),
        ],
        vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)],
    ]
}

#[tokio::test]
async fn roles_of_the_environment_open_the_store() {
    let demo = Demo::start(Clock::system(), Options::default())
        .await
        .unwrap();
    let store = demo.store().url().to_string();
    let folder = Folder::with(&Demo::secrets());
    std::fs::write(folder.path().join("token"), "pod-token\n").unwrap();
    let token = folder.path().join("token").display().to_string();
    let (id, key) = (folder.yaml("s3-id"), folder.yaml("s3-key"));
    let keys = format!("access_key_id_file: {id}, secret_access_key_file: {key}");
    let (url, asked) = service().await;
    let credentials = format!("{url}/v1/credentials");
    for (environment, requests) in environments(&url, &credentials, &token)
        .iter()
        .zip([1, 1, 3])
    {
        // With keys, what the environment offers is not even asked for.
        let with_keys = explain(&folder, &store, &keys, environment).await;
        assert!(asked.lock().unwrap().is_empty());
        let ambient = explain(&folder, &store, "credentials: ambient", environment).await;
        assert_eq!(std::mem::take(&mut *asked.lock().unwrap()).len(), requests);
        assert_eq!(ambient["failed"], json!(false), "{ambient}");
        assert_ne!(ambient["accounts"][0]["totals"], json!([]));
        let (of_keys, of_role) = (&with_keys["accounts"][0], &ambient["accounts"][0]);
        assert_eq!(of_keys["parts"], of_role["parts"]);
        assert_eq!(of_keys["state"], json!("good"), "{with_keys}");
    }
}

#[tokio::test]
async fn motos_sts_opens_motos_store() {
    let demo = Demo::start(Clock::system(), Options::default())
        .await
        .unwrap();
    let (_moto, url) = moto_with(&demo).await;
    let folder = Folder::with(&[("token", "header.claims.signature")]);
    let token = folder.path().join("token").display().to_string();
    let [environment, ..] = environments(&url, "", &token);
    let explained = explain(&folder, &url, "credentials: ambient", &environment).await;
    assert_eq!(explained["failed"], json!(false), "{explained}");
    assert_ne!(explained["accounts"][0]["totals"], json!([]));
}

#[tokio::test]
async fn wrong_variable_is_an_error_of_the_configuration() {
    let folder = Folder::with(&[(
        "cloudspend.yml",
        "accounts:\n  main: {provider: focus, location: 's3://billing/x', region: eu-central-1, credentials: ambient}\n",
    )]);
    let file = folder.path().join("cloudspend.yml");
    let arguments = ["check-config", "--config.file", file.to_str().unwrap()];
    let environment = [(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "http://10.1.2.3/secret",
    )];
    let ended = Program::exporter_in(&environment, &arguments).end().await;
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("accounts.main.credentials: the environment variable AWS_CONTAINER_CREDENTIALS_FULL_URI must be an https URL"), "{said}");
    assert!(!said.contains("10.1.2.3"), "{said}");
}
