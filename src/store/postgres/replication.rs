//! What the hosts of a connection string are set to, for `rescind doctor`: a node only ever asks the primary, and what
//! a standby confirms is as durable as the standby.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::hosts::each_host;
use super::open::connect_params;
use super::open_error::{OpenError, reason};
use crate::store::replication::{ExaminedHost, HostSettings};

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the settings of every host that `url` names.
///
/// # Errors
///
/// [`OpenError::Url`] if the text is not a connection string.
pub async fn examine(url: &str, authority: Option<&Path>) -> Result<Vec<ExaminedHost>, OpenError> {
    let params = connect_params(url, authority, "rescind doctor")?;
    let mut found = Vec::new();
    for mut host in each_host(&params.config) {
        // A standby is asked as well.
        host.target_session_attrs(TargetSessionAttrs::Any);
        let settings = match timeout(PATIENCE, settings(&host, &params.tls)).await {
            Ok(settings) => settings.map_err(|error| reason(&error)),
            Err(_) => Err(format!("no answer in {} s", PATIENCE.as_secs())),
        };
        found.push(ExaminedHost { name: name(&host), settings });
    }
    Ok(found)
}

async fn settings(host: &Config, tls: &MakeRustlsConnect) -> Result<HostSettings, tokio_postgres::Error> {
    let (client, connection) = host.connect(tls.clone()).await?;
    let driver = tokio::spawn(connection);
    let asked = "select not pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'), current_setting('synchronous_standby_names')";
    let row = client.query_typed_one(asked, &[]).await?;
    drop(client);
    let _ = driver.await;
    Ok(HostSettings {
        is_primary: row.try_get(0)?,
        fsync: row.try_get(1)?,
        full_page_writes: row.try_get(2)?,
        synchronous_commit: row.try_get(3)?,
        synchronous_standby_names: row.try_get(4)?,
    })
}

fn name(host: &Config) -> String {
    let name = match (host.get_hosts().first(), host.get_hostaddrs().first()) {
        (Some(Host::Tcp(name)), _) => name.clone(),
        (Some(Host::Unix(path)), _) => path.display().to_string(),
        (None, Some(address)) => address.to_string(),
        (None, None) => String::new(),
    };
    host.get_ports().first().map_or_else(|| name.clone(), |port| format!("{name}:{port}"))
}
