//! What a change costs in instructions, which no load on the machine alters: `make bench-check` fails where a step
//! takes over 5 % more than is written here.
//!
//! The numbers are of valgrind 3.19 on x86-64 with the toolchain of `rust-toolchain.toml`. Who makes a step cheaper
//! writes the new number here; who makes it dearer says why in the commit.

use std::{hint::black_box, sync::Arc};

use cloudspend_exporter::{
    exposition::Rendered,
    ledger::Ledger,
    window::{View, view},
};
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig};

use crate::world::{Ids, Labels, World, charge_all, empty_ledger, ids_of};

#[path = "common/world.rs"]
mod world;

/// Label sets, days each, and where folding begins.
const SETS: usize = 5_000;
const DAYS: usize = 40;
const NO_LIMIT: usize = usize::MAX;

/// What each step takes, in instructions.
const VIEW: u64 = 1;
const FOLD: u64 = 1;
const BUDGETS: u64 = 1;
const RENDER: u64 = 1;
const LEDGER: u64 = 1;

fn limit(instructions: u64) -> LibraryBenchmarkConfig {
    LibraryBenchmarkConfig::default()
        .tool(
            Callgrind::default()
                .hard_limits([(EventKind::Ir, instructions + instructions / 20)])
                .clone(),
        )
        .clone()
}

fn world(limit: usize) -> World {
    World::new(SETS, DAYS, Labels::Alike, limit)
}

fn views() -> (World, Arc<[View]>) {
    let world = world(NO_LIMIT);
    let views = Arc::new([world.viewed()]);
    (world, views)
}

fn ledger_and_ids() -> (Ledger, Ids) {
    let world = World::new(1, 1, Labels::Alike, NO_LIMIT);
    let ledger = empty_ledger(&world.account, SETS);
    (ledger, ids_of(SETS, Labels::Alike))
}

#[gungraun::library_benchmark(config = limit(VIEW))]
#[bench::of_sets_and_days(world(NO_LIMIT))]
fn windows_and_forecast(world: World) -> (World, View) {
    let view = black_box(view(&world.account, &world.state, world.now));
    (world, view)
}

#[gungraun::library_benchmark(config = limit(FOLD))]
#[bench::to_a_fifth(world(SETS / 5))]
fn folding(world: World) -> (World, View) {
    let view = black_box(view(&world.account, &world.state, world.now));
    (world, view)
}

#[gungraun::library_benchmark(config = limit(BUDGETS))]
#[bench::ten_of_them(views())]
fn budgets((world, views): (World, Arc<[View]>)) -> (World, Arc<[View]>) {
    black_box(world.money.spent_of_all(&views));
    (world, views)
}

#[gungraun::library_benchmark(config = limit(RENDER))]
#[bench::every_family(views())]
fn text_and_compression((world, views): (World, Arc<[View]>)) -> (World, Rendered) {
    let rendered = black_box(Rendered::new(&views, &world.money, &[]));
    (world, rendered)
}

#[gungraun::library_benchmark(config = limit(LEDGER))]
#[bench::day_by_day(ledger_and_ids())]
fn ledger((mut ledger, ids): (Ledger, Ids)) -> (Ledger, Ids) {
    charge_all(black_box(&mut ledger), &ids, DAYS);
    (ledger, ids)
}

gungraun::library_benchmark_group!(
    name = a_change,
    benchmarks = [
        windows_and_forecast,
        folding,
        budgets,
        text_and_compression,
        ledger
    ]
);

gungraun::main!(library_benchmark_groups = a_change);
