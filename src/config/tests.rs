//! Whole files over a provider of the tests' own, so that what every account has is tested apart from the five.

use crate::account::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::*;
use crate::{
    charge::{Measure, SharedSink},
    error::ProviderError,
    provider::{
        Dimension, Granularity, MonthFetch, Part, PollRequest, Provider, Slot,
        config::{BuildContext, Defaults, ProviderConfig, Text},
    },
};

mod process;

/// A bank that bills by the day.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Bank {
    /// Where its API is.
    base_url: Option<String>,
    /// A file with the key.
    api_key_file: Option<PathBuf>,
    /// A variable with the key.
    api_key_env: Option<String>,
    /// What is read.
    #[serde(default)]
    filters: Filters,
    /// Whose.
    reseller_id: Option<Text>,
    /// Which.
    subscriptions: Option<Vec<Text>>,
    /// A number.
    depth: Option<u32>,
    /// A switch.
    show_tag: Option<bool>,
    /// A currency.
    currency: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Filters {
    /// One contract.
    contract: Option<Text>,
}

impl ProviderConfig for Bank {
    const NAME: &'static str = "bank";

    const DEFAULTS: Defaults = Defaults {
        timezone: "Europe/Berlin",
        day_closes_after: Duration::from_hours(6),
        requests_per_second: 3.0,
        concurrency: 4,
    };
    const OFFERS: &'static [&'static str] =
        &["owner", "owner_id", "cloud_region", "job", "tag:KEY"];

    fn build(self, context: &mut BuildContext<'_>) -> Option<Box<dyn Provider>> {
        let reported = context.diagnostics.len();
        let url = self
            .base_url
            .unwrap_or_else(|| "https://bank.example/api".to_owned());
        context.url("base_url", Some(url));
        context.secret("api_key", self.api_key_file, self.api_key_env);
        self.currency.map(|currency| context.currency(currency));
        if context.diagnostics.len() > reported {
            return None;
        }
        let mut dimensions = vec![
            Dimension::new("owner").id(1).shown_as(Slot::Customer),
            Dimension::new("owner_id"),
            Dimension::new("cloud_region").shown_as(Slot::Product),
            Dimension::new("job"),
        ];
        let tags = context.tags.iter();
        dimensions.extend(tags.map(|tag| Dimension::new(format!("tag:{tag}"))));
        let texts = [self.filters.contract, self.reseller_id]
            .map(|text| text.map_or_else(String::new, |Text(text)| text));
        Some(Box::new(Branch {
            written: format!(
                "{texts:?} {:?} {:?} {:?}",
                self.subscriptions, self.depth, self.show_tag
            ),
            dimensions,
        }))
    }
}

/// Shows in `Debug` what was written.
struct Branch {
    written: String,
    dimensions: Vec<Dimension>,
}

impl std::fmt::Debug for Branch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)
    }
}

impl Provider for Branch {
    fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    fn measures(&self) -> Vec<(Measure, Granularity)> {
        Vec::new()
    }

    fn month_fetch(&self) -> MonthFetch {
        MonthFetch::Both
    }

    fn parts<'a>(&'a self, _: &'a PollRequest) -> BoxFuture<'a, Result<Vec<Part>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn fetch<'a>(
        &'a self,
        _: &'a Part,
        _: &'a PollRequest,
        _: &'a SharedSink,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }
}

/// What a file, variables and the flag give: the configuration, and what is said about it, `LINE: key: message`.
fn load_all(
    text: &str,
    variables: &[(&str, &str)],
    log_level: Option<LogLevel>,
) -> (Option<Config>, Vec<String>, Vec<(String, SecretSource)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yml");
    std::fs::write(&path, text).unwrap();
    let sources = Sources {
        file: Some(path.clone()),
        environment: variables
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        log_level,
        ..Sources::default()
    };
    let now: Timestamp = "2025-06-25T12:00:00Z".parse().unwrap();
    let clock = Clock::from_fn(move || now);
    let mut counters = |_: &str| Arc::default();
    let mut loader = Loader::new(&clock, &mut counters, |_| ProviderEntry::of::<Bank>());
    let config = loader.load(&sources, &path);
    let secrets = std::mem::take(&mut loader.secrets);
    let report = loader
        .diagnostics
        .into_report(path.clone(), loader.warnings);
    let prefix = path.display().to_string();
    let reported = report
        .to_string()
        .lines()
        .map(|line| line.strip_prefix(&prefix).unwrap_or(line))
        .map(|line| line.trim_start_matches([':', ' ']).to_owned())
        .collect();
    (config.filter(|_| report.is_ok()), reported, secrets)
}

