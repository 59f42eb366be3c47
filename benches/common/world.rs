//! An account of a size that is asked for, as a running exporter holds it: through configuration, ledger and snapshot.

use std::{fs, sync::Arc};

use cloudspend_exporter::{
    account::Account,
    charge::{Amount, Charge, Measure, Month, Period, Sink},
    clock::Clock,
    config::{self, Sources},
    exposition::Rendered,
    ledger::{LabelMapping, Ledger},
    provider::{Fetched, Part, PollRequest},
    state::AccountState,
    view::{
        LabelCache, View,
        budgets::{BudgetSet, MatchCache},
    },
};
use jiff::{Timestamp, ToSpan, civil::Date};

/// How much the ids of label sets have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Labels {
    /// Contracts, projects and products that come again and again, as in real accounts.
    Alike,
    /// A product that is a random id in every label set.
    Unlike,
}

/// One account with its sums, and ten budgets.
pub(crate) struct World {
    pub(crate) account: Arc<Account>,
    pub(crate) state: Arc<AccountState>,
    pub(crate) money: BudgetSet,
    pub(crate) now: Timestamp,
    named: LabelCache,
    matched: MatchCache,
}

/// The newest closed day; 60 days before its end lie in two months.
const NEWEST: &str = "2025-08-29";

impl World {
    /// An account with a number of label sets that were charged on each of so many days, folded above a limit.
    pub(crate) fn new(sets: usize, days: usize, labels: Labels, limit: usize) -> Self {
        let limit = limit.min(2_000_000);
        let now: Timestamp = "2025-08-30T12:00:00Z".parse().expect("an instant");
        let (account, money) = account(limit, now);
        let mut ledger = empty_ledger(&account, sets.max(limit));
        charge_all(&mut ledger, &ids_of(sets, labels), days);
        let mut state = AccountState::new(LabelMapping::of(&account).width());
        state.set_listed_parts(&[Part::whole_account()]);
        let today = now.to_zoned(account.zone.clone()).date();
        let current = Month::of(today);
        let ask = PollRequest {
            months: vec![current.previous(), current],
            current,
            today,
            now,
        };
        let _ = state.accept(
            "account",
            ledger.close(Fetched::replaced()),
            &ask,
            &account.zone,
        );
        Self {
            account,
            state: Arc::new(state),
            money,
            now,
            named: LabelCache::default(),
            matched: MatchCache::default(),
        }
    }

    /// What it shows.
    pub(crate) fn viewed(&mut self) -> Vec<View> {
        let accounts = [(&self.account, Arc::clone(&self.state))];
        self.named.views(accounts.into_iter(), self.now)
    }

    /// Forgets how its label sets were named, and which of them budgets match.
    pub(crate) fn forget(&mut self) {
        self.named = LabelCache::default();
        self.matched = MatchCache::default();
    }

    /// What one change costs from the sums on.
    pub(crate) fn rendered(&mut self) -> Rendered {
        let views: Arc<[View]> = self.viewed().into();
        let spent = self.money.spent_of_all(&views, &mut self.matched);
        Rendered::new(&views, &self.money, &spent)
    }
}

/// A ledger of an account for a number of label sets.
pub(crate) fn empty_ledger(account: &Account, sets: usize) -> Ledger {
    let shape = LabelMapping::of(account);
    Ledger::new(Arc::new(shape), 10 * sets)
}

/// Contract, project and product of a number of label sets.
pub(crate) type Ids = Vec<[String; 3]>;

/// The ids of a number of label sets.
pub(crate) fn ids_of(sets: usize, labels: Labels) -> Ids {
    (0..sets).map(|number| ids(number, labels)).collect()
}

/// Charges every label set on each of the newest days.
pub(crate) fn charge_all(ledger: &mut Ledger, ids: &Ids, days: usize) {
    let newest: Date = NEWEST.parse().expect("a day");
    for (number, [contract, project, product]) in ids.iter().enumerate() {
        let dimensions = [&**contract, "", project, product, "", "", "", "", ""];
        for back in (0i8..).take(days) {
            let amount = Amount {
                measure: Measure::BilledCost,
                value: (number % 9_973) as f64 * 0.25 + f64::from(back % 7) * 0.125,
                unit: "EUR",
            };
            ledger
                .charge(&Charge {
                    period: Period::Day(newest.saturating_sub(back.days())),
                    dimensions: &dimensions,
                    amounts: &[amount],
                })
                .expect("a good charge");
        }
    }
}

fn account(limit: usize, now: Timestamp) -> (Arc<Account>, BudgetSet) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cloudspend.yml");
    // Most budgets are about customers or projects, some about products.
    let mut budgets = String::new();
    for number in 0..10 {
        let (label, pattern) = match number {
            0 => ("product", "OTC_ECS_.*".to_owned()),
            1 | 2 => ("project", format!("845f.*{number}")),
            _ => ("customer", format!("10000.*{number}")),
        };
        let budget = format!(
            "  team-{number}:\n    match: {{provider: otc, {label}: \"{pattern}\"}}\n    limit: 5000\n    currency: EUR\n"
        );
        budgets.push_str(&budget);
    }
    let text = format!(
        "accounts:\n  otc-main:\n    provider: otc\n    base_url: http://127.0.0.1:1\n    api_key_env: NONE\n    \
         timezone: UTC\n    max_series: {limit}\nbudgets:\n{budgets}"
    );
    fs::write(&file, text).expect("the file can be written");
    let sources = Sources {
        file: Some(file),
        ..Sources::default()
    };
    let clock = Clock::from_fn(move || now);
    let mut config = config::load(&sources, &clock, &mut |_| Arc::default())
        .unwrap_or_else(|report| panic!("a good configuration: {report}"));
    let money = BudgetSet::of(&config);
    (Arc::new(config.accounts.remove(0)), money)
}

/// Contract, project and product of a label set, as long as real ones are.
fn ids(number: usize, labels: Labels) -> [String; 3] {
    let scattered = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let project = (scattered % 5_000) as u32;
    let product = match labels {
        Labels::Alike => format!("OTC_ECS_S3.LARGE.{}_LINUX_{:06}", number % 8, number),
        Labels::Unlike => format!(
            "{scattered:016x}{:016x}",
            scattered
                .rotate_left(29)
                .wrapping_mul(0xff51_afd7_ed55_8ccd)
        ),
    };
    [
        format!("10000{:05}", number % 200),
        format!("845f7226c0d8450793ab07ab{project:08x}"),
        product,
    ]
}
