//! No secret is told: everything that the program says is searched for secrets that were planted, whatever an API
//! does with them.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    sync::{Arc, Mutex},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use cloudspend_exporter::{
    clock::Clock,
    config::{self, Sources},
    poller::Poller,
    state::AccountHandle,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::Command,
    sync::Notify,
};

use super::server::{RecordedRequest, Reply, Server, zipped};

mod misplaced;

/// What is planted, by where. Each holds characters that encodings change.
const SECRETS: [(&str, &str); 5] = [
    ("otc", "0tK+k3yZ/Wq=\"B3rl\"&xm0rQ"),
    ("enube", "Pw:sw0rdY/wqh+allJ&s0rtZ"),
    ("cockpit", "Ck~t1xntV/S3crW+vqluK="),
    ("platform", "pLt-T0qenZ/oXf+aQ&mngR"),
    ("mike", "mQk-0pXnA/K3yVz+f0W=aJ&yR"),
];
/// What logins give out.
const TOKENS: [&str; 2] = ["tKn-0f-3nXbe/gWvZn+0uQ", "tKn-Vf-C0ckJt/gZvXn+0uK"];

/// Every secret in every form in which a server may send it back.
fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let inner = json[1..json.len() - 1].to_owned();
    vec![
        secret.to_owned(),
        inner.replace('/', "\\/"),
        inner,
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        BASE64_STANDARD.encode(secret),
        BASE64_STANDARD.encode(format!("billing-bot:{secret}")),
        secret.replace('&', "&amp;").replace('"', "&quot;"),
    ]
}

/// So much of a secret in a row is a leak.
const TELLTALE: usize = 8;

/// What of the secrets a text holds, whole or in part.
fn leaks(text: &str) -> BTreeSet<String> {
    let secrets = SECRETS.iter().map(|(_, secret)| *secret).chain(TOKENS);
    secrets
        .flat_map(forms)
        .flat_map(|form| {
            let bytes = form.as_bytes();
            let parts: Vec<String> = bytes
                .windows(TELLTALE)
                .map(|part| String::from_utf8_lossy(part).into_owned())
                .collect();
            parts
        })
        // What the form of a login begins with is no secret.
        .filter(|part| {
            !BASE64_STANDARD
                .encode("billing-bot:")
                .contains(part.as_str())
        })
        .filter(|part| text.contains(part.as_str()))
        .collect()
}

#[test]
fn search_finds_planted_secrets() {
    for (_, secret) in SECRETS {
        for form in forms(secret) {
            assert!(!leaks(&format!("error=\"{form}\"")).is_empty(), "{form}");
        }
        assert!(!leaks(&secret[6..]).is_empty(), "{secret}");
    }
    assert!(leaks("the credential was refused by otc, enube, cockpit, platform, mike").is_empty());
}

/// All that a request held, in all forms.
fn echo(seen: &RecordedRequest) -> String {
    let mut echo = String::new();
    for name in ["authorization", "x-api-token", "dhi-open-api-key"] {
        let value = seen.header(name);
        let bare = value.split_once(' ').map_or(value, |(_, bare)| bare);
        for text in [value, bare] {
            for form in forms(text) {
                echo.push_str(&form);
                echo.push(' ');
            }
        }
    }
    format!("{echo}{}", seen.body)
}

