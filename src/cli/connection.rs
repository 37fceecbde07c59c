//! The connection of a command to the service: over `admin.sock` in the data folder when a server runs, else the same
//! application in process. No other module knows which of them is used; commands see one `call`.

use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use poem::endpoint::BoxEndpoint;
use poem::http::{Method, StatusCode};
use poem::{Endpoint, Request, Response};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::failure::CommandFailure;
use super::service_refusal::ServiceRefusal;
use crate::advice;
use crate::http::code::{Code, FieldCode};
use crate::settings::Settings;

mod socket;

/// The longest wait for an answer, longer than the longest `request_timeout` (120 s).
const ANSWER_TIMEOUT: Duration = Duration::from_secs(150);

/// A connection to the service.
pub(super) struct ServiceConnection(ConnectionKind);

enum ConnectionKind {
    Socket(PathBuf),
    InProcess(BoxEndpoint<'static, Response>),
}

impl ServiceConnection {
    /// A connection to an application in this process, on a store that it has opened.
    pub(super) fn in_process(endpoint: BoxEndpoint<'static, Response>) -> Self {
        Self(ConnectionKind::InProcess(endpoint))
    }

    /// A connection to the server that listens on this socket.
    pub(super) fn over(socket: PathBuf) -> Self {
        Self(ConnectionKind::Socket(socket))
    }

    /// Connects to the running server, or else to what `open` makes of the store. Never makes a store.
    pub(super) async fn find(
        settings: &Settings,
        open: impl AsyncFnOnce(&Settings) -> Result<BoxEndpoint<'static, Response>, CommandFailure>,
    ) -> Result<Self, CommandFailure> {
        if settings.store.is_none() && !holds_anything(&settings.data)? {
            return Err(CommandFailure::new(
                format!("there is no store in {}", settings.data.display()),
                "name its folder with --data, or make one by starting `rescind serve` once",
            ));
        }
        let socket = settings.admin_socket();
        match UnixStream::connect(&socket).await {
            Ok(_) => Ok(Self::over(socket)),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(CommandFailure::new(
                format!("a server runs, and {} may not be opened by this user", socket.display()),
                "run the command as the user the server runs as",
            )),
            // No socket, or one left behind by a server that was killed: the store's own lock decides.
            Err(_) => open(settings).await.map(Self::in_process),
        }
    }

    /// Sends one request and returns the JSON of a successful answer; one without a body is `null`.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, ServiceRefusal> {
        Ok(self.exchange(method, path, body).await?.1)
    }

    /// Sends one request and returns the status and the JSON of a successful answer.
    pub(super) async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Value), ServiceRefusal> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let answered = async {
            match &self.0 {
                ConnectionKind::Socket(socket) => socket::send(socket, method, path, body).await,
                ConnectionKind::InProcess(endpoint) => {
                    let mut request = Request::builder().method(method).uri_str(path);
                    if !body.is_empty() {
                        request = request.content_type("application/json");
                    }
                    let response = endpoint.get_response(request.body(body)).await;
                    let status = response.status();
                    let bytes =
                        response.into_body().into_bytes().await.map_err(|_| ServiceRefusal::Unreadable)?;
                    Ok((status, bytes.to_vec()))
                }
            }
        };
        let late =
            |_| ServiceRefusal::Unreachable(format!("nothing came in {} seconds", ANSWER_TIMEOUT.as_secs()));
        let (status, bytes) = timeout(ANSWER_TIMEOUT, answered).await.map_err(late)??;
        Ok((status, understand(status, &bytes)?))
    }
}

/// Percent-encodes a text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let mut path = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

fn holds_anything(folder: &Path) -> Result<bool, CommandFailure> {
    match folder.read_dir() {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(unreadable(folder, &error)),
    }
}

fn unreadable(folder: &Path, error: &io::Error) -> CommandFailure {
    let help = match error.kind() {
        ErrorKind::PermissionDenied => {
            "run the command as the user the server runs as; `rescind doctor` says more"
        }
        _ => advice::for_file(error),
    };
    CommandFailure::new(format!("the data folder {} cannot be read: {error}", folder.display()), help)
}

fn understand(status: StatusCode, bytes: &[u8]) -> Result<Value, ServiceRefusal> {
    if status.is_success() && bytes.is_empty() {
        return Ok(Value::Null);
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|_| ServiceRefusal::Unreadable)?;
    if status.is_success() {
        return Ok(value);
    }
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let code = field("code").ok_or(ServiceRefusal::Unreadable)?.to_owned();
    // Most details are a code's advice to apps; the failure has advice for operators.
    let advice = Code::ALL.iter().find(|known| known.as_str() == code).map(|known| known.advice());
    let detail = field("detail").filter(|detail| Some(*detail) != advice);
    let mut text = detail.or_else(|| field("title")).unwrap_or(&code).to_owned();
    let mut is_older = code == Code::MethodNotAllowed.as_str();
    for error in value.get("errors").and_then(Value::as_array).into_iter().flatten() {
        if let (Some(name), Some(code)) = (error["field"].as_str(), error["code"].as_str()) {
            let _ = write!(text, " ({name}: {code})");
            is_older |= code == FieldCode::Unknown.as_str();
        }
    }
    if is_older {
        return Err(ServiceRefusal::Older(text));
    }
    Err(ServiceRefusal::Problem { status, code, text })
}

#[cfg(test)]
mod tests;
