//! Reads what Patroni's REST API says, over plain HTTP with limits in time and size. No credentials are sent, and no redirect
//! is followed.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value};
use tokio::net::TcpStream;

/// The time limit for all answers of one machine.
const ANSWERS: Duration = Duration::from_secs(3);

/// The most bytes that are read of one answer; the settings of a cluster are a few kilobytes.
const LONGEST: usize = 256 * 1024;

/// What the Patroni of one machine answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PatroniAnswer {
    /// The host and port that were asked.
    pub(super) address: String,
    /// The state of the machine: `GET /patroni`.
    pub(super) status: Map<String, Value>,
    /// The settings of the whole cluster: `GET /config`.
    pub(super) config: Map<String, Value>,
}

/// Asks the machine; `None` if nobody answers there in time, or somebody else than Patroni.
pub(super) async fn ask(machine: &str, port: u16) -> Option<PatroniAnswer> {
    let address =
        if machine.contains(':') { format!("[{machine}]:{port}") } else { format!("{machine}:{port}") };
    let answers = async {
        let status = read(machine, port, &address, "/patroni").await?;
        // Every version names itself there.
        status.get("patroni")?.get("version")?.as_str()?;
        Some((status, read(machine, port, &address, "/config").await?))
    };
    let (status, config) = tokio::time::timeout(ANSWERS, answers).await.ok()??;
    Some(PatroniAnswer { address, status, config })
}

/// Reads one answer with status 200 that is a JSON object, on a connection of its own.
async fn read(machine: &str, port: u16, address: &str, path: &str) -> Option<Map<String, Value>> {
    let stream = TcpStream::connect((machine, port)).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get(path).header(HOST, address).body(Empty::<Bytes>::new()).ok()?;
    let answer = async {
        let response = sender.send_request(request).await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let body = Limited::new(response.into_body(), LONGEST).collect().await.ok()?;
        serde_json::from_slice(&body.to_bytes()).ok()
    };
    tokio::pin!(connection);
    tokio::select! {
        biased;
        answer = answer => answer,
        // The connection is driven here, so that it ends with this future.
        () = async { let _ = connection.await; std::future::pending().await } => None,
    }
}
