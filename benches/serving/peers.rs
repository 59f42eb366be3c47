//! How the servers under test are started.

use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{
    common::{
        fragment::folder,
        process::{Server, itself, tool},
    },
    ours::Reported,
    series::Shape,
};

/// The exporter, which reads and writes nothing but its port.
pub(crate) fn ours(reported: Reported) -> io::Result<Server> {
    Server::start(&mut itself([
        "serve",
        &reported.label_sets.to_string(),
        reported.shape.name(),
        &reported.days.to_string(),
    ])?)
}

/// `client_golang` with const metrics.
pub(crate) fn const_metrics(series: u64, shape: Shape) -> io::Result<Server> {
    let mut command = Command::new(tool("go-scrape"));
    Server::start(command.args([&series.to_string(), shape.name()]))
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
    let mut command = Command::new(tool("nginx"));
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
