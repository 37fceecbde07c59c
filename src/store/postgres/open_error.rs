//! The reasons why a database was not opened, and the translation of the client's errors.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use super::schema;
use super::synchronous_standbys::NoProof;
use super::tls::TlsError;

/// The oldest supported version of PostgreSQL.
pub(super) const OLDEST: u32 = 13;

/// A part of the client's message if no host accepts writes, an error without a code.
const READ_ONLY: &str = "does not allow writes";

/// The message about a database without TLS.
const NO_TLS: &str = "it offers no TLS, and beyond this machine the connection has to be encrypted. Set `ssl = on` and a certificate in its configuration, or, where the whole network between is yours alone, write sslmode=disable at the end of `store`: postgres://user:password@host/database?sslmode=disable";

/// A part of the client's message about a database without TLS, an error without a code.
const NO_TLS_SAID: &str = "does not support TLS";

/// The reason why a database was not opened. Each message says what to do next; none repeats the URL, which holds a
/// password.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the fields are what the messages name")]
pub enum OpenError {
    /// The text is not a connection string.
    #[error(
        "`store` is no connection string PostgreSQL's client reads ({reason}): write postgres://user:password@host/database"
    )]
    Url { reason: String },
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The database does not answer, or not by the protocol.
    #[error(
        "the database cannot be reached: {reason}. See that it runs, and that `store` names its host and port"
    )]
    Unreachable { reason: String },
    /// The database offers no TLS, which is required.
    #[error("the database cannot be reached: {}", NO_TLS)]
    Unencrypted,
    /// The database refuses the user.
    #[error(
        "the database refuses this user: {reason}. `store` names both, or the file that RESCIND_STORE_FILE names does"
    )]
    Refused { reason: String },
    /// The database holds no store.
    #[error(
        "there is no store in this database: run `rescind serve` on it once, or name the right database with --store"
    )]
    Missing,
    /// The tables were made by a newer version of Rescind.
    #[error("the database's tables have version {found}, this rescind works with {known}: use the version that wrote them", known = schema::VERSION)]
    Newer { found: i32 },
    /// The tables were made by an older version of Rescind.
    #[error("the database's tables have version {found}, this rescind works with {known}: start `rescind serve` of this version once, it brings them up to date", known = schema::VERSION)]
    Older { found: i32 },
    /// The version of PostgreSQL is not supported.
    #[error("the database is PostgreSQL {found}; this needs {OLDEST} or newer: upgrade it")]
    OldServer { found: u32 },
    /// The database is read-only.
    #[error(
        "the database is read-only. If it is a read-only standby, name the primary, or all hosts of the cluster, in the connection string; if it is the primary, default_transaction_read_only is on: set it to off in its configuration, or where ALTER DATABASE or ALTER ROLE set it"
    )]
    ReadOnly,
    /// A setting of the database lets it acknowledge commits that it may lose.
    #[error(
        "the database has {setting} = {found}, so what it acknowledges can be lost: set {setting} = on in its configuration, and look for another value that ALTER DATABASE or ALTER ROLE gave it"
    )]
    Careless { setting: &'static str, found: String },
    /// A proof of primacy is required, and no commit of this database is one.
    #[error(
        "`proof_of_primacy` cannot hold here: {0}. With Patroni set synchronous_mode, else name in `synchronous_standby_names` each standby that may be promoted, `FIRST 1 (name)` for one; or set proof_of_primacy = \"off\" and see to it that a primary which was replaced stops"
    )]
    NoProof(#[from] NoProof),
    /// Another session holds a lock on the tables.
    #[error(
        "somebody else holds a lock on the tables of the store: `rescind doctor` names the process. Let it finish, or end it with pg_terminate_backend"
    )]
    Locked,
    /// The database's disk is full.
    #[error("the database's disk is full: make room and start again")]
    DiskFull,
    /// The store was moved to another location.
    #[error(
        "the store in this database was moved to {to}: the data left here is outdated. Use the store there (--store for a database, --data for a folder), or copy it back to an empty database with `rescind store copy`"
    )]
    Moved { to: String },
    /// The database holds an unfinished copy.
    #[error(
        "this database holds an unfinished copy of a store: run the same `rescind store copy` again. Drop the schema `rescind` only if the store that was copied still starts"
    )]
    Unfinished,
    /// The target of a copy holds a store already.
    #[error("this database holds a store already, and a copy replaces none: name an empty database")]
    NotEmpty,
    /// The store is in use, while a copy requires that no node uses it.
    #[error("the store in this database is in use ({by}): stop every rescind that works on it first")]
    InUse { by: String },
    /// Any other error while the tables are set up.
    #[error("the database refuses to be set up (SQLSTATE {code}): {advice}")]
    Setup { code: String, advice: &'static str },
}