/// What a server does with what it is sent.
#[derive(Debug, Clone, Copy)]
enum Echo {
    /// Sends it back with a status that is not repeated.
    Refuses(u16),
    /// Sends it back as a field of JSON.
    RefusesInJson(u16),
    /// Sends it back compressed, behind more blanks than are read.
    RefusesFarBehind(u16),
    /// Asks to wait, and sends it back.
    Limits,
    /// Puts it into where a redirect leads, which is followed or not.
    Redirects(&'static str),
    /// Answers well, but with it in place of the answer, of the rows, or of a field of a row.
    Answers,
    AnswersAText,
    AnswersRows,
    /// Answers a login with it, and with what is no token.
    LogsInWith,
}

use Echo as H;

const HABITS: [Echo; 15] = [
    H::Refuses(400),
    H::Refuses(401),
    H::Refuses(403),
    H::Refuses(404),
    H::Refuses(422),
    H::RefusesInJson(400),
    H::RefusesInJson(403),
    H::RefusesFarBehind(403),
    H::Limits,
    H::Redirects(""),
    H::Redirects("http://127.0.0.1:1"),
    H::Answers,
    H::AnswersAText,
    H::AnswersRows,
    H::LogsInWith,
];

impl Echo {
    fn reply(self, seen: &RecordedRequest) -> Reply {
        let echo = echo(seen);
        let is_login = seen.line.ends_with("/auth/login") || seen.line.contains("/token");
        let quoted = json!(echo).to_string();
        match self {
            Self::LogsInWith if is_login => {
                Reply::good(json!({ "token": [echo], "access_token": {"is": echo} }).to_string())
            }
            // Half of the logins succeed, so that tokens get about.
            _ if is_login
                && !matches!(self, Self::Refuses(400 | 401) | Self::RefusesInJson(400)) =>
            {
                let [enube, cockpit] = TOKENS;
                let token = if seen.line.contains("/enube/") {
                    enube
                } else {
                    cockpit
                };
                let answer = json!({ "token": token, "access_token": token, "expires_in": 3600 });
                Reply::good(answer.to_string())
            }
            Self::Refuses(status) => Reply::status(status, "", &echo),
            Self::RefusesInJson(status) => {
                let body = json!({ "error": { "description": echo, "errors": [echo] } });
                Reply::status(
                    status,
                    "content-type: application/json\r\n",
                    body.to_string(),
                )
            }
            Self::RefusesFarBehind(status) => {
                let blanks = 8 * 1024 - 12;
                let body = format!("{}{echo}", " ".repeat(blanks));
                Reply::status(
                    status,
                    "content-encoding: gzip\r\n",
                    zipped(body.as_bytes()),
                )
            }
            Self::Limits => Reply::status(429, "retry-after: 3600\r\n", &echo),
            Self::Redirects(host) => {
                let query: String = url::form_urlencoded::byte_serialize(echo.as_bytes()).collect();
                let location = format!("location: {host}/again?token={query}\r\n");
                Reply::status(307, &location, format!("Moved to {echo}"))
            }
            Self::Answers | Self::LogsInWith => Reply::good(&echo),
            Self::AnswersAText => Reply::good(&quoted),
            Self::AnswersRows => {
                let row = json!({
                    "amount": echo, "consumption_date": echo, "actual": echo, "resource_type": echo,
                    "value": echo, "total": echo, "billing_period": echo, "totalLicenses": echo,
                    "validFrom": echo, "metricType": echo, "tags": echo, "id": [echo], echo.as_str(): 1,
                });
                Reply::good(if seen.line.contains("/otc/") {
                    row.to_string()
                } else if seen.line.contains("/enube/") {
                    json!([row]).to_string()
                } else {
                    json!({
                        "data": [row], "items": [row], "billing_periods": [echo],
                        "subscription": { "id": echo, "items": [row] },
                    })
                    .to_string()
                })
            }
        }
    }
}

/// A folder with a configuration of five accounts over a server, and their secrets.
fn configuration(server: &Server) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, secret) in SECRETS {
        std::fs::write(path(name), format!("{secret}\n")).unwrap();
    }
    let url = |name: &str| format!("{}/{name}", server.url());
    let config = json!({
        "poll": { "requests_per_second": 1000 },
        "accounts": {
            "otc": { "provider": "otc", "base_url": url("otc"), "api_key_file": path("otc") },
            "enube": {
                "provider": "enube", "base_url": url("enube"), "username": "billing-bot",
                "password_file": path("enube"), "currency": "BRL",
            },
            "enube-basic": {
                "provider": "enube", "base_url": url("enube"), "username": "billing-bot",
                "auth": "basic", "token_url": url("enube/token"), "cloud": "aws",
                "password_file": path("enube"), "currency": "BRL",
            },
            "cockpit": {
                "provider": "cloudcockpit", "base_url": url("cockpit"), "token_url": url("token"),
                "tenant": "portal.example.com", "client_id": "id", "client_secret_file": path("cockpit"),
                "customers": ["c"], "provider_instances": ["i"],
            },
            "platform": {
                "provider": "activeplatform", "base_url": url("platform"),
                "api_token_file": path("platform"), "subscriptions": ["7"], "currency": "USD",
            },
            "mike": { "provider": "mike", "base_url": url("mike"), "api_key_file": path("mike") },
        },
    });
    let file = folder.path().join("cloudspend.yml");
    std::fs::write(&file, config.to_string()).unwrap();
    (folder, file)
}