fn load_with(text: &str, variables: &[(&str, &str)]) -> Config {
    let (config, reported, _) = load_all(text, variables, None);
    config.unwrap_or_else(|| panic!("{reported:#?}"))
}

fn reported(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    load_all(text, variables, None).1
}

/// A file with one account that has these keys as well.
fn account(keys: &str) -> String {
    format!("accounts:\n  otc-main:\n    provider: otc\n    api_key_env: KEY\n{keys}")
}

#[test]
fn an_account_takes_its_own_keys_then_those_of_poll_then_the_defaults() {
    let text = "
poll: {interval: 30m, concurrency: 7}
accounts:
  b: {provider: otc, api_key_env: KEY, interval: 1h 30m, requests_per_second: 0.5, plausibility: false}
  a: {provider: mike, api_key_env: KEY, timezone: America/Sao_Paulo, day_closes_after: 0s}
";
    let config = load_with(text, &[]);
    let [a, b] = config.accounts.as_slice() else {
        panic!("{config:?}");
    };
    assert_eq!(
        (a.name.as_str(), a.provider_name),
        ("a", ProviderName::Mike)
    );
    assert_eq!((b.name.as_str(), b.provider_name), ("b", ProviderName::Otc));
    assert_eq!(
        a.poll,
        Poll {
            interval: Duration::from_mins(30),
            timeout: Duration::from_mins(2),
            stale_after: Duration::from_hours(26),
            max_series: 20_000,
            restatement: Duration::from_hours(240),
            plausibility: true,
            requests_per_second: 3.0,
            concurrency: 7,
        }
    );
    assert_eq!(b.poll.interval, Duration::from_mins(90));
    assert_eq!(b.poll.requests_per_second.to_bits(), 0.5_f64.to_bits());
    assert!(!b.poll.plausibility);
    assert_eq!(a.zone.iana_name(), Some("America/Sao_Paulo"));
    assert_eq!(b.zone.iana_name(), Some("Europe/Berlin"));
    assert_eq!(a.day_closes_after, Duration::ZERO);
    assert_eq!(b.day_closes_after, Duration::from_hours(6));
    assert_eq!(config.log.level, LogLevel::Info);
}

#[test]
fn the_environment_wins_over_the_file_and_the_flag_over_both() {
    let text = format!("log: {{level: \"off\"}}\n{}", account(""));
    let variable = [("CLOUDSPEND_LOG__LEVEL", "debug")];
    for (variables, flag, want) in [
        (&[][..], None, LogLevel::Off),
        (&variable[..], None, LogLevel::Debug),
        (&variable[..], Some(LogLevel::Trace), LogLevel::Trace),
    ] {
        let (config, reported, _) = load_all(&text, variables, flag);
        assert_eq!(
            config.map(|config| config.log.level),
            Some(want),
            "{reported:?}"
        );
    }
    // YAML 1.1 would read a bare `off` as false.
    let config = load_with(&format!("log: {{level: off}}\n{}", account("")), &[]);
    assert_eq!(config.log.level, LogLevel::Off);
}

