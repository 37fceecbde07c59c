//! A small HTTP/1.1 client: connections that stay open, one request at a time on each.
//!
//! The client shares the machine with the service, so its own cost makes two services look more alike than they are.
//! It is kept cheap for that reason: one thread that serves the connections in turn, two system calls a request,
//! requests prepared before, and only the status and length of an answer are parsed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

const BUFFER: usize = 32 * 1024;

/// A connection that stays open between requests.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Box<[u8]>,
}

/// An answer, valid until the next request on its connection.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self { stream, buffer: vec![0; BUFFER].into() })
    }

    /// Sends a request.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(request)?)
    }

    /// Waits for the answer to the request that was sent.
    pub(crate) fn receive(&mut self) -> Result<Answer<'_>> {
        let mut filled = 0;
        loop {
            match self.stream.read(self.buffer.get_mut(filled..).unwrap_or_default())? {
                0 => bail!("the service closed the connection"),
                read => filled += read,
            }
            if let Some((status, body)) = complete(self.buffer.get(..filled).unwrap_or_default())? {
                return Ok(Answer { status, body: self.buffer.get(body).unwrap_or_default() });
            }
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.send(request)?;
        self.receive()
    }
}

impl<'a> Answer<'a> {
    /// The body of the answer, which has to be 200.
    pub(crate) fn ok(self) -> Result<&'a [u8]> {
        if self.status != 200 {
            bail!("{} instead of 200: {}", self.status, String::from_utf8_lossy(self.body));
        }
        Ok(self.body)
    }
}

/// Parses the status and the range of the body, once the whole answer is there.
fn complete(read: &[u8]) -> Result<Option<(u16, Range<usize>)>> {
    let Some(head) = read.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(read.get(..head).unwrap_or_default())?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?.parse()?;
    let length = lines
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, length)| length.parse::<usize>());
    let body = head + 4..head + 4 + length.context("no length")??;
    Ok((read.len() >= body.end).then_some((status, body)))
}

/// The text of a request; `body` is the media type and the content.
pub(crate) fn request(method: &str, path: &str, bearer: &str, body: Option<(&str, &str)>) -> Vec<u8> {
    let bearer =
        if bearer.is_empty() { String::new() } else { format!("Authorization: Bearer {bearer}\r\n") };
    let (of_body, body) = body.map_or_else(Default::default, |(kind, body)| {
        (format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len()), body)
    });
    let line = format!("{method} {path} HTTP/1.1\r\nHost: bench\r\nUser-Agent: rescind-bench\r\n");
    format!("{line}{bearer}{of_body}\r\n{body}").into_bytes()
}

/// Measures how many requests a second are answered with 200. Each of `requests` has a connection of its own, on
/// which it is sent again as soon as it is answered. `next` may change the request after an answer.
pub(crate) fn rate(
    address: SocketAddr,
    requests: &mut [Vec<u8>],
    during: Duration,
    next: impl Fn(&[u8], &mut Vec<u8>) -> Result<()>,
) -> Result<f64> {
    let mut connections = Vec::new();
    for request in &*requests {
        let mut connection = Connection::open(address)?;
        connection.send(request)?;
        connections.push(connection);
    }
    let started = Instant::now();
    let mut answered = 0_u32;
    while started.elapsed() < during {
        for (connection, request) in connections.iter_mut().zip(&mut *requests) {
            next(connection.receive()?.ok()?, request)?;
            connection.send(request)?;
            answered += 1;
        }
    }
    let rate = f64::from(answered) / started.elapsed().as_secs_f64();
    for (connection, request) in connections.iter_mut().zip(requests) {
        next(connection.receive()?.ok()?, request)?;
    }
    Ok(rate)
}
