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
mod runtime;
pub mod serve;

use runtime::block_on;

/// Runs the command that was given. An error is printed by the caller.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let command = cli.chosen_command();
    let flags = cli.flags;
    let shard = ShardFlags {
        index: flags.shard_index,
        count: flags.shard_count,
    };
    let sources = Sources::of_process(flags.config_file.clone(), flags.log_level).sharded(shard);
    match command {
        Command::Serve => block_on(serve::command(flags, sources)),
        Command::CheckConfig => Ok(check_config::command(&flags, &sources)),
        Command::Explain(options) => block_on(explain::command(&flags, &sources, options)),
        Command::Backfill(options) => block_on(backfill::command(&flags, &sources, options)),
        Command::Demo => block_on(demo::command(flags, sources)),
        Command::Health(options) => block_on(health::command(&flags, options)),
        Command::Schema => Ok(print(&format!("{:#}", config::schema()))),
        Command::Completions { shell } => Ok(print(&cli::completions(shell))),
        Command::Manual => Ok(print(&cli::manual()?)),
    }
}

fn print(text: &str) -> ExitCode {
    print_out(text.trim_end());
    ExitCode::SUCCESS
}

/// Prints the product of a command.
#[expect(
    clippy::print_stdout,
    reason = "the product of a command goes to stdout"
)]
fn print_out(text: &str) {
    println!("{text}");
}

/// Prints an error of a command.
#[expect(
    clippy::print_stderr,
    reason = "errors occur before the log is started"
)]
pub fn print_err(text: &str) {
    eprintln!("{text}");
}
