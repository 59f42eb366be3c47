//! Where the output of commands goes: a pipe whose reader has gone, a full disk.

use std::{
    fs::File,
    io,
    process::{Output, Stdio},
};

use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Options},
};
use jiff::{ToSpan, tz::TimeZone};
use tokio::process::Command;

use crate::support::Folder;

/// Runs the program with its standard output at a place.
async fn run(arguments: &[&str], stdout: impl Into<Stdio>) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"))
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    command.unwrap().wait_with_output().await.unwrap()
}

/// A pipe whose reader has gone.
fn closed_pipe() -> io::PipeWriter {
    io::pipe().unwrap().1
}

fn full_disk() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

fn text(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// A valid configuration over an API that refuses connections, and the commands that print something, each with its exit
/// code where nobody reads.
fn commands(folder: &Folder) -> Vec<(Vec<String>, i32)> {
    let key = folder.yaml("key");
    let yaml = format!(
        "accounts: {{a: {{provider: otc, base_url: 'http://127.0.0.1:9', api_key_file: {key}, interval: 1s}}}}"
    );
    let file = folder.path().join("a.yml");
    std::fs::write(&file, yaml).unwrap();
    let config = format!("--config.file={}", file.display());
    [
        ("--help", 0),
        ("--version", 0),
        ("schema", 0),
        ("manual", 0),
        ("completions bash", 0),
        ("check-config CONFIG", 0),
        ("explain CONFIG", 1),
        ("explain --json CONFIG", 1),
    ]
    .into_iter()
    .map(|(line, code)| {
        let words = line.split(' ');
        let words = words.map(|word| if word == "CONFIG" { &config } else { word });
        (words.map(str::to_owned).collect(), code)
    })
    .collect()
}

#[tokio::test]
async fn closed_pipe_ends_commands_quietly() {
    let folder = Folder::with(&[("key", "the key")]);
    for (arguments, code) in commands(&folder) {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = run(&arguments, closed_pipe()).await;
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {output:?}");
        assert_eq!(text(&output), "", "{arguments:?}");
    }
}

#[tokio::test]
async fn full_disk_is_an_error() {
    let folder = Folder::with(&[("key", "the key")]);
    for (arguments, _) in commands(&folder) {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = run(&arguments, full_disk()).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {output:?}");
        assert_eq!(
            text(&output),
            "cannot write to standard output: No space left on device (os error 28)\n",
            "{arguments:?}"
        );
    }
}

#[tokio::test]
async fn backfill_ends_where_nobody_reads() {
    let clock = Clock::system();
    let demo = Demo::start(clock.clone(), Options::default())
        .await
        .unwrap();
    let folder = Folder::with(&Demo::secrets());
    let file = folder.path().join("cloudspend.yml");
    std::fs::write(&file, demo.config_yaml(folder.path())).unwrap();
    let today = clock.now().to_zoned(TimeZone::UTC).date();
    let (from, to) = (today - 5.days(), today - 3.days());
    let line = format!(
        "backfill --from {from} --to {to} --account otc-platform --log.level=error --config.file={}",
        file.display()
    );
    let arguments: Vec<&str> = line.split(' ').collect();
    // Written to nobody, it is no success: there is no whole file.
    let output = run(&arguments, closed_pipe()).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output), "");
    let output = run(&arguments, full_disk()).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output).contains("No space left on device"),
        "{output:?}"
    );
    let output = run(&arguments, Stdio::piped()).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.ends_with(b"# EOF\n"), "it ends whole");
}

#[tokio::test]
async fn unwritable_stderr_keeps_the_exit_code() {
    let output = Command::new(env!("CARGO_BIN_EXE_cloudspend-exporter"))
        .args(["check-config", "--config.file=/nowhere.yml"])
        .env_clear()
        .stderr(full_disk())
        .output()
        .await;
    assert_eq!(output.unwrap().status.code(), Some(3));
}
