//! What one change costs: view, render and compress, beside prometheus-client's encoder and zlib-rs alone over the same text.

use std::{collections::BTreeMap, hint::black_box, sync::Arc, time::Instant};

use cloudspend_exporter::{
    budget::Money,
    charge::{Amount, Charge, Measure, Period, Sink},
    clock::Clock,
    config::{self, Sources},
    exposition::Rendered,
    ledger::{Ledger, Shape},
    provider::{Ask, Part},
    snapshot::AccountState,
    window::view,
};

fn main() {
    println!("series  view+render+deflate ms  ns/series  text MB");
    for series in [1_000, 10_000, 100_000] {
        measure(series);
    }
}

fn measure(series: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("cloudspend.yml");
    let text = "accounts:\n  bench:\n    provider: otc\n    base_url: http://127.0.0.1:1\n    api_key_env: NONE\n    timezone: UTC\n    max_series: 2000000\n";
    std::fs::write(&file, text).expect("the file is written");
    let sources = Sources {
        file: Some(file),
        ..Sources::default()
    };
    let clock = Clock::from_fn(|| "2025-03-10T12:00:00Z".parse().expect("an instant"));
    let mut config = config::load(&sources, &clock, &mut |_| Arc::default()).expect("good");
    let account = Arc::new(config.accounts.remove(0));
    let shape = Shape::new(&account.labels, account.provider.dimensions());
    let mut ledger = Ledger::new(Arc::new(shape), 10 * series);
    for number in 0..series {
        let customer = format!("10000{:05}", number % 200);
        let project = format!("845f7226c0d8450793ab07ab{:08x}", number % 5_000);
        let product = format!("OTC_ECS_S3_{number:06}");
        ledger
            .charge(&Charge {
                period: Period::Day("2025-03-09".parse().expect("a day")),
                dimensions: &[&customer, "", &project, &product, "", "", "", "", ""],
                amounts: &[Amount {
                    measure: Measure::BilledCost,
                    value: number as f64 * 0.25 + 0.125,
                    unit: "EUR",
                }],
            })
            .expect("taken");
    }
    let mut state = AccountState::new(3);
    state.list(&[Part::whole_account()]);
    let ask = Ask {
        months: vec!["2025-03".parse().expect("a month")],
        current: "2025-03".parse().expect("a month"),
        today: "2025-03-10".parse().expect("a day"),
        now: clock.now(),
    };
    let _ = state.accept("account", ledger.close(), &ask, &account.zone);
    let state = Arc::new(state);
    let mut best = BTreeMap::new();
    let mut size = 0;
    for _ in 0..5 {
        let start = Instant::now();
        let view = view(&account, &state, clock.now());
        let viewed = start.elapsed();
        let samples: usize = view.families.iter().map(|family| family.values.len()).sum();
        let rendered = Rendered::new(vec![black_box(view)], &Money::default());
        best.insert(start.elapsed(), (viewed, samples));
        size = rendered.len();
    }
    let (total, (viewed, samples)) = best.pop_first().expect("it ran");
    println!(
        "{series} sets, {samples} samples: {:.1} ms (view {:.1}), {:.0} ns a sample, {:.1} MB",
        total.as_secs_f64() * 1e3,
        viewed.as_secs_f64() * 1e3,
        total.as_secs_f64() * 1e9 / samples as f64,
        size as f64 / 1e6
    );
}
