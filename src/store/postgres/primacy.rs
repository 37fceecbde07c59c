//! Proof that this database was still the one primary.
//!
//! A standby that confirms a commit has not been promoted before. So if every standby that may be promoted has to confirm
//! it, a commit that was begun after a check arrived proves that nobody had been promoted when the check arrived, and that
//! every revocation which was acknowledged until then was written here. A primary on the wrong side of a partition gets no
//! confirmation, whatever it believes, and no clock is asked.
//!
//! That holds where `synchronous_standby_names` names as many standbys as have to confirm: `one`, `FIRST 2 (one, two)`,
//! `ANY 2 (one, two)`. It does not where fewer have to confirm than are named, `FIRST 1 (one, two)` or `ANY 1 (one, two)`,
//! because the one that did not can be promoted, and not for `*`, which names everyone. It rests on the rule, Patroni's with
//! `synchronous_mode`, that only a named standby is promoted.

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
use crate::store::StoreError;

/// Begins a transaction that has something to confirm: it locks a row that nobody ever changes.
const BEGIN: &str =
    "begin isolation level read committed; select from rescind.version where version = 1 for key share";

/// The settings that decide whether a commit is a proof.
pub(super) const SETTINGS: &str =
    "select current_setting('synchronous_standby_names'), current_setting('synchronous_commit')";

/// Two commits are under way at a time: one waits for the standby while the other one is sent. Without its standby no
/// further ones are begun, so that they take no connection from anyone else.
const fn limits(budget: Duration) -> GroupLimits {
    GroupLimits { most: usize::MAX, under_way: 2, patience: budget }
}

/// The proofs of one node.
pub(super) struct Primacy {
    /// How old a proof may be; none if none is required.
    most: Option<Duration>,
    last: Arc<Mutex<Option<Proof>>>,
    /// The checks that wait for a proof that is begun after they arrived.
    waiting: GroupQueue<oneshot::Sender<Result<Proof, QueryFailure>>>,
}

/// A proof that a database is the primary.
#[derive(Clone)]
pub(super) struct Proof {
    /// When its commit was sent.
    sent: Instant,
    /// The store of the database, as [`LogHead::store`](super::head::LogHead::store). Connections to a primary that was
    /// replaced and to the one that replaced it can stand side by side: a proof of the one says nothing of the other.
    pub(super) store: String,
}

impl Primacy {
    /// No proof yet, of which each holds for `most`, with zero for one group of checks; none if no proof is required. Proofs
    /// are made over connections of `pool`, each within `budget`.
    pub(super) fn start(pool: Arc<Pool>, most: Option<Duration>, budget: Duration) -> Self {
        let last: Arc<Mutex<Option<Proof>>> = Arc::default();
        let noted = Arc::clone(&last);
        let handle = move |group: Vec<oneshot::Sender<Result<Proof, QueryFailure>>>| {
            let (pool, noted) = (Arc::clone(&pool), Arc::clone(&noted));
            async move {
                let late = || {
                    Err(StoreError::Away("no standby confirms that this is the primary".to_owned()).into())
                };
                let proof = timeout(budget, prove(&pool)).await.unwrap_or_else(|_| late());
                if let Ok(proof) = &proof {
                    *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(proof.clone());
                }
                for waiting in group {
                    // Whoever asked may have gone.
                    let _gone = waiting.send(proof.clone());
                }
            }
        };
        Self { most, last, waiting: GroupQueue::start(limits(budget), |_| None::<()>, handle) }
    }

    /// Whether answers need a proof.
    pub(super) fn is_required(&self) -> bool {
        self.most.is_some()
    }

    /// How long ago the last proof was begun; none if there was none yet.
    pub(super) fn age(&self) -> Option<Duration> {
        self.last().map(|proof| proof.sent.elapsed())
    }

    fn last(&self) -> Option<Proof> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for a proof that is as young as it has to be; none if none is required. It goes on when nobody waits for it any
    /// more.
    pub(super) async fn proof(&self) -> Result<Option<Proof>, QueryFailure> {
        let Some(most) = self.most else { return Ok(None) };
        if let Some(last) = self.last().filter(|last| last.sent.elapsed() < most) {
            return Ok(Some(last));
        }
        let (proven, proof) = oneshot::channel();
        self.waiting.add(proven);
        let aborted = || QueryFailure::Final(StoreError::Unavailable("a proof was aborted".to_owned()));
        proof.await.unwrap_or_else(|_| Err(aborted())).map(Some)
    }

