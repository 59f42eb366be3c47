//! The command `reconcile` over the simulated APIs: every second source agrees, each that is made to differ is reported
//! with its amount, and wrong use is a sentence.

use std::{collections::BTreeSet, sync::Arc};

use clap::Parser;
use cloudspend_exporter::{
    cli::{Cli, Command},
    clock::Clock,
    commands::reconcile::{self, CheckReport, Outcome, Reconciliation},
    config::{self, Sources},
    demo::{CloudCockpitOptions, Demo, Fault, Options, Skew},
    provider::registry::ProviderName,
    telemetry::progress::Progress,
};
use http::StatusCode;
use tokio::sync::watch;

use crate::support::{Ended, Folder, MOMENT, Program, config_yaml, stopped_at};

mod exports;
mod printed;

/// The providers' second sources, check by check: the account, and its check.
const CHECKS: [(&str, &str); 16] = [
    ("aws-resale", "actual of the month against last of the next"),
    ("aws-resale", "customers against subscriptions"),
    ("aws-resale", "rows against indicators"),
    (
        "azure-resale",
        "actual of the month against last of the next",
    ),
    ("azure-resale", "catalogs apart against catalogs together"),
    ("azure-resale", "customers against subscriptions"),
    ("azure-resale", "rows against indicators"),
    (
        "licences",
        "pairs as configured against customer agreements",
    ),
    (
        "licences",
        "pairs as configured against every customer with every instance",
    ),
    ("licences", "pairs as configured against subscriptions"),
    ("operator", "subscriptions against the reseller's analytics"),
    ("otc-platform", "daily rows against hourly rows"),
    (
        "simulations",
        "usage by day against usage of the whole period",
    ),
    (exports::ACCOUNT, exports::BY_INVOICE),
    (exports::AZURE, exports::BY_ROWS),
    (exports::AZURE, exports::BY_INVOICE),
];
/// Further checks of otc.
const OTC_CHECKS: [&str; 2] = [
    "one day of the month against a request for that day",
    "rows with tags against rows without",
];

/// A demo whose clock stands still, and a configuration over it.
struct Reconciling {
    demo: Demo,
    clock: Clock,
    folder: Folder,
}

impl Reconciling {
    async fn start() -> Self {
        Self::at(stopped_at(MOMENT)).await
    }

    async fn at(clock: Clock) -> Self {
        let options = Options {
            cloudcockpit: CloudCockpitOptions {
                lists_agreements: true,
                lists_subscriptions: true,
                ..CloudCockpitOptions::default()
            },
            ..Options::default()
        };
        let demo = Demo::start(clock.clone(), options).await.unwrap();
        let folder = Folder::with(&Demo::secrets());
        let yaml = config_yaml(&demo, &folder);
        std::fs::write(folder.path().join("cloudspend.yml"), yaml).unwrap();
        Self {
            demo,
            clock,
            folder,
        }
    }

    /// The results of the command as it is typed, but for the clock; an error is wrong use.
    async fn run(&self, line: &[&str]) -> Result<Reconciliation, String> {
        let typed = ["cloudspend-exporter", "reconcile"].iter().chain(line);
        let cli = Cli::try_parse_from(typed).unwrap();
        let Command::Reconcile(options) = cli.chosen_command() else {
            panic!("another command");
        };
        let sources = Sources {
            file: Some(self.folder.path().join("cloudspend.yml")),
            ..Sources::default()
        };
        let config = config::load(&sources, &self.clock, &mut |_| Arc::default()).unwrap();
        let (_stop, stopped) = watch::channel(false);
        let progress = Progress::default();
        reconcile::run(config.accounts, &options, &self.clock, &progress, stopped)
            .await
            .map_err(|error| error.to_string())
    }

    /// The results with the real program.
    async fn program(&self, line: &[&str]) -> Ended {
        let config = self.folder.path().join("cloudspend.yml");
        let mut all = vec!["reconcile", "--config.file", config.to_str().unwrap()];
        all.extend(line);
        Program::exporter(&all).end().await
    }
}

