//! One transaction: the step's working set is locked and read, the step decides, and what it writes is committed.
//!
//! Statements that need no answer of one another are sent together: a step takes two round trips, one before it has
//! decided and one after.

use std::pin::Pin;

use futures_util::future::join_all;
use futures_util::join;
use tokio_postgres::Client;

use super::connection::Connection;
use super::failure::QueryFailure;
use super::load;
use super::loaded::Loaded;
use super::sql_query::SqlQuery;
use crate::store::StoreError;
use crate::store::records::Records;
use crate::store::working_set::WorkingSet;

/// The most times that a step may request further records; more than any step needs, so beyond it the step does not
/// end.
const ROUNDS: usize = 512;

/// A statement that was sent.
type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send + 'a>>;

/// Begins with the statement `begin`, locks the step's working set, and reads it.
pub(super) async fn begin(
    connection: &Connection,
    begin: &str,
    working_set: &WorkingSet,
) -> Result<Loaded, QueryFailure> {
    let client = connection.begin();
    let mut loaded = Loaded::default();
    let lock = async {
        match load::lock_query(working_set) {
            Some(lock) => lock.run(client).await.map(Some),
            None => Ok(None),
        }
    };
    let read = async {
        match load::preload(working_set) {
            Some(load) => load.run(client).await.map(Some),
            None => Ok(None),
        }
    };
    let (started, locked, answer) = join!(client.batch_execute(begin), lock, read);
    started?;
    let locked = locked?;
    if let (WorkingSet::User(_) | WorkingSet::Device(..), Some([])) = (working_set, locked.as_deref())
        && let Some(lock) = load::lock_query(&WorkingSet::Unknown)
    {
        // A user who is gone has no row to hold; that there is none has to be durable all the same.
        lock.run(client).await?;
    }
    if let Some(answer) = answer? {
        answer.fill(&mut loaded)?;
    }
    if let (WorkingSet::Due(now, limit), Some(users)) = (working_set, locked) {
        load::due(*now, *limit, load::held_users(&users)?).run(client).await?.fill(&mut loaded)?;
        let devices: Vec<_> =
            loaded.due(*now, *limit)?.iter().map(|check| (check.user, check.device)).collect();
        load::of_devices(&devices).run(client).await?.fill(&mut loaded)?;
    }
    Ok(loaded)
}

/// Runs `work` on the records read so far and reads what it lacks, until it lacks nothing.
pub(super) async fn complete<T>(
    connection: &Connection,
    loaded: &mut Loaded,
    work: impl Fn(&dyn Records) -> T,
) -> Result<T, QueryFailure> {
    for _ in 0..ROUNDS {
        let outcome = work(loaded);
        let Some(missed) = loaded.missed() else { return Ok(outcome) };
        load::missed(missed).run(connection.begin()).await?.fill(loaded)?;
    }
    Err(QueryFailure::Final(StoreError::Unavailable("a step asks for more and more".to_owned())))
}

/// The reason why a transaction cannot be acknowledged.
pub(super) enum NotCommitted {
    /// The transaction was rolled back.
    Known(QueryFailure),
    /// Whether the transaction was committed is unknown.
    Unknown(String),
}

/// Runs `statements` and commits. The connection can be reused unless the outcome is unknown.
pub(super) async fn commit(connection: &Connection, statements: &[SqlQuery]) -> Result<(), NotCommitted> {
    let client = connection.begin();
    let writes = join_all(statements.iter().map(|statement| send(statement, client)));
    let (written, committed) = join!(writes, connection.commit());
    let outcome = judge(written.into_iter().find_map(Result::err), committed);
    if !matches!(outcome, Err(NotCommitted::Unknown(_))) {
        connection.done();
    }
    outcome
}

fn send<'a>(statement: &'a SqlQuery, client: &'a Client) -> Sent<'a> {
    Box::pin(async { statement.run(client).await.map(drop) })
}

/// The outcome of a transaction whose first failed statement has the error `refused`.
fn judge(
    refused: Option<tokio_postgres::Error>,
    committed: Result<bool, tokio_postgres::Error>,
) -> Result<(), NotCommitted> {
    match (refused.map(QueryFailure::from), committed.map_err(QueryFailure::from)) {
        (None, Ok(true)) => Ok(()),
        (None, Ok(false)) => {
            Err(NotCommitted::Unknown("the database did not wait for its standby".to_owned()))
        }
        // A connection that broke may have broken after the commit.
        (Some(QueryFailure::Lost(why)), _) | (None, Err(QueryFailure::Lost(why))) => {
            Err(NotCommitted::Unknown(why))
        }
        // A statement that was refused turned the commit into a rollback.
        (Some(failure), _) | (None, Err(failure @ QueryFailure::Conflict)) => {
            Err(NotCommitted::Known(failure))
        }
        (None, Err(QueryFailure::Final(error))) => Err(NotCommitted::Unknown(error.to_string())),
    }
}