#[test]
fn the_environment_sets_any_scalar_of_the_file() {
    let text = "
accounts:
  otc-main: {provider: otc, api_key_env: KEY, interval: 2h, filters: {contract: 1}, aliases: {customer: {x: y}}}
budgets:
  acme-azure: {limit: 5, currency: EUR}
";
    let config = load_with(
        text,
        &[
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL", "15m"),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__FILTERS__CONTRACT", "0012"),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__RESELLER_ID", "007"),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__DEPTH", "3"),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__SHOW_TAG", "true"),
            (
                "CLOUDSPEND_ACCOUNTS__OTC_MAIN__DIMENSIONS__PROJECT",
                "owner_id",
            ),
            ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__ALIASES__CUSTOMER__X", "z"),
            ("CLOUDSPEND_POLL__MAX_SERIES", "7"),
            ("CLOUDSPEND_BUDGETS__ACME_AZURE__LIMIT", "1.50"),
            ("CLOUDSPEND_BUDGETS__ACME_AZURE__THRESHOLDS__WARNING", "0.8"),
            ("CLOUDSPEND_BUDGETS__ACME_AZURE__MATCH__CUSTOMER", "A.*"),
            ("CLOUDSPEND_REPORTING_CURRENCY", "EUR"),
            ("CLOUDSPEND_EXCHANGE_RATES__BRL", "0.16"),
        ],
    );
    let account = &config.accounts[0];
    assert_eq!(account.poll.interval, Duration::from_mins(15));
    assert_eq!(account.poll.max_series, 7);
    assert_eq!(
        format!("{:?}", account.provider),
        "[\"0012\", \"007\"] None Some(3) Some(true)"
    );
    assert_eq!(account.labels.slots[1].dimension, Some(1));
    assert_eq!(account.labels.slots[0].aliases["x"], "z");
    let budget = &config.budgets[0];
    assert_eq!(budget.limit.to_bits(), 1.5_f64.to_bits());
    assert_eq!(budget.thresholds["warning"].to_bits(), 0.8_f64.to_bits());
    assert_eq!(budget.matchers[0].0, "customer");
    assert_eq!(config.reporting_currency.as_deref(), Some("EUR"));
    assert_eq!(config.exchange_rates["BRL"].to_bits(), 0.16_f64.to_bits());
}

#[test]
fn a_text_in_the_file_keeps_its_digits() {
    for text in ["0012", "0x1F", "1e5", "1.50", "1_000", "true", "\"12\""] {
        let config = load_with(&account(&format!("    reseller_id: {text}\n")), &[]);
        let section = format!("{:?}", config.accounts[0].provider);
        let want = format!("[\"\", \"{}\"] ", text.trim_matches('"'));
        assert!(section.starts_with(&want), "{text}: {section}");
    }
}

#[test]
fn variables_that_are_not_ours_are_ignored_and_those_that_could_be_are_not() {
    let text = account("    subscriptions: [1]\n");
    for name in [
        "CLOUDSPEND_EXPORTER_SERVICE_HOST",
        "CLOUDSPEND_PORT",
        "CLOUDSPEND_ACCOUNTS",
        "CLOUDSPEND_POLL",
        "CLOUDSPEND_",
        "cloudspend_poll__interval",
        "XCLOUDSPEND_POLL__NOTHING",
    ] {
        assert_eq!(
            reported(&text, &[(name, "never-reported")]),
            Vec::<String>::new()
        );
    }
    for (name, want) in [
        (
            "CLOUDSPEND_POLLS__INTERVAL",
            "unknown variable; allowed after CLOUDSPEND_ are ACCOUNTS, BUDGETS, EXCHANGE_RATES, LOG, POLL, REPORTING_CURRENCY",
        ),
        (
            "CLOUDSPEND_ACCOUNTS__OTHER__INTERVAL",
            "unknown variable; allowed after CLOUDSPEND_ACCOUNTS__ are OTC_MAIN",
        ),
        (
            "CLOUDSPEND_LOG__LEVELS",
            "unknown variable; allowed after CLOUDSPEND_LOG__ are LEVEL",
        ),
        (
            "CLOUDSPEND_LOG__LEVEL__X",
            "unknown variable; nothing is allowed after CLOUDSPEND_LOG__LEVEL__",
        ),
        (
            "CLOUDSPEND_ACCOUNTS__OTC_MAIN__SUBSCRIPTIONS",
            "names a list or a map; only a single value can be set",
        ),
        (
            "CLOUDSPEND_ACCOUNTS__OTC_MAIN",
            "names a list or a map; only a single value can be set",
        ),
        (
            "CLOUDSPEND_EXCHANGE_RATES__EURO",
            "unknown variable; nothing is allowed after CLOUDSPEND_EXCHANGE_RATES__",
        ),
        ("CLOUDSPEND_Poll__INTERVAL", "unknown variable; "),
    ] {
        let reported = reported(&text, &[(name, "never-reported")]);
        assert_eq!(reported.len(), 1, "{reported:?}");
        let want = format!("environment variable {name}: {want}");
        assert!(reported[0].starts_with(&want), "{reported:?}");
    }
}

