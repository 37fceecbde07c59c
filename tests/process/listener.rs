//! A follower of the feed on a connection of its own, which accepts only signed frames.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use rescind::model::counters::Position;
use rescind::model::revocation::Entry;
use rescind::token::feed::{Frame, Pong};
use rescind::token::public_keys::PublicKeys;
use serde_json::{Value, json};

use crate::client::Client;

const NONCE: &str = "0Yq2n1sVb0iXbKc1k2xA7w";

/// An event: its name, its id and its data.
pub(crate) type Event = (String, String, String);

/// An open stream.
#[derive(Debug)]
pub(crate) struct Listener {
    client: Client,
    key: String,
    issuer: String,
    keys: PublicKeys,
    connection: BufReader<TcpStream>,
    /// The number of bytes left in the current chunk.
    chunk: usize,
    id: String,
    pub(crate) applied: u64,
}

impl Listener {
    /// Opens the stream with a service key, after a position if one is given, and reads its `hello`.
    pub(crate) fn open(client: &Client, key: &str, since: Option<u64>) -> Self {
        let published = client.get("/.well-known/paserk", "").ok();
        let mut keys = PublicKeys::none();
        for key in published["keys"].as_array().unwrap() {
            keys.add(key["public"].as_str().unwrap()).unwrap();
        }
        let mut connection = client.connect().unwrap();
        let since_line = since.map_or_else(String::new, |since| format!("Last-Event-ID: {since}\r\n"));
        let request = format!(
            "GET /api/v1/revocations/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n{since_line}\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut connection = BufReader::new(connection);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(connection.read_line(&mut head).unwrap(), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let mut listener = Self {
            client: client.clone(),
            key: key.to_owned(),
            issuer: published["issuer"].as_str().unwrap().to_owned(),
            keys,
            connection,
            chunk: 0,
            id: String::new(),
            applied: since.unwrap_or(0),
        };
        let (name, _, data) = listener.hear().expect("a first event");
        assert_eq!(name, "hello");
        let hello: Value = serde_json::from_str(&data).unwrap();
        hello["follower"].as_str().unwrap().clone_into(&mut listener.id);
        listener
    }

    /// Shuts down this side of the connection, or both.
    pub(crate) fn close(&self, how: Shutdown) {
        self.connection.get_ref().shutdown(how).unwrap();
    }

    /// Reads the next byte; `None` when the stream or the server has ended.
    fn byte(&mut self) -> Option<u8> {
        if self.chunk == 0 {
            let mut size = String::new();
            self.connection.read_line(&mut size).ok()?;
            self.chunk = usize::from_str_radix(size.trim_end(), 16).ok()?;
            if self.chunk == 0 {
                return None;
            }
        }
        let mut byte = [0];
        self.connection.read_exact(&mut byte).ok()?;
        self.chunk -= 1;
        if self.chunk == 0 {
            self.connection.read_exact(&mut [0; 2]).ok()?;
        }
        Some(byte[0])
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Some(String::from_utf8(line).unwrap()),
                byte => line.push(byte),
            }
        }
    }

    /// Reads the next event; `None` when the stream has ended.
    pub(crate) fn hear(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (String::new(), String::new(), String::new());
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", text)) => text.clone_into(&mut name),
                Some(("id", text)) => text.clone_into(&mut id),
                Some(("data", text)) => text.clone_into(&mut data),
                None if line.is_empty() && !name.is_empty() => return Some((name, id, data)),
                _ => {}
            }
        }
    }

    /// Reads the next frame and returns its entries that are new; `None` when the stream has ended.
    pub(crate) fn news(&mut self) -> Option<Vec<Entry>> {
        let (name, id, data) = self.hear()?;
        assert_eq!(name, "frame");
        let frame = Frame::verify(&data, &self.keys, |issuer| issuer == self.issuer).unwrap();
        assert_eq!(id, frame.last().value().to_string());
        assert!(frame.start || frame.after.value() <= self.applied, "a gap");
        let before = if frame.start { frame.after } else { Position::new(self.applied) };
        self.applied = frame.last().value();
        Some(frame.entries.into_iter().filter(|entry| entry.position > before).collect())
    }

    /// Reads until `position` is reached, and returns the entries that are new.
    pub(crate) fn up_to(&mut self, position: u64) -> Vec<Entry> {
        let mut all = Vec::new();
        while self.applied < position {
            all.extend(self.news().expect("the stream goes on"));
        }
        all
    }

    /// Pings, and returns the head of the log that the signed answer names.
    pub(crate) fn ping(&self) -> u64 {
        let body = json!({"nonce": NONCE, "applied": self.applied, "follower": self.id});
        let answer = self.client.post("/api/v1/revocations/ping", &self.key, &body).ok();
        let pong = Pong::verify(answer["pong"].as_str().unwrap(), &self.keys, |issuer| issuer == self.issuer)
            .unwrap();
        assert_eq!(pong.nonce.as_str(), NONCE);
        pong.statement.head.value()
    }
}
