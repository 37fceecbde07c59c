//! One transaction: the step's working set is locked and read, the step decides, and what it writes is committed.
//!
//! Statements that need no answer of one another are sent together: a step takes two round trips, one before it has
//! decided and one after.

use std::collections::HashSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::join;
use tokio::sync::watch;
use tokio_postgres::Client;

use super::change_notifier::ChangeNotifier;
use super::connection::Connection;
use super::failure::{QueryFailure, TOO_LONG};
use super::load;
use super::loaded::Loaded;
use super::pool::Pool;
use super::retry::with_retries;
use super::sql_query::SqlQuery;
use super::standing_cache::SharedCache;
use super::write;
use crate::model::counters::Era;
use crate::model::ids::UserId;
use crate::store::StoreError;
use crate::store::erased::ErasedStep;
use crate::store::format::{Record, RecordKey};
use crate::store::records::{Change, Changes, Records};
use crate::store::working_set::WorkingSet;

/// The most times that a step may request further records; more than any step needs, so beyond it the step does not
/// end.
const ROUNDS: usize = 512;

/// What transactions are made of: connections, and how each begins.
pub(super) struct Transactions {
    pub(super) pool: Arc<Pool>,
    cache: Arc<SharedCache>,
    notifier: ChangeNotifier,
    begin: String,
}

impl Transactions {
    /// Transactions over connections of `pool` that take at most `budget` each.
    pub(super) fn new(
        pool: Arc<Pool>,
        cache: Arc<SharedCache>,
        notifier: ChangeNotifier,
        budget: Duration,
    ) -> Self {
        let milliseconds = budget.as_millis().max(1);
        // A lock is waited for half as long as all of it may take, and held by a node that says nothing more no longer than
        // that.
        let begin = format!(
            "begin isolation level read committed; set local client_min_messages = warning; set local statement_timeout = {milliseconds}; set local lock_timeout = {}; set local idle_in_transaction_session_timeout = {milliseconds}",
            milliseconds.div_ceil(2)
        );
        Self { pool, cache, notifier, begin }
    }

    /// A channel that is marked as changed after something may have been written.
    pub(super) fn written(&self) -> watch::Receiver<()> {
        self.notifier.subscribe()
    }

    /// Begins a transaction. Statements for it can be sent at the same time, after this one.
    pub(super) async fn begin(&self, client: &Client) -> Result<(), tokio_postgres::Error> {
        client.batch_execute(&self.begin).await
    }

    /// Does a step in a transaction of its own, again while others are in the way. Answers with the number of statements
    /// that wrote something.
    pub(super) async fn alone(&self, step: &dyn ErasedStep) -> Result<usize, StoreError> {
        let working_set = step.working_set();
        with_retries(|| self.once(&working_set, step)).await
    }

    async fn once(&self, working_set: &WorkingSet, step: &dyn ErasedStep) -> Result<usize, QueryFailure> {
        let connection = self.pool.connection().await?;
        let mut loaded = lock_and_read(self, &connection, working_set).await?;
        let decided = complete(&connection, &mut loaded, |records| decide(step, records)).await?;
        let changes = match decided {
            Ok(changes) => changes,
            Err(error) => {
                connection.begin().batch_execute("rollback").await?;
                connection.done();
                return Err(error.into());
            }
        };
        let era = loaded.counters().map_or(Era::default(), |counters| counters.era);
        match self.commit(&connection, changes, era).await? {
            Ok(statements) => Ok(statements),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes `changes`, decided under `era`, commits, and tells the other nodes. Answers with the number of statements
    /// that wrote something. The inner error says that the outcome is unknown, the outer one that nothing was written. The
    /// connection can be reused unless the outcome is unknown.
    pub(super) async fn commit(
        &self,
        connection: &Connection,
        changes: Changes,
        era: Era,
    ) -> Result<Result<usize, StoreError>, QueryFailure> {
        let logged = !changes.log.is_empty();
        let users = users_of(&changes);
        let statements = write::statements(changes, era)?;
        // Before, for a commit that nobody waits for any more; and after it, since a read may have come in between.
        self.cache.lock().change(users.iter().copied());
        let committed = commit(connection, &statements).await;
        self.cache.lock().change(users);
        match committed {
            Ok(()) => {
                if logged {
                    self.notifier.notify();
                }
                Ok(Ok(statements.len()))
            }
            Err(NotCommitted::Known(failure)) => Err(failure),
            Err(NotCommitted::Unknown(why)) => Ok(Err(unknown(&why))),
        }
    }
}

/// The users whose records are written or removed.
fn users_of(changes: &Changes) -> HashSet<UserId> {
    let user = |change: &Change| match change {
        Change::Put(Record::User(user)) => Some(user.id),
        Change::Put(Record::Device(device) | Record::EndedDevice(device)) => Some(device.user),
        Change::Put(Record::LastSeen(user, ..))
        | Change::Remove(
            RecordKey::User { id: user, .. }
            | RecordKey::Device(user, ..)
            | RecordKey::EndedDevice(user, _)
            | RecordKey::LastSeen(user, _),
        ) => Some(*user),
        _ => None,
    };
    changes.records.iter().filter_map(user).collect()
}

/// The error of a step whose outcome is unknown.
pub(super) fn unknown(why: &str) -> StoreError {
    StoreError::Unavailable(format!("{why}; whether the step was taken is unknown"))
}

/// The error of a step that took longer than it may.
pub(super) fn too_slow() -> StoreError {
    unknown(TOO_LONG)
}

/// A statement that was sent.
type Sent<'a> = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send + 'a>>;

/// Begins a transaction, locks the step's working set, and reads it.
async fn lock_and_read(
    transactions: &Transactions,
    connection: &Connection,
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
    let (started, locked, answer) = join!(transactions.begin(client), lock, read);
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
        load::due(*now, *limit, load::locked_users(&users)?).run(client).await?.fill(&mut loaded)?;
        let devices: Vec<_> =
            loaded.due(*now, *limit)?.iter().map(|check| (check.user, check.device)).collect();
        load::of_devices(&devices).run(client).await?.fill(&mut loaded)?;
    }
    Ok(loaded)
}

/// What a step decides, unless the counters say that the tables are of a newer version. They are read for every step,
/// also if it does not ask for them.
pub(super) fn decide(step: &dyn ErasedStep, records: &dyn Records) -> Result<Changes, StoreError> {
    match records.counters() {
        Err(newer @ StoreError::Newer(_)) => Err(newer),
        _ => step.decide(records),
    }
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
enum NotCommitted {
    /// The transaction was rolled back.
    Known(QueryFailure),
    /// Whether the transaction was committed is unknown.
    Unknown(String),
}

/// Runs `statements` and commits. The connection can be reused unless the outcome is unknown.
async fn commit(connection: &Connection, statements: &[SqlQuery]) -> Result<(), NotCommitted> {
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
