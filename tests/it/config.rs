//! The files that people are given to start from, the schema of them, and what the real environment does.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use cloudspend_exporter::{
    clock::Clock,
    config::{self, Config, Sources},
    diagnostics::Report,
    provider::registry::ProviderName,
};
use jiff::Timestamp;
use serde_json::Value;

mod shards;

/// The file of the documentation.
const DOCUMENTED: &str = r#"
log: {level: info}
poll:
  interval: 1h
  timeout: 2m
  stale_after: 26h
  max_series: 20000
  restatement: 10d
  plausibility: true
  requests_per_second: 2
  concurrency: 2
accounts:
  otc-main:
    provider: otc
    base_url: https://api-enterprise-dashboard.otc-service.com
    api_key_file: /run/secrets/otc
    currency: EUR
    timezone: Europe/Berlin
    granularity: daily
    day_closes_after: 6h
    filters: {contract: 1000012345, project_name: eu-de}
    show_tag: false
    credential_expires: 2027-01-31
    dimensions: {project: project_id, product: product_description}
    extra_labels: [cloud_region]
    aliases: {project: {845f7226c0d8450793ab07ab1ca80d70: web-prod}}
  azure-enube:
    provider: enube
    base_url: https://analytics.rocket.enube.me/rocketsvc/api/v4
    auth: login
    username: billing-bot
    password_file: /run/secrets/enube
    cloud: azure
    detail: customers
    catalogs: [consumption, marketplace]
    cost: resellers
    invoice_type: "1"
    filters: {}
    currency: BRL
  licences:
    provider: cloudcockpit
    base_url: https://api.cloudcockpit.com
    token_url: https://login.microsoftonline.com/4e806121-ff28-4286-ab4e-3be0a08f9ce0/oauth2/v2.0/token
    scope: api://b92a36a4-feb8-4f47-a69c-29a180aa6d0a/.default
    tenant: portal.example.com
    client_id: 00000000-0000-0000-0000-000000000000
    client_secret_file: /run/secrets/cloudcockpit
    customers: []
    provider_instances: []
    reseller_id: null
  operator:
    provider: activeplatform
    base_url: https://test.activeplatform.com
    api_token_file: /run/secrets/activeplatform
    subscriptions: [53840]
    reseller_id: null
    period_mode: auto
    currency: USD
  simulations:
    provider: mike
    base_url: https://api.mike-cloud.com/api/consumption
    api_key_file: /run/secrets/mike
    log: list
    filters: {}
    level_metric_types: [TotalStorageUsage]
    api_version: null
  aws:
    provider: focus
    provider_label: aws
    location: s3://billing-bucket/exports
    layout: auto
    region: eu-central-1
    credentials: keys
    access_key_id_file: /run/secrets/aws-id
    secret_access_key_file: /run/secrets/aws-key
    costs: [billed, effective]
    quantities: none
    exclude_charge_categories: []
    columns: {}
    filters: {}
    currency: null
budgets:
  acme-azure:
    match: {provider: enube, customer: "ACME.*"}
    limit: 5000
    currency: BRL
    thresholds: {warning: 0.8, critical: 1.0}
reporting_currency: EUR
exchange_rates: {BRL: 0.16}
"#;

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn clock() -> Clock {
    let now: Timestamp = "2025-06-25T12:00:00Z".parse().unwrap();
    Clock::from_fn(move || now)
}

fn load(sources: &Sources) -> Result<Config, Report> {
    config::load(sources, &clock(), &mut |_| Arc::default())
}

fn file(path: impl Into<PathBuf>) -> Sources {
    Sources {
        file: Some(path.into()),
        ..Sources::default()
    }
}

fn documented(folder: &tempfile::TempDir) -> Sources {
    let path = folder.path().join("cloudspend.yml");
    std::fs::write(&path, DOCUMENTED).unwrap();
    file(path)
}

