//! Checks, together: one statement reads what all checks that wait need to know.
//!
//! The statement is sent after the last of its checks arrived, so each of them sees every step that was acknowledged
//! before the check began, as with a statement of its own. Where the standings of all of them are cached, it reads no more
//! than the head of the log.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::try_join;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::failure::QueryFailure;
use super::group_queue::{GroupLimits, GroupObserver, GroupQueue, Grouped};
use super::head::LogHead;
use super::loaded::Loaded;
use super::pool::Pool;
use super::primacy::{Basis, Primacy};
use super::row::Rows;
use super::run_to_end::run_to_end;
use super::sql;
use super::sql_query::SqlQuery;
use super::standing_cache::SharedCache;
use super::standings::{self, Documents};
use crate::model::counters::Position;
use crate::model::ids::{DeviceId, UserId};
use crate::store::{SeenStanding, StoreError};
use crate::time_limit::TimeLimit;

/// One statement is under way at a time, which makes the groups large. The next one does not wait longer than `patience`
/// for a slow one.
const LIMITS: GroupLimits = GroupLimits { most: 256, under_way: 1, patience: Duration::from_millis(5) };

/// What checks found, and what they rest on.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// How many were answered from the cache.
    pub cached: usize,
    /// How many read the records.
    pub read: usize,
    /// How old the proof is that the database is the primary, and what it rests on; none if none is required.
    pub proof: Option<(Duration, Basis)>,
    /// Whether the database turned out to be another one than before: promoted, restored, started again, or with a shorter
    /// log.
    pub another: bool,
}

/// Is told of every group of checks.
pub type CheckObserver = Arc<dyn Fn(Checked) + Send + Sync>;

/// What the checks of a store rest on.
pub(super) struct CheckOptions {
    /// How long a statement may take.
    pub(super) limit: TimeLimit,
    pub(super) group_observer: GroupObserver,
    pub(super) observer: CheckObserver,
}

/// A user and a device of the user that somebody wants to know of.
#[derive(Clone, Copy)]
pub(super) struct Check {
    pub(super) user: UserId,
    pub(super) device: DeviceId,
    /// Whether the cache will do.
    pub(super) from_cache: bool,
}

/// A check that waits for a group.
struct WaitingCheck {
    check: Check,
    answer: oneshot::Sender<Result<Found, QueryFailure>>,
}

/// What is known of a user and a device.
pub(super) enum Found {
    /// By the cache, as of a moment after the check began.
    Cached(Box<SeenStanding>),
    /// By the records.
    Read(Box<Loaded>),
    /// It was cached, and then the log said that something has changed.
    Changed,
}

/// The queue of checks.
pub(super) struct SharedReads {
    reader: Arc<CheckReader>,
    queue: GroupQueue<WaitingCheck>,
}

impl SharedReads {
    /// A queue that reads over connections of `pool`.
    pub(super) fn start(
        pool: Arc<Pool>,
        cache: Arc<SharedCache>,
        primacy: Arc<Primacy>,
        options: CheckOptions,
    ) -> Self {
        let log_moves = AtomicBool::new(false);
        let reader = Arc::new(CheckReader { pool, cache, primacy, options, log_moves });
        let of_queue = Arc::clone(&reader);
        let handle = move |group: Vec<WaitingCheck>| {
            let reader = Arc::clone(&of_queue);
            async move { reader.answer(group).await }
        };
        Self { reader, queue: GroupQueue::start(LIMITS, |_| None::<()>, handle) }
    }

    /// What is known of a user and a device at a moment after this call. A check that comes alone reads in its caller's task,
    /// which spares the waking of another one.
    pub(super) async fn find(&self, check: Check) -> Result<Found, QueryFailure> {
        let aborted = || QueryFailure::Final(StoreError::Unavailable("a read was aborted".to_owned()));
        if let Some(alone) = self.queue.alone() {
            let reader = Arc::clone(&self.reader);
            let found = run_to_end(async move {
                let found = reader.find_within_budget(&[check]).await;
                drop(alone);
                found
            });
            return found.await?.pop().ok_or_else(aborted);
        }
        let (answer, answered) = oneshot::channel();
        self.queue.add(WaitingCheck { check, answer });
        answered.await.unwrap_or_else(|_| Err(aborted()))
    }
}

struct CheckReader {
    pool: Arc<Pool>,
    cache: Arc<SharedCache>,
    primacy: Arc<Primacy>,
    options: CheckOptions,
    /// Whether the log had new entries when its head was last read: then the next read asks for entries too.
    log_moves: AtomicBool,
}

