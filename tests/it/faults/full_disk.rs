//! A start on a full disk with a whole state on it: a file system of its own, in a namespace of its own.

use std::path::Path;

use cloudspend_exporter::{
    clock::Clock,
    demo::{Demo, Fault, Options},
    provider::registry::ProviderName,
};
use http::StatusCode;
use jiff::Timestamp;
use tokio::process::Command;

use crate::support::{Exposition, Folder, OPEN_METRICS, Program, eventually, scrape};

const ACCOUNTS: usize = 9;
/// Mounts a small disk, copies the states to it, fills it, and becomes the rest of its arguments.
const FILLED: &str = r#"mount -t tmpfs -o size=8m small "$1" && cp "$2"/*.state "$1" || exit 99
dd if=/dev/zero of="$1/filler" bs=4k 2>/dev/null; shift 2; exec "$@""#;

/// A shell in namespaces of its own, in which it may mount.
fn shell(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount"])
        .args(["sh", "-c", script, "sh"])
        .arg(folder);
    command
}

/// How many accounts have a sample of this family, and the sum of these.
async fn sum(address: &str, family: &str) -> Result<(usize, f64), String> {
    let shown: Exposition = scrape(&format!("http://{address}/metrics"), OPEN_METRICS).await?;
    let values: Vec<f64> = shown.samples(family).map(|sample| sample.value).collect();
    Ok((values.len(), values.iter().sum()))
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::print_stdout, reason = "a test that proved nothing says so")]
async fn full_disk_with_a_whole_state_starts_and_restores() {
    let folder = Folder::with(&Demo::secrets());
    let (states, disk) = (folder.path().join("states"), folder.path().join("disk"));
    std::fs::create_dir(&disk).unwrap();
    let mounts = shell(r#"mount -t tmpfs -o size=8m small "$1""#, &disk);
    if !{ mounts }
        .status()
        .await
        .is_ok_and(|status| status.success())
    {
        println!("no file system can be mounted here, so a full disk was not tried");
        return;
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "the exporter goes by the system's clock, so the world stands still at its time"
    )]
    let now = Timestamp::now();
    let demo = Demo::start(Clock::from_fn(move || now), Options::default())
        .await
        .unwrap();
    let yaml = demo
        .config_yaml(folder.path())
        .replace("interval: 30s", "interval: 10s")
        .replace("requests_per_second: 50", "requests_per_second: 10000")
        .replace("granularity: hourly", "granularity: daily");
    let config = folder.path().join("cloudspend.yml");
    std::fs::write(&config, yaml).unwrap();
    let arguments = |states: &Path| {
        [
            "--web.listen-address=127.0.0.1:0".to_owned(),
            format!("--config.file={}", config.display()),
            format!("--storage.path={}", states.display()),
        ]
    };

    let first = arguments(&states);
    let mut program = Program::exporter(&first.each_ref().map(String::as_str));
    let address = program.says("msg=Listening address=").await;
    eventually("every state is written", async || {
        let family = "cloudspend_state_last_write_timestamp_seconds";
        match sum(&address, family).await? {
            (ACCOUNTS, _) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert_eq!(
        sum(&address, "cloudspend_state_write_failures_total").await,
        Ok((ACCOUNTS, 0.0))
    );
    program.terminate().await;
    program.end().await;

    // What is served comes from the disk.
    for provider in ProviderName::all() {
        demo.api(provider)
            .fail(Fault::status(StatusCode::SERVICE_UNAVAILABLE));
    }
    let mut command = shell(FILLED, &disk);
    command
        .arg(&states)
        .arg(env!("CARGO_BIN_EXE_cloudspend-exporter"))
        .args(arguments(&disk));
    let mut program = Program::start(command).unwrap();
    let address = program.says("msg=Listening address=").await;
    assert!(
        program.log().contains("its disk is full"),
        "{}",
        program.log()
    );
    assert_eq!(
        program.log().matches("Restored account state").count(),
        ACCOUNTS
    );
    let served = sum(&address, "cloudspend_billed_cost_month_to_date").await;
    assert!(
        served.as_ref().is_ok_and(|served| served.0 > 0),
        "{served:?}"
    );
    eventually("a write fails and is counted", async || {
        match sum(&address, "cloudspend_state_write_failures_total").await? {
            (ACCOUNTS, failures) if failures > 0.0 => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
    assert!(program.log().contains("Account state was not saved"));
    assert!(
        sum(&address, "cloudspend_billed_cost_month_to_date")
            .await
            .unwrap()
            .0
            > 0
    );
    program.terminate().await;
    program.end().await;
    demo.stop().await;
}