/// The names of the accounts with their providers.
fn accounts(config: &Config) -> Vec<(&str, &str)> {
    config
        .accounts
        .iter()
        .map(|account| (account.name.as_str(), account.provider_name.as_str()))
        .collect()
}

const SIX: [(&str, &str); 6] = [
    ("aws", "focus"),
    ("azure-enube", "enube"),
    ("licences", "cloudcockpit"),
    ("operator", "activeplatform"),
    ("otc-main", "otc"),
    ("simulations", "mike"),
];

#[test]
fn documented_file_loads_without_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let config = load(&documented(&folder)).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(accounts(&config), SIX);
    assert_eq!(config.warnings, Vec::<String>::new());
    let otc = &config.accounts[4];
    assert_eq!(
        otc.labels.names(),
        ["customer", "project", "product", "cloud_region"]
    );
    let shown: Vec<_> = otc
        .labels
        .slots
        .iter()
        .filter_map(|slot| Some(otc.provider.dimensions()[slot.dimension?].name.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            "contract",
            "project_id",
            "product_description",
            "cloud_region"
        ]
    );
}

#[test]
fn example_file_loads_without_warnings() {
    let config = load(&file(at("config/cloudspend.example.yml")))
        .unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(accounts(&config), SIX);
    assert_eq!(config.warnings, Vec::<String>::new());
}

#[test]
fn example_file_states_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("bare.yml");
    let text =
        "accounts: {otc-main: {provider: otc, base_url: 'https://a.example', api_key_env: A}}";
    std::fs::write(&bare, text).unwrap();
    let bare = load(&file(bare)).unwrap_or_else(|report| panic!("{report}"));
    let shown = load(&file(at("config/cloudspend.example.yml")))
        .unwrap_or_else(|report| panic!("{report}"));
    let otc = shown
        .accounts
        .iter()
        .find(|account| account.name == "otc-main")
        .unwrap();
    assert_eq!(otc.poll, bare.accounts[0].poll);
    assert_eq!(otc.zone, bare.accounts[0].zone);
    assert_eq!(otc.day_closes_after, bare.accounts[0].day_closes_after);
    assert_eq!(otc.labels, bare.accounts[0].labels);
    assert_eq!(shown.log, bare.log);
}

#[test]
fn example_file_has_every_schema_key() {
    let schema = config::schema();
    let text = std::fs::read_to_string(at("config/cloudspend.example.yml")).unwrap();
    let mut missing = Vec::new();
    let mut want = |block: &str, place: &str, schema: &Value| {
        for key in keys(schema) {
            let shown = block.lines().any(|line| {
                let line = line.trim_start_matches([' ', '#', '-']);
                line.strip_prefix(key.as_str())
                    .is_some_and(|rest| rest.starts_with(':'))
            });
            if !shown {
                missing.push(format!("{place}: {key}"));
            }
        }
    };
    let top = schema["properties"].as_object().unwrap();
    for (key, section) in top.iter().filter(|(key, _)| *key != "accounts") {
        let block = block(&text, "", key);
        assert!(!block.is_empty(), "{key} is not shown");
        want(&block, key, section);
    }
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let variants = &schema["properties"]["accounts"]["additionalProperties"]["oneOf"];
    let every_account = block(&text, "", "accounts");
    for variant in variants.as_array().unwrap() {
        let provider = &variant["properties"]["provider"]["const"];
        let (name, _) = file["accounts"]
            .as_object()
            .unwrap()
            .iter()
            .find(|(_, account)| account["provider"] == *provider)
            .expect("one account of each provider");
        let mut own = variant.clone();
        let common = common_keys(variants);
        let properties = own["properties"].as_object_mut().unwrap();
        properties.retain(|key, _| !common.contains(key));
        want(&block(&every_account, "  ", name), name, &own);
        let mut shared = variant.clone();
        let properties = shared["properties"].as_object_mut().unwrap();
        let poll = &schema["properties"]["poll"]["properties"];
        properties.retain(|key, _| common.contains(key) && poll.get(key).is_none());
        want(&every_account, "accounts", &shared);
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// The keys of a schema and of all that is in it.
fn keys(schema: &Value) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (key, property) in properties {
            all.push(key.clone());
            all.extend(keys(property));
        }
    }
    for word in ["oneOf", "anyOf"] {
        let inner = schema.get(word).and_then(Value::as_array);
        all.extend(inner.into_iter().flatten().flat_map(keys));
    }
    if let Some(more) = schema.get("additionalProperties") {
        all.extend(keys(more));
    }
    all
}

