//! The configuration is reloaded at run time: what did not change goes on, a bad file changes nothing.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, http::HeaderMap};
use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Options},
    provider::registry::ProviderName,
};
use futures_util::future::join_all;
use http::{Method, StatusCode, header};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::support::{
    Answer, Exposition, Folder, OPEN_METRICS, PLAIN, Program, answer, eventually, get, scrape,
    serve,
};

mod accounts;
mod settings;

const LOADED: &str = "cloudspend_config_last_reload_successful";
const LOADED_AT: &str = "cloudspend_config_last_reload_success_timestamp_seconds";
const POLLS: &str = "cloudspend_polls_total";
const ACCOUNTS: [&str; 9] = [
    "aws-exports",
    "aws-resale",
    "azure-exports",
    "azure-resale",
    "licences",
    "operator",
    "oracle-exports",
    "otc-platform",
    "simulations",
];

/// The program over a file that a test writes anew.
struct ReloadedProgram {
    folder: Folder,
    process: Program,
    url: String,
}

impl ReloadedProgram {
    /// Starts over a configuration. Flags beyond those that every test needs come last.
    async fn start(folder: Folder, yaml: &str, flags: &[&str]) -> Self {
        Self::start_in(&[], folder, yaml, flags).await
    }

    async fn start_in(
        environment: &[(&str, &str)],
        folder: Folder,
        yaml: &str,
        flags: &[&str],
    ) -> Self {
        let file = folder.path().join("cloudspend.yml");
        std::fs::write(&file, yaml).unwrap();
        let mut arguments = vec![
            "--web.listen-address=127.0.0.1:0",
            "--config.file",
            file.to_str().unwrap(),
        ];
        arguments.extend(flags);
        let mut process = Program::exporter_in(environment, &arguments);
        let address = process.says("msg=Listening address=").await;
        Self {
            folder,
            process,
            url: format!("http://{address}"),
        }
    }

    fn write(&self, yaml: &str) {
        std::fs::write(self.folder.path().join("cloudspend.yml"), yaml).unwrap();
    }

    async fn ask(&self, method: Method) -> Answer {
        let request = PLAIN.request(method, format!("{}/-/reload", self.url));
        answer(request).await.unwrap()
    }

    /// Writes a configuration that is good and reloads. Gives what is answered.
    async fn replace(&self, yaml: &str) -> String {
        self.write(yaml);
        let answer = self.ask(Method::POST).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer.text().to_owned()
    }

    async fn shown(&self) -> Exposition {
        let url = format!("{}/metrics", self.url);
        scrape(&url, OPEN_METRICS).await.unwrap()
    }

    /// What is shown once a condition holds.
    async fn shows(&self, what: &str, holds: impl Fn(&Exposition) -> bool) -> Exposition {
        eventually(what, async || {
            let shown = self.shown().await;
            if holds(&shown) {
                Ok(shown)
            } else {
                Err("it does not hold yet")
            }
        })
        .await
    }

    /// What is shown once all accounts were polled with success.
    async fn polled(&self) -> Exposition {
        self.shows("every account is polled", |shown| {
            let mut accounts = shown.samples("cloudspend_poll_success");
            accounts.all(|sample| sample.value > 0.0)
        })
        .await
    }

    /// Ends the program. Gives its log.
    async fn end(self) -> String {
        self.process.terminate().await;
        let ended = self.process.end().await;
        assert!(ended.status.success(), "{}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended.stderr
    }
}

/// The simulated APIs at a standstill, and the demo's configuration with an interval at which nothing is polled twice.
async fn world() -> (Demo, Folder, String) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the exporter goes by the system's clock, so the world stands still at its time"
    )]
    let now = Timestamp::now();
    let demo = Demo::start(Clock::from_fn(move || now), Options::default())
        .await
        .unwrap();
    let folder = Folder::with(&Demo::secrets());
    let yaml = demo
        .config_yaml(folder.path())
        .replace("interval: 30s", "interval: 6h")
        .replace("timeout: 20s", "timeout: 5m")
        .replace("stale_after: 10m", "stale_after: 26h")
        .replace("granularity: hourly", "granularity: daily");
    (demo, folder, yaml)
}

/// The configuration without one account.
fn without(yaml: &str, account: &str) -> String {
    let mut dropping = false;
    let mut kept = String::new();
    for line in yaml.lines() {
        if !line.starts_with("    ") {
            dropping = line == format!("  {account}:");
        }
        if !dropping {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    assert_ne!(kept, yaml, "{account}");
    kept
}

/// How often each API was asked.
fn asked(demo: &Demo) -> BTreeMap<&'static str, u64> {
    ProviderName::all()
        .map(|name| (name.as_str(), demo.api(name).requests().values().sum()))
        .collect()
}

/// The accounts of all series, of whatever family.
fn accounts(shown: &Exposition) -> Vec<&str> {
    let samples = shown.families.iter().flat_map(|family| &family.samples);
    let mut accounts: Vec<_> = samples
        .map(|sample| sample.label("account"))
        .filter(|account| !account.is_empty())
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

/// All that an account shows about money, as text to be compared.
fn money_of(shown: &Exposition, account: &str) -> Vec<String> {
    let samples = shown.families.iter().flat_map(|family| &family.samples);
    samples
        .filter(|sample| sample.label("account") == account && sample.name.contains("_cost_"))
        .map(|sample| format!("{} {:?} {}", sample.name, sample.labels, sample.value))
        .collect()
}

/// A value as a text, which is there once.
fn text(shown: &Exposition, name: &str, labels: &[(&str, &str)]) -> String {
    shown.value(name, labels).to_string()
}

/// How many polls of an account ended.
fn polls(shown: &Exposition, account: &str) -> String {
    text(shown, POLLS, &[("account", account)])
}

/// Whether at least so many polls of an account ended.
fn polled_often(shown: &Exposition, account: &str, least: f64) -> bool {
    shown.value(POLLS, &[("account", account)]) >= least
}
