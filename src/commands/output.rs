//! What commands print, and the exit code of an error.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::Context;

use crate::diagnostics::Report;

/// The exit code where the configuration has errors: no restart mends it.
pub const INVALID_CONFIG: u8 = 3;

/// The exit code where a command was used wrongly, as of clap.
pub(super) const WRONG_USAGE: u8 = 2;

/// The exit code of an error.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Report>() {
        ExitCode::from(INVALID_CONFIG)
    } else {
        ExitCode::FAILURE
    }
}

/// Prints the product of a command that has nothing else to do.
pub fn print(text: &str) -> anyhow::Result<ExitCode> {
    print_out(text.trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Prints the product of a command. A reader that has gone, such as `head`, needs no more of it; anything else that
/// prevents the writing, such as a full disk, is an error.
pub(super) fn print_out(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Prints an error of a command. Where that is not possible there is no other place for it.
pub fn print_err(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
