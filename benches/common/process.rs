//! A server in a process of its own: started, told things by lines, measured through `/proc`, and ended with its parent.

use std::{
    fs,
    io::{self, BufRead, BufReader, Write},
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

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

    /// CPU time that the server and its workers have used, user and system.
    pub(crate) fn cpu(&self) -> io::Result<Duration> {
        let mut ticks = 0;
        for id in self.processes() {
            let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
            let after_name = stat.rsplit(')').next().unwrap_or_default();
            let mut fields = after_name.split_whitespace().skip(11);
            for _ in 0..2 {
                let field = fields.next().unwrap_or_default();
                ticks += field.parse::<u64>().map_err(io::Error::other)?;
            }
        }
        Ok(Duration::from_millis(
            ticks * 1000 / procfs::ticks_per_second(),
        ))
    }

    /// The most memory that the server and its workers ever held, in bytes.
    pub(crate) fn peak_memory(&self) -> io::Result<u64> {
        self.memory("VmHWM:")
    }

    /// The memory that the server and its workers hold, in bytes.
    pub(crate) fn resident_memory(&self) -> io::Result<u64> {
        self.memory("VmRSS:")
    }

    fn memory(&self, field: &str) -> io::Result<u64> {
        let mut bytes = 0;
        for id in self.processes() {
            let status = fs::read_to_string(format!("/proc/{id}/status"))?;
            let kilobytes = status
                .lines()
                .find_map(|line| line.strip_prefix(field)?.trim().split(' ').next())
                .unwrap_or_default();
            bytes += kilobytes.parse::<u64>().map_err(io::Error::other)? * 1024;
        }
        Ok(bytes)
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
