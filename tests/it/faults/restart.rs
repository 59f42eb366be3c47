//! The program is killed at random moments of polling and writing: what it serves after the next start is whole.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Fault, Options},
    provider::registry::ProviderName,
};
use http::StatusCode;
use jiff::Timestamp;

use crate::support::{Folder, OPEN_METRICS, Program, eventually, scrape};

/// The demo's accounts, and how the world calls what each of them sees.
const ACCOUNTS: [(&str, ProviderName, &str); 9] = [
    ("otc-platform", ProviderName::Otc, "daily"),
    ("azure-resale", ProviderName::Enube, "azure subscriptions"),
    ("aws-resale", ProviderName::Enube, "aws customers"),
    ("licences", ProviderName::CloudCockpit, "licences"),
    ("operator", ProviderName::ActivePlatform, "analytics"),
    ("simulations", ProviderName::Mike, "log"),
    ("aws-exports", ProviderName::Focus, "exports"),
    ("azure-exports", ProviderName::Focus, "azure exports"),
    ("oracle-exports", ProviderName::Focus, "oracle exports"),
];

/// The sums of one account by family and unit.
type Sums = BTreeMap<(String, String), f64>;

/// How often the program is killed. `make soak` asks for more.
fn rounds() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test has no configuration of its own"
    )]
    let wanted = std::env::var("CLOUDSPEND_SOAK_ROUNDS");
    wanted.map_or(10, |rounds| rounds.parse().expect("a number of rounds"))
}

#[tokio::test(flavor = "multi_thread")]
#[expect(
    clippy::print_stdout,
    reason = "how often a kill met what is hard to hit says what the test is worth"
)]
async fn state_after_kill_9_is_whole() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the exporter goes by the system's clock, so the world stands still at its time"
    )]
    let now = Timestamp::now();
    let demo = Demo::start(Clock::from_fn(move || now), Options::default())
        .await
        .unwrap();
    let mut killed = KilledProgram::new(demo, now);
    let rounds = rounds();

    // From nothing on: an account shows nothing until its first poll has ended, and never again nothing after that.
    let mut restored = BTreeSet::new();
    // The interval is a poll's deadline: a busy machine that does not end the very first one in time shows a part of the account.
    let mut program = killed.start("5s").await;
    for round in 0..rounds / 5 {
        program = killed.kill_and_start(program, round, "5s").await;
        restored = killed.whole(&program, &restored, round).await;
    }
    end(program).await;

    // From good sums of every account on; nothing may take away one of them.
    std::fs::remove_dir_all(&killed.states).unwrap();
    killed.heal();
    program = killed.start("60s").await;
    eventually("every account is polled", async || {
        let whole = killed.whole(&program, &BTreeSet::new(), 0).await;
        if whole.len() == ACCOUNTS.len() {
            Ok(())
        } else {
            Err(format!("{whole:?}"))
        }
    })
    .await;
    let all = ACCOUNTS.map(|(account, ..)| account).into();
    for round in rounds / 5..rounds {
        program = killed.kill_and_start(program, round, "1s").await;
        killed.whole(&program, &all, round).await;
    }
    end(program).await;
    println!(
        "killed {rounds} times, {} of them amid the writing of a file",
        killed.amid_writing
    );
}

/// A world that stands still, and a folder for the program that is killed over it.
struct KilledProgram {
    demo: Demo,
    want: BTreeMap<&'static str, Sums>,
    folder: Folder,
    states: PathBuf,
    amid_writing: usize,
}

impl KilledProgram {
    fn new(demo: Demo, now: Timestamp) -> Self {
        let folder = Folder::with(&Demo::secrets());
        Self {
            want: totals(&demo, now),
            demo,
            states: folder.path().join("states"),
            folder,
            amid_writing: 0,
        }
    }

    fn heal(&self) {
        for provider in ProviderName::all() {
            self.demo.api(provider).heal();
        }
    }

    /// Starts the program and waits until it says where it listens.
    async fn start(&self, interval: &str) -> Running {
        let config = self.folder.path().join("cloudspend.yml");
        let yaml = self
            .demo
            .config_yaml(self.folder.path())
            .replace("interval: 30s", &format!("interval: {interval}"))
            .replace("requests_per_second: 50", "requests_per_second: 10000")
            .replace("granularity: hourly", "granularity: daily");
        std::fs::write(&config, yaml).unwrap();
        let mut program = Program::exporter(&[
            "--web.listen-address=127.0.0.1:0",
            "--config.file",
            config.to_str().unwrap(),
            "--storage.path",
            self.states.to_str().unwrap(),
        ]);
        let address = program.says("msg=Listening address=").await;
        Running {
            program,
            url: format!("http://{address}/metrics"),
        }
    }