/// The checks of an account by their names.
fn checks<'r>(found: &'r Reconciliation, account: &str, name: &str) -> Vec<&'r CheckReport> {
    let of_account = found
        .accounts
        .iter()
        .filter(|known| known.account == account);
    of_account
        .flat_map(|known| &known.checks)
        .filter(|check| check.check == name)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_agrees_over_the_demo() {
    let reconciling = Reconciling::start().await;
    let found = reconciling.run(&["--by", "product"]).await.unwrap();
    assert!(found.agrees, "{}", found.text(false));
    let otc = OTC_CHECKS.map(|check| ("otc-platform", check));
    let want: BTreeSet<(&str, &str)> = CHECKS.into_iter().chain(otc).collect();
    let mut seen = BTreeSet::new();
    for account in &found.accounts {
        assert_eq!(account.month, "2025-05");
        for check in &account.checks {
            if exports::NOT_AVAILABLE.contains(&(account.account.as_str(), check.check.as_str())) {
                assert_eq!(check.outcome, Outcome::NotAvailable, "{check:?}");
                continue;
            }
            assert_eq!(check.outcome, Outcome::Agrees, "{check:?}");
            assert!(check.first.unwrap() > 0.0, "{check:?}");
            seen.insert((account.account.as_str(), check.check.as_str()));
        }
    }
    assert_eq!(seen, want);
    // Nothing but reads, and totals as the world has them.
    for provider in [
        ProviderName::Otc,
        ProviderName::Enube,
        ProviderName::CloudCockpit,
        ProviderName::ActivePlatform,
        ProviderName::Mike,
        ProviderName::Focus,
    ] {
        assert_eq!(reconciling.demo.api(provider).refused(), 0);
    }
    let totals = reconciling.demo.world().totals(reconciling.clock.now());
    for (account, kind, family) in [
        ("otc-platform", "daily", "billed_cost_previous_month"),
        (
            "azure-resale",
            "azure subscriptions",
            "billed_cost_previous_month",
        ),
        ("operator", "analytics", "billed_cost_previous_month"),
        ("simulations", "log", "consumed_quantity_previous_month"),
        (exports::ACCOUNT, "exports", "billed_cost_previous_month"),
        (
            exports::AZURE,
            "azure exports",
            "billed_cost_previous_month",
        ),
        (
            exports::ORACLE,
            "oracle exports",
            "billed_cost_previous_month",
        ),
    ] {
        let of_family = |total: &&cloudspend_exporter::demo::Total| {
            total.kind == kind && total.family == family
        };
        let of_account = |known: &&reconcile::AccountReport| known.account == account;
        let report = found.accounts.iter().find(of_account).unwrap();
        for want in totals.iter().filter(of_family) {
            let of_unit = report.totals.iter().find(|total| total.unit == want.unit);
            let got = of_unit.unwrap().total;
            assert!(
                (got - want.value).abs() < 1e-6,
                "{account}: {got}, {want:?}"
            );
        }
    }
}