#[test]
fn a_fault_in_the_environment_names_the_variable_and_the_key() {
    let variables = [
        ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL", "never-reported"),
        ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__DEPTH", "never-reported"),
        ("CLOUDSPEND_ACCOUNTS__OTC_MAIN__CURRENCY", "never-reported"),
    ];
    assert_eq!(
        reported(&account(""), &variables),
        [
            "environment variable CLOUDSPEND_ACCOUNTS__OTC_MAIN__CURRENCY: accounts.otc-main.currency: must be three capital letters (ISO 4217), such as EUR",
            "environment variable CLOUDSPEND_ACCOUNTS__OTC_MAIN__DEPTH: accounts.otc-main.depth: must be a whole number of 0 or more, found a text",
            "environment variable CLOUDSPEND_ACCOUNTS__OTC_MAIN__INTERVAL: accounts.otc-main.interval: must be a duration such as 30m or 1h 30m",
        ]
    );
}

#[test]
fn account_names_that_variables_cannot_tell_apart_are_refused() {
    let text = "
accounts:
  otc-main: {provider: otc, api_key_env: KEY, subscriptions: [1]}
  OTC_main: {provider: otc, api_key_env: KEY, subscriptions: [2]}
";
    assert_eq!(
        reported(text, &[]),
        [
            "3: accounts.otc-main: environment variables cannot tell it from OTC_main: both are OTC_MAIN there"
        ]
    );
    // Names with two underlines are reached all the same.
    let text = "
accounts:
  a: {provider: otc, api_key_env: KEY, subscriptions: [1]}
  a__b: {provider: otc, api_key_env: KEY, subscriptions: [2]}
";
    let config = load_with(text, &[("CLOUDSPEND_ACCOUNTS__A__B__INTERVAL", "5m")]);
    assert_eq!(config.accounts[1].poll.interval, Duration::from_mins(5));
    assert_eq!(config.accounts[0].poll.interval, Duration::from_hours(1));
}

#[test]
fn every_fault_is_told_at_once_with_line_key_and_what_is_allowed() {
    let text = "
log: {level: loud, colour: true}
poll:
  interval: 10ms
  concurrency: 65
  max_series: 0
intervals: 1h
accounts:
  a:
    provider: otc
    timezone: Europe/Bonn
    intervall: 1h
    requests_per_second: 0
    timeout: 5
    credential_expires: tomorrow
    dimensions: {customer: name, productt: x}
    extra_labels: [cloud_region, region, cloud_region, job, 'tag:']
    aliases: {project: {x: ''}, region: {a: b}}
    depth: -1
    filters: {contract: [1], contracts: 2}
    currency: Euro
    plausibility: \"true\"
  b: {provider: aws}
  c:
  d: 5
budgets:
  x: {limit: 0, currency: eur, match: {team: a, customer: '('}, thresholds: {warning: .inf, low: 0}}
  y: {limitt: 1}
reporting_currency: Eur
exchange_rates: {BRL: 0, brl: 1}
";
    insta::assert_snapshot!(reported(text, &[]).join("\n"));
}

#[test]
fn a_file_without_accounts_is_refused() {
    for text in [
        "",
        "# nothing\n",
        "accounts:\n",
        "accounts: {}\n",
        "log:\npoll:\n",
    ] {
        let reported = reported(text, &[]);
        assert_eq!(reported.len(), 1, "{reported:?}");
        assert!(
            reported[0].ends_with(": accounts: at least one account is required"),
            "{reported:?}"
        );
    }
    assert_eq!(
        reported("accounts: [a]\n", &[]),
        ["1: accounts: must be a map, found a list"]
    );
}

#[test]
fn a_section_whose_lines_are_all_comments_keeps_its_defaults() {
    let text = format!(
        "log:\npoll:\n  interval:\nbudgets:\nexchange_rates:\n{}",
        account("")
    );
    let config = load_with(&text, &[]);
    assert_eq!(config.accounts[0].poll.interval, Duration::from_hours(1));
    assert_eq!(config.accounts[0].poll.timeout, Duration::from_mins(2));
    assert_eq!(config.log.level, LogLevel::Info);
}

