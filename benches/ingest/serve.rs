//! The server that all read from, in a process of its own: files over HTTP/1.1, sent by the kernel.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    thread,
};

use super::rows::{self, MOST};
use crate::common::process::say;

/// Serves `/FORM/ROWS/...` for the month that has rows, and nothing for any other, until its standard input ends. Says
/// its port first.
pub(crate) fn run(folder: &Path) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    say(&listener.local_addr()?.port().to_string());
    let folder = folder.to_owned();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let folder = folder.clone();
            thread::spawn(move || answer_all(&folder, stream));
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

/// Answers requests until the other side has no more.
fn answer_all(folder: &Path, mut stream: TcpStream) -> anyhow::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?);
    loop {
        let mut head = String::new();
        while requests.read_line(&mut head)? > 2 {}
        let Some(target) = head.split(' ').nth(1) else {
            return Ok(());
        };
        answer(folder, target, &mut stream)?;
    }
}

fn answer(folder: &Path, target: &str, stream: &mut TcpStream) -> anyhow::Result<()> {
    let mut words = target.trim_start_matches('/').split('/');
    let form = words.next().unwrap_or_default();
    let rows: u64 = words.next().unwrap_or_default().parse()?;
    let is_empty = target.contains("month=") && !target.contains("month=8");
    let times = if is_empty { 0 } else { rows.div_ceil(MOST) };
    let path = rows::file(folder, form, rows.min(MOST))?;
    let length = path.metadata()?.len() * times;
    let encoding = match form {
        "gzip" if times > 0 => "Content-Encoding: gzip\r\n",
        _ => "",
    };
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n{encoding}Content-Length: {length}\r\n\r\n"
    )?;
    for _ in 0..times {
        // From a file to a socket nothing passes through this process.
        io::copy(&mut File::open(&path)?, stream)?;
    }
    Ok(())
}
