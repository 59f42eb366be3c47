//! The commands: one module each. A command combines the modules below it for one purpose.

use std::process::ExitCode;

use crate::{
    cli::{self, Cli, Command},
    config::{self, ShardFlags, Sources},
};

pub mod backfill;
mod check_config;
mod demo;
pub mod explain;
pub mod health;
mod output;
mod pauses;
pub mod reconcile;
mod runtime;
pub mod serve;
mod table;

pub use output::{INVALID_CONFIG, exit_code, print, print_err};
use runtime::block_on;

/// Runs the command that was given. An error is printed by the caller.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let command = cli.chosen_command();
    let mut flags = cli.flags;
    if flags.listen.is_empty() {
        flags.listen.push(command.default_listen_address());
    }
    let shard = ShardFlags {
        index: flags.shard_index,
        count: flags.shard_count,
    };
    let sources = Sources::of_process(flags.config_file.clone(), flags.log_level).sharded(shard);
    match command {
        Command::Serve => block_on(serve::command(flags, sources)),
        Command::CheckConfig => check_config::command(&flags, &sources),
        Command::Explain(options) => block_on(explain::command(&flags, &sources, options)),
        Command::Backfill(options) => block_on(backfill::command(&flags, &sources, options)),
        Command::Reconcile(options) => block_on(reconcile::command(&flags, &sources, options)),
        Command::Demo(options) => block_on(demo::command(flags, sources, &options)),
        Command::Health(options) => block_on(health::command(&flags, options)),
        Command::Schema => print(&format!("{:#}", config::schema())),
        Command::Completions { shell } => print(&cli::completions(shell)),
        Command::Manual => print(&cli::manual()?),
    }
}