#[test]
fn what_follows_from_a_fault_is_not_told() {
    let mut diagnostics = Diagnostics::default();
    for key in ["a.b.c", "a.b", "a.b.c", "a.bc", "a", "ab", ""] {
        diagnostics.push(key, "wrong");
    }
    let keys: Vec<_> = diagnostics
        .list()
        .iter()
        .map(|diagnostic| diagnostic.key.as_str())
        .collect();
    assert_eq!(keys, ["a.b.c", "a.bc", "ab", ""]);
}

#[test]
fn a_list_with_an_empty_element_is_not_an_empty_list() {
    assert_eq!(
        reported(&account("    subscriptions: [null]\n"), &[]),
        ["5: accounts.otc-main.subscriptions.0: must be a string or an integer, found nothing"]
    );
}

#[test]
fn bounds_are_kept() {
    for (key, want) in [
        ("interval: 1s", true),
        ("interval: 999ms", false),
        ("interval: 366days", true),
        ("interval: 100000years", false),
        ("timeout: 3h", true),
        ("timeout: 0s", false),
        ("stale_after: 0s", false),
        ("restatement: 0s", true),
        ("day_closes_after: 0s", true),
        ("day_closes_after: 367days", false),
        ("max_series: 1", true),
        ("max_series: 0", false),
        ("max_series: -1", false),
        ("max_series: 1.5", false),
        ("requests_per_second: 0.001", true),
        ("requests_per_second: 0", false),
        ("requests_per_second: .nan", false),
        ("requests_per_second: .inf", false),
        ("requests_per_second: 1e9", false),
        ("concurrency: 64", true),
        ("concurrency: 0", false),
        ("concurrency: 65", false),
        ("plausibility: false", true),
        ("plausibility: no", false),
        ("plausibility: 0", false),
        ("credential_expires: 2027-01-31", true),
        ("credential_expires: 2027-02-30", false),
        ("credential_expires: 2027-01-31T00:00", false),
        ("timezone: UTC", true),
        ("timezone: CEST", false),
        ("timezone: ''", false),
        ("currency: EUR", true),
        ("currency: EURO", false),
        ("currency: eur", false),
    ] {
        let (config, reported, _) = load_all(&account(&format!("    {key}\n")), &[], None);
        assert_eq!(config.is_some(), want, "{key}: {reported:?}");
        assert!(
            reported.iter().all(|line| line.starts_with("5: ")) || want,
            "{reported:?}"
        );
    }
}

#[test]
fn values_are_never_repeated() {
    let secret = "never-reported";
    for key in [
        "api_key",
        "depth",
        "show_tag",
        "interval",
        "timezone",
        "credential_expires",
        "provider",
        "filters",
        "subscriptions",
        "currency",
        "dimensions",
        "extra_labels",
        "aliases",
    ] {
        let text = format!("accounts:\n  a:\n    api_key_env: KEY\n    {key}: {secret}\n");
        let reported = reported(&text, &[]);
        assert!(!reported.is_empty(), "{key}");
        assert!(
            reported.iter().all(|line| !line.contains(secret)),
            "{reported:?}"
        );
    }
}

#[test]
fn labels_show_the_dimensions_that_were_asked_for() {
    let text = account(
        "    dimensions: {project: cloud_region, customer: 'tag:Owner'}
    extra_labels: [owner, 'tag:Cost Center']
    aliases: {project: {845f: web-prod}, owner: {7: x}}
",
    );
    let labels = &load_with(&text, &[]).accounts[0].labels;
    let shown: Vec<_> = labels
        .slots
        .iter()
        .map(|slot| (slot.label.as_str(), slot.dimension))
        .collect();
    assert_eq!(
        shown,
        [
            ("customer", Some(5)),
            ("project", Some(2)),
            ("product", Some(2)),
            ("owner", Some(0)),
            ("tag_cost_center", Some(4)),
        ]
    );
    assert_eq!(labels.slots[1].aliases["845f"], "web-prod");
    assert_eq!(labels.extra()[0].aliases["7"], "x");
    let labels = &load_with(&account(""), &[]).accounts[0].labels;
    assert_eq!(labels.names(), ["customer", "project", "product"]);
    assert_eq!(labels.slots[1].dimension, None);
}

