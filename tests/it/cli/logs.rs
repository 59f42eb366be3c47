//! The log as a machine reads it: every line parses, a poll is one line, a failure is told once with all its causes, and
//! nothing that an API sends can pass for a line.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use serde_json::{Map, Value, json};

use crate::support::{Folder, OPEN_METRICS, Program, eventually, scrape, serve};

/// What an API sends to be taken for a line of the log.
const FORGED: &str = "x\nts=2025-01-01T00:00:00Z level=error msg=forged account=forged\r\n{\"level\":\"error\",\"account\":\"forged\"}\u{2028}level=error account=forged\u{85}level=error account=forged \u{1b}[31m\u{9b}31m\u{202e}\" account=forged \\";
/// A name that tries the same. Control characters are refused in names.
const NAME: &str = "evil\" account=forged msg=\\\u{2028}level=error\u{202e}";

const SECRET: &str = "k3y-0f-0tc";

/// One line of logfmt, strictly: keys of small letters, plain values without anything special, or quoted as JSON.
fn logfmt(line: &str) -> Result<Map<String, Value>, String> {
    let mut fields = Map::new();
    let mut rest = line;
    loop {
        let (key, after) = rest.split_once('=').ok_or("a key without a value")?;
        let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        if !is_key {
            return Err(format!("no key: {key:?}"));
        }
        let (value, after) = if after.starts_with('"') {
            let mut texts = serde_json::Deserializer::from_str(after).into_iter::<String>();
            let text = texts
                .next()
                .ok_or("no text")?
                .map_err(|error| error.to_string())?;
            (text, &after[texts.byte_offset()..])
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            let (text, after) = after.split_at(end);
            if text.contains(['"', '=', '\\']) || text.chars().any(char::is_control) {
                return Err(format!("not quoted: {text:?}"));
            }
            (text.to_owned(), after)
        };
        if fields.insert(key.to_owned(), value.into()).is_some() {
            return Err(format!("twice: {key}"));
        }
        match after.strip_prefix(' ') {
            Some(after) => rest = after,
            None if after.is_empty() => return Ok(fields),
            None => return Err(format!("behind a value: {after:?}")),
        }
    }
}

