//! The program: parses the arguments, runs a command and sets the exit code.

use std::process::ExitCode;

use clap::Parser;
use cloudspend_exporter::{cli::Cli, commands};

fn main() -> ExitCode {
    match commands::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            commands::print_err(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
