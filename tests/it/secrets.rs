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

use crate::faults::server::{Reply, Seen, Server, zipped};

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
fn the_search_finds_what_is_planted() {
    for (_, secret) in SECRETS {
        for form in forms(secret) {
            assert!(!leaks(&format!("error=\"{form}\"")).is_empty(), "{form}");
        }
        assert!(!leaks(&secret[6..]).is_empty(), "{secret}");
    }
    assert!(leaks("the credential is refused by otc, enube, cockpit, platform, mike").is_empty());
}

/// All that a request held, in all forms.
fn echo(seen: &Seen) -> String {
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
enum Habit {
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

use Habit as H;

const HABITS: [Habit; 15] = [
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

impl Habit {
    fn reply(self, seen: &Seen) -> Reply {
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
async fn nothing_that_the_program_says_holds_a_secret_whatever_an_api_echoes() {
    for (number, habit) in HABITS.into_iter().enumerate() {
        let server = Server::start(move |seen| habit.reply(seen)).await;
        let (_folder, file) = configuration(&server);
        let format = ["logfmt", "json"][number % 2];
        let mut everything = everything_said(&file, format).await;
        // Where it is asked to wait, this command does.
        if !matches!(habit, H::Limits) {
            for account in ["otc", "enube", "platform", "mike"] {
                let days = ["backfill", "--from=2024-06-01", "--to=2024-06-03"];
                let mut command = program(&file, &days);
                let said = told(&command.args(["--account", account]).output().await.unwrap());
                assert!(said.contains("nothing is written"), "{habit:?}: {said}");
                everything += &said;
            }
        }
        let sent = server.take();
        for name in ["otc", "platform", "mike"] {
            let secret = SECRETS.iter().find(|(known, _)| *known == name).unwrap().1;
            let was_sent = sent.iter().any(|seen| seen.head.contains(secret));
            assert!(was_sent, "{habit:?}: {name} was not sent");
        }
        assert!(everything.contains("cloudspend_poll_success"), "{habit:?}");
        assert!(
            everything.contains("the last good values stay"),
            "{habit:?}"
        );
        let leaks = leaks(&everything);
        let lines: Vec<_> = everything
            .lines()
            .filter(|line| leaks.iter().any(|leak| line.contains(leak)))
            .collect();
        assert!(leaks.is_empty(), "{habit:?}: {leaks:?} in {lines:#?}");
    }
}

fn told(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Where people put a secret by mistake.
fn misplaced(secret: &str) -> Vec<(&'static str, String)> {
    let with = |more: &Value| {
        let mut account = json!({ "provider": "otc", "base_url": "https://api.example.com" });
        let more = more.as_object().unwrap().clone();
        account.as_object_mut().unwrap().extend(more);
        json!({ "accounts": { "main": account } }).to_string()
    };
    let plain = "accounts:\n  main:\n    provider: otc\n    base_url: https://api.example.com\n";
    vec![
        ("an unknown key", with(&json!({ "api_key": secret }))),
        ("an unknown key of another provider", with(&json!({ "password": secret }))),
        ("the file's place", with(&json!({ "api_key_file": secret }))),
        ("the variable's place", with(&json!({ "api_key_env": secret }))),
        ("a list", with(&json!({ "api_key_file": [secret] }))),
        ("a map", with(&json!({ "api_key_file": { "value": secret } }))),
        ("another text", with(&json!({ "currency": secret, "timezone": secret, "granularity": secret }))),
        ("a duration", with(&json!({ "interval": secret, "credential_expires": secret }))),
        ("a number", with(&json!({ "max_series": secret, "concurrency": secret, "plausibility": secret }))),
        ("a filter", with(&json!({ "filters": secret }))),
        ("a key of a filter", with(&json!({ "filters": { "contract": secret } }))),
        ("a URL", with(&json!({ "base_url": format!("https://bot:{secret}@api.example.com") }))),
        ("a query", with(&json!({ "base_url": format!("https://api.example.com/?key={secret}") }))),
        ("no URL", with(&json!({ "base_url": secret }))),
        ("a provider", with(&json!({ "provider": secret }))),
        ("the top", json!({ "api_key": secret, "accounts": secret }).to_string()),
        ("a budget", json!({ "budgets": { "b": { "limit": secret, "match": { "project": secret }, "currency": secret } }, "accounts": {} }).to_string()),
        ("rates", json!({ "reporting_currency": secret, "exchange_rates": { "USD": secret } }).to_string()),
        ("a broken line", format!("{plain}    api_key_file: \"{}\n", secret.replace('"', ""))),
        ("a tab", format!("{plain}\tapi_key_file: '{secret}'\n")),
        ("twice", format!("{plain}    api_key_file: '{secret}'\n    api_key_file: '{secret}'\n")),
        ("an anchor", format!("{plain}    api_key_file: *{}\n", secret.replace(['"', '&', '='], ""))),
        ("a tag", format!("{plain}    api_key_file: !!int '{secret}'\n")),
        ("the whole file", secret.to_owned()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_the_wrong_place_is_not_repeated() {
    let secret = SECRETS[0].1;
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in misplaced(secret) {
        let file = folder.path().join("cloudspend.yml");
        std::fs::write(&file, text).unwrap();
        let output = program(&file, &["check-config"]).output().await.unwrap();
        let said = told(&output);
        assert!(!output.status.success(), "{name}: {said}");
        assert!(leaks(&said).is_empty(), "{name}: {said}");
        // Where a secret is kept is looked up when it is needed.
        let starts = ["the file's place", "the variable's place"].contains(&name);
        let said = if starts {
            everything_said(&file, "logfmt").await
        } else {
            told(&program(&file, &["serve"]).output().await.unwrap())
        };
        assert!(leaks(&said).is_empty(), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_in_the_environment_is_not_repeated() {
    let secret = SECRETS[0].1;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cloudspend.yml");
    let config = json!({ "accounts": { "main": {
        "provider": "otc", "base_url": "http://127.0.0.1:1", "api_key_env": "SOME_KEY",
    } } });
    std::fs::write(&file, config.to_string()).unwrap();
    for (name, value, good) in [
        ("SOME_KEY", secret.to_owned(), true),
        ("SOME_KEY", format!("{secret}\nand more"), false),
        (
            "CLOUDSPEND_ACCOUNTS__MAIN__API_KEY",
            secret.to_owned(),
            false,
        ),
        (
            "CLOUDSPEND_ACCOUNTS__MAIN__API_KEY_FILE",
            secret.to_owned(),
            false,
        ),
        (
            "CLOUDSPEND_ACCOUNTS__MAIN__INTERVAL",
            secret.to_owned(),
            false,
        ),
        (
            "CLOUDSPEND_ACCOUNTS__MAIN__FILTERS__CONTRACT",
            secret.to_owned(),
            false,
        ),
        // The flag wins over it.
        ("CLOUDSPEND_LOG__LEVEL", secret.to_owned(), true),
    ] {
        let output = program(&file, &["check-config"])
            .env("SOME_KEY", secret)
            .env(name, &value)
            .output()
            .await
            .unwrap();
        let said = told(&output);
        assert_eq!(output.status.success(), good, "{name}: {said}");
        assert!(leaks(&said).is_empty(), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_output_holds_no_secret_even_while_tokens_are_in_use() {
    let server = Server::start(|seen| H::Answers.reply(seen)).await;
    let (_folder, file) = configuration(&server);
    let clock = Clock::system();
    let sources = Sources {
        file: Some(file),
        environment: vec![("SOME_KEY".into(), SECRETS[0].1.into())],
        ..Sources::default()
    };
    let config = config::load(&sources, &clock, &mut |_| Arc::default()).unwrap();
    let mut said = vec![format!("{sources:?} {config:#?}")];
    for account in config.accounts {
        let cell = Arc::new(AccountHandle::new(Arc::new(account)));
        Poller::new(Arc::clone(&cell), clock.clone(), Arc::new(Notify::new()))
            .poll()
            .await;
        said.push(format!("{cell:?}"));
    }
    let tokens = server.take();
    let tokens = tokens
        .iter()
        .filter(|seen| seen.head.contains(TOKENS[0]))
        .count();
    assert!(tokens > 0, "no token was in use");
    let leaks = leaks(&said.join("\n"));
    assert!(leaks.is_empty(), "{leaks:?}");
}