    /// Lets the program poll and write for a while, kills it, and starts it where no API answers any more: what it
    /// serves comes from the disk.
    async fn kill_and_start(&mut self, program: Running, round: usize, interval: &str) -> Running {
        self.heal();
        let writes = || {
            names(&self.states)
                .iter()
                .any(|name| name.contains("unfinished"))
        };
        // The moment is what is tested: none is too early or too late. A writing takes so little of the time that
        // every other round looks out for one.
        let longest = if interval == "1s" { 1500 } else { 7000 };
        tokio::time::sleep(Duration::from_millis(fastrand::u64(0..longest))).await;
        let mut looks = if round % 2 == 1 { 1000 } else { 0 };
        while looks > 0 && !writes() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            looks -= 1;
        }
        end(program).await;
        self.amid_writing += usize::from(writes());
        for provider in ProviderName::all() {
            let fault = Fault::status(StatusCode::SERVICE_UNAVAILABLE);
            self.demo.api(provider).fail(fault);
        }
        self.start(interval).await
    }

    /// Fails unless every account shows all of its sums or, unless it is one of some, none at all. Returns those that
    /// show them.
    async fn whole(
        &self,
        program: &Running,
        surely: &BTreeSet<&'static str>,
        round: usize,
    ) -> BTreeSet<&'static str> {
        let served = program.served().await;
        let aside = |name: &String| name.contains(".damaged") || name.contains(".newer");
        assert!(!names(&self.states).iter().any(aside), "round {round}");
        let mut whole = BTreeSet::new();
        for (account, ..) in ACCOUNTS {
            match served.get(account) {
                Some(sums) => {
                    let what = format!("round {round}, {account}");
                    assert_near(sums, &self.want[account], &what);
                    whole.insert(account);
                }
                None => assert!(!surely.contains(account), "round {round}: no {account}"),
            }
        }
        whole
    }
}

/// Month to date, the month before, forecasts and seats of every account; days are left to tests that go by a clock.
fn totals(demo: &Demo, now: Timestamp) -> BTreeMap<&'static str, Sums> {
    let totals = demo.world().totals(now);
    ACCOUNTS
        .into_iter()
        .map(|(account, provider, kind)| {
            let sums = totals
                .iter()
                .filter(|total| total.provider == provider && total.kind == kind)
                .filter(|total| is_compared(&total.family))
                .map(|total| ((total.family.clone(), total.unit.clone()), total.value));
            (account, sums.collect())
        })
        .collect()
}

fn is_compared(family: &str) -> bool {
    let of_a_day = family.ends_with("_today") || family.ends_with("_previous_day");
    let of_apis = [
        "billed_cost_",
        "list_cost_",
        "effective_cost_",
        "contracted_cost_",
        "consumed_quantity_",
        "stored_quantity",
        "provider_",
        "license_",
    ];
    !of_a_day && of_apis.iter().any(|start| family.starts_with(start))
}

/// On the first day of a month the exporter says 0 where the world has no row yet, so that what is absent is 0.
fn assert_near(got: &Sums, want: &Sums, what: &str) {
    for of in got.keys().chain(want.keys()) {
        let [got, want] = [got, want].map(|sums| sums.get(of).copied().unwrap_or_default());
        assert!(
            (got - want).abs() <= 1e-9 * want.abs().max(1.0),
            "{what}: {of:?} is {got}, not {want}"
        );
    }
}

fn names(folder: &Path) -> Vec<String> {
    std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The program, and where its metrics are.
struct Running {
    program: Program,
    url: String,
}

impl Running {
    /// The sums of each account that shows any.
    async fn served(&self) -> BTreeMap<String, Sums> {
        let shown = scrape(&self.url, OPEN_METRICS).await.unwrap();
        let mut served = BTreeMap::<String, Sums>::new();
        for sample in shown.families.iter().flat_map(|family| &family.samples) {
            let family = sample.name.trim_start_matches("cloudspend_");
            if is_compared(family) {
                let sums = served
                    .entry(sample.label("account").to_owned())
                    .or_default();
                let unit = [sample.label("currency"), sample.label("unit")].concat();
                *sums.entry((family.to_owned(), unit)).or_default() += sample.value;
            }
        }
        served
    }
}

/// Kills it, and fails where it had something to say about its files.
async fn end(running: Running) {
    let ended = running.program.kill().await;
    for what in ["set aside", "panicked"] {
        assert!(!ended.stderr.contains(what), "{}", ended.stderr);
    }
}
