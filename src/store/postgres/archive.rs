//! The shared store as the source or target of a copy, read and written in one transaction.
//!
//! A source is locked against every writer from its first record to its end, so that the copy misses no write; a
//! target shows nothing before the copy is complete. Only the last step is a transaction of its own: a committed copy
//! stays marked as unfinished until its source is marked as moved.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::sleep;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row};
use uuid::Uuid;

use super::bound_query::BoundQuery;
use super::connection::Connection;
use super::failure::QueryFailure;
use super::loaded::parse;
use super::open::{OpenMode, check, connect_params};
use super::open_error::{OpenError, refusal};
use super::sql_write::document;
use super::{hosts, sql};
use crate::model::ids::StoreId;
use crate::store::archive::{Archive, ArchiveSource, ArchiveTarget, rolled_back};
use crate::store::format::{Record, RecordKind};
use crate::store::{StoreError, StoreIdentity};

mod rows;

/// Begins a transaction of any duration that does not wait long for locks.
const BEGIN: &str = "begin isolation level read committed read write; set local client_min_messages = warning;
    set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0; set local lock_timeout = '5s'";

/// How long to wait for the connections of nodes to end.
const LEAVING: Duration = Duration::from_secs(2);

/// Locks all tables against writers.
const LOCK_TABLES: &str =
    "lock table rescind.service, rescind.totals, rescind.users, rescind.devices, rescind.last_seen,
    rescind.looks, rescind.log, rescind.keys, rescind.service_keys in share mode";

const CLEAR: &str =
    "truncate rescind.totals, rescind.users, rescind.devices, rescind.last_seen, rescind.looks, rescind.log,
    rescind.keys, rescind.service_keys";

/// Updates the planner's statistics, without which it plans badly.
const ANALYZE: &str =
    "analyze rescind.users; analyze rescind.devices; analyze rescind.last_seen; analyze rescind.looks;
    analyze rescind.log";

/// A database, locked while its store is copied from it or to it.
pub struct PostgresArchive {
    connection: Connection,
    kind: RecordKind,
    before: bool,
}

impl PostgresArchive {
    /// Opens the store in the database at `url` as the source of a copy to the location shown as `to`.
    pub async fn leaving(url: &str, authority: Option<&Path>, to: &str) -> Result<Self, OpenError> {
        let mut connection = connect(url, authority).await?;
        check(connection.client_mut(), OpenMode::Existing).await?;
        let before = leaving(connection.begin(), to).await?;
        Ok(Self { connection, kind: RecordKind::Counters, before })
    }

    /// Opens the empty database at `url` as the target of a copy of `store`.
    pub async fn arriving(url: &str, authority: Option<&Path>, store: StoreId) -> Result<Self, OpenError> {
        let mut connection = connect(url, authority).await?;
        check(connection.client_mut(), OpenMode::Create).await?;
        let before = arriving(connection.begin(), store).await?;
        Ok(Self { connection, kind: RecordKind::Counters, before })
    }
}

async fn connect(url: &str, authority: Option<&Path>) -> Result<Connection, OpenError> {
    // Another name than a node's, so that neither is taken for the other.
    let params = connect_params(url, authority, "rescind store copy")?;
    let (client, connection) =
        hosts::connect(&params.config, &params.tls).await.map_err(|error| refusal(&error))?;
    Ok(Connection::over(client, connection, params.tls))
}

/// Locks the source. Returns whether it was marked as moved to `to` before.
async fn leaving(client: &Client, to: &str) -> Result<bool, OpenError> {
    let (asked, mut others) = (Instant::now(), connected_nodes(client).await?);
    // Those of a node that has just been stopped may be there a moment longer.
    while others > 0 {
        if asked.elapsed() > LEAVING {
            return Err(OpenError::InUse { by: format!("{others} connections of nodes") });
        }
        sleep(LEAVING / 20).await;
        others = connected_nodes(client).await?;
    }
    for statement in [BEGIN, LOCK_TABLES] {
        client.batch_execute(statement).await.map_err(|error| busy(&error))?;
    }
    let row = ask(client, sql::STAGE).await?;
    let moved: Option<String> = column(&row, 2)?;
    match (column(&row, 0)?, column(&row, 1)?, moved) {
        (true, ..) => Ok(false),
        (false, _, Some(there)) if there == to => Ok(true),
        (false, _, Some(to)) => Err(OpenError::Moved { to }),
        (false, true, None) => Err(OpenError::Unfinished),
        (false, false, None) => Err(OpenError::Missing),
    }
}

/// The number of connections that nodes have to this database.
async fn connected_nodes(client: &Client) -> Result<i64, OpenError> {
    let others = "select count(*) from pg_stat_activity
        where datname = current_database() and application_name = 'rescind' and pid <> pg_backend_pid()";
    column(&ask(client, others).await?, 0)
}

