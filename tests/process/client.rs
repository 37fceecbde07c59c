//! A small HTTP client: one connection for each request, read no further than the answer. So when it returns, the
//! answer has just arrived and nothing else is known of the server.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::secrets::Secrets;

/// A time longer than any answer may take; only a server that hangs exceeds it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// The server's host and port.
    pub(crate) address: String,
    pub(crate) secrets: Arc<Secrets>,
    request_id: Option<String>,
    forwarded_for: Option<String>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

/// The body of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Payload<'a> {
    None,
    Json(&'a Value),
    Form(&'a str),
}

impl Client {
    pub(crate) fn new(address: &str, secrets: &Arc<Secrets>) -> Self {
        Self {
            address: address.to_owned(),
            secrets: Arc::clone(secrets),
            request_id: None,
            forwarded_for: None,
        }
    }

    /// A copy of the client whose requests carry this id, to find them in a log or a trace.
    pub(crate) fn marked(&self, request_id: &str) -> Self {
        Self { request_id: Some(request_id.to_owned()), ..self.clone() }
    }

    /// A copy of the client whose requests name this address in `X-Forwarded-For`.
    pub(crate) fn forwarded_for(&self, address: &str) -> Self {
        Self { forwarded_for: Some(address.to_owned()), ..self.clone() }
    }

    pub(crate) fn get(&self, path: &str, bearer: &str) -> Answer {
        self.send("GET", path, bearer, Payload::None).unwrap()
    }

    pub(crate) fn post(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        self.send("POST", path, bearer, Payload::Json(body)).unwrap()
    }

    pub(crate) fn form(&self, path: &str, bearer: &str, body: &str) -> Answer {
        self.send("POST", path, bearer, Payload::Form(body)).unwrap()
    }

    /// Sends one request; an empty `bearer` is left out. An error means that no complete answer came.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        bearer: &str,
        payload: Payload<'_>,
    ) -> std::io::Result<Answer> {
        let mut connection = self.connect()?;
        connection.write_all(self.request(method, path, bearer, payload).as_bytes())?;
        let answer = Answer::read(&mut connection)?;
        self.secrets.note_in(&answer.body);
        Ok(answer)
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> std::io::Result<TcpStream> {
        let connection = TcpStream::connect(&self.address)?;
        connection.set_read_timeout(Some(PATIENCE))?;
        Ok(connection)
    }

    fn request(&self, method: &str, path: &str, bearer: &str, payload: Payload<'_>) -> String {
        let (kind, body) = match payload {
            Payload::None => ("", String::new()),
            Payload::Json(json) => ("application/json", json.to_string()),
            Payload::Form(form) => ("application/x-www-form-urlencoded", form.to_owned()),
        };
        self.secrets.note_in(&body);
        let mut lines = vec![format!("{method} {path} HTTP/1.1")];
        lines.extend(self.request_id.as_ref().map(|id| format!("X-Request-Id: {id}")));
        lines.extend(self.forwarded_for.as_ref().map(|address| format!("X-Forwarded-For: {address}")));
        lines.push(format!("Host: {}", self.address));
        lines.push("Connection: close".to_owned());
        if !bearer.is_empty() {
            lines.push(format!("Authorization: Bearer {bearer}"));
        }
        if !kind.is_empty() {
            lines.push(format!("Content-Type: {kind}"));
        }
        lines.push(format!("Content-Length: {}", body.len()));
        format!("{}\r\n\r\n{body}", lines.join("\r\n"))
    }
}

impl Answer {
    /// Reads one answer, and not a byte beyond its length.
    pub(crate) fn read(connection: &mut TcpStream) -> std::io::Result<Self> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
        let mut answer = Self { status, head, body: String::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        connection.read_exact(&mut body)?;
        answer.body = String::from_utf8(body).unwrap();
        Ok(answer)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The answer's JSON; asserts that the request succeeded.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The status and the problem's code: `401 signed_out`.
    pub(crate) fn problem(&self) -> String {
        let code = self.json()["code"].as_str().map(str::to_owned);
        format!("{} {}", self.status, code.unwrap_or_else(|| panic!("{self:?}")))
    }
}
