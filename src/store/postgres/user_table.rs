//! A table of users of another program, read row by row.

use std::path::Path;
use std::pin::Pin;

use futures_util::TryStreamExt as _;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, RowStream};

use super::open::connect_params;
use super::open_error::OpenError;

/// The most characters of a text that is read; a longer one is refused by whoever parses it.
const LONGEST: usize = 600;

/// The table of users.
#[derive(Clone, Debug)]
pub struct UserTable {
    /// The table's name, with its schema if that is not on the search path.
    pub name: String,
    /// The column of the username.
    pub username: String,
}

/// A user in the table. It has no `Debug`, since it holds a password hash.
pub struct UserRow {
    /// The primary key as text.
    pub id: String,
    /// The username.
    pub username: Option<String>,
    /// The encoded password hash.
    pub password: Option<String>,
    /// Whether the account is active, where the table says so.
    pub active: Option<bool>,
    /// When the account was made, in Unix seconds, where the table says so.
    pub joined: Option<i64>,
}

/// The reason why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UserTableError {
    /// The database cannot be reached.
    #[error("the database cannot be read: {0}")]
    Connect(String),
    /// The database refused the query.
    #[error("the database refuses to read the table: {0}")]
    Refused(String),
    /// There is no such table.
    #[error("there is no table {0} in the database; name another with --table")]
    NoTable(String),
    /// The table has no such column, or not one primary key.
    #[error("the table {table} has no {column}")]
    NoColumn {
        /// The table.
        table: String,
        /// What it does not have.
        column: String,
    },
}

/// The users of a table as they are read, in one transaction that only reads.
pub struct UserRows {
    // The connection ends with its client.
    _client: Client,
    rows: Pin<Box<RowStream>>,
}

impl UserRows {
    /// Starts to read the users of a table, in order of the primary key.
    ///
    /// # Errors
    ///
    /// See [`UserTableError`].
    pub async fn open(
        url: &str,
        authority: Option<&Path>,
        table: &UserTable,
    ) -> Result<Self, UserTableError> {
        let mut params = connect_params(url, authority, "rescind import").map_err(|error| connect(&error))?;
        // A standby is as good to read from.
        params.config.target_session_attrs(TargetSessionAttrs::Any);
        let (client, connection) =
            params.config.connect(params.tls).await.map_err(|error| UserTableError::Connect(told(&error)))?;
        tokio::spawn(connection);
        client.batch_execute("begin read only").await.map_err(|error| refused(&error))?;
        let query = query(&client, table).await?;
        let rows = client
            .query_typed_raw(&query, Vec::<(String, Type)>::new())
            .await
            .map_err(|error| refused(&error))?;
        Ok(Self { _client: client, rows: Box::pin(rows) })
    }

    /// The next user; none at the end.
    ///
    /// # Errors
    ///
    /// When the database cannot be read to the end of the table.
    pub async fn next(&mut self) -> Result<Option<UserRow>, UserTableError> {
        let row = self.rows.try_next().await.map_err(|error| refused(&error))?;
        row.as_ref().map(user).transpose().map_err(|error| refused(&error))
    }
}

fn user(row: &Row) -> Result<UserRow, tokio_postgres::Error> {
    Ok(UserRow {
        id: row.try_get::<_, Option<String>>(0)?.unwrap_or_default(),
        username: row.try_get(1)?,
        password: row.try_get(2)?,
        active: row.try_get(3)?,
        joined: row.try_get(4)?,
    })
}

/// The query for the columns that the table has.
async fn query(client: &Client, table: &UserTable) -> Result<String, UserTableError> {
    let name = table.name.split('.').map(quoted).collect::<Vec<_>>().join(".");
    let found = client
        .query_typed_one("select to_regclass($1) is not null", &[(&name, Type::TEXT)])
        .await
        .and_then(|row| row.try_get(0));
    if !found.map_err(|error| refused(&error))? {
        return Err(UserTableError::NoTable(table.name.clone()));
    }
    let asked = "select a.attname::text, coalesce(a.attnum = any(i.indkey) and i.indnkeyatts = 1, false)
                 from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary
                 where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped";
    let columns = client.query_typed(asked, &[(&name, Type::TEXT)]).await.map_err(|error| refused(&error))?;
    let mut names = Vec::new();
    let mut key = None;
    for column in columns {
        let name: String = column.try_get(0).map_err(|error| refused(&error))?;
        if column.try_get(1).map_err(|error| refused(&error))? {
            key = Some(name.clone());
        }
        names.push(name);
    }
    let missing =
        |column: &str| UserTableError::NoColumn { table: table.name.clone(), column: column.to_owned() };
    let has = |column: &str| names.iter().any(|name| name == column);
    let key = quoted(&key.ok_or_else(|| missing("primary key of one column"))?);
    for column in [table.username.as_str(), "password"] {
        if !has(column) {
            return Err(missing(&format!(
                "column {column}; name that of the username with --username-field"
            )));
        }
    }
    let or_null = |column: &str, expression: &str, kind: &str| {
        if has(column) { expression.to_owned() } else { format!("null::{kind}") }
    };
    let active = or_null("is_active", "is_active::bool", "bool");
    let joined = or_null("date_joined", "floor(extract(epoch from date_joined))::bigint", "bigint");
    let username = quoted(&table.username);
    Ok(format!(
        "select left({key}::text, {LONGEST}), left({username}::text, {LONGEST}), left(password::text, {LONGEST}), {active}, {joined} from {name} order by {key}"
    ))
}

fn refused(error: &tokio_postgres::Error) -> UserTableError {
    UserTableError::Refused(told(error))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn connect(error: &OpenError) -> UserTableError {
    UserTableError::Connect(match error {
        OpenError::Url { reason } => format!("its URL is not understood ({reason})"),
        other => other.to_string(),
    })
}

/// What the database or the network said. It quotes no row, since nothing that is read is an argument.
fn told(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => said.message().to_owned(),
        None => std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string),
    }
}
