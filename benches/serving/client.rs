//! A scraper that costs next to nothing: one connection, blocking, the body read into one buffer and forgotten.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

use crate::common::numbers::now;

/// How much is read at once.
const BUFFER: usize = 256 << 10;
/// No answer of any server takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// One connection to a server, made again where the server ends it.
pub(crate) struct Client {
    port: u16,
    request: String,
    stream: Option<BufReader<TcpStream>>,
}

/// What one scrape brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scraped {
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

impl Client {
    pub(crate) fn new(port: u16, gzip: bool) -> Self {
        let encoding = if gzip { "gzip" } else { "identity" };
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/plain;version=0.0.4\r\n\
             Accept-Encoding: {encoding}\r\n\r\n"
        );
        Self {
            port,
            request,
            stream: None,
        }
    }

    /// Scrapes once and gives the length of the body as it was sent.
    pub(crate) fn scrape(&mut self) -> io::Result<Scraped> {
        self.read_with(&mut |_| {})
    }

    /// Scrapes once and gives the body.
    pub(crate) fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.read_with(&mut |piece| body.extend_from_slice(piece))?;
        Ok(body)
    }

    fn read_with(&mut self, take: &mut dyn FnMut(&[u8])) -> io::Result<Scraped> {
        let began = now();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.port)?,
        };
        stream.get_mut().write_all(self.request.as_bytes())?;
        let status = line(&mut stream)?;
        if !status.contains(" 200") {
            return Err(io::Error::other(status));
        }
        let (mut length, mut closes) = (None, false);
        loop {
            let header = line(&mut stream)?.to_ascii_lowercase();
            match header.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().ok(),
                Some(("connection", "close")) => closes = true,
                Some(_) => {}
                None => break,
            }
        }
        let mut bytes = 0;
        if let Some(length) = length {
            bytes += body(&mut stream, length, take)?;
        } else {
            loop {
                let size = line(&mut stream)?;
                let size = u64::from_str_radix(&size, 16).map_err(io::Error::other)?;
                bytes += body(&mut stream, size, take)?;
                line(&mut stream)?;
                if size == 0 {
                    break;
                }
            }
        }
        let took = began.elapsed();
        self.stream = (!closes).then_some(stream);
        Ok(Scraped { bytes, took })
    }
}

fn connect(port: u16) -> io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::with_capacity(BUFFER, stream))
}

/// The next line of a head, or of what frames chunks, without its end.
fn line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end().len());
    Ok(line)
}

/// Takes so many bytes of a body, and gives how many that were.
fn body(stream: &mut impl BufRead, length: u64, take: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
    let mut left = length;
    while left > 0 {
        let came = stream.fill_buf()?;
        if came.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let taken = usize::try_from(left).map_or(came.len(), |left| left.min(came.len()));
        take(&came[..taken]);
        stream.consume(taken);
        left -= taken as u64;
    }
    Ok(length)
}
