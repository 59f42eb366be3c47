//! Several processes that share the accounts of one configuration: together they show the whole, and each series once.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use cloudspend_exporter::{
    clock::Clock,
    config::ShardFlags,
    demo::{Demo, Fleet, Options},
};
use tokio::process::Command;

use crate::support::{
    Exporter, Exposition, Folder, MOMENT, Program, TEST_TIMEOUT, eventually, get, stopped_at,
};

const CROWD: Fleet = Fleet {
    accounts: 12,
    subscriptions: 20,
    interval: Duration::from_hours(1),
};

/// A series: its name and labels in the order in which they are sent.
type Series = (String, Vec<(String, String)>);

/// What an exporter shows of its own accounts, and what it shows of the configuration.
#[derive(Default)]
struct Shown {
    of_accounts: BTreeMap<Series, f64>,
    of_all: BTreeMap<Series, f64>,
    /// The families whose values come from the last poll.
    cached: BTreeSet<String>,
}

impl Shown {
    fn of(exposition: &Exposition) -> Self {
        let mut shown = Self::default();
        for family in &exposition.families {
            if family.help.ends_with("Cached from the last poll.") {
                shown.cached.insert(family.name.clone());
            }
            for sample in &family.samples {
                let series = (sample.name.clone(), sample.labels.clone());
                let of_process =
                    sample.name.starts_with("process_") || sample.name.contains("_last_reload_");
                let place = match sample.label("account") {
                    _ if of_process => continue,
                    // Its account is what a budget matches.
                    _ if sample.name == "cloudspend_budget_match_info" => &mut shown.of_all,
                    "" => &mut shown.of_all,
                    _ => &mut shown.of_accounts,
                };
                assert_eq!(place.insert(series, sample.value), None);
            }
        }
        shown
    }

    /// What was spent of each budget, as the one alert rule adds it up.
    fn spent(&self) -> BTreeMap<&str, f64> {
        let mut spent = BTreeMap::new();
        for ((name, labels), value) in &self.of_accounts {
            if name == "cloudspend_budget_spent" {
                let budget = labels.iter().find(|(name, _)| name == "budget");
                *spent.entry(budget.unwrap().1.as_str()).or_default() += value;
            }
        }
        spent
    }
}