/// Locks the target, and removes an unfinished copy from it. Returns whether there was one.
async fn arriving(client: &Client, store: StoreId) -> Result<bool, OpenError> {
    client.batch_execute(BEGIN).await.map_err(|error| busy(&error))?;
    let state = "select founding is not null or moved is not null, copying from rescind.service for update";
    let row = client.query_typed_one(state, &[]).await.map_err(|error| busy(&error))?;
    let (taken, copying): (bool, Option<Uuid>) = (column(&row, 0)?, column(&row, 1)?);
    let resumed = match copying {
        _ if taken => return Err(OpenError::NotEmpty),
        Some(other) if other.as_bytes() != store.as_bytes() => return Err(OpenError::Unfinished),
        copying => copying.is_some(),
    };
    client.batch_execute(CLEAR).await.map_err(|error| busy(&error))?;
    let mark = "update rescind.service set copying = $1";
    let id = Uuid::from_bytes(*store.as_bytes());
    client.execute_typed(mark, &[(&id, Type::UUID)]).await.map_err(|error| refusal(&error))?;
    Ok(resumed)
}

async fn ask(client: &Client, query: &str) -> Result<Row, OpenError> {
    client.query_typed_one(query, &[]).await.map_err(|error| refusal(&error))
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(row: &'a Row, at: usize) -> Result<T, OpenError> {
    row.try_get(at).map_err(|error| refusal(&error))
}

fn busy(error: &Error) -> OpenError {
    if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) {
        OpenError::InUse { by: "somebody holds a lock on its tables".to_owned() }
    } else {
        refusal(error)
    }
}

fn failed(error: impl Into<QueryFailure>) -> StoreError {
    match error.into() {
        QueryFailure::Final(error) => error,
        QueryFailure::Lost(why) => StoreError::Unavailable(why),
        QueryFailure::Conflict => StoreError::Unavailable("two records have the same key".to_owned()),
    }
}

impl PostgresArchive {
    fn client(&self) -> &Client {
        self.connection.begin()
    }

    async fn run(&self, text: &str) -> Result<(), StoreError> {
        self.client().batch_execute(text).await.map_err(failed)
    }

    /// Commits. If the database waits for a standby, the data is on the standby, too, when this returns.
    async fn commit_transaction(&self) -> Result<(), StoreError> {
        if self.connection.commit().await.map_err(failed)? {
            Ok(())
        } else {
            Err(StoreError::Unavailable("the database did not wait for its standby".to_owned()))
        }
    }
}

#[async_trait]
impl Archive for PostgresArchive {
    async fn seek(&mut self, kind: RecordKind) -> Result<(), StoreError> {
        self.kind = kind;
        self.run(&format!("close all; declare records no scroll cursor for {}", sql::all_of(kind))).await
    }

    async fn page(&mut self) -> Result<Vec<Record>, StoreError> {
        let rows = self.client().query_typed("fetch 1000 from records", &[]).await.map_err(failed)?;
        rows.iter().map(|row| rows::record(self.kind, row.try_get(0).map_err(failed)?)).collect()
    }
}

#[async_trait]
impl ArchiveSource for PostgresArchive {
    async fn identity(&mut self) -> Result<StoreIdentity, StoreError> {
        let asked = "select coalesce(founding, moved->'founding')::text, rolled_back from rescind.service";
        let row = self.client().query_typed_one(asked, &[]).await.map_err(failed)?;
        if row.try_get(1).map_err(failed)? {
            return Err(rolled_back());
        }
        parse(row.try_get(0).map_err(failed)?)
    }

    fn left(&self) -> bool {
        self.before
    }

    async fn leave(&mut self, to: &str) -> Result<(), StoreError> {
        let mark = "update rescind.service set founding = null,
            moved = json_build_object('to', $1, 'founding', coalesce(founding, moved->'founding'))";
        BoundQuery::new(mark).text(to).run(self.client()).await.map_err(failed)?;
        self.commit_transaction().await
    }
}

#[async_trait]
impl ArchiveTarget for PostgresArchive {
    fn resumed(&self) -> bool {
        self.before
    }

    async fn put(&mut self, page: Vec<Record>) -> Result<(), StoreError> {
        self.connection.write(&rows::imported(page)?).await.map_err(failed)
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.run("close all").await?;
        self.commit_transaction().await?;
        self.run(ANALYZE).await
    }

    async fn initialize(&mut self, identity: StoreIdentity) -> Result<(), StoreError> {
        let mark = "update rescind.service set founding = $1::json, copying = null";
        self.run(BEGIN).await?;
        BoundQuery::new(mark).text(document(&identity)?).run(self.client()).await.map_err(failed)?;
        self.commit_transaction().await
    }
}

impl fmt::Debug for PostgresArchive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresArchive").field("kind", &self.kind).finish_non_exhaustive()
    }
}
