//! The real binary as a child process that does not outlive its test.

use std::{
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use super::{TEST_TIMEOUT, eventually};

/// A running program and what it has printed so far.
pub(crate) struct Program {
    child: Child,
    stdout: Printed,
    stderr: Printed,
}

/// What a program that has ended printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

struct Printed {
    text: Arc<Mutex<String>>,
    reading: JoinHandle<()>,
}

impl Printed {
    fn of(pipe: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(String::new()));
        let written = Arc::clone(&text);
        let reading = tokio::spawn(async move {
            let mut lines = BufReader::new(pipe).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut text = written.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        Self { text, reading }
    }

    fn so_far(&self) -> String {
        self.text.lock().unwrap().clone()
    }
}

impl Program {
    /// The exporter, with an empty environment.
    pub(crate) fn exporter(arguments: &[&str]) -> Self {
        Self::exporter_in(&[], arguments)
    }

    /// The exporter in an environment.
    pub(crate) fn exporter_in(environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"));
        command
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied());
        Self::start(command).unwrap()
    }

    /// Errors where there is no such program.
    pub(crate) fn start(mut command: Command) -> std::io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self {
            stdout: Printed::of(child.stdout.take().unwrap()),
            stderr: Printed::of(child.stderr.take().unwrap()),
            child,
        })
    }

    /// The first word behind a text that it printed, once it has: on stdout or stderr.
    pub(crate) async fn says(&mut self, before: &str) -> String {
        eventually("the program says where it is", async || {
            let printed = self.stdout.so_far() + &self.stderr.so_far();
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("it ended with {status}:\n{printed}");
            }
            printed
                .lines()
                .find_map(|line| line.split_once(before)?.1.split_whitespace().next())
                .map(str::to_owned)
                .ok_or(printed)
        })
        .await
    }

    /// What it has printed to stdout so far.
    pub(crate) fn output(&self) -> String {
        self.stdout.so_far()
    }

    /// What it has printed to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.stderr.so_far()
    }

    /// The memory that it holds, in bytes.
    pub(crate) fn resident_memory(&self) -> u64 {
        let id = self.child.id().expect("it runs");
        let process = procfs::process::Process::new(i32::try_from(id).unwrap()).unwrap();
        process.stat().unwrap().rss * procfs::page_size()
    }

    /// Asks it to end, as a service manager does.
    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Sends it a signal.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs");
        // `kill` is part of every shell.
        let killed = Command::new("sh")
            .args(["-c", &format!("kill -{name} {id}")])
            .status()
            .await;
        assert!(killed.unwrap().success());
    }

    /// Ends it as kill -9 does, wherever it is, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> Ended {
        self.child.start_kill().unwrap();
        self.end().await
    }

    /// Waits until it has ended.
    pub(crate) async fn end(mut self) -> Ended {
        let status = tokio::time::timeout(TEST_TIMEOUT, self.child.wait())
            .await
            .unwrap_or_else(|_| panic!("it does not end:\n{}", self.stderr.so_far()))
            .unwrap();
        self.stdout.reading.await.unwrap();
        self.stderr.reading.await.unwrap();
        Ended {
            status,
            stdout: self.stdout.text.lock().unwrap().clone(),
            stderr: self.stderr.text.lock().unwrap().clone(),
        }
    }
}