    /// Forgets the last proof, which is of another database than the one that answers.
    pub(super) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Proves that the database is the primary, by a commit that its standbys confirm.
async fn prove(pool: &Pool) -> Result<Proof, QueryFailure> {
    let connection = pool.connection().await?;
    let sent = Instant::now();
    let client = connection.begin();
    let (begun, read, committed) =
        join!(client.batch_execute(BEGIN), client.simple_query(sql::STORE_AND_SETTINGS), connection.commit());
    begun?;
    let read = read?;
    let row = read.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0)?, row.get(1)?, row.get(2)?)),
        _ => None,
    });
    let Some((store, names, commit)) = row else {
        return Err(StoreError::Corrupt("the store was never initialized".to_owned()).into());
    };
    holds(names, commit).map_err(|why| StoreError::Away(why.to_string()))?;
    if !committed? {
        return Err(StoreError::Away("no standby confirmed that this is the primary".to_owned()).into());
    }
    connection.done();
    Ok(Proof { sent, store: store.to_owned() })
}

/// The reason why a commit of this database proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProof {
    /// No standby is asked to confirm.
    #[error("`synchronous_standby_names` is empty: no standby confirms a commit")]
    NoStandby,
    /// A commit does not wait for what its standby says.
    #[error("`synchronous_commit` is `{0}`: a commit does not wait for a standby")]
    NotAwaited(String),
    /// A standby that did not confirm may be promoted.
    #[error(
        "`synchronous_standby_names` is `{0}`: a standby that did not confirm could be promoted. As many have to confirm as are named"
    )]
    SomeNeedNotConfirm(String),
}

/// Whether every standby that may be promoted confirms a commit, by the settings `synchronous_standby_names` and
/// `synchronous_commit`.
pub(super) fn holds(names: &str, commit: &str) -> Result<(), NoProof> {
    if !matches!(commit, "on" | "remote_apply" | "remote_write") {
        return Err(NoProof::NotAwaited(commit.to_owned()));
    }
    let names = names.trim();
    if names.is_empty() {
        return Err(NoProof::NoStandby);
    }
    match confirming(names) {
        Some((needed, listed)) if needed == listed => Ok(()),
        _ => Err(NoProof::SomeNeedNotConfirm(names.to_owned())),
    }
}

/// How many standbys have to confirm, and how many are named; `None` if everyone is named, or the text is not understood.
fn confirming(names: &str) -> Option<(usize, usize)> {
    let method = |text: &str| {
        let text = text.trim();
        let (first, rest) = text.split_at_checked(text.find(char::is_whitespace).unwrap_or(0))?;
        let is_method = ["first", "any"].iter().any(|method| first.eq_ignore_ascii_case(method));
        (if is_method { rest } else { text }).trim().parse().ok()
    };
    let (needed, list) = match names.split_once('(') {
        Some((before, list)) => (method(before)?, list.strip_suffix(')')?),
        None => (1, names),
    };
    let mut listed: Vec<_> =
        list.split(',').map(|name| name.trim().trim_matches('"').to_lowercase()).collect();
    listed.sort_unstable();
    listed.dedup();
    listed.iter().all(|name| !name.is_empty() && name != "*").then_some((needed, listed.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_a_proof_if_everyone_who_is_named_confirms_it() {
        for names in ["one", "\"pg-1\"", "1 (one)", "FIRST 1 (one)", "any 2 (one, two)", "2 (\"a\",\"b\")"] {
            assert_eq!(holds(names, "on"), Ok(()), "{names}");
        }
        for names in
            ["*", "one, two", "FIRST 1 (one, two)", "ANY 1 (one, two)", "ANY 2 (*)", "3 (a, b)", "x (a)"]
        {
            assert_eq!(holds(names, "on"), Err(NoProof::SomeNeedNotConfirm(names.to_owned())), "{names}");
        }
        assert_eq!(holds(" ", "on"), Err(NoProof::NoStandby));
        assert_eq!(holds("one", "local"), Err(NoProof::NotAwaited("local".to_owned())));
        assert_eq!(holds("one", "remote_apply"), Ok(()));
    }

    #[test]
    fn two_standbys_of_one_name_count_once() {
        assert!(holds("2 (one, ONE)", "on").is_err());
    }
}