#[test]
fn labels_that_would_meet_are_refused() {
    for (extra, want) in [
        (
            "[owner, owner]",
            "extra_labels.1: the label owner is there already; two extra labels cannot share a name",
        ),
        (
            "['tag:a-b', 'tag:A.b']",
            "extra_labels.1: the label tag_a_b is there already; two extra labels cannot share a name",
        ),
        (
            "[job]",
            "extra_labels.0: the label job has another meaning already",
        ),
        (
            "[regoin]",
            "extra_labels.0: unknown dimension; offered are owner, owner_id, cloud_region, job",
        ),
        (
            "['tag:']",
            "extra_labels.0: the key of a tag must not be empty",
        ),
    ] {
        let reported = reported(&account(&format!("    extra_labels: {extra}\n")), &[]);
        assert_eq!(reported, [format!("5: accounts.otc-main.{want}")]);
    }
}

#[test]
fn a_wrong_dimension_is_told_even_where_the_provider_cannot_be_built() {
    let text = "accounts:\n  a:\n    provider: otc\n    extra_labels: [regoin, 'tag:x']\n";
    assert_eq!(
        reported(text, &[]),
        [
            "2: accounts.a.api_key_file: exactly one of api_key_file and api_key_env is required",
            "4: accounts.a.extra_labels.0: unknown dimension; offered are owner, owner_id, cloud_region, job, tag:KEY",
        ]
    );
}

#[test]
fn secrets_are_gathered_with_their_keys() {
    let text = "
accounts:
  a: {provider: otc, api_key_file: /run/secrets/a, subscriptions: [1]}
  b: {provider: otc, api_key_env: B, subscriptions: [2]}
";
    let (_, reported, secrets) = load_all(text, &[], None);
    assert_eq!(reported, Vec::<String>::new());
    assert_eq!(
        secrets,
        [
            (
                "accounts.a.api_key_file".to_owned(),
                SecretSource::File("/run/secrets/a".into())
            ),
            (
                "accounts.b.api_key_env".to_owned(),
                SecretSource::Env("B".to_owned())
            ),
        ]
    );
    for keys in [
        "api_key_file: a, api_key_env: b",
        "api_key_file: ''",
        "api_key_env: ' '",
    ] {
        let text = format!("accounts: {{a: {{provider: otc, {keys}}}}}\n");
        assert_eq!(load_all(&text, &[], None).1.len(), 1, "{keys}");
    }
}

#[test]
fn accounts_that_can_see_the_same_money_are_warned_about() {
    let text = "
accounts:
  a: {provider: otc, api_key_env: A}
  b: {provider: otc, api_key_env: B, base_url: 'https://bank.example/api/'}
  c: {provider: otc, api_key_env: C, base_url: 'https://other.example/api'}
  d: {provider: mike, api_key_env: D}
  e: {provider: mike, api_key_env: E, filters: {contract: 1}}
  f: {provider: enube, api_key_env: F, filters: {contract: 1}}
  g: {provider: enube, api_key_env: G, filters: {contract: 2}}
";
    let config = load_with(text, &[]);
    let pairs: Vec<_> = config
        .warnings
        .iter()
        .filter_map(|warning| warning.split(" can see the same money").next())
        .collect();
    assert_eq!(pairs, ["accounts: a, b", "accounts: d, e"]);
}

#[test]
fn what_is_odd_but_allowed_is_a_warning() {
    let text = account("    credential_expires: 2025-06-24\n    stale_after: 30m\n");
    assert_eq!(
        reported(&text, &[]),
        [
            "warning: accounts.otc-main: stale_after is not longer than interval, so that the account is stale before its next poll ends",
            "warning: accounts.otc-main: the credential expired on 2025-06-24",
        ]
    );
    let text = account("    credential_expires: 2025-06-25\n");
    assert_eq!(reported(&text, &[]), Vec::<String>::new());
}

#[test]
fn budgets_may_match_extra_labels_that_are_in_use() {
    let text = format!(
        "{}budgets: {{x: {{limit: 10, currency: EUR, match: {{owner: 'A.*', account: otc-main}}}}}}\n",
        account("    extra_labels: [owner]\n")
    );
    let config = load_with(&text, &[]);
    let labels: Vec<_> = config.budgets[0]
        .matchers
        .iter()
        .map(|(label, _)| label.as_str())
        .collect();
    assert_eq!(labels, ["account", "owner"]);
    assert!(config.budgets[0].thresholds.is_empty());
}

