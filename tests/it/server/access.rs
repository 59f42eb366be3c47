//! TLS, client certificates, users and headers from a web configuration file, over real sockets.

use std::path::Path;

use cloudspend_exporter::server::Access;
use http::{HeaderMap, Method, StatusCode, Version, header};
use rcgen::SanType;
use reqwest::{Certificate, Client, ClientBuilder, Identity, tls};

use crate::support::{
    Exporter, Folder, MOMENT, PLAIN, Program, TEST_TIMEOUT, answer, get,
    pki::{Authority, Issued},
    repository, stopped_at,
};

mod encryption;
mod errors;
mod health;
mod reload;

/// A bcrypt hash of the least cost.
pub(crate) fn hash(password: &str) -> String {
    bcrypt::hash(password, 4).unwrap()
}

/// An account that is never polled with success, since these tests are not about money.
const ACCOUNTS: &str =
    "accounts: {quiet: {provider: mike, base_url: \"http://127.0.0.1:9\", api_key_file: SECRET}}\n";

/// A folder with the files of an authority and its server.
fn folder(authority: &Authority, web: &str) -> Folder {
    let Issued { cert, key } = authority.server();
    Folder::with(&[
        ("server.pem", &cert),
        ("server.key", &key),
        ("ca.pem", &authority.pem),
        ("web.yml", web),
        ("secret", "a secret"),
    ])
}

/// The lines of a web configuration for a server's certificate in the same folder.
const TLS: &str = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n";

fn load(folder: &Folder) -> Result<Access, String> {
    Access::load(&folder.path().join("web.yml")).map_err(|report| report.to_string())
}

/// An exporter behind the web configuration of a folder.
async fn exporter(folder: &Folder) -> Exporter {
    let access = load(folder).unwrap_or_else(|report| panic!("{report}"));
    let own = Folder::with(&[("secret", "a secret")]);
    let yaml = ACCOUNTS.replace("SECRET", &own.yaml("secret"));
    Exporter::guarded(own, &yaml, stopped_at(MOMENT), access).await
}

fn https(exporter: &Exporter, path: &str) -> String {
    exporter.at(path).replacen("http://", "https://", 1)
}

/// A client that trusts one authority.
fn client(trusted: &str) -> ClientBuilder {
    #[expect(
        clippy::disallowed_methods,
        reason = "the exporter is asked by a client that is not its own"
    )]
    let client = Client::builder();
    client
        .no_proxy()
        .timeout(TEST_TIMEOUT)
        .tls_certs_only([Certificate::from_pem(trusted.as_bytes()).unwrap()])
}

#[tokio::test]
async fn every_path_requires_a_user() {
    let users = format!(
        "basic_auth_users:\n  alice: {}\n  bob: {}\n",
        hash("secret of alice"),
        hash("secret of bob")
    );
    let exporter = exporter(&Folder::with(&[("web.yml", &users)])).await;
    for path in [
        "/metrics",
        "/",
        "/-/healthy",
        "/-/ready",
        "/-/reload",
        "/nothing",
        "/metrics/",
    ] {
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
            let ask = |name: &str, password: &str| {
                let request = PLAIN.request(method.clone(), exporter.at(path));
                answer(request.basic_auth(name, Some(password)))
            };
            let what = format!("{method} {path}");
            let nobody = PLAIN.request(method.clone(), exporter.at(path));
            for refused in [
                answer(nobody).await.unwrap(),
                ask("alice", "secret of bob").await.unwrap(),
                ask("mallory", "secret of alice").await.unwrap(),
                ask("", "").await.unwrap(),
            ] {
                assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{what}");
                assert_eq!(refused.header(header::WWW_AUTHENTICATE), "Basic");
                assert!(!refused.body.starts_with(b"alive"));
            }
            for (name, password) in [("alice", "secret of alice"), ("bob", "secret of bob")] {
                let admitted = ask(name, password).await.unwrap();
                assert_ne!(admitted.status, StatusCode::UNAUTHORIZED, "{what}");
            }
        }
    }
    exporter.stop().await;
}

