//! The engine: queries, steps, and when either is tried again.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::try_join;
use tokio::sync::watch;
use tokio::time::timeout;

use super::change_notifier::ChangeNotifier;
use super::connection::Connection;
use super::failure::QueryFailure;
use super::group_commit::GroupCommit;
use super::head;
use super::load;
use super::loaded::Loaded;
use super::open::{OpenMode, open};
use super::open_error::OpenError;
use super::options::{Observed, Options};
use super::pool::Pool;
use super::primacy::{Primacy, Standbys};
use super::retry::with_retries;
use super::shared_reads::{Check, CheckOptions, Found, SharedReads};
use super::sql;
use super::sql_query::SqlQuery;
use super::standing_cache::SharedCache;
use super::store_and_settings::StoreAndSettings;
use super::transaction::{self, Transactions, too_slow, unknown};
use crate::model::ids::{DeviceId, UserId};
use crate::model::timestamp::Timestamp;
use crate::store::engine::Engine;
use crate::store::erased::{ErasedQuery, ErasedStep};
use crate::store::working_set::WorkingSet;
use crate::store::{StoreError, StoreTime};
use crate::time_limit::TimeLimit;

/// The engine: a pool of connections to the one writable primary.
#[derive(Clone)]
pub struct Postgres(Arc<Inner>);

struct Inner {
    pool: Arc<Pool>,
    primacy: Arc<Primacy>,
    checks: SharedReads,
    cache: Arc<SharedCache>,
    transactions: Arc<Transactions>,
    groups: GroupCommit,
    read_limit: TimeLimit,
    step_limit: TimeLimit,
    options: Options,
}

impl Postgres {
    /// Opens the store in the database at `url`.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub async fn connect(url: &str, options: Options, mode: OpenMode) -> Result<Self, OpenError> {
        let proven = options.proof_of_primacy.is_some();
        let params = open(url, options.authority.as_deref(), mode, proven).await?;
        let unreachable = |error: StoreError| OpenError::Unreachable { reason: error.to_string() };
        let notifier = ChangeNotifier::start(params.config.clone(), params.tls.clone());
        let standbys = Standbys::new(&params.config, params.tls.clone(), options.read_budget);
        // One of them is the one that listens.
        let pooled = options.connections.saturating_sub(1).max(1);
        let pool = Pool::new(params.config, params.tls, pooled, options.step_budget).map_err(unreachable)?;
        let pool = Arc::new(pool);
        let cached = if Box::pin(head::is_readable(&pool)).await { options.cached_standings } else { 0 };
        let cache = Arc::new(SharedCache::new(cached));
        let check_options = CheckOptions {
            limit: TimeLimit::new(options.read_budget),
            group_observer: Arc::clone(&options.group_observer),
            observer: Arc::clone(&options.check_observer),
        };
        let primacy =
            Primacy::start(Arc::clone(&pool), standbys, options.proof_of_primacy, options.step_budget);
        let primacy = Arc::new(primacy);
        let checks =
            SharedReads::start(Arc::clone(&pool), Arc::clone(&cache), Arc::clone(&primacy), check_options);
        let transactions =
            Transactions::new(Arc::clone(&pool), Arc::clone(&cache), notifier, options.step_budget);
        let transactions = Arc::new(transactions);
        let groups = GroupCommit::start(&transactions, options.step_budget, &options.group_observer);
        let read_limit = TimeLimit::new(options.read_budget);
        let step_limit = TimeLimit::new(options.step_budget);
        let inner =
            Inner { pool, primacy, checks, cache, transactions, groups, read_limit, step_limit, options };
        Ok(Self(Arc::new(inner)))
    }

    /// The newest moment that a record speaks of. Reads all of them.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn newest_record(&self) -> Result<Option<Timestamp>, StoreError> {
        let inner = &self.0;
        let asked = with_retries(async || {
            let connection = inner.pool.connection().await?;
            let newest = "select greatest(
                (select (founding->>'at')::bigint from rescind.service),
                (select max(at) from rescind.log),
                (select max((doc->>'created')::bigint) from rescind.keys),
                (select max((doc->>'created')::bigint) from rescind.service_keys),
                (select max(greatest((doc->>'created')::bigint, (doc->'bumped'->>'at')::bigint,
                    (doc->'disabled'->>'at')::bigint)) from rescind.users),
                (select max((doc->>'created')::bigint) from rescind.devices),
                (select max((doc->>'at')::bigint) from rescind.last_seen))";
            let row = connection.begin().query_typed_one(newest, &[]).await?;
            connection.done();
            Ok(row.try_get::<_, Option<i64>>(0)?.map(Timestamp::from_unix))
        });
        asked.await
    }

    /// Checks that every user is found by the name and the external id in the record. Reads all users.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn check_indexes(&self) -> Result<(), StoreError> {
        super::indexes::check(&self.0.pool).await
    }
}

#[expect(clippy::large_futures, reason = "each is in a box of its own, its task's or that of `async_trait`")]
#[async_trait]
impl Engine for Postgres {
    async fn read(&self, query: &dyn ErasedQuery) -> Result<(), StoreError> {
        (self.0.options.clock)()?;
        let late = || Err(too_late(self.0.options.read_budget));
        let working_set = query.working_set();
        let tries = with_retries(|| self.0.read_once(&working_set, query));
        self.0.observed("read", &self.0.read_limit, tries).await.unwrap_or_else(late)
    }