#[test]
fn exchange_rates_need_the_currency_that_they_lead_to() {
    for (keys, want) in [
        ("reporting_currency: EUR\nexchange_rates: {BRL: 0.16}", None),
        ("reporting_currency: EUR\nexchange_rates: {EUR: 1.0}", None),
        ("reporting_currency: EUR", None),
        (
            "exchange_rates: {BRL: 0.16}",
            Some("5: exchange_rates: needs reporting_currency"),
        ),
        (
            "reporting_currency: EUR\nexchange_rates: {EUR: 2}",
            Some("6: exchange_rates.EUR: the reporting currency itself is always 1"),
        ),
        (
            "reporting_currency: EUR\nexchange_rates: {BRL: -1}",
            Some(
                "6: exchange_rates.BRL: must be a number above 0: so much of the reporting currency is one of this",
            ),
        ),
        (
            "reporting_currency: 978",
            Some("5: reporting_currency: must be three capital letters (ISO 4217), such as EUR"),
        ),
    ] {
        let reported = reported(&format!("{}{keys}\n", account("")), &[]);
        assert_eq!(
            reported,
            want.map_or_else(Vec::new, |want| vec![want.to_owned()])
        );
    }
}

#[test]
fn a_reload_knows_an_account_by_what_was_written_and_how_it_is_polled() {
    let own = "    depth: 1\n";
    let poll =
        |interval: &str, own: &str| format!("poll: {{interval: {interval}}}\n{}", account(own));
    let one = account(own);
    for (other, same) in [
        (account("    depth: 1 # as before\n"), true),
        (account("    depth: 2\n"), false),
        (poll("1h", own), true),
        (poll("2h", own), false),
        // A key without a value leaves what `poll` says.
        (poll("2h", "    depth: 1\n    interval:\n"), false),
    ] {
        let [one, other] = [&one, &other].map(|yaml| load_with(yaml, &[]));
        let alike = one.accounts[0].is_configured_as(&other.accounts[0]);
        assert_eq!(alike, same, "{:?}", other.accounts[0].written);
    }
    let null = "    depth: 1\n    interval:\n";
    let [one, other] = ["1h", "2h"].map(|interval| load_with(&poll(interval, null), &[]));
    assert!(!one.accounts[0].is_configured_as(&other.accounts[0]));
}

#[test]
fn counters_are_asked_for_by_name_so_that_they_can_survive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.yml");
    std::fs::write(&path, account("")).unwrap();
    let kept: Arc<Counters> = Arc::default();
    let clock = Clock::from_fn(|| Timestamp::UNIX_EPOCH);
    let mut asked = Vec::new();
    let mut counters = |name: &str| {
        asked.push(name.to_owned());
        Arc::clone(&kept)
    };
    let mut loader = Loader::new(&clock, &mut counters, |_| ProviderEntry::of::<Bank>());
    let config = loader.load(&Sources::default(), &path).unwrap();
    assert!(Arc::ptr_eq(&config.accounts[0].counters, &kept));
    assert_eq!(asked, ["otc-main"]);
}

#[test]
fn the_schema_shows_defaults_and_common_keys_in_every_account() {
    let schema = schema::of(|_| ProviderEntry::of::<Bank>());
    for (pointer, want) in [
        ("/properties/poll/properties/interval/default", "\"1h\""),
        ("/properties/poll/properties/max_series/default", "20000"),
        ("/properties/poll/properties/plausibility/default", "true"),
        ("/properties/log/properties/level/default", "\"info\""),
        (
            "/properties/accounts/additionalProperties/oneOf/0/properties/provider/const",
            "\"otc\"",
        ),
        (
            "/properties/accounts/additionalProperties/oneOf/4/properties/timezone/default",
            "\"Europe/Berlin\"",
        ),
        (
            "/properties/accounts/additionalProperties/oneOf/4/properties/day_closes_after/default",
            "\"6h\"",
        ),
        (
            "/properties/accounts/additionalProperties/oneOf/4/properties/concurrency/default",
            "4",
        ),
        (
            "/properties/accounts/additionalProperties/oneOf/4/additionalProperties",
            "false",
        ),
        ("/additionalProperties", "false"),
    ] {
        let found = schema.pointer(pointer).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(want), "{pointer}");
    }
}