#[tokio::test]
async fn headers_are_added_to_every_response() {
    let web = format!(
        "http_server_config:
  headers:
    Content-Security-Policy: default-src 'self'
    Strict-Transport-Security: max-age=31536000
    X-Content-Type-Options: nosniff
    X-Frame-Options: deny
    X-XSS-Protection: \"0\"
basic_auth_users: {{alice: {}}}
",
        hash("secret")
    );
    let exporter = exporter(&Folder::with(&[("web.yml", &web)])).await;
    let check = |headers: &HeaderMap| {
        for (name, want) in [
            ("content-security-policy", "default-src 'self'"),
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "deny"),
            ("x-xss-protection", "0"),
        ] {
            assert_eq!(headers[name], want);
        }
    };
    for (path, want) in [
        ("/metrics", StatusCode::OK),
        ("/", StatusCode::OK),
        ("/nothing", StatusCode::NOT_FOUND),
    ] {
        let request = PLAIN.get(exporter.at(path));
        let answer = answer(request.basic_auth("alice", Some("secret")))
            .await
            .unwrap();
        assert_eq!(answer.status, want);
        check(&answer.headers);
    }
    let refused = get(&exporter.at("/metrics")).await.unwrap();
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    check(&refused.headers);
    exporter.stop().await;
}

#[tokio::test]
async fn requests_above_the_rate_get_429() {
    let web = "rate_limit: {interval: 1h, burst: 3}\n";
    let exporter = exporter(&Folder::with(&[("web.yml", web)])).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(get(&exporter.at("/metrics")).await.unwrap().status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    exporter.stop().await;
}

/// The real binary, serving behind a web configuration on a free port of its own. Gives its address, too.
async fn program(folder: &Folder, web: Option<&str>) -> (Program, String) {
    let yaml = ACCOUNTS.replace("SECRET", &folder.yaml("secret"));
    std::fs::write(folder.path().join("cloudspend.yml"), yaml).unwrap();
    let config = format!(
        "--config.file={}",
        folder.path().join("cloudspend.yml").display()
    );
    let mut arguments = vec![config.as_str(), "--web.listen-address=127.0.0.1:0"];
    let web = web.map(|web| format!("--web.config.file={}", folder.path().join(web).display()));
    arguments.extend(web.as_deref());
    let mut program = Program::exporter(&arguments);
    let address = program.says(" address=").await;
    (program, address)
}

#[tokio::test]
async fn bad_web_configuration_fails_start_and_check() {
    let folder = folder(
        &Authority::new("ours"),
        "tls_server_config: {cert_file: none.pem}\n",
    );
    let yaml = ACCOUNTS.replace("SECRET", &folder.yaml("secret"));
    std::fs::write(folder.path().join("cloudspend.yml"), yaml).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let config = format!("--config.file={}", path("cloudspend.yml"));
    let web = format!("--web.config.file={}", path("web.yml"));
    for command in ["serve", "check-config"] {
        let ended = Program::exporter(&[command, &config, &web]).end().await;
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
        let file = path("web.yml");
        for fault in [
            "tls_server_config.cert_file: cannot be read",
            "tls_server_config.key_file: is required",
        ] {
            let line = format!("{file}:1: {fault}");
            assert!(ended.stderr.contains(&line), "{}", ended.stderr);
        }
    }
    std::fs::write(folder.path().join("web.yml"), TLS).unwrap();
    let ended = Program::exporter(&["check-config", &config, &web])
        .end()
        .await;
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(
        ended.stdout.contains("web.yml: valid\n"),
        "{}",
        ended.stdout
    );
}

#[tokio::test]
async fn example_file_loads_line_by_line() {
    let example = repository("config/web.yml");
    Access::load(&example).unwrap_or_else(|report| panic!("{report}"));
    let text = std::fs::read_to_string(&example).unwrap();
    // What stands behind one # is of the format.
    let all: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("##"))
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .collect();
    let all = all.join("\n");
    let authority = Authority::new("ours");
    let folder = folder(&authority, &all);
    for (name, file) in [
        ("server.pem", "tls.crt"),
        ("server.key", "tls.key"),
        ("ca.pem", "ca.crt"),
    ] {
        std::fs::rename(folder.path().join(name), folder.path().join(file)).unwrap();
    }
    load(&folder).unwrap_or_else(|report| panic!("{report}\n{all}"));
    for key in errors::KEYS {
        assert!(all.contains(&format!("{key}:")), "{key} is in the example");
    }
}

/// Exchanges a file in one step, as programs that write certificates do.
fn exchange(folder: &Path, name: &str, content: &str) {
    let beside = folder.join(format!("{name}.new"));
    std::fs::write(&beside, content).unwrap();
    std::fs::rename(beside, folder.join(name)).unwrap();
}
