//! The program: parses the arguments, runs a command and sets the exit code.

use std::process::ExitCode;

use cloudspend_exporter::{cli::Cli, commands};

fn main() -> ExitCode {
    let arguments = std::env::args_os();
    let result = match Cli::read(arguments) {
        Ok(cli) => commands::run(cli),
        // `exit` ignores where help and version could not be written, and ends with 0 all the same.
        Err(answer) if !answer.use_stderr() => commands::print(&answer.render().to_string()),
        Err(wrong) => wrong.exit(),
    };
    result.unwrap_or_else(|error| {
        commands::print_err(&format!("{error:#}"));
        commands::exit_code(&error)
    })
}
