//! The command `demo`: serves metrics over the simulated provider APIs, from a temporary folder.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

use super::{
    output::{print_err, print_out},
    runtime::{access, listen, shutdown_signal, store},
    serve::{self, Setup},
};
use crate::{
    cli::{self, Flags},
    clock::Clock,
    config::{self, Sources},
    demo::{self, Demo},
    poller::supervisor::Tools,
    server::Access,
    telemetry::log,
};

/// The exit code of wrong usage, as for a wrong flag.
const WRONG_USAGE: u8 = 2;

/// Starts the simulated APIs, prints how to query them and the exporter, and serves until a signal arrives.
pub(super) async fn command(
    flags: Flags,
    mut sources: Sources,
    options: &cli::Demo,
) -> anyhow::Result<ExitCode> {
    if flags.config_file.is_some() {
        let message = "demo has a configuration of its own, over its simulated APIs; --config.file cannot be used with it";
        print_err(&format!("error: {message}"));
        return Ok(ExitCode::from(WRONG_USAGE));
    }
    let hangup = signal(SignalKind::hangup())?;
    let clock = Clock::system();
    let demo = Demo::start(clock.clone(), demo::Options::default())
        .await
        .context("cannot start the simulated APIs")?;
    let folder = tempfile::tempdir().context("cannot create a folder for the demo")?;
    for (name, content) in Demo::secrets() {
        std::fs::write(folder.path().join(name), content)?;
    }
    let file = folder.path().join("cloudspend.yml");
    let yaml = demo.config_yaml(folder.path());
    std::fs::write(&file, &yaml)?;
    sources.file = Some(file);
    let config = config::load(&sources, &clock, &mut |_| Arc::default())?;
    let log = log::start(flags.log_format, config.log.level);
    let store = store(&flags)?;
    let access = access(&flags)?;
    let listeners = listen(&flags).await?;
    if options.print_config {
        print_out(&format!(
            "# Over the simulated APIs of this demo. They and the files of the secrets are there while it runs.\n{}",
            yaml.trim_end()
        ))?;
    } else {
        print_requests(&demo, &flags, &access, &listeners)?;
    }
    let tools = Tools {
        sources,
        store,
        log,
        clock,
    };
    let setup = Setup::new(flags, listeners, access, hangup);
    serve::run(config, tools, setup, shutdown_signal()?).await?;
    demo.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Prints requests to try: to each simulated API, and to the exporter.
fn print_requests(
    demo: &Demo,
    flags: &Flags,
    access: &Access,
    listeners: &[TcpListener],
) -> anyhow::Result<()> {
    print_out("Simulated provider APIs, and what they respond:")?;
    let mut last = None;
    for (provider, line) in demo.curl_lines() {
        if last.replace(provider) != Some(provider) {
            print_out(&format!("  # {}", provider.as_str()))?;
        }
        print_out(&format!("  {line}"))?;
    }
    let scheme = if access.is_encrypted() {
        "https"
    } else {
        "http"
    };
    print_out("The exporter over them:")?;
    for listener in listeners {
        let port = listener.local_addr()?.port();
        let metrics = &flags.telemetry_path;
        print_out(&format!("  curl {scheme}://127.0.0.1:{port}{metrics}"))?;
        print_out(&format!(
            "  curl {scheme}://127.0.0.1:{port}/    # the status page, better in a browser"
        ))?;
    }
    Ok(())
}
