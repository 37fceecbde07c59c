//! Opening the database: from a URL to a database that is known to be durable.

use std::path::Path;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::{Client, Config, Connection, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::encryption::{Encryption, known_modes};
use super::hosts::Tls;
use super::open_error::{OLDEST, OpenError, parse_reason, refusal};
use super::store_and_settings::StoreAndSettings;
use super::synchronous_standbys::confirming_standbys;
use super::{hosts, schema, sql, tls};

/// The time limit for the first connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether tables may be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Create the tables if there are none, and migrate older ones (`rescind serve`).
    Create,
    /// Use existing tables only (every other command).
    Existing,
}

/// The parameters of a connection.
pub(super) struct ConnectParams {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

/// The encryption that the connection string `url` requires.
///
/// # Errors
///
/// [`OpenError::Url`] if the text is not a connection string.
pub fn encryption(url: &str) -> Result<Encryption, OpenError> {
    read(url).map(|(_, encryption)| encryption)
}

fn read(url: &str) -> Result<(Config, Encryption), OpenError> {
    let parsed = known_modes(url).parse();
    let mut config: Config = parsed.map_err(|error| OpenError::Url { reason: parse_reason(&error) })?;
    let encryption = Encryption::apply(&mut config);
    Ok((config, encryption))
}

/// Opens the database at `url` for `mode`; returns the parameters of further connections. With `proven` it is an error if
/// its commits do not prove that it is the primary.
pub(super) async fn open(
    url: &str,
    authority: Option<&Path>,
    mode: OpenMode,
    proven: bool,
) -> Result<ConnectParams, OpenError> {
    let params = connect_params(url, authority, "rescind")?;
    let (mut client, connection) = connect(&params).await?;
    let driver = tokio::spawn(connection);
    let checked = async {
        check(&mut client, mode).await?;
        if proven {
            proves_primacy(&client).await?;
        }
        client.batch_execute(schema::BEGIN).await.map_err(|error| refusal(&error))?;
        is_here(&client, mode).await?;
        client.batch_execute("commit").await.map_err(|error| refusal(&error))
    };
    let checked = checked.await;
    drop(client);
    let _ = driver.await;
    checked.map(|()| params)
}

/// Connects to the database at `url` without reading its tables. Returns the encryption that the connection string
/// requires, and whether the connection is encrypted as the database sees it.
///
/// # Errors
///
/// See [`OpenError`].
pub async fn probe(url: &str, authority: Option<&Path>) -> Result<(Encryption, bool), OpenError> {
    let encryption = encryption(url)?;
    let params = connect_params(url, authority, "rescind doctor")?;
    let (client, connection) = connect(&params).await?;
    let driver = tokio::spawn(connection);
    let asked = "select coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)";
    // A pooler or another database that only speaks the protocol need not know.
    let encrypted = client.query_typed_one(asked, &[]).await.and_then(|row| row.try_get(0)).unwrap_or(false);
    drop(client);
    let _ = driver.await;
    Ok((encryption, encrypted || encryption == Encryption::Required))
}

/// Connects. A server that accepts the connection and says nothing is an error after [`PATIENCE`].
pub(super) async fn connect(params: &ConnectParams) -> Result<(Client, Connection<Socket, Tls>), OpenError> {
    match timeout(PATIENCE, hosts::connect(&params.config, &params.tls)).await {
        Ok(connected) => connected.map_err(|error| refusal(&error)),
        Err(_) => Err(OpenError::Unreachable { reason: "it does not answer".to_owned() }),
    }
}

/// The parameters of connections to the database at `url` with this application name.
pub(super) fn connect_params(
    url: &str,
    authority: Option<&Path>,
    name: &str,
) -> Result<ConnectParams, OpenError> {
    let (mut config, _) = read(url)?;
    config
        .application_name(name)
        // A standby would answer with what was true a while ago.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(PATIENCE)
        .tcp_user_timeout(PATIENCE)
        .keepalives_idle(PATIENCE);
    Ok(ConnectParams { config, tls: tls::connector(authority)? })
}

/// Checks that the store is in this database, neither half copied nor moved away. A missing store is an error unless
/// `mode` may initialize one.
async fn is_here(client: &Client, mode: OpenMode) -> Result<(), OpenError> {
    let row = client.query_typed_one(sql::STAGE, &[]).await.map_err(|error| refusal(&error))?;
    match (row.try_get(0), row.try_get(1), row.try_get(2)) {
        (Ok(_), Ok(_), Ok(Some(to))) => Err(OpenError::Moved { to }),
        (Ok(_), Ok(true), Ok(None)) => Err(OpenError::Unfinished),
        (Ok(false), Ok(false), Ok(None)) if mode == OpenMode::Existing => Err(OpenError::Missing),
        (Ok(_), Ok(false), Ok(None)) => Ok(()),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(refusal(&error)),
    }
}

/// Checks that the database is durable and its tables have the current version.
pub(super) async fn check(client: &mut Client, mode: OpenMode) -> Result<(), OpenError> {
    promises(client).await?;
    let found = match mode {
        OpenMode::Create => schema::migrate(client).await,
        OpenMode::Existing => schema::version(client).await,
    };
    match found.map_err(|error| refusal(&error))? {
        0 => Err(OpenError::Missing),
        found if found > schema::VERSION => Err(OpenError::Newer { found }),
        found if found < schema::VERSION => Err(OpenError::Older { found }),
        _ => Ok(()),
    }
}

/// Checks that a commit of this database proves that it is the primary.
async fn proves_primacy(client: &Client) -> Result<(), OpenError> {
    let row = client.query_typed_one(sql::STORE_AND_SETTINGS, &[]).await.map_err(|error| refusal(&error))?;
    let text = row.try_get(2).map_err(|error| refusal(&error))?;
    let database = StoreAndSettings::parse(text).map_err(|_| OpenError::Missing)?;
    confirming_standbys(&database.names, &database.commit)?;
    Ok(())
}

/// Checks that commits which this database acknowledges are durable.
async fn promises(client: &Client) -> Result<(), OpenError> {
    let said = "select current_setting('server_version_num')::bigint, current_setting('fsync', true), current_setting('synchronous_commit', true)";
    let row = client.query_typed_one(said, &[]).await.map_err(|error| refusal(&error))?;
    let version: i64 = row.try_get(0).map_err(|error| refusal(&error))?;
    let found = u32::try_from(version / 10_000).unwrap_or(0);
    if found < OLDEST {
        return Err(OpenError::OldServer { found });
    }
    // `local` keeps what it acknowledges on one machine, whatever standby there is or will be.
    for (column, setting, careless) in
        [(1, "fsync", &["off"][..]), (2, "synchronous_commit", &["off", "local"])]
    {
        // A database that only speaks the protocol need not have the setting.
        if let Some(found) = row.try_get::<_, Option<&str>>(column).ok().flatten()
            && careless.contains(&found)
        {
            return Err(OpenError::Careless { setting, found: found.to_owned() });
        }
    }
    Ok(())
}
