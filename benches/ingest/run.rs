//! Programs that are run to their end: what they say on their last line, and what this one says of itself.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::Context;
use procfs::process::Process;
use serde::{Deserialize, Serialize};

/// What one run says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) rows: u64,
    /// What processors were used for it, in seconds, user and kernel, all threads, the start of the process included.
    #[serde(default)]
    pub(crate) cpu: f64,
    /// The sum of all amounts, to tell that all have read the same.
    pub(crate) total: f64,
    /// The most memory that the process had, MB.
    pub(crate) peak: f64,
    /// What of that came after it was ready to begin, MB.
    #[serde(default)]
    pub(crate) grown: f64,
}

/// Runs a program to its end and reads its last line.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<Run> {
    let output = command.stderr(Stdio::inherit()).output()?;
    anyhow::ensure!(
        output.status.success(),
        "{command:?} ended with {}",
        output.status
    );
    let text = String::from_utf8(output.stdout)?;
    let line = text.trim().lines().last().unwrap_or_default();
    serde_json::from_str(line).with_context(|| format!("{command:?} said {line}"))
}

/// Runs this program with other arguments.
pub(crate) fn run_self(arguments: &[&str]) -> anyhow::Result<Run> {
    run(Command::new(std::env::current_exe()?).args(arguments))
}

pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    Instant::now()
}

/// How long this process has used processors, seconds.
pub(crate) fn cpu() -> anyhow::Result<f64> {
    let stat = Process::myself()?.stat()?;
    Ok((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64)
}

/// The most memory that this process had, and what it has, MB.
pub(crate) fn memory() -> anyhow::Result<(f64, f64)> {
    let status = Process::myself()?.status()?;
    let megabytes = |kibibytes: Option<u64>| kibibytes.unwrap_or_default() as f64 * 1024.0 / 1e6;
    Ok((megabytes(status.vmhwm), megabytes(status.vmrss)))
}

#[expect(clippy::print_stdout, reason = "the product of a benchmark")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "tells how far it is")]
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}