/// What differs in a provider's responses: the account and the check that find it.
fn differences() -> Vec<(ProviderName, &'static str, &'static str, Skew)> {
    let customers = r#"{"key":"view","value":"customers"}"#;
    let consumption = r#"{"key":"catalog","value":"consumption"}"#;
    let next_month = r#"{"key":"start_time","value":"2025-06-01"}"#;
    vec![
        (
            ProviderName::Otc,
            "otc-platform",
            CHECKS[11].1,
            Skew::new("amount", 12.5).on("/hourly/"),
        ),
        (
            ProviderName::Otc,
            "otc-platform",
            OTC_CHECKS[1],
            Skew::new("amount", -12.5).on("show_tag=true"),
        ),
        (
            ProviderName::Otc,
            "otc-platform",
            OTC_CHECKS[0],
            Skew::new("amount", 12.5).on("date=2025-05"),
        ),
        (
            ProviderName::Enube,
            "azure-resale",
            CHECKS[6].1,
            Skew::new("actual", 12.5).on("/indicators").on(consumption),
        ),
        (
            ProviderName::Enube,
            "azure-resale",
            CHECKS[5].1,
            Skew::new("actual", -12.5)
                .on("/usages")
                .on(customers)
                .on(consumption),
        ),
        (
            ProviderName::Enube,
            "aws-resale",
            CHECKS[0].1,
            Skew::new("last", 12.5).on("/usages").on(next_month),
        ),
        (
            ProviderName::ActivePlatform,
            "operator",
            CHECKS[10].1,
            Skew::new("total", 12.5).on("/reseller_analytics"),
        ),
        (
            ProviderName::Mike,
            "simulations",
            CHECKS[12].1,
            Skew::new("value", 12.5).on(r#""Time":"all""#),
        ),
        (
            ProviderName::CloudCockpit,
            "licences",
            CHECKS[7].1,
            Skew::new("items", 2.0).on("/v1/Customers/mca"),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_second_source_that_differs_is_reported() {
    let reconciling = Reconciling::start().await;
    for (provider, account, check, skew) in differences() {
        let api = reconciling.demo.api(provider);
        api.skew(skew.clone());
        // The configured way of discovery would be the one that differs.
        if account == "licences" {
            let yaml = config_yaml(&reconciling.demo, &reconciling.folder).replace(
                "provider: cloudcockpit",
                "provider: cloudcockpit\n    discovery: subscriptions",
            );
            std::fs::write(reconciling.folder.path().join("cloudspend.yml"), yaml).unwrap();
        }
        let found = reconciling.run(&["--account", account]).await.unwrap();
        api.heal();
        let text = found.text(false);
        assert!(!found.agrees, "{check}:\n{text}");
        let lines = checks(&found, account, check);
        let differing: Vec<_> = lines
            .iter()
            .filter(|line| line.outcome == Outcome::Differs)
            .collect();
        let [line] = differing.as_slice() else {
            panic!("{check}:\n{text}");
        };
        let difference = line.difference.unwrap();
        let want = if account == "licences" { 2.0 } else { 12.5 };
        assert!(
            (difference.abs() - want).abs() < 1e-6,
            "{check}: {difference}\n{text}"
        );
        let all = found.accounts.iter().flat_map(|account| &account.checks);
        let others = all.filter(|other| other.check != check);
        assert!(
            others
                .into_iter()
                .all(|other| other.outcome == Outcome::Agrees),
            "{check}:\n{text}"
        );
        assert!(text.contains("differs by"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogs_that_differ_together_are_reported() {
    let catalogs =
        r#"{"key":"catalog","value":"consumption"},{"key":"catalog","value":"marketplace"}"#;
    let reconciling = Reconciling::start().await;
    let api = reconciling.demo.api(ProviderName::Enube);
    api.skew(Skew::new("actual", 0.25).on("/usages").on(catalogs));
    let found = reconciling
        .run(&["--account", "azure-resale"])
        .await
        .unwrap();
    let [line] = checks(&found, "azure-resale", CHECKS[4].1)[..] else {
        panic!("{}", found.text(false));
    };
    assert_eq!(line.outcome, Outcome::Differs);
    let customers = found.accounts[0].parts as f64;
    let difference = line.difference.unwrap();
    assert!(
        difference < 0.0 && (difference / 0.25).abs() <= customers,
        "{difference} of {customers} customers"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_second_source_is_not_available() {
    let reconciling = Reconciling::start().await;
    for (provider, account, path, check) in [
        (
            ProviderName::Enube,
            "aws-resale",
            "/indicators",
            CHECKS[2].1,
        ),
        (
            ProviderName::ActivePlatform,
            "operator",
            "/reseller_analytics",
            CHECKS[10].1,
        ),
        (
            ProviderName::CloudCockpit,
            "licences",
            "/v1/subscriptions",
            CHECKS[9].1,
        ),
    ] {
        for status in [StatusCode::NOT_FOUND, StatusCode::FORBIDDEN] {
            let api = reconciling.demo.api(provider);
            api.fail(Fault::status(status).on(path));
            let found = reconciling.run(&["--account", account]).await.unwrap();
            api.heal();
            let text = found.text(false);
            let [line] = checks(&found, account, check)[..] else {
                panic!("{text}");
            };
            assert_eq!(line.outcome, Outcome::NotAvailable, "{text}");
            let others = found.accounts[0].checks.len() > 1;
            assert_eq!(found.agrees, others, "{text}");
            assert!(found.accounts[0].failures.is_empty(), "{text}");
        }
    }
}