/// Translates an error of the client into the reason why a database was not opened.
pub(super) fn refusal(error: &Error) -> OpenError {
    let Some(code) = error.code() else {
        return if says(error, READ_ONLY) {
            OpenError::ReadOnly
        } else if says(error, NO_TLS_SAID) {
            OpenError::Unencrypted
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
        &SqlState::LOCK_NOT_AVAILABLE => OpenError::Locked,
        &SqlState::INSUFFICIENT_PRIVILEGE => OpenError::Setup {
            code: code.code().to_owned(),
            advice: "let this user create in the database: GRANT CREATE ON DATABASE … TO …",
        },
        code if code.code().starts_with("57P") => OpenError::Unreachable { reason: reason(error) },
        _ if grants_no_more(error) => OpenError::Unreachable { reason: reason(error) },
        code => OpenError::Setup { code: code.code().to_owned(), advice: "its log says more" },
    }
}

/// Whether the database answers but has no connection left for this user. PgBouncer before 1.21 has no code of its own
/// for that.
pub(super) fn grants_no_more(error: &Error) -> bool {
    let bouncer = |error: &DbError| error.message().starts_with("no more connections allowed");
    error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) || error.as_db_error().is_some_and(bouncer)
}

/// Whether the host is a standby, and one that accepts writes was asked for.
pub(super) fn is_read_only(error: &Error) -> bool {
    error.code().is_none() && says(error, READ_ONLY)
}

/// The reason why a connection failed, in words for an operator and without a password.
pub(super) fn reason(error: &Error) -> String {
    if let Some(code) = error.code() {
        return match code {
            &SqlState::INVALID_PASSWORD => "the password is wrong".to_owned(),
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                "there is no such user, or it may not connect from here (pg_hba.conf)".to_owned()
            }
            &SqlState::INVALID_CATALOG_NAME => "there is no database of that name: create it".to_owned(),
            _ if grants_no_more(error) => {
                "it has no connection left for this user: raise its max_connections or the limit of the role, or lower store_connections on every node".to_owned()
            }
            &SqlState::CANNOT_CONNECT_NOW => "it is starting up or recovering".to_owned(),
            code => format!("it refuses (SQLSTATE {})", code.code()),
        };
    }
    if says(error, "certificate") {
        return "its certificate is not accepted: name its authority with store_ca_file. It has to name the host as a subjectAltName, and one that is signed by itself has to say CA:FALSE. Where the network is yours alone, write sslmode=disable".to_owned();
    }
    if says(error, NO_TLS_SAID) {
        return NO_TLS.to_owned();
    }
    if says(error, "no hostname provided") {
        return "its certificate can only be verified against a name: give the name it is for with host= beside hostaddr=".to_owned();
    }
    if says(error, READ_ONLY) {
        return "every host is read-only: a standby, or default_transaction_read_only is on".to_owned();
    }
    match error.source() {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

fn says(error: &Error, part: &str) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = source {
        if this.to_string().contains(part) {
            return true;
        }
        source = this.source();
    }
    false
}

/// The reason why a connection string was not parsed, without quoting it.
pub(super) fn parse_reason(error: &Error) -> String {
    if says(error, "sslmode") {
        "sslmode takes require, which verifies the certificate and the name, or disable".to_owned()
    } else if says(error, "unknown option") {
        "it has an option that is not known".to_owned()
    } else {
        "it cannot be read".to_owned()
    }
}
