//! The way in: from a URL to a database that is known to keep its promises.

use std::error::Error as _;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::schema;
use super::tls::{self, TlsError};

/// The oldest PostgreSQL whose promises are known.
const OLDEST: u32 = 13;

/// How long a first connection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the client says when no host takes writes; it has no code for it.
const READ_ONLY: &str = "does not allow writes";

/// Whether tables may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// When there are none, they are made; older ones are brought up to date (`rescind serve`).
    Create,
    /// Only what is there (every other command).
    Existing,
}

/// Why a database was not opened. Each message says what to do next; none repeats the URL, which holds a password.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages name")]
pub enum OpenError {
    /// It is no connection string.
    #[error(
        "`store` is no connection string PostgreSQL's client reads ({reason}): write postgres://user:password@host/database"
    )]
    Url { reason: String },
    /// TLS cannot be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody answers, or not so that we understand.
    #[error(
        "the database cannot be reached: {reason}. See that it runs, and that `store` names its host and port"
    )]
    Unreachable { reason: String },
    /// It says no.
    #[error(
        "the database refuses this user: {reason}. `store` names both, or the file that RESCIND_STORE_FILE names does"
    )]
    Refused { reason: String },
    /// Nothing was ever founded there.
    #[error(
        "there is no store in this database: run `rescind serve` on it once, or name the right database with --store"
    )]
    Missing,
    /// A newer Rescind works there.
    #[error("the database's tables have version {found}, this rescind works with {known}: use the version that wrote them", known = schema::VERSION)]
    Newer { found: i32 },
    /// An older Rescind made them.
    #[error("the database's tables have version {found}, this rescind works with {known}: start `rescind serve` of this version once, it brings them up to date", known = schema::VERSION)]
    Older { found: i32 },
    /// It is older than its promises are known for.
    #[error("the database is PostgreSQL {found}; this needs {OLDEST} or newer: upgrade it")]
    OldServer { found: u32 },
    /// It takes no writes.
    #[error(
        "the database is a read-only standby: name the primary, or all hosts of the cluster, in the connection string"
    )]
    ReadOnly,
    /// It acknowledges what it may lose.
    #[error(
        "the database has {setting} = {found}, so what it acknowledges can be lost: set {setting} = on in its configuration, and look for another value that ALTER DATABASE or ALTER ROLE gave it"
    )]
    Careless { setting: &'static str, found: String },
    /// It has no room.
    #[error("the database's disk is full: make room and start again")]
    DiskFull,
    /// The store was taken elsewhere.
    #[error(
        "the store in this database was moved to {to}: what is left here is of the past. Use the store there (--store for a database, --data for a folder), or copy it back to an empty database with `rescind store copy`"
    )]
    Moved { to: String },
    /// A copy that was stopped.
    #[error(
        "this database holds an unfinished copy of a store: run the same `rescind store copy` again, or drop the schema `rescind`"
    )]
    Unfinished,
    /// A copy would replace it.
    #[error("this database holds a store already, and a copy replaces none: name an empty database")]
    NotEmpty,
    /// A store is taken elsewhere only while nobody uses it.
    #[error("the store in this database is in use ({by}): stop every rescind that works on it first")]
    InUse { by: String },
    /// Anything else.
    #[error("the database refuses to be set up (SQLSTATE {code}): {advice}")]
    Setup { code: String, advice: &'static str },
}

/// How to connect.
pub(super) struct Way {
    pub(super) config: Config,
    pub(super) tls: MakeRustlsConnect,
}

/// Opens the database at `url` for `mode`, and says how to connect to it from now on.
pub(super) async fn open(url: &str, authority: Option<&Path>, mode: OpenMode) -> Result<Way, OpenError> {
    let way = way(url, authority, "rescind")?;
    let (mut client, connection) =
        way.config.connect(way.tls.clone()).await.map_err(|error| refusal(&error))?;
    let worked_off = tokio::spawn(connection);
    let checked = async {
        check(&mut client, mode).await?;
        is_here(&client, mode).await
    };
    let checked = checked.await;
    drop(client);
    let _ = worked_off.await;
    checked.map(|()| way)
}

