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

const LOADED: &str = "cloudspend_config_last_reload_successful";
const LOADED_AT: &str = "cloudspend_config_last_reload_success_timestamp_seconds";
const POLLS: &str = "cloudspend_polls_total";
const ACCOUNTS: [&str; 6] = [
    "aws-resale",
    "azure-resale",
    "licences",
    "operator",
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

/// An API that holds back every answer until its gate opens.
struct Gated {
    url: String,
    requests: Arc<AtomicU64>,
    gate: watch::Sender<bool>,
}

impl Gated {
    async fn start() -> Self {
        let (gate, open) = watch::channel(false);
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        let api = Router::new().fallback(async move || {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = open.clone().wait_for(|open| *open).await;
            let mut headers = HeaderMap::new();
            headers.insert(
                header::CONTENT_TYPE,
                "application/x-ndjson".parse().unwrap(),
            );
            (headers, "")
        });
        Self {
            url: serve(api).await,
            requests,
            gate,
        }
    }

    fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    async fn is_asked(&self, times: u64) {
        eventually("the API is asked", async || {
            let requests = self.requests();
            (requests >= times).then_some(()).ok_or(requests)
        })
        .await;
    }

    fn account(&self, folder: &Folder, more: &str) -> String {
        let key = folder.yaml("key");
        format!(
            "{{provider: otc, base_url: \"{}\", api_key_file: {key}{more}}}",
            self.url
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn running_poll_of_unchanged_account_goes_on() {
    let (kept, changed, removed) = (
        Gated::start().await,
        Gated::start().await,
        Gated::start().await,
    );
    let folder = Folder::with(&[("key", "k")]);
    let yaml = |timeout: &str, removed: &str| {
        format!(
            "poll: {{interval: 6h, timeout: 2m, concurrency: 1}}\naccounts:\n  kept: {}\n  changed: {}\n{removed}",
            kept.account(&folder, ""),
            changed.account(&folder, timeout),
        )
    };
    let third = format!("  removed: {}\n", removed.account(&folder, ""));
    let (before, after) = (yaml("", &third), yaml(", timeout: 1m", ""));
    let program = ReloadedProgram::start(folder, &before, &["--web.enable-lifecycle"]).await;
    for api in [&kept, &changed, &removed] {
        api.is_asked(1).await;
    }
    let said = program.replace(&after).await;
    assert_eq!(
        said,
        "reloaded; accounts: 1 unchanged, 1 changed, 0 added, 1 removed\n"
    );
    // The new poller of the changed account asks; nothing was answered so far.
    changed.is_asked(2).await;
    for api in [&kept, &changed, &removed] {
        api.gate.send(true).unwrap();
    }
    let shown = program.polled().await;
    assert_eq!(accounts(&shown), ["changed", "kept"]);
    let answered = |account| {
        let mut samples = shown.samples("cloudspend_api_requests_total");
        let good = samples
            .find(|sample| sample.label("account") == account && sample.label("code") == "200");
        good.map(|sample| sample.value.to_string())
    };
    // Both months: two requests. The one that was cut off was never answered and asked again.
    assert_eq!(
        (kept.requests(), answered("kept")),
        (2, Some("2".to_owned()))
    );
    assert_eq!(
        (changed.requests(), answered("changed")),
        (3, Some("2".to_owned()))
    );
    assert_eq!(removed.requests(), 1);
    assert_eq!(
        (polls(&shown, "kept"), polls(&shown, "changed")),
        ("1".to_owned(), "1".to_owned())
    );
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_changed_accounts_are_polled_again() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    let before = program.polled().await;
    assert_eq!(accounts(&before), ACCOUNTS);
    let asked_before = asked(&demo);

    // The operator's series are folded from now on, the euros of AWS are no dollars, and somebody else simulates.
    let changed = without(&yaml, "simulations")
        .replace("    reseller_id:", "    max_series: 3\n    reseller_id:")
        .replace("    currency: USD", "    currency: CHF")
        .replace("accounts:\n", &format!("accounts:\n  other-simulations:\n    provider: mike\n    base_url: {}\n    api_key_file: {}\n", demo.api(ProviderName::Mike).at("api/consumption"), program.folder.yaml("mike")));
    let said = program.replace(&changed).await;
    assert_eq!(
        said,
        "reloaded; accounts: 3 unchanged, 2 changed, 1 added, 1 removed\n"
    );
    let at_once = program.shown().await;
    assert!(!accounts(&at_once).contains(&"simulations"));
    assert!(accounts(&at_once).contains(&"other-simulations"));
    let ready = get(&format!("{}/-/ready", program.url)).await.unwrap();
    assert_eq!(ready.status, StatusCode::OK, "{}", ready.text());
    for account in ["otc-platform", "azure-resale", "licences"] {
        assert_eq!(
            money_of(&at_once, account),
            money_of(&before, account),
            "{account}"
        );
    }
    // Its sums are those of before in fewer series: it was not asked again.
    let total = |shown: &Exposition, account: &str| -> f64 {
        let samples = shown.samples("cloudspend_billed_cost_previous_month");
        samples
            .filter(|sample| sample.label("account") == account)
            .map(|sample| sample.value)
            .sum()
    };
    let others = at_once.value("cloudspend_folded_series", &[("account", "operator")]);
    assert!(others > 0.0, "{others}");
    let (was, is) = (total(&before, "operator"), total(&at_once, "operator"));
    assert!(was > 0.0 && (was - is).abs() < 1e-9 * was, "{was} {is}");

    let after = program
        .shows("what is new is polled", |shown| {
            polls(shown, "aws-resale") == "2" && polls(shown, "other-simulations") == "1"
        })
        .await;
    let currencies = |shown: &Exposition| {
        let samples = shown.samples("cloudspend_billed_cost_previous_month");
        let mut currencies: Vec<_> = samples
            .filter(|sample| sample.label("account") == "aws-resale")
            .map(|sample| sample.label("currency").to_owned())
            .collect();
        currencies.dedup();
        currencies
    };
    assert_eq!(
        (currencies(&before), currencies(&after)),
        (vec!["USD".to_owned()], vec!["CHF".to_owned()])
    );
    // It goes on counting, and starts anew in all else.
    let requests = |shown: &Exposition, account| {
        shown.value(
            "cloudspend_api_requests_total",
            &[("account", account), ("code", "200")],
        )
    };
    let (was, is) = (
        requests(&before, "aws-resale"),
        requests(&after, "aws-resale"),
    );
    assert!(is > was, "{was} {is}");
    for account in ["otc-platform", "azure-resale", "licences", "operator"] {
        assert_eq!(polls(&after, account), "1", "{account}");
        let [was, is] = [&before, &after].map(|shown| requests(shown, account).to_string());
        assert_eq!(was, is, "{account}");
    }
    let asked_after = asked(&demo);
    for provider in ["otc", "cloudcockpit", "activeplatform"] {
        assert_eq!(asked_after[provider], asked_before[provider], "{provider}");
    }
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_file_is_refused_with_all_errors() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    let before = program.polled().await;
    let asked_before = asked(&demo);
    assert_eq!(text(&before, LOADED, &[]), "1");

    let bad = without(&yaml, "simulations")
        .replace("interval: 6h", "interval: soon")
        .replace("limit: 25000", "limit: hunter2")
        .replace(
            "    reseller_id:",
            "    api_token: hunter2\n    reseller_id:",
        )
        .replace("currency: BRL", "currency: hunter2");
    for (bad, faults) in [
        (
            bad.as_str(),
            &[
                "poll.interval: must be a duration",
                "accounts.operator.api_token: unknown key",
                "accounts.azure-resale.currency: must be three capital letters",
                "budgets.otc-platform.limit: must be a number",
            ][..],
        ),
        ("accounts: [hunter2", &["is not YAML"]),
        ("accounts: {}", &["at least one account is required"]),
    ] {
        program.write(bad);
        let answer = program.ask(Method::PUT).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        for fault in faults {
            assert!(answer.text().contains(fault), "{fault}:\n{}", answer.text());
        }
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
        let shown = program.shown().await;
        assert_eq!(text(&shown, LOADED, &[]), "0");
        assert_eq!(text(&shown, LOADED_AT, &[]), text(&before, LOADED_AT, &[]));
        assert_eq!(accounts(&shown), ACCOUNTS);
        for account in ACCOUNTS {
            assert_eq!(money_of(&shown, account), money_of(&before, account));
            assert_eq!(polls(&shown, account), "1");
        }
    }
    std::fs::remove_file(program.folder.path().join("cloudspend.yml")).unwrap();
    let answer = program.ask(Method::POST).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer.text().contains("cannot be read"),
        "{}",
        answer.text()
    );

    let said = program.replace(&yaml).await;
    assert_eq!(
        said,
        "reloaded; accounts: 6 unchanged, 0 changed, 0 added, 0 removed\n"
    );
    let shown = program.shown().await;
    assert_eq!(text(&shown, LOADED, &[]), "1");
    assert!(shown.value(LOADED_AT, &[]) > before.value(LOADED_AT, &[]));
    assert_eq!(asked(&demo), asked_before);
    let log = program.end().await;
    assert!(!log.contains("hunter2"), "{log}");
    assert_eq!(
        log.matches("=\"Configuration not reloaded, the previous one stays in effect\"")
            .count(),
        8,
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_lifecycle_flag_only_sighup_reloads() {
    let (_demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &[]).await;
    let before = program.polled().await;
    program.write(&yaml.replace("limit: 25000", "limit: 26000"));
    for (method, want) in [
        (Method::POST, StatusCode::FORBIDDEN),
        (Method::PUT, StatusCode::FORBIDDEN),
        (Method::GET, StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = program.ask(method.clone()).await;
        assert_eq!(answer.status, want, "{method}");
        let names_the_flag = answer.text().contains("--web.enable-lifecycle");
        assert_eq!(names_the_flag, want == StatusCode::FORBIDDEN);
    }
    let limit = |shown: &Exposition| {
        text(
            shown,
            "cloudspend_budget_limit",
            &[("budget", "otc-platform")],
        )
    };
    let shown = program.shown().await;
    assert_eq!(limit(&shown), "25000");
    assert_eq!(text(&shown, LOADED_AT, &[]), text(&before, LOADED_AT, &[]));

    program.process.signal("HUP").await;
    let shown = program
        .shows("the limit is another", |shown| limit(shown) == "26000")
        .await;
    assert!(shown.value(LOADED_AT, &[]) > before.value(LOADED_AT, &[]));
    program.write("accounts: 3");
    program.process.signal("HUP").await;
    let shown = program
        .shows("the fault is reported", |shown| {
            text(shown, LOADED, &[]) == "0"
        })
        .await;
    assert_eq!(limit(&shown), "26000");
    program.write(&yaml);
    program.process.signal("HUP").await;
    program
        .shows("it is good again", |shown| {
            limit(shown) == "25000" && text(shown, LOADED, &[]) == "1"
        })
        .await;
    let log = program.end().await;
    assert_eq!(
        log.matches("=\"Configuration reloaded\"").count(),
        2,
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_rates_and_currencies_change_in_place() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    program.polled().await;
    let asked_before = asked(&demo);
    let changed = yaml
        .replace("limit: 25000", "limit: 9000")
        .replace("warning: 0.8", "warning: 0.7")
        .replace("BRL: 0.16", "BRL: 0.2")
        .replace("azure-angstrom", "azure-all")
        .replace(", customer: \"Ångström.*\"", "");
    program.replace(&changed).await;
    let shown = program.shown().await;
    for (name, labels, want) in [
        (
            "cloudspend_budget_limit",
            [("budget", "otc-platform")],
            "9000",
        ),
        (
            "cloudspend_exchange_rate",
            [("from_currency", "BRL")],
            "0.2",
        ),
    ] {
        assert_eq!(text(&shown, name, &labels), want, "{name}");
    }
    let thresholds = shown.samples("cloudspend_budget_alert_threshold_ratio");
    assert_eq!(
        thresholds
            .filter(|sample| sample.value.to_string() == "0.7")
            .count(),
        2
    );
    let budgets: Vec<_> = shown
        .samples("cloudspend_budget_limit")
        .map(|sample| sample.label("budget"))
        .collect();
    assert_eq!(budgets, ["azure-all", "otc-platform"]);
    let spent = shown.value(
        "cloudspend_budget_spent",
        &[("budget", "azure-all"), ("account", "azure-resale")],
    );
    let samples = shown.samples("cloudspend_billed_cost_month_to_date");
    let total: f64 = samples
        .filter(|sample| sample.label("account") == "azure-resale")
        .map(|sample| sample.value)
        .sum();
    assert!(
        (spent - total).abs() <= 1e-9 * total.abs(),
        "{spent} {total}"
    );

    let other = changed.replace("reporting_currency: EUR", "reporting_currency: CHF");
    program.replace(&other).await;
    let shown = program.shown().await;
    let mut to: Vec<_> = shown
        .samples("cloudspend_exchange_rate")
        .map(|sample| sample.label("to_currency"))
        .collect();
    to.dedup();
    assert_eq!(to, ["CHF"]);
    assert_eq!(asked(&demo), asked_before);
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_interval_counts_from_the_last_attempt() {
    let (demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    program.polled().await;
    let asked_before = asked(&demo);
    for interval in ["5h", "4h", "3h"] {
        let said = program
            .replace(&yaml.replace("interval: 6h", &format!("interval: {interval}")))
            .await;
        assert_eq!(
            said,
            "reloaded; accounts: 0 unchanged, 6 changed, 0 added, 0 removed\n"
        );
    }
    // One account alone becomes fast; what the file says of all others is as before.
    let fast = yaml
        .replace("interval: 6h", "interval: 3h")
        .replace("    log: list", "    log: list\n    interval: 1s");
    let said = program.replace(&fast).await;
    assert_eq!(
        said,
        "reloaded; accounts: 5 unchanged, 1 changed, 0 added, 0 removed\n"
    );
    let shown = program
        .shows("it is polled often", |shown| {
            polled_often(shown, "simulations", 3.0)
        })
        .await;
    for account in ACCOUNTS
        .into_iter()
        .filter(|account| *account != "simulations")
    {
        assert_eq!(polls(&shown, account), "1", "{account}");
    }
    let asked_after = asked(&demo);
    for provider in ["otc", "enube", "cloudcockpit", "activeplatform"] {
        assert_eq!(asked_after[provider], asked_before[provider], "{provider}");
    }
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reload_polls_what_failed_at_once() {
    let api = Gated::start().await;
    api.gate.send_replace(true);
    let folder = Folder::with(&[("key", "the key")]);
    let good = api.account(&folder, ", interval: 6h");
    let late = good.replace("/key", "/late");
    let yaml = format!("accounts:\n  good: {good}\n  late: {late}\n");
    let program = ReloadedProgram::start(folder, &yaml, &[]).await;
    let success = |shown: &Exposition, account: &str| {
        shown.value("cloudspend_poll_success", &[("account", account)]) > 0.0
    };
    program
        .shows("both are polled", |shown| {
            polled_often(shown, "late", 1.0) && polled_often(shown, "good", 1.0)
        })
        .await;
    assert!(!success(&program.shown().await, "late"));
    // The secret is still missing: said again, and tried again.
    program.process.signal("HUP").await;
    program
        .shows("it is tried again", |shown| {
            polled_often(shown, "late", 2.0)
        })
        .await;
    std::fs::write(program.folder.path().join("late"), "the key").unwrap();
    program.process.signal("HUP").await;
    let shown = program
        .shows("the secret is used", |shown| success(shown, "late"))
        .await;
    // Nothing is wrong with the other one, so it waits for its interval.
    assert_eq!(polls(&shown, "good"), "1");
    let log = program.end().await;
    let warned = log
        .lines()
        .filter(|line| line.contains("level=warn") && line.contains("accounts.late.api_key_file: "))
        .filter(|line| line.contains("The configuration has a warning"))
        .count();
    assert_eq!(warned, 2, "{log}");
    assert!(!log.contains("accounts.good.api_key_file"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_reloads_find_one_change() {
    let (_demo, folder, yaml) = world().await;
    let program = ReloadedProgram::start(folder, &yaml, &["--web.enable-lifecycle"]).await;
    program.polled().await;
    program.write(&yaml.replace("    log: list", "    log: list\n    interval: 5h"));
    let answers = join_all((0..8).map(|_| program.ask(Method::POST))).await;
    let count = |want: &str| {
        answers
            .iter()
            .filter(|answer| answer.text() == want)
            .count()
    };
    assert_eq!(
        count("reloaded; accounts: 5 unchanged, 1 changed, 0 added, 0 removed\n"),
        1
    );
    assert_eq!(
        count("reloaded; accounts: 6 unchanged, 0 changed, 0 added, 0 removed\n"),
        7
    );
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_level_follows_the_file_unless_flag_is_set() {
    let cases = [(&[][..], true), (&["--log.level=info"][..], false)];
    join_all(cases.map(async |(flags, follows): (&[&str], bool)| {
        let (_demo, folder, yaml) = world().await;
        let mut flags = flags.to_vec();
        flags.push("--web.enable-lifecycle");
        let program = ReloadedProgram::start(folder, &yaml, &flags).await;
        program.polled().await;
        assert!(!program.process.log().contains("level=debug"));
        let loud = yaml.replace("level: info", "level: debug");
        let polling = |yaml: &str, interval: &str| {
            yaml.replace(
                "    log: list",
                &format!("    log: list\n    interval: {interval}"),
            )
        };
        program.replace(&polling(&loud, "1s")).await;
        program
            .shows("it is polled again", |shown| {
                polled_often(shown, "simulations", 3.0)
            })
            .await;
        assert_eq!(
            program.process.log().contains("level=debug"),
            follows,
            "{flags:?}"
        );

        let quiet = yaml.replace("level: info", "level: error");
        program.replace(&polling(&quiet, "2s")).await;
        let polled_before = program
            .shown()
            .await
            .value(POLLS, &[("account", "simulations")]);
        let lines = program.process.log().matches("\"Poll finished\"").count();
        program
            .shows("it is polled again", |shown| {
                polled_often(shown, "simulations", polled_before + 2.0)
            })
            .await;
        let more = program.process.log().matches("\"Poll finished\"").count() > lines;
        assert_eq!(more, !follows, "{flags:?}");
        program.end().await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_overrides_the_file_after_a_reload() {
    let (_demo, folder, yaml) = world().await;
    let environment = [
        ("CLOUDSPEND_BUDGETS__OTC_PLATFORM__LIMIT", "31000"),
        ("CLOUDSPEND_REPORTING_CURRENCY", "CHF"),
    ];
    let program =
        ReloadedProgram::start_in(&environment, folder, &yaml, &["--web.enable-lifecycle"]).await;
    program
        .replace(
            &yaml
                .replace("limit: 25000", "limit: 1")
                .replace("limit: 10000", "limit: 2"),
        )
        .await;
    let shown = program.shown().await;
    let limit = |budget| text(&shown, "cloudspend_budget_limit", &[("budget", budget)]);
    assert_eq!(
        (limit("otc-platform"), limit("azure-angstrom")),
        ("31000".to_owned(), "2".to_owned())
    );
    // A variable of an account that is no longer there is as wrong as at the start.
    program.write(&yaml.replace("  otc-platform:\n    match", "  otc:\n    match"));
    let answer = program.ask(Method::POST).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer
            .text()
            .contains("CLOUDSPEND_BUDGETS__OTC_PLATFORM__LIMIT"),
        "{}",
        answer.text()
    );
    program.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn returning_account_shows_its_stored_state() {
    let (demo, folder, yaml) = world().await;
    let states = folder.path().join("states");
    let flags = [
        "--web.enable-lifecycle",
        "--storage.path",
        states.to_str().unwrap(),
    ];
    let program = ReloadedProgram::start(folder, &yaml, &flags).await;
    let before = program.polled().await;
    eventually("the state is written", async || {
        states
            .join("operator.state")
            .exists()
            .then_some(())
            .ok_or("not yet")
    })
    .await;
    let asked_before = asked(&demo);
    program.replace(&without(&yaml, "operator")).await;
    assert!(!accounts(&program.shown().await).contains(&"operator"));
    program.replace(&yaml).await;
    let after = program.shown().await;
    assert_eq!(money_of(&after, "operator"), money_of(&before, "operator"));
    assert_eq!(
        polls(&after, "operator"),
        "0",
        "its counters began anew with it"
    );
    assert_eq!(asked(&demo), asked_before);
    program.end().await;
}