    async fn commit(&self, step: Arc<dyn ErasedStep>) -> Result<(), StoreError> {
        (self.0.options.clock)()?;
        let inner = Arc::clone(&self.0);
        // Once begun a step runs to its end, also when nobody waits for it any more.
        let running = tokio::spawn(async move {
            let late = || Err(too_slow());
            let taken = async {
                match inner.groups.commit(&step).await {
                    Some(done) => done,
                    None => inner.transactions.alone(&*step).await,
                }
            };
            inner.observed("step", &inner.step_limit, taken).await.unwrap_or_else(late)
        });
        running.await.unwrap_or_else(|_| Err(unknown("the task was aborted")))
    }

    async fn time(&self) -> Result<StoreTime, StoreError> {
        let inner = &self.0;
        let asked = with_retries(async || {
            let connection = inner.pool.connection().await?;
            let now = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
            let row = connection.begin().query_typed_one(now, &[]).await?;
            connection.done();
            Ok(StoreTime::Database(row.try_get(0)?))
        });
        let budget = inner.options.read_budget;
        let late = || Err(too_late(budget));
        timeout(budget, asked).await.unwrap_or_else(|_| late())
    }

    fn written(&self) -> watch::Receiver<()> {
        self.0.transactions.written()
    }
}

impl Inner {
    /// Does `work`, which says how many statements wrote something, within `limit`, and tells the observer.
    async fn observed(
        &self,
        what: &'static str,
        limit: &TimeLimit,
        work: impl Future<Output = Result<usize, StoreError>>,
    ) -> Option<Result<(), StoreError>> {
        let begun = Instant::now();
        let done = limit.wait(pin!(work)).await;
        let writes = done.as_ref().and_then(|done| done.as_ref().ok()).copied().unwrap_or_default();
        let (connections, waiting) = self.pool.load();
        (self.options.observer)(Observed { what, took: begun.elapsed(), writes, connections, waiting });
        done.map(|done| done.map(drop))
    }

    async fn read_once(
        &self,
        working_set: &WorkingSet,
        query: &dyn ErasedQuery,
    ) -> Result<usize, QueryFailure> {
        if let WorkingSet::Device(user, device) = working_set
            && self.check(*user, *device, query).await?
        {
            return Ok(0);
        }
        // Large, and seldom needed: each check would carry its room along.
        Box::pin(self.read_alone(working_set, query)).await
    }

    /// Answers a query over a connection of its own, with a proof if one is required: a primary that was replaced would say
    /// that what was added since is not there.
    async fn read_alone(
        &self,
        working_set: &WorkingSet,
        query: &dyn ErasedQuery,
    ) -> Result<usize, QueryFailure> {
        let (database, proof) = try_join!(self.read_unproven(working_set, query), self.primacy.proof())?;
        self.primacy.compare(proof.as_ref(), database.as_ref()).await?;
        Ok(0)
    }

    /// Answers a query, and says which database has answered if that is compared with a proof.
    async fn read_unproven(
        &self,
        working_set: &WorkingSet,
        query: &dyn ErasedQuery,
    ) -> Result<Option<StoreAndSettings>, QueryFailure> {
        let connection = self.pool.connection().await?;
        connection.drive(self.answer(&connection, working_set, query)).await
    }

    /// Answers a query over this connection, and says which database has answered if that is compared with a proof.
    async fn answer(
        &self,
        connection: &Connection,
        working_set: &WorkingSet,
        query: &dyn ErasedQuery,
    ) -> Result<Option<StoreAndSettings>, QueryFailure> {
        let mut loaded = Loaded::default();
        let database = if self.primacy.is_required() {
            let rows = connection.run(&[&SqlQuery::new(sql::STORE_AND_SETTINGS)]).await?;
            let row = rows.first().map(|row| row.try_get(2)).transpose()?;
            Some(StoreAndSettings::parse(row.flatten())?)
        } else {
            None
        };
        if let Some(load) = load::preload(working_set) {
            load.run(connection, &mut loaded).await?;
        }
        let answered = transaction::complete(connection, &mut loaded, |records| query.run(records)).await?;
        connection.done();
        answered?;
        Ok(database)
    }
}

/// The error of a read that took longer than it may.
fn too_late(budget: Duration) -> StoreError {
    let budget = budget.as_millis();
    StoreError::Away(format!("no answer in {budget} ms; `rescind doctor` says who may be in the way"))
}

impl Inner {
    /// Answers a query about a device together with others; `false` if it asks for more than that.
    async fn check(
        &self,
        user: UserId,
        device: DeviceId,
        query: &dyn ErasedQuery,
    ) -> Result<bool, QueryFailure> {
        let mut from_cache = query.is_cached() && self.cache.is_on();
        loop {
            match self.checks.find(Check { user, device, from_cache }).await? {
                Found::Cached(standing) => {
                    if query.run_on_cached(*standing) {
                        return Ok(true);
                    }
                    // Only that a token is live is ever answered from the cache.
                    from_cache = false;
                }
                Found::Changed => from_cache = false,
                Found::Read(loaded) => {
                    let answered = query.run(&*loaded);
                    let is_all = loaded.missed().is_none();
                    return if is_all { Ok(answered.map(|()| true)?) } else { Ok(false) };
                }
            }
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("connections", &self.0.pool.load().0).finish_non_exhaustive()
    }
}