/// How to connect to the database at `url`, under this name.
pub(super) fn way(url: &str, authority: Option<&Path>, name: &str) -> Result<Way, OpenError> {
    let mut config: Config =
        url.parse().map_err(|error: Error| OpenError::Url { reason: parse_reason(&error) })?;
    config
        .application_name(name)
        // A standby would answer with what was true a while ago.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .connect_timeout(PATIENCE)
        .tcp_user_timeout(PATIENCE)
        .keepalives_idle(PATIENCE);
    Ok(Way { config, tls: tls::connector(authority)? })
}

/// Whether the store is here, and not half copied or moved away. Whoever may make tables may also found it in them.
async fn is_here(client: &Client, mode: OpenMode) -> Result<(), OpenError> {
    let asked = "select founding is not null, copying is not null, moved->>'to' from rescind.service";
    let row = client.query_typed_one(asked, &[]).await.map_err(|error| refusal(&error))?;
    match (row.try_get(0), row.try_get(1), row.try_get(2)) {
        (Ok(_), Ok(_), Ok(Some(to))) => Err(OpenError::Moved { to }),
        (Ok(_), Ok(true), Ok(None)) => Err(OpenError::Unfinished),
        (Ok(false), Ok(false), Ok(None)) if mode == OpenMode::Existing => Err(OpenError::Missing),
        (Ok(_), Ok(false), Ok(None)) => Ok(()),
        (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => Err(refusal(&error)),
    }
}

/// Whether this is a database that keeps its promises, with tables of our version.
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

/// Whether what this database acknowledges is durable.
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

pub(super) fn refusal(error: &Error) -> OpenError {
    let Some(code) = error.code() else {
        return if says(error, READ_ONLY) {
            OpenError::ReadOnly
        } else {
            OpenError::Unreachable { reason: reason(error) }
        };
    };
    match code {
        &SqlState::INVALID_PASSWORD
        | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        | &SqlState::INVALID_CATALOG_NAME => OpenError::Refused { reason: reason(error) },
        &SqlState::READ_ONLY_SQL_TRANSACTION => OpenError::ReadOnly,
        &SqlState::DISK_FULL => OpenError::DiskFull,
        &SqlState::INSUFFICIENT_PRIVILEGE => OpenError::Setup {
            code: code.code().to_owned(),
            advice: "let this user create in the database: GRANT CREATE ON DATABASE … TO …",
        },
        code if code.code().starts_with("57P") => OpenError::Unreachable { reason: reason(error) },
        code => OpenError::Setup { code: code.code().to_owned(), advice: "its log says more" },
    }
}

/// Why no connection came about, in words for an operator. They repeat no password.
pub(super) fn reason(error: &Error) -> String {
    if let Some(code) = error.code() {
        return match code {
            &SqlState::INVALID_PASSWORD => "the password is wrong".to_owned(),
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                "there is no such user, or it may not connect from here (pg_hba.conf)".to_owned()
            }
            &SqlState::INVALID_CATALOG_NAME => "there is no database of that name: create it".to_owned(),
            &SqlState::TOO_MANY_CONNECTIONS => {
                "it has no connection left: raise its max_connections, or lower store_connections".to_owned()
            }
            &SqlState::CANNOT_CONNECT_NOW => "it is starting up or recovering".to_owned(),
            code => format!("it says no (SQLSTATE {})", code.code()),
        };
    }
    if says(error, "certificate") {
        return "its certificate is not trusted: name its authority with store_ca_file, or write sslmode=disable where the network is yours alone".to_owned();
    }
    if says(error, READ_ONLY) {
        return "every host is a read-only standby".to_owned();
    }
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

fn says(error: &Error, word: &str) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = source {
        if this.to_string().contains(word) {
            return true;
        }
        source = this.source();
    }
    false
}

/// The client's own words, but for what they quote.
fn parse_reason(error: &Error) -> String {
    if says(error, "sslmode") {
        "sslmode takes disable, prefer or require; require verifies the certificate and the name".to_owned()
    } else if says(error, "unknown option") {
        "it has an option that is not known".to_owned()
    } else {
        "it cannot be read".to_owned()
    }
}
