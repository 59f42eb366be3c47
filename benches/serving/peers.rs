//! How the servers under test are started.

use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{fragment::folder, ours::Reported, process::Server, series::Shape};

/// The exporter, which reads and writes nothing but its port.
pub(crate) fn ours(reported: Reported) -> io::Result<Server> {
    Server::start(itself()?.args([
        "serve-ours",
        &reported.label_sets.to_string(),
        reported.shape.name(),
        &reported.days.to_string(),
    ]))
}

/// prometheus-client's `Family`.
pub(crate) fn family(series: u64, shape: Shape) -> io::Result<Server> {
    Server::start(itself()?.args(["serve-family", &series.to_string(), shape.name()]))
}

/// `client_golang` with const metrics.
pub(crate) fn const_metrics(series: u64, shape: Shape) -> io::Result<Server> {
    let mut command = Command::new(tools().join("bin/go-scrape"));
    Server::start(command.args(["serve", &series.to_string(), shape.name()]))
}

/// Scrapes with Go, which asks for gzip and undoes it, and gives how many samples it read.
pub(crate) fn read_with_go(port: u16) -> io::Result<u64> {
    let read = Command::new(tools().join("bin/go-scrape"))
        .args(["read", &format!("http://127.0.0.1:{port}/metrics")])
        .stderr(Stdio::inherit())
        .output()?;
    String::from_utf8_lossy(&read.stdout)
        .trim()
        .parse()
        .map_err(io::Error::other)
}

/// Python's `prometheus_client`.
pub(crate) fn python(series: u64, shape: Shape) -> io::Result<Server> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/scrape/server.py");
    let mut command = Command::new(tools().join("bin/python"));
    Server::start(
        command
            .arg(script)
            .args([&series.to_string(), shape.name()]),
    )
}

/// nginx over the bytes of one body and of the same body compressed, as files.
pub(crate) fn nginx(plain: &[u8], zipped: &[u8]) -> io::Result<Server> {
    let folder = folder().join("nginx");
    fs::create_dir_all(folder.join("logs"))?;
    fs::write(folder.join("metrics"), plain)?;
    fs::write(folder.join("metrics.gz"), zipped)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let root = folder.display();
    let configuration = format!(
        "daemon off;
worker_processes auto;
error_log {root}/logs/error.log;
pid {root}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=16 inactive=10m;
    open_file_cache_valid 10m;
    default_type 'text/plain; version=0.0.4; charset=utf-8';
    client_body_temp_path {root}/client;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    server {{
        listen 127.0.0.1:{port} reuseport;
        location / {{ root {root}; gzip_static on; }}
    }}
}}
"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration)?;
    let mut command = Command::new(tools().join("bin/nginx"));
    command.arg("-p").arg(&folder).arg("-c").arg(&file);
    let server = Server::spawn(command.stderr(Stdio::null()), port)?;
    for _ in 0..1000 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(server);
        }
        thread::sleep(Duration::from_millis(10));
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Where the programs are that are compared with.
fn tools() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/bench")
}

fn itself() -> io::Result<Command> {
    Ok(Command::new(std::env::current_exe()?))
}