/// The program, with a configuration and everything logged.
fn program(file: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"));
    command
        .args(arguments)
        .arg("--config.file")
        .arg(file)
        .arg("--log.level=trace")
        .env_remove("RUST_LOG")
        .env("RUST_BACKTRACE", "full")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What one address answers, headers included.
async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Runs the program until every account was polled once; all that it said by then, on every way that it has.
async fn everything_said(file: &Path, format: &str) -> String {
    let storage = tempfile::tempdir().unwrap();
    let mut child = program(
        file,
        &[
            "serve",
            "--web.listen-address=127.0.0.1:0",
            "--log.format",
            format,
            "--storage.path",
            storage.path().to_str().unwrap(),
        ],
    )
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = Arc::new(Mutex::new(String::new()));
    let (found, address) = tokio::sync::oneshot::channel();
    let heard = Arc::clone(&said);
    let log = tokio::spawn(async move {
        let mut found = Some(found);
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("Listening")
                && let Some((_, port)) = line.split_once("127.0.0.1:")
                && let Some(found) = found.take()
            {
                let port: String = port.chars().take_while(char::is_ascii_digit).collect();
                found.send(format!("127.0.0.1:{port}")).unwrap();
            }
            *heard.lock().unwrap() += &(line + "\n");
        }
    });
    let address = address.await.expect("the program listens");
    while !get(&address, "/-/ready").await.starts_with("HTTP/1.1 200") {
        tokio::task::yield_now().await;
    }
    let mut everything = String::new();
    for path in ["/", "/metrics", "/-/ready", "/-/healthy", "/nothing"] {
        everything += &get(&address, path).await;
    }
    // What is stored is written behind what is shown.
    let accounts = everything.matches("\ncloudspend_polls_total{").count();
    assert!(accounts > 0, "{everything}");
    while std::fs::read_dir(storage.path()).unwrap().count() < accounts {
        tokio::task::yield_now().await;
    }
    child.start_kill().unwrap();
    child.wait().await.unwrap();
    for entry in std::fs::read_dir(storage.path()).unwrap() {
        let entry = entry.unwrap();
        everything += &entry.file_name().to_string_lossy();
        everything += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
    }
    let mut out = String::new();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_to_string(&mut out).await.unwrap();
    log.await.unwrap();
    everything + &out + &said.lock().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn echoed_secrets_are_in_no_output() {
    for (number, echo) in HABITS.into_iter().enumerate() {
        let server = Server::start(move |seen| echo.reply(seen)).await;
        let (_folder, file) = configuration(&server);
        let format = ["logfmt", "json"][number % 2];
        let mut everything = everything_said(&file, format).await;
        // Where it is asked to wait, this command does.
        if !matches!(echo, H::Limits) {
            for account in ["otc", "enube", "platform", "mike"] {
                let days = ["backfill", "--from=2024-06-01", "--to=2024-06-03"];
                let mut command = program(&file, &days);
                let said =
                    output_text(&command.args(["--account", account]).output().await.unwrap());
                assert!(said.contains("nothing is written"), "{echo:?}: {said}");
                everything += &said;
            }
        }
        let sent = server.take();
        for name in ["otc", "platform", "mike"] {
            let secret = SECRETS.iter().find(|(known, _)| *known == name).unwrap().1;
            let was_sent = sent.iter().any(|seen| seen.head.contains(secret));
            assert!(was_sent, "{echo:?}: {name} was not sent");
        }
        assert!(everything.contains("cloudspend_poll_success"), "{echo:?}");
        assert!(everything.contains("Part failed, "), "{echo:?}");
        let leaks = leaks(&everything);
        let lines: Vec<_> = everything
            .lines()
            .filter(|line| leaks.iter().any(|leak| line.contains(leak)))
            .collect();
        assert!(leaks.is_empty(), "{echo:?}: {leaks:?} in {lines:#?}");
    }
}

fn output_text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
