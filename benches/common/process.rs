//! Processes that are measured: servers that are told things by lines and end with their parent, programs that run to
//! their end, and this one.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use procfs::process::Process;
use serde::{Deserialize, Serialize};

use super::numbers::now;

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Used {
    /// User and system time of all its threads.
    pub(crate) cpu: Duration,
    /// The most memory that it ever held, in bytes.
    pub(crate) peak: u64,
    /// The memory that it holds, in bytes.
    pub(crate) resident: u64,
}

impl Used {
    /// By this process.
    pub(crate) fn by_this() -> anyhow::Result<Self> {
        Self::by(std::process::id())
    }

    fn by(id: u32) -> anyhow::Result<Self> {
        let process = Process::new(i32::try_from(id)?)?;
        let (stat, status) = (process.stat()?, process.status()?);
        let ticks = stat.utime + stat.stime;
        Ok(Self {
            cpu: Duration::from_millis(ticks * 1000 / procfs::ticks_per_second()),
            peak: status.vmhwm.unwrap_or_default() * 1024,
            resident: status.vmrss.unwrap_or_default() * 1024,
        })
    }
}

/// A server that has said on which port it listens.
pub(crate) struct Server {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
    pub(crate) port: u16,
}

impl Server {
    /// Starts a program whose first line on stdout is its port.
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut server = Self {
            child,
            lines: Some(BufReader::new(stdout)),
            port: 0,
        };
        server.port = server.line()?.parse().map_err(io::Error::other)?;
        Ok(server)
    }

    /// Starts a program that listens on a port it was told and says nothing. It may not listen yet.
    pub(crate) fn spawn(command: &mut Command, port: u16) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        Ok(Self {
            child,
            lines: None,
            port,
        })
    }

    /// The next line that the server says.
    pub(crate) fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let lines = self.lines.as_mut().ok_or(io::ErrorKind::Unsupported)?;
        lines.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Tells the server something.
    pub(crate) fn tell(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(stdin, "{line}")
    }

    /// What the server and its workers have used.
    pub(crate) fn used(&self) -> anyhow::Result<Used> {
        let mut sum = Used::default();
        for id in self.processes() {
            let used = Used::by(id)?;
            sum.cpu += used.cpu;
            sum.peak += used.peak;
            sum.resident += used.resident;
        }
        Ok(sum)
    }

    /// The server's process and those that it started.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|id| id.parse().ok());
        std::iter::once(id).chain(children).collect()
    }
}

impl Drop for Server {
    /// SIGTERM, so that workers end with their master, and SIGKILL where that does not help.
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let id = self.child.id().to_string();
        let _ = Command::new("kill").arg(&id).status();
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program that has run to its end says of itself on its last line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) seconds: f64,
    pub(crate) rows: u64,
    /// User and system time of all threads, the start of the process included, in seconds.
    pub(crate) cpu: f64,
    /// The sum of all amounts, to tell that all have read the same.
    pub(crate) total: f64,
    /// The most memory that the process had, in MB.
    pub(crate) peak: f64,
    /// What of that came after it was ready to begin, in MB.
    #[serde(default)]
    pub(crate) grown: f64,
}

impl Run {
    /// Runs a program to its end.
    pub(crate) fn of(command: &mut Command) -> anyhow::Result<Self> {
        let output = command.stderr(Stdio::inherit()).output()?;
        let status = output.status;
        anyhow::ensure!(status.success(), "{command:?} ended with {status}");
        let text = String::from_utf8(output.stdout)?;
        let line = text.trim().lines().last().unwrap_or_default();
        serde_json::from_str(line).with_context(|| format!("{command:?} said {line}"))
    }

    /// Does the work of this program and says what it took; `found` makes how many rows there were and their total of it.
    pub(crate) fn this<T>(
        work: impl FnOnce() -> anyhow::Result<T>,
        found: impl FnOnce(T) -> anyhow::Result<(u64, f64)>,
    ) -> anyhow::Result<()> {
        let idle = Used::by_this()?;
        let began = now();
        let done = work()?;
        let seconds = began.elapsed().as_secs_f64();
        let used = Used::by_this()?;
        let (rows, total) = found(done)?;
        let run = Self {
            seconds,
            rows,
            cpu: used.cpu.as_secs_f64(),
            total,
            peak: used.peak as f64 / 1e6,
            grown: used.peak.saturating_sub(idle.resident) as f64 / 1e6,
        };
        say(&serde_json::to_string(&run)?);
        Ok(())
    }
}

/// This program, to be started with other arguments.
pub(crate) fn itself<A: AsRef<std::ffi::OsStr>>(
    arguments: impl IntoIterator<Item = A>,
) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

/// A program that `benches/tools.sh` has put there.
pub(crate) fn tool(name: &str) -> PathBuf {
    let tools = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/bench/bin");
    tools.join(name)
}

#[expect(clippy::print_stdout, reason = "the product of a benchmark")]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "tells how far it is")]
pub(crate) fn tell(line: &str) {
    eprintln!("{line}");
}