/// A field as a text, whichever format it was in; empty where there is none.
fn text(fields: &Map<String, Value>, key: &str) -> String {
    match fields.get(key) {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// An API of two providers. It remembers the correlation ids that it was sent.
async fn hostile(seen: Arc<Mutex<Vec<String>>>) -> String {
    let customers = move |headers: HeaderMap| async move {
        let id = headers["x-correlation-id"].to_str().unwrap().to_owned();
        seen.lock().unwrap().push(id);
        Json(json!({"items": FORGED, "totalCount": 1}))
    };
    let api = Router::new()
        .route(
            "/token",
            post(async || Json(json!({"access_token": "t", "expires_in": 3600}))),
        )
        .route("/v1/Customers", get(customers))
        .route(
            "/v1/ProviderInstances",
            get(async || Json(json!({"items": [], "totalCount": 0}))),
        )
        .route("/v1/Customers/mca", get(StatusCode::FORBIDDEN))
        .route("/v1/subscriptions", get(StatusCode::FORBIDDEN))
        .route(
            "/bad/{*path}",
            get(async || (StatusCode::FORBIDDEN, FORGED)),
        )
        .fallback(async || "");
    serve(api).await
}

/// How a line of a format is read.
type Parse = fn(&str) -> Result<Map<String, Value>, String>;

fn json(line: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// The log of a program that polled four accounts once, three of them in vain, and the correlation ids that were sent.
async fn log_of(format: &str) -> (String, Vec<String>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let url = hostile(Arc::clone(&seen)).await;
    let folder = Folder::with(&[("key", SECRET)]);
    let key = folder.yaml("key");
    let name = Value::from(NAME).to_string();
    let yaml = format!(
        "poll: {{interval: 6h}}
accounts:
  good: {{provider: otc, base_url: \"{url}\", api_key_file: {key}}}
  {name}: {{provider: otc, base_url: \"{url}/bad\", api_key_file: {key}}}
  nowhere: {{provider: otc, base_url: \"http://127.0.0.1:1\", api_key_file: {key}}}
  licences: {{provider: cloudcockpit, base_url: \"{url}\", token_url: \"{url}/token\", scope: s, tenant: t.example, client_id: c, client_secret_file: {key}}}
"
    );
    let file = folder.path().join("cloudspend.yml");
    std::fs::write(&file, yaml).unwrap();
    let mut program = Program::exporter(&[
        "--web.listen-address=127.0.0.1:0",
        "--log.format",
        format,
        "--config.file",
        file.to_str().unwrap(),
    ]);
    let before = match format {
        "json" => "\"msg\":\"Listening\",\"address\":\"",
        _ => "msg=Listening address=",
    };
    let address = program.says(before).await;
    let address = address.split('"').next().unwrap();
    eventually("all accounts are polled", async || {
        let shown = scrape(&format!("http://{address}/metrics"), OPEN_METRICS).await?;
        let polls = shown.samples("cloudspend_polls_total");
        let waiting = polls.filter(|sample| sample.value < 1.0).count();
        (waiting == 0)
            .then_some(())
            .ok_or(format!("{waiting} wait"))
    })
    .await;
    program.terminate().await;
    let log = program.end().await.stderr;
    let seen = seen.lock().unwrap().clone();
    (log, seen)
}

/// The lines of a message, of which every account has one at the most.
fn by_account<'a>(
    lines: &'a [Map<String, Value>],
    message: &str,
) -> BTreeMap<String, &'a Map<String, Value>> {
    let mut found = BTreeMap::new();
    for line in lines {
        if text(line, "msg") == message {
            let twice = found.insert(text(line, "account"), line);
            assert!(twice.is_none(), "{line:?}");
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_parses_and_can_be_read_alone() {
    for (format, parse) in [("logfmt", logfmt as Parse), ("json", json)] {
        let (log, ids) = log_of(format).await;
        assert!(!log.contains(SECRET));
        assert!(!log.contains(is_harmful), "{log:?}");
        let read = |line| parse(line).unwrap_or_else(|fault| panic!("{fault}: {line:?}"));
        let lines: Vec<_> = log.lines().map(read).collect();
        for line in &lines {
            assert!(
                text(line, "ts").parse::<jiff::Timestamp>().is_ok(),
                "{line:?}"
            );
            let level = text(line, "level");
            assert!(["info", "warn"].contains(&level.as_str()), "{line:?}");
            assert_ne!(text(line, "msg"), "", "{line:?}");
            assert_ne!(text(line, "account"), "forged", "{line:?}");
        }

        let mut polls = by_account(&lines, "Poll failed");
        let accounts: Vec<_> = polls.keys().map(String::as_str).collect();
        assert_eq!(accounts, [NAME, "licences", "nowhere"]);
        polls.extend(by_account(&lines, "Poll finished"));
        for (account, line) in &polls {
            let want = if account == "good" { "info" } else { "warn" };
            assert_eq!(text(line, "level"), want, "{account}");
            for key in ["rows", "series", "parts", "failing", "duration_seconds"] {
                let number: Result<f64, _> = text(line, key).parse();
                assert!(number.is_ok_and(|number| number >= 0.0), "{key}: {line:?}");
            }
        }

        assert_eq!(polls.len(), 4);
        let mut failures = by_account(&lines, "Part failed, no values yet");
        failures.extend(by_account(
            &lines,
            "Listing parts failed, no parts known yet",
        ));
        let accounts: Vec<_> = failures.keys().map(String::as_str).collect();
        assert_eq!(accounts, [NAME, "licences", "nowhere"]);
        for (account, reason, part, causes) in [
            (NAME, "forbidden", "account", ["403", "level=error"]),
            (
                "licences",
                "malformed",
                "discovery",
                ["/v1/Customers: the response", "invalid type"],
            ),
            (
                "nowhere",
                "unreachable",
                "account",
                ["no connection", "Connection refused"],
            ),
        ] {
            let line = failures[account];
            assert_eq!(text(line, "reason"), reason);
            assert_eq!(text(line, "part"), part);
            for cause in causes {
                assert!(text(line, "error").contains(cause), "{cause}: {line:?}");
            }
            let id = text(line, "correlation_id");
            let sent = if account == "licences" {
                ids.last()
            } else {
                None
            };
            assert_eq!((!id.is_empty()).then_some(&id), sent, "{line:?}");
        }
    }
}

/// Whether a character ends a line for some program, steers a terminal, or turns the direction of what follows.
fn is_harmful(c: char) -> bool {
    (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}')
}