/// The keys that the accounts of all providers have, alike in every one.
fn common_keys(variants: &Value) -> Vec<String> {
    let variants = variants.as_array().unwrap();
    let first = variants[0]["properties"].as_object().unwrap();
    first
        .iter()
        .filter(|(key, property)| {
            *key != "provider"
                && variants.iter().all(|variant| {
                    variant["properties"][key.as_str()]["description"] == property["description"]
                })
        })
        .map(|(key, _)| key.clone())
        .collect()
}

/// The lines of a key and of what is below it.
fn block(text: &str, indent: &str, key: &str) -> String {
    let head = format!("{indent}{key}:");
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&head));
    let first = lines.next().into_iter();
    let rest = lines.take_while(|line| {
        let inner = line.strip_prefix(indent).unwrap_or_default();
        line.is_empty() || inner.starts_with([' ', '#'])
    });
    first.chain(rest).flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn committed_schema_is_up_to_date() {
    let committed = std::fs::read_to_string(at("config/cloudspend.schema.json")).unwrap();
    let printed = format!("{:#}\n", config::schema());
    assert!(committed == printed, "run `make schema`");
}

#[test]
fn schema_and_loading_accept_the_same() {
    let schema = jsonschema::draft202012::new(&config::schema()).unwrap();
    let example = std::fs::read_to_string(at("config/cloudspend.example.yml")).unwrap();
    for text in [DOCUMENTED, &example] {
        let file: Value = serde_saphyr::from_str(text).unwrap();
        let faults: Vec<_> = schema
            .iter_errors(&file)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(faults, Vec::<String>::new());
        for (pointer, key, value) in [
            ("", "pol", "1"),
            ("/poll", "intervall", "1"),
            ("/poll", "interval", "3600"),
            ("/log", "level", "loud"),
            ("/accounts/otc-main", "api_key", "secret"),
            ("/accounts/otc-main", "provider", "aws"),
            ("/accounts/otc-main", "granularity", "weekly"),
            ("/accounts/otc-main/filters", "contracts", "1"),
            ("/accounts/azure-enube", "granularity", "daily"),
            ("/budgets/acme-azure", "limits", "1"),
            ("", "reporting_currency", "Euro"),
            ("/exchange_rates", "Euro", "1"),
        ] {
            let mut file = file.clone();
            let section = file.pointer_mut(pointer).unwrap();
            if section.is_null() {
                *section = serde_json::json!({});
            }
            section[key] = serde_saphyr::from_str(value).unwrap();
            assert!(!schema.is_valid(&file), "{pointer}/{key}: {value}");
        }
    }
}

#[test]
fn unknown_label_lists_the_offered_dimensions() {
    let folder = tempfile::tempdir().unwrap();
    let config = load(&documented(&folder)).unwrap_or_else(|report| panic!("{report}"));
    for account in &config.accounts {
        let offers = account.provider_name.entry().offers;
        for dimension in account.provider.dimensions() {
            let name = dimension.name.as_str();
            let known =
                offers.contains(&name) || name.starts_with("tag:") || name.starts_with("column:");
            assert!(known, "{}: {name}", account.provider_name.as_str());
        }
    }
}

#[test]
fn providers_are_the_documented_six() {
    let names: Vec<_> = ProviderName::all().map(ProviderName::as_str).collect();
    assert_eq!(
        names,
        [
            "otc",
            "enube",
            "cloudcockpit",
            "activeplatform",
            "mike",
            "focus"
        ]
    );
}