impl CheckReader {
    async fn answer(&self, group: Vec<WaitingCheck>) {
        let checks: Vec<_> = group.iter().map(|waiting| waiting.check).collect();
        match self.find_within_budget(&checks).await {
            Ok(found) => group.into_iter().zip(found).for_each(|(waiting, found)| waiting.answer(Ok(found))),
            Err(failure) => group.into_iter().for_each(|waiting| waiting.answer(Err(failure.clone()))),
        }
    }

    async fn find_within_budget(&self, group: &[Check]) -> Result<Vec<Found>, QueryFailure> {
        (self.options.group_observer)(Grouped { what: "read", requests: group.len() });
        let late = || Err(QueryFailure::Lost("the database does not answer".to_owned()));
        self.options.limit.wait(pin!(self.find(group))).await.unwrap_or_else(late)
    }

    async fn find(&self, group: &[Check]) -> Result<Vec<Found>, QueryFailure> {
        let ((found, head, another), proof) = try_join!(self.read(group), self.primacy.proof())?;
        self.primacy.compare(proof.as_ref(), head.as_ref().map(|head| &head.database)).await?;
        let count = |which: fn(&Found) -> bool| found.iter().filter(|found| which(found)).count();
        let cached = count(|found| matches!(found, Found::Cached(_)));
        let read = count(|found| matches!(found, Found::Read(_)));
        let proof = proof.map(|proof| (proof.age(), proof.basis()));
        (self.options.observer)(Checked { cached, read, proof, another });
        Ok(found)
    }

    /// Whether the head of the log is read.
    fn reads_head(&self) -> bool {
        self.cache.is_on() || self.primacy.is_required()
    }

    /// Reads what is not cached, and the log, which says whether what is cached is still true.
    async fn read(&self, group: &[Check]) -> Result<(Vec<Found>, Option<LogHead>, bool), QueryFailure> {
        let connection = self.pool.connection().await?;
        let (sent, applied, to_read) = {
            let cache = self.cache.lock();
            let now = Instant::now();
            let is_cached = |check: &Check| check.from_cache && cache.contains(check.user, check.device, now);
            let to_read =
                group.iter().filter(|check| !is_cached(check)).map(|check| (check.user, check.device));
            (cache.sent(), cache.applied(), to_read.collect::<HashSet<_>>())
        };
        let (rows, head) = connection.drive(self.run(&connection, applied, &to_read)).await?;
        connection.done();
        let documents = Documents::of(&rows)?;
        let now = Instant::now();
        let mut cache = self.cache.lock();
        let another = head.as_ref().is_some_and(|head| cache.follow(sent, head));
        let mut found = Vec::with_capacity(group.len());
        for &Check { user, device, .. } in group {
            found.push(if to_read.contains(&(user, device)) {
                let loaded = documents.loaded_seen(user, device);
                if let (Some(head), Ok(seen)) = (&head, SeenStanding::read(&loaded, user, device))
                    && seen.standing.device.is_some()
                {
                    cache.insert(sent, head, (user, device), seen);
                }
                Found::Read(Box::new(loaded))
            } else if let Some((counters, mut seen)) = cache.get(user, device, now) {
                seen.standing.counters = counters;
                Found::Cached(Box::new(seen))
            } else {
                Found::Changed
            });
        }
        drop(cache);
        Ok((found, head, another))
    }

    async fn run(
        &self,
        connection: &Connection,
        applied: Position,
        to_read: &HashSet<(UserId, DeviceId)>,
    ) -> Result<(Rows, Option<LogHead>), QueryFailure> {
        let devices: Vec<_> = to_read.iter().copied().collect();
        match (to_read.is_empty(), self.reads_head()) {
            (_, false) => Ok((connection.run(&[&standings::query_seen(&devices)]).await?, None)),
            (true, true) => Ok((Vec::new(), Some(self.read_head(connection, applied).await?))),
            (false, true) => {
                let rows = connection.run(&[&standings::query_with_head(applied, &devices)]).await?;
                let head = LogHead::of(&rows)?;
                Ok((rows, Some(head)))
            }
        }
    }

    /// Reads the head of the log, with the entries after `applied` if there are any.
    async fn read_head(&self, connection: &Connection, applied: Position) -> Result<LogHead, QueryFailure> {
        if !self.log_moves.load(Ordering::Relaxed) {
            let head = LogHead::of(&connection.run(&[&SqlQuery::prepared(&sql::HEAD)]).await?)?;
            if head.counters.head <= applied {
                return Ok(head);
            }
        }
        let entries = SqlQuery::prepared(&sql::HEAD_AND_ENTRIES).number(applied.value());
        let rows = connection.run(&[&entries]).await?;
        let head = LogHead::of(&rows)?;
        self.log_moves.store(head.counters.head > applied, Ordering::Relaxed);
        Ok(head)
    }
}

impl WaitingCheck {
    fn answer(self, found: Result<Found, QueryFailure>) {
        // Whoever asked may have gone.
        let _gone = self.answer.send(found);
    }
}
