//! The command `check-config`: reads the configuration, every secret and the web configuration, and prints all errors.

use std::process::ExitCode;

use super::{
    output::{INVALID_CONFIG, print_err, print_out},
    runtime,
};
use crate::{
    cli::Flags,
    clock::Clock,
    config::{self, Sources},
};

/// Prints all errors and warnings, or that the files are valid.
pub(super) fn command(flags: &Flags, sources: &Sources) -> anyhow::Result<ExitCode> {
    let report = config::check(sources, &Clock::system());
    let text = report.to_string();
    if !text.is_empty() {
        print_err(&text);
    }
    let web = runtime::access(flags);
    if let Err(errors) = &web {
        print_err(&errors.to_string());
    }
    if !report.is_ok() || web.is_err() {
        return Ok(ExitCode::from(INVALID_CONFIG));
    }
    print_out(&format!("{}: valid", report.file().display()))?;
    if let Some(file) = &flags.web_config_file {
        print_out(&format!("{}: valid", file.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
