//! Those in Rust that are compared with: `serde_json` into a `Vec`, and the bytes alone.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

use anyhow::Context;
use serde::Deserialize;

use crate::common::process::Run;

/// The fields that the exporter reads, owned.
#[derive(Deserialize)]
#[expect(dead_code, reason = "most fields are read for the time that it takes")]
struct Row {
    amount: Option<f64>,
    amount_excluding_discount: Option<f64>,
    quantity: Option<f64>,
    quantity_type: Option<String>,
    consumption_date: Option<String>,
    contract: Option<u64>,
    project_name: Option<String>,
    project_id: Option<String>,
    product: Option<String>,
    product_description: Option<String>,
    region: Option<String>,
    resource_id: Option<String>,
    consumption_type: Option<String>,
    external_priceplan: Option<String>,
}

/// `serde_json` reads all rows of a file, which is in memory, into a `Vec`.
pub(crate) fn vec(file: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(file)?;
    let read = || {
        let rows = serde_json::Deserializer::from_slice(&bytes).into_iter::<Row>();
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    };
    Run::this(read, |rows| {
        let total = rows.iter().filter_map(|row| row.amount).sum();
        Ok((rows.len() as u64, total))
    })
}

/// Reads the bytes of an answer and looks for the ends of lines: what no reader can do without.
pub(crate) fn floor(url: &str) -> anyhow::Result<()> {
    let (address, path) = url
        .trim_start_matches("http://")
        .split_once('/')
        .context("not a URL")?;
    let read = || {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut buffer = vec![0; 256 << 10];
        let mut lines = 0;
        loop {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Ok(lines);
            }
            lines += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64;
        }
    };
    // The head has four lines.
    Run::this(read, |lines| Ok((lines - 4, 0.0)))
}
