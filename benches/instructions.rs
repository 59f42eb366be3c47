//! What a change costs in instructions, which no load on the machine alters: `make bench-check` fails where a step
//! takes over 5 % more than is written here.
//!
//! The numbers are of valgrind 3.19 on x86-64 with the toolchain of `rust-toolchain.toml`. Who makes a step cheaper
//! writes the new number here; who makes it dearer says why in the commit.

#![expect(missing_docs, reason = "the attributes make modules that nobody calls")]

use std::{hint::black_box, sync::Arc};

use cloudspend_exporter::{
    exposition::Rendered,
    ledger::Ledger,
    window::{View, view},
};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};

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
const CHANGE: u64 = 1;
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

fn world_of_random_ids() -> World {
    World::new(SETS, DAYS, Labels::Unlike, NO_LIMIT)
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

#[library_benchmark(config = limit(VIEW))]
#[bench::of_sets_and_days(world(NO_LIMIT))]
fn windows_and_forecast(world: World) -> (World, View) {
    let view = black_box(view(&world.account, &world.state, world.now));
    (world, view)
}

#[library_benchmark(config = limit(FOLD))]
#[bench::to_a_fifth(world(SETS / 5))]
fn folding(world: World) -> (World, View) {
    let view = black_box(view(&world.account, &world.state, world.now));
    (world, view)
}

#[library_benchmark(config = limit(BUDGETS))]
#[bench::ten_of_them(views())]
fn budgets((world, views): (World, Arc<[View]>)) -> (World, Arc<[View]>) {
    black_box(world.money.spent_of_all(&views));
    (world, views)
}

#[library_benchmark(config = limit(CHANGE))]
#[bench::of_random_ids(world_of_random_ids())]
fn a_change(world: World) -> (World, Rendered) {
    let rendered = black_box(world.rendered());
    (world, rendered)
}

#[library_benchmark(config = limit(LEDGER))]
#[bench::day_by_day(ledger_and_ids())]
fn ledger((mut ledger, ids): (Ledger, Ids)) -> (Ledger, Ids) {
    charge_all(black_box(&mut ledger), &ids, DAYS);
    (ledger, ids)
}

library_benchmark_group!(
    name = steps,
    benchmarks = [windows_and_forecast, folding, budgets, a_change, ledger]
);

main!(library_benchmark_groups = steps);
