//! A scraper that costs next to nothing: one connection, blocking, the body read into one buffer and forgotten.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// How much is read at once.
const BUFFER: usize = 256 << 10;
/// No answer of any server takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// One connection to a server, made again where the server ends it.
pub(crate) struct Client {
    port: u16,
    request: Vec<u8>,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

/// What one scrape brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scraped {
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

impl Client {
    pub(crate) fn new(port: u16, path: &str, gzip: bool) -> Self {
        let encoding = if gzip { "gzip" } else { "identity" };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: text/plain;version=0.0.4\r\n\
             Accept-Encoding: {encoding}\r\n\r\n"
        );
        Self {
            port,
            request: request.into_bytes(),
            stream: None,
            buffer: vec![0; BUFFER],
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
        stream.write_all(&self.request)?;
        let mut filled = 0;
        let (head, body_from) = loop {
            let read = read(&mut stream, &mut self.buffer[filled..])?;
            filled += read;
            if let Some(end) = memchr::memmem::find(&self.buffer[..filled], b"\r\n\r\n") {
                break (Head::parse(&self.buffer[..end])?, end + 4);
            }
        };
        let mut rest = Rest::new(head.length);
        let mut bytes = rest.feed(&self.buffer[body_from..filled], take)?;
        while !rest.ended {
            match stream.read(&mut self.buffer)? {
                0 if head.length == Length::ToTheEnd => break,
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => bytes += rest.feed(&self.buffer[..read], take)?,
            }
        }
        let took = began.elapsed();
        if head.keeps {
            self.stream = Some(stream);
        }
        Ok(Scraped { bytes, took })
    }
}

/// The time now.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match stream.read(buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        read => Ok(read),
    }
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(u64),
    Chunked,
    ToTheEnd,
}

struct Head {
    length: Length,
    keeps: bool,
}

impl Head {
    fn parse(head: &[u8]) -> io::Result<Self> {
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default();
        if !status.contains(" 200") {
            return Err(io::Error::other(status.to_owned()));
        }
        let value = |name: &str| {
            head.lines()
                .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
        };
        let length = match value("content-length") {
            Some(length) => Length::Known(length.parse().map_err(io::Error::other)?),
            None if value("transfer-encoding") == Some("chunked") => Length::Chunked,
            None => Length::ToTheEnd,
        };
        Ok(Self {
            length,
            keeps: status.starts_with("http/1.1")
                && value("connection") != Some("close")
                && length != Length::ToTheEnd,
        })
    }
}

/// What is still to come of a body.
struct Rest {
    length: Length,
    /// Bytes to come of the body, or of the chunk.
    left: u64,
    /// The line that tells the next chunk's size, as far as it has come.
    line: Vec<u8>,
    last: bool,
    ended: bool,
}

impl Rest {
    fn new(length: Length) -> Self {
        let left = match length {
            Length::Known(length) => length,
            Length::Chunked | Length::ToTheEnd => 0,
        };
        Self {
            length,
            left,
            line: Vec::new(),
            last: false,
            ended: length == Length::Known(0),
        }
    }

    /// Takes what came and gives how much of it was body.
    fn feed(&mut self, mut came: &[u8], take: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
        let mut bytes = 0;
        if self.length == Length::ToTheEnd {
            take(came);
            return Ok(came.len() as u64);
        }
        while !came.is_empty() {
            if self.left > 0 {
                let length =
                    usize::try_from(self.left).map_or(came.len(), |left| left.min(came.len()));
                let (body, after) = came.split_at(length);
                take(body);
                bytes += length as u64;
                self.left -= length as u64;
                came = after;
                self.ended = self.left == 0 && self.length != Length::Chunked;
                continue;
            }
            let end = memchr::memchr(b'\n', came).map_or(came.len(), |at| at + 1);
            self.line.extend_from_slice(&came[..end]);
            came = &came[end..];
            if self.line.ends_with(b"\n") {
                self.next_line()?;
            }
        }
        Ok(bytes)
    }

    fn next_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let line = line.trim_ascii();
        if self.last {
            self.ended = line.is_empty();
        } else if !line.is_empty() {
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(size).map_err(io::Error::other)?;
            self.left = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
            self.last = self.left == 0;
        }
        Ok(())
    }
}
