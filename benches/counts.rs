//! What rendering and folding cost in instructions, which do not depend on what else the machine does: more than 5 % above
//! what was counted fails. `make bench-check` runs it under Callgrind.
//!
//! What is made in `setup` is not counted, nor what is dropped after a function has returned.

#![expect(missing_docs, reason = "the macros make modules of the functions")]

use std::hint::black_box;

use cloudspend_exporter::{exposition::Rendered, ledger, provider::Fetched, view::View};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};

use crate::world::{Ids, Labels, World, charge_all, empty_ledger, ids_of};

#[path = "common/world.rs"]
mod world;

/// What was counted when it was last written down, with the toolchain of `rust-toolchain.toml` on x86-64 with AVX2, which
/// the C library and zlib-rs make use of. Whoever makes something cheaper, or dearer for a reason, writes the new number.
mod counted {
    pub(super) const RENDER: u64 = 206_634_387;
    pub(super) const RENDER_UNLIKE: u64 = 285_327_349;
    pub(super) const RENDER_FOLDED: u64 = 58_610_280;
    pub(super) const NAME: u64 = 30_351_748;
    pub(super) const VIEW: u64 = 7_715_835;
    pub(super) const CHARGE: u64 = 298_510_133;
}

const SETS: usize = 5_000;
const DAYS: usize = 40;

/// At most 5 % more than was counted.
fn at_most(counted: u64) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    let limit = counted + counted / 20;
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, limit)]));
    config
}

/// A world whose label sets, and which of them budgets match, are known from a rendering before.
fn known(labels: Labels, limit: usize) -> World {
    let mut world = World::new(SETS, DAYS, labels, limit);
    world.rendered();
    world
}

// Windows, forecast, budgets, text and compression of one change.
#[library_benchmark]
#[bench::alike(args = (Labels::Alike, usize::MAX), setup = known, config = at_most(counted::RENDER))]
#[bench::unlike(args = (Labels::Unlike, usize::MAX), setup = known, config = at_most(counted::RENDER_UNLIKE))]
#[bench::folded(args = (Labels::Alike, SETS / 5), setup = known, config = at_most(counted::RENDER_FOLDED))]
fn render(mut world: World) -> (Rendered, World) {
    (black_box(world.rendered()), world)
}

// Naming label sets that are not known, and windows.
#[library_benchmark]
#[bench::of(args = (Labels::Alike, usize::MAX), setup = known, config = at_most(counted::NAME))]
fn name(mut world: World) -> (Vec<View>, World) {
    world.forget();
    (black_box(world.viewed()), world)
}

// Windows and forecast alone.
#[library_benchmark]
#[bench::of(args = (Labels::Alike, usize::MAX), setup = known, config = at_most(counted::VIEW))]
fn view(mut world: World) -> (Vec<View>, World) {
    (black_box(world.viewed()), world)
}

/// A ledger and what is to be charged.
fn to_charge() -> (ledger::Ledger, Ids) {
    let world = World::new(1, 1, Labels::Alike, usize::MAX);
    let ledger = empty_ledger(&world.account, SETS);
    (ledger, ids_of(SETS, Labels::Alike))
}

// Charges to sums: 5,000 label sets on 40 days each, and the end of the poll.
#[library_benchmark]
#[bench::of(setup = to_charge, config = at_most(counted::CHARGE))]
fn charge((mut ledger, ids): (ledger::Ledger, Ids)) -> (ledger::PartTotals, Ids) {
    charge_all(&mut ledger, &ids, DAYS);
    (black_box(ledger.close(Fetched::replaced())), ids)
}

library_benchmark_group!(name = counts, benchmarks = [render, name, view, charge]);
main!(library_benchmark_groups = counts);
