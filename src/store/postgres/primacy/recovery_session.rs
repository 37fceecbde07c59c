//! A session with a server, in which the server says whether it is in recovery.

use tokio_postgres::{Config, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::postgres::connection::Connection;
use crate::store::postgres::hosts;
use crate::store::postgres::sql::{RECOVERY, STORE_AND_SETTINGS};
use crate::store::postgres::store_and_settings::StoreAndSettings;

/// A session with a server in recovery, and what the server said first.
pub(super) struct RecoverySession {
    connection: Connection,
    question: String,
    pub(super) said: Recovery,
}

/// What a server says that is in recovery.
#[derive(PartialEq, Eq)]
pub(super) struct Recovery {
    /// The session: the process that serves it, and when the server was started.
    session: String,
    /// The address of the server.
    pub(super) address: String,
    /// The host and port that the server receives from.
    pub(super) sender: String,
}

/// A host that answers.
pub(super) enum Reached {
    Standby(Box<RecoverySession>),
    /// A standby that does not say where it receives from.
    Untold,
    /// A server that is not in recovery, with its host and port.
    Primary(StoreAndSettings, String),
}

impl RecoverySession {
    /// Whether the server says the same as at first, in the same session.
    pub(super) async fn says_the_same(&self) -> bool {
        let says = ask(&self.connection, &self.question).await;
        says.is_some_and(|says| matches!(says, Said::Recovery(says) if says == self.said))
    }
}

/// What a server says of itself.
enum Said {
    Recovery(Recovery),
    /// That it is in recovery, and nothing more.
    Untold,
    NoRecovery,
}

/// Connects to a host and asks it; `None` if it does not answer.
pub(super) async fn reach(host: &Config, tls: &MakeRustlsConnect) -> Option<Reached> {
    let (client, connection) = hosts::connect(host, tls).await.ok()?;
    let connection = Connection::over(client, connection, tls.clone());
    // A pooler's session may have it already.
    let prepared = connection.begin().batch_execute(&RECOVERY.prepare()).await;
    let question = if prepared.is_ok() { RECOVERY.execute(&[]) } else { RECOVERY.text.to_owned() };
    match ask(&connection, &question).await? {
        Said::Recovery(said) => {
            Some(Reached::Standby(Box::new(RecoverySession { connection, question, said })))
        }
        Said::Untold => Some(Reached::Untold),
        Said::NoRecovery => {
            let messages = connection.begin().simple_query(STORE_AND_SETTINGS).await.ok()?;
            connection.done();
            let (host, port) = hosts::host_and_port(host);
            Some(Reached::Primary(StoreAndSettings::answered(&messages).ok()?, format!("{host} {port}")))
        }
    }
}

/// What the server at the other end says; `None` if it does not answer.
async fn ask(connection: &Connection, question: &str) -> Option<Said> {
    let asked = async { connection.begin().simple_query(question).await };
    let messages = connection.drive(asked).await.ok()?;
    connection.done();
    messages.iter().find_map(|message| {
        let SimpleQueryMessage::Row(row) = message else { return None };
        if row.get(0) != Some("t") {
            return Some(Said::NoRecovery);
        }
        let told = || {
            let column = |at| row.get(at).map(str::to_owned);
            Some(Recovery { session: column(1)?, address: column(2)?, sender: column(3)? })
        };
        Some(told().map_or(Said::Untold, Said::Recovery))
    })
}
