//! ProviderEntry only: the command line to the rooms, signals to an orderly end, and the exit code.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::Parser;
use cloudspend_exporter::{
    cli::{self, Cli, Command, Flags},
    clock::Clock,
    commands::{
        backfill, explain, health,
        serve::{self, Setup},
    },
    config::{self, ShardFlags, Sources},
    demo::{self, Demo},
    diagnostics::Report,
    poller::supervisor::Tools,
    server::{self, Access},
    state::store::Store,
    telemetry::{LogLevel, log, progress::Progress},
};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli) {
        Ok(code) => code,
        Err(error) => {
            print_err(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<ExitCode> {
    let sources = Sources::of_process(cli.flags.config_file.clone(), cli.flags.log_level).sharded(
        ShardFlags {
            index: cli.flags.shard_index,
            count: cli.flags.shard_count,
        },
    );
    match cli.chosen_command() {
        Command::Serve => start(serve(cli.flags, sources)),
        Command::Explain(wanted) => start(explain(&cli.flags, &sources, wanted)),
        Command::Backfill(past) => start(backfill(&cli.flags, &sources, past)),
        Command::Demo => start(simulate(cli.flags, sources)),
        Command::CheckConfig => {
            let report = config::check(&sources, &Clock::system());
            let text = report.to_string();
            if !text.is_empty() {
                print_err(&text);
            }
            let web = access(&cli.flags);
            if let Err(faults) = &web {
                print_err(&faults.to_string());
            }
            if !report.is_ok() || web.is_err() {
                return Ok(ExitCode::FAILURE);
            }
            print_out(&format!("{}: good", report.file().display()));
            if let Some(file) = cli.flags.web_config_file {
                print_out(&format!("{}: good", file.display()));
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Schema => {
            print_out(&format!("{:#}", config::schema()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            print_out(cli::completions(shell).trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Manual => {
            print_out(cli::manual()?.trim_end());
            Ok(ExitCode::SUCCESS)
        }
        Command::Health(whom) => start(async move {
            let urls = health::urls(whom.url, cli.flags.listen.first());
            health::ask(&urls).await?;
            Ok(ExitCode::SUCCESS)
        }),
    }
}

/// How long what runs on other threads may take to end.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

fn start(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let ended = runtime.block_on(work);
    // A state that is being written gets its time; a disk that hangs does not keep the program from ending.
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    ended
}

async fn serve(flags: Flags, sources: Sources) -> anyhow::Result<ExitCode> {
    // First of all, so that one that comes early does not end the program.
    let hangup = signal(SignalKind::hangup())?;
    let clock = Clock::system();
    let config = config::load(&sources, &clock, &mut |_| Arc::default())?;
    let log = log::start(flags.log_format, config.log.level);
    let store = open(&flags)?;
    let access = access(&flags)?;
    let listeners = listen(&flags).await?;
    let tools = Tools {
        sources,
        store,
        log,
        clock,
    };
    serve::run(
        config,
        tools,
        setup(flags, listeners, access, hangup),
        signals()?,
    )
    .await?;
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}

fn setup(flags: Flags, listeners: Vec<TcpListener>, access: Access, hangup: Signal) -> Setup {
    Setup {
        listeners,
        telemetry_path: flags.telemetry_path,
        lifecycle: flags.lifecycle,
        access,
        hangup: Some(hangup),
    }
}

/// Asks for past months and writes them. The log goes to stderr, since stdout may be the product.
async fn backfill(
    flags: &Flags,
    sources: &Sources,
    past: cli::Backfill,
) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    let config = config::load(sources, &clock, &mut |_| Arc::default())?;
    log::start(flags.log_format, config.log.level);
    let progress = Progress::on_terminal();
    backfill::run(config.accounts, &past, &clock, &progress, signals()?).await?;
    Ok(ExitCode::SUCCESS)
}

/// Polls once and prints what came of it; fails where an account did. What goes wrong stands in what is printed, so
/// the log is silent unless the flag asks for it.
async fn explain(
    flags: &Flags,
    sources: &Sources,
    wanted: cli::Explain,
) -> anyhow::Result<ExitCode> {
    let clock = Clock::system();
    let config = config::load(sources, &clock, &mut |_| Arc::default())?;
    log::start(flags.log_format, flags.log_level.unwrap_or(LogLevel::Error));
    let account = wanted.account.as_deref();
    let progress = Progress::on_terminal();
    let explained = explain::run(config, account, &clock, &progress, signals()?).await?;
    if wanted.json {
        print_out(&explained.json());
    } else {
        let colour = io::stdout().is_terminal() && sources.allow_colour();
        print_out(explained.text(colour).trim_end());
    }
    Ok(if explained.failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Serves over the simulated APIs, from a folder of its own that is gone at the end.
async fn simulate(flags: Flags, mut sources: Sources) -> anyhow::Result<ExitCode> {
    let hangup = signal(SignalKind::hangup())?;
    let clock = Clock::system();
    let demo = Demo::start(clock.clone(), demo::Options::default())
        .await
        .context("cannot start the simulated APIs")?;
    let folder = tempfile::tempdir().context("cannot make a folder for the demo")?;
    for (name, content) in Demo::secrets() {
        std::fs::write(folder.path().join(name), content)?;
    }
    let file = folder.path().join("cloudspend.yml");
    std::fs::write(&file, demo.config_yaml(folder.path()))?;
    sources.file = Some(file);
    let config = config::load(&sources, &clock, &mut |_| Arc::default())?;
    let log = log::start(flags.log_format, config.log.level);
    let store = open(&flags)?;
    let access = access(&flags)?;
    let listeners = listen(&flags).await?;
    print_out("Simulated provider APIs, and what they answer:");
    for line in demo.curl_lines() {
        print_out(&format!("  {line}"));
    }
    let scheme = if access.is_encrypted() {
        "https"
    } else {
        "http"
    };
    print_out("The exporter over them:");
    for listener in &listeners {
        let port = listener.local_addr()?.port();
        print_out(&format!(
            "  curl {scheme}://127.0.0.1:{port}{}",
            flags.telemetry_path
        ));
        print_out(&format!(
            "  curl {scheme}://127.0.0.1:{port}/    # the status page, better in a browser"
        ));
    }
    let tools = Tools {
        sources,
        store,
        log,
        clock,
    };
    serve::run(
        config,
        tools,
        setup(flags, listeners, access, hangup),
        signals()?,
    )
    .await?;
    demo.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// The folder for states, if one is wanted.
fn open(flags: &Flags) -> anyhow::Result<Option<Arc<Store>>> {
    let open = |folder: &PathBuf| {
        Store::open(folder)
            .map(Arc::new)
            .with_context(|| format!("--storage.path: cannot write to {}", folder.display()))
    };
    flags.storage_path.as_ref().map(open).transpose()
}

/// Who may ask, and how.
fn access(flags: &Flags) -> Result<Access, Report> {
    let file = flags.web_config_file.as_deref();
    file.map_or_else(|| Ok(Access::open()), Access::load)
}

async fn listen(flags: &Flags) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in &flags.listen {
        let listener = server::bind(address.host.as_deref(), address.port)
            .await
            .with_context(|| format!("cannot listen on {address}"))?;
        listeners.push(listener);
    }
    Ok(listeners)
}

/// Turns true at the first SIGTERM or SIGINT; a second one ends the program at once.
fn signals() -> io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!("ending");
        // Nobody listens any more where the server has ended by itself.
        let _ = stop.send(true);
        next().await;
        std::process::exit(1);
    });
    Ok(stopped)
}

#[expect(
    clippy::print_stdout,
    reason = "the product of a command goes to stdout"
)]
fn print_out(line: &str) {
    println!("{line}");
}

#[expect(clippy::print_stderr, reason = "faults come before there is a log")]
fn print_err(line: &str) {
    eprintln!("{line}");
}