/// What one of several exporters shows once it has polled all of its accounts.
async fn shown(demo: &Demo, index: Option<u32>, count: Option<u32>) -> Shown {
    let folder = Folder::with(&Demo::secrets());
    let yaml = demo.fleet_config_yaml(CROWD, folder.path());
    let shard = ShardFlags { index, count };
    let exporter = Exporter::start_shard(folder, &yaml, stopped_at(MOMENT), shard).await;
    let shown = Shown::of(&exporter.polled().await);
    exporter.stop().await;
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_together_show_each_series_once() {
    let options = Options {
        replays_responses: true,
        ..Options::default()
    };
    let demo = Demo::start(stopped_at(MOMENT), options).await.unwrap();
    let whole = shown(&demo, None, None).await;
    let accounts = |shown: &Shown| -> BTreeSet<String> {
        let labels = shown.of_accounts.keys().flat_map(|(_, labels)| labels);
        let accounts = labels.filter(|(name, _)| name == "account");
        accounts.map(|(_, value)| value.clone()).collect()
    };
    assert_eq!(accounts(&whole).len(), CROWD.accounts);
    assert!(whole.spent()["everything"] > 0.0 && whole.spent()["one-account"] > 0.0);
    for count in [3, 2, 5] {
        let mut union = Shown::default();
        for index in 0..count {
            let shard = shown(&demo, Some(index), Some(count)).await;
            assert!(!accounts(&shard).is_empty(), "shard {index} of {count}");
            // Limits, thresholds, rates.
            assert_eq!(shard.of_all, whole.of_all, "shard {index} of {count}");
            for (series, value) in shard.of_accounts {
                let twice = union.of_accounts.insert(series.clone(), value);
                assert_eq!(twice, None, "shard {index} of {count}: {series:?}");
            }
        }
        let series = |shown: &Shown| shown.of_accounts.keys().cloned().collect::<BTreeSet<_>>();
        let (union_series, whole_series) = (series(&union), series(&whole));
        let odd: Vec<_> = union_series.symmetric_difference(&whole_series).collect();
        assert!(odd.is_empty(), "{count} shards: {odd:?}");
        for (series, value) in &whole.of_accounts {
            let cached = whole.cached.contains(&series.0);
            assert!(
                !cached || union.of_accounts[series].to_bits() == value.to_bits(),
                "{count} shards: {series:?}"
            );
        }
        for (budget, want) in whole.spent() {
            let got = union.spent()[budget];
            assert!(
                (got - want).abs() <= 1e-9 * want,
                "{budget}: {got}, not {want}"
            );
        }
    }
}

/// The program as a pod of several runs it.
fn pod(config: &str, more: &[&str], variables: &[(&str, &str)]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .args(["--web.listen-address=127.0.0.1:0", "--config.file", config])
        .args(more);
    Program::start(command).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_ordinal_is_the_shard() {
    let demo = Demo::start(Clock::system(), Options::default())
        .await
        .unwrap();
    let folder = Folder::with(&Demo::secrets());
    let yaml = demo.fleet_config_yaml(CROWD, folder.path()).replace(
        "budgets:\n",
        "budgets:\n  nobody: {match: {account: gone}, limit: 1, currency: EUR}\n",
    );
    let config = folder.path().join("cloudspend.yml");
    std::fs::write(&config, yaml).unwrap();
    let mut accounts = 0;
    for index in 0..3 {
        let name = format!("cloudspend-exporter-{index}");
        let variables = [("HOSTNAME", name.as_str())];
        let mut program = pod(config.to_str().unwrap(), &["--shard.count=3"], &variables);
        let address = program.says("msg=Listening address=").await;
        let url = |path: &str| format!("http://{address}{path}");
        let own: usize = program
            .says(&format!("shard={index}/3 accounts="))
            .await
            .parse()
            .unwrap();
        accounts += own;
        eventually("the shard is ready", async || {
            let answer = get(&url("/-/ready"))
                .await
                .map_err(|error| error.to_string())?;
            if answer.status.is_success() {
                Ok(())
            } else {
                Err(answer.text().to_owned())
            }
        })
        .await;
        let page = get(&url("/")).await.unwrap();
        let said = format!("Shard {index}/3 (the first is 0), accounts: {own}.");
        assert!(page.text().contains(&said), "{}", page.text());
        program.says("Budget nobody matches no series").await;
        program.terminate().await;
        let ended = program.end().await;
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let warned = ended
            .stderr
            .contains("Budget one-account matches no series");
        assert!(!warned, "{}", ended.stderr);
    }
    assert_eq!(accounts, CROWD.accounts);
}

#[tokio::test]
async fn shard_beyond_the_count_does_not_start() {
    let folder = Folder::with(&[("key", "the key")]);
    let config = folder.path().join("cloudspend.yml");
    let key = folder.yaml("key");
    let yaml = format!(
        "accounts: {{a: {{provider: otc, base_url: 'https://example.com', api_key_file: {key}, credential_expires: 2099-12-31}}}}\n"
    );
    std::fs::write(&config, yaml).unwrap();
    let pod_name = [("POD_NAME", "cloudspend-exporter-3")];
    for (flags, variables, want) in [
        (
            &["--shard.count=3"][..],
            &pod_name[..],
            "environment variable POD_NAME: there is no shard 3 of 3; allowed are 0 to 2\n",
        ),
        (
            &["--shard.count=3", "--shard.index=3"],
            &[],
            "--shard.index: there is no shard 3 of 3; allowed are 0 to 2\n",
        ),
        (
            &["--shard.index=0"],
            &[],
            "--shard.index: needs --shard.count, the number of shards\n",
        ),
        (
            &["--shard.count=3"],
            &[],
            "--shard.count: needs --shard.index, or the ordinal of a StatefulSet's pod in POD_INDEX, POD_NAME or HOSTNAME\n",
        ),
    ] {
        // Where check-config runs there is often no shard; it checks the accounts of all of them.
        let alone = *flags == ["--shard.count=3"] && variables.is_empty();
        let commands: &[_] = if alone {
            &["serve"]
        } else {
            &["serve", "check-config"]
        };
        for command in commands.iter().copied() {
            let flags: Vec<_> = flags.iter().copied().chain([command]).collect();
            let ended = tokio::time::timeout(
                TEST_TIMEOUT,
                pod(config.to_str().unwrap(), &flags, variables).end(),
            )
            .await
            .unwrap();
            assert_eq!(ended.status.code(), Some(3), "{flags:?}");
            assert_eq!(ended.stderr, want, "{flags:?}");
        }
    }
}

#[tokio::test]
async fn check_config_checks_the_accounts_of_all_shards() {
    let folder = Folder::with(&[]);
    let config = folder.path().join("cloudspend.yml");
    let account = |name: &str| {
        format!(
            "  {name}: {{provider: otc, base_url: 'https://{name}.example', api_key_file: /nowhere, credential_expires: 2099-12-31}}\n"
        )
    };
    let accounts: String = ["a", "b", "c", "d"].map(account).concat();
    std::fs::write(&config, format!("accounts:\n{accounts}")).unwrap();
    for flags in [
        &["--shard.count=2", "--shard.index=0", "check-config"][..],
        &["--shard.count=2", "check-config"],
    ] {
        let ended = pod(config.to_str().unwrap(), flags, &[]).end().await;
        assert_eq!(ended.status.code(), Some(3));
        assert_eq!(ended.stderr.lines().count(), 4, "{}", ended.stderr);
        assert!(!ended.stderr.contains("shard"), "{}", ended.stderr);
    }
}
