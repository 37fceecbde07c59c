//! Proof that this database was still the one primary.
//!
//! A standby that confirms a commit has not been promoted before. So if every standby that may be promoted has to confirm
//! it, a commit that was begun after a request arrived proves that nobody had been promoted when it arrived, and that
//! every revocation which was acknowledged until then was written here. A primary on the wrong side of a partition gets no
//! confirmation, whatever it believes, and no clock is asked. Whoever promotes a standby has to see to it first that no other one
//! is named, as Patroni does.
//!
//! For which settings that holds, [`synchronous_standbys`](super::synchronous_standbys) says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::join;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::SimpleQueryMessage;

use super::failure::QueryFailure;
use super::group_queue::{GroupLimits, GroupQueue};
use super::pool::Pool;
use super::sql;
use super::synchronous_standbys::confirm_primacy;
use crate::store::StoreError;

/// Begins a transaction whose commit says so if it did not wait for its standby, whatever the role or the URL asks for.
const BEGIN: &str = "begin isolation level read committed; set local client_min_messages = warning";

/// Has the commit wait until its standbys have received it, and not until they have written it to disk or applied it as well:
/// that they follow this primary is the proof, and the commit itself need not survive.
const AWAIT_RECEIPT: &str = "set local synchronous_commit = remote_write";

/// Two commits are under way at a time: one waits for the standby while the other one is sent; only one where there are few
/// connections. Without its standby no further ones are begun, so that they take no connection from anyone else.
const fn limits(connections: usize, budget: Duration) -> GroupLimits {
    let under_way = if connections < 4 { 1 } else { 2 };
    GroupLimits { most: usize::MAX, under_way, patience: budget }
}

/// The proofs of one node.
pub(super) struct Primacy {
    pool: Arc<Pool>,
    /// How old a proof may be; none if none is required.
    most: Option<Duration>,
    /// The youngest proof, which may be too old.
    last: Arc<Mutex<Option<Proof>>>,
    /// The reads that wait for a proof that is begun after they arrived.
    waiting: GroupQueue<oneshot::Sender<Result<Proof, QueryFailure>>>,
}

/// A proof that a database is the primary.
#[derive(Clone)]
pub(super) struct Proof {
    /// When its commit was sent.
    sent: Instant,
    /// The store of the database, as [`LogHead::store`](super::head::LogHead::store). Connections to a primary that was
    /// replaced and to the one that replaced it can stand side by side: a proof of the one says nothing of the other.
    store: String,
}

impl Proof {
    /// How long ago the proof was begun.
    pub(super) fn age(&self) -> Duration {
        self.sent.elapsed()
    }
}

impl Primacy {
    /// No proof yet, of which each holds for `most`, with zero for one group of checks; none if no proof is required. Proofs
    /// are made over connections of `pool`, each within `budget`.
    pub(super) fn start(pool: Arc<Pool>, most: Option<Duration>, budget: Duration) -> Self {
        let last: Arc<Mutex<Option<Proof>>> = Arc::default();
        let (connections, proven, noted) = (pool.most(), Arc::clone(&pool), Arc::clone(&last));
        let handle = move |group: Vec<oneshot::Sender<Result<Proof, QueryFailure>>>| {
            let (pool, noted) = (Arc::clone(&proven), Arc::clone(&noted));
            async move {
                let late = || {
                    Err(StoreError::Away("no standby confirms that this is the primary".to_owned()).into())
                };
                let proof = timeout(budget, prove(&pool)).await.unwrap_or_else(|_| late());
                match &proof {
                    Ok(proof) => *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof.clone()),
                    // Another host may be the primary by now.
                    Err(_) => pool.forget_idle(),
                }
                for waiting in group {
                    // Whoever asked may have gone.
                    let _gone = waiting.send(proof.clone());
                }
            }
        };
        let waiting = GroupQueue::start(limits(connections, budget), |_| None::<()>, handle);
        Self { pool, most, last, waiting }
    }

    /// Whether answers need a proof.
    pub(super) fn is_required(&self) -> bool {
        self.most.is_some()
    }

    fn last(&self) -> Option<Proof> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a proof that is as young as it has to be; none if none is required. It goes on when nobody waits for it any
    /// more.
    pub(super) async fn proof(&self) -> Result<Option<Proof>, QueryFailure> {
        let Some(most) = self.most else { return Ok(None) };
        if let Some(last) = self.last().filter(|last| last.age() < most) {
            return Ok(Some(last));
        }
        let (proven, proof) = oneshot::channel();
        self.waiting.add(proven);
        let aborted = || QueryFailure::Final(StoreError::Unavailable("a proof was aborted".to_owned()));
        proof.await.unwrap_or_else(|_| Err(aborted())).map(Some)
    }

    /// Checks that a proof is of the database that has answered, whose store is given where it was read. If it is of another
    /// one, both are forgotten.
    pub(super) fn compare(&self, proof: Option<&Proof>, answered: Option<&str>) -> Result<(), QueryFailure> {
        if proof.is_none_or(|proof| answered == Some(&*proof.store)) {
            return Ok(());
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.pool.forget_idle();
        Err(QueryFailure::Conflict)
    }
}

/// Proves that the database is the primary, by a commit that its standbys confirm. The settings of the session, which steps
/// have, are read before it and after it: whoever empties them lets every commit go on that still waits.
async fn prove(pool: &Pool) -> Result<Proof, QueryFailure> {
    let connection = pool.connection().await?;
    let sent = Instant::now();
    let begin = [BEGIN, sql::STORE_AND_SETTINGS_LOCKED, AWAIT_RECEIPT].join("; ");
    let exchange = async {
        let client = connection.begin();
        join!(client.simple_query(&begin), connection.commit(), client.simple_query(sql::STORE_AND_SETTINGS))
    };
    let (before, committed, after) = connection.drive(exchange).await;
    let (before, committed, after) = (before?, committed?, after?);
    connection.done();
    let (before, after) = (StoreAndSettings::of(&before)?, StoreAndSettings::of(&after)?);
    confirm_primacy(before.names, before.commit).map_err(|why| StoreError::Away(why.to_string()))?;
    if !committed || before != after {
        return Err(StoreError::Away("no standby confirmed that this is the primary".to_owned()).into());
    }
    Ok(Proof { sent, store: before.store.to_owned() })
}

/// Which store a database has, and its settings `synchronous_standby_names` and `synchronous_commit`.
#[derive(PartialEq, Eq)]
struct StoreAndSettings<'a> {
    store: &'a str,
    names: &'a str,
    commit: &'a str,
}

impl<'a> StoreAndSettings<'a> {
    fn of(messages: &'a [SimpleQueryMessage]) -> Result<Self, StoreError> {
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some(Self { store: row.get(0)?, names: row.get(1)?, commit: row.get(2)? })
            }
            _ => None,
        });
        row.ok_or_else(|| StoreError::Corrupt("the store was never initialized".to_owned()))
    }
}
