//! Proof that this database was still the one primary.
//!
//! If no standby that may be promoted had been when a request arrived, every revocation which was acknowledged until then was
//! written here. Two things prove it: a commit that all of them confirm, and, where a node can ask them, their answers that
//! they are still in recovery, which come sooner and write nothing. Either is begun after the request arrived. A primary on the
//! wrong side of a partition gets neither, whatever it believes, and no clock is asked. Whoever promotes a standby has to see to
//! it first that no other one is named, and that the sessions of the primary have the names, as Patroni does.
//!
//! For which settings that holds, [`synchronous_standbys`](super::synchronous_standbys) says.
//!
//! Modules: `confirmed_commit`, `uninterrupted_recovery` (the two proofs), `proof` (what they give), `recovery_session` (what a
//! server says of itself), `receiver` (which standby it is).

mod confirmed_commit;
mod proof;
mod receiver;
mod recovery_session;
mod uninterrupted_recovery;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

pub use self::proof::Basis;
use self::proof::Proof;
pub(super) use self::uninterrupted_recovery::Standbys;
use super::failure::QueryFailure;
use super::group_queue::{GroupLimits, GroupQueue};
use super::pool::Pool;
use super::store_and_settings::StoreAndSettings;
use crate::store::StoreError;

/// Two commits are under way at a time: one waits for the standby while the other one is sent; only one where there are few
/// connections. Without its standby no further ones are begun, so that they take no connection from anyone else.
const fn limits(connections: usize, budget: Duration) -> GroupLimits {
    let under_way = if connections < 4 { 1 } else { 2 };
    GroupLimits { most: usize::MAX, under_way, patience: budget }
}

/// The proofs of one node.
pub(super) struct Primacy {
    proofs: Arc<Proofs>,
    /// How old a proof may be; none if none is required.
    most: Option<Duration>,
    /// The reads that wait for a proof that is begun after they arrived.
    waiting: GroupQueue<WaitingRead>,
}

type WaitingRead = oneshot::Sender<Result<Proof, QueryFailure>>;

/// What gives proofs, and the youngest of them.
struct Proofs {
    pool: Arc<Pool>,
    standbys: Arc<Standbys>,
    /// How long a proof may take.
    budget: Duration,
    /// The youngest proof, which may be too old.
    last: Mutex<Option<Proof>>,
}

impl Primacy {
    /// No proof yet, of which each holds for `most`, with zero for one group of checks; none if no proof is required. Proofs
    /// are made by asking `standbys`, else over connections of `pool`, each within `budget`.
    pub(super) fn start(
        pool: Arc<Pool>,
        standbys: Standbys,
        most: Option<Duration>,
        budget: Duration,
    ) -> Self {
        let connections = pool.most();
        let proofs = Arc::new(Proofs { pool, standbys: Arc::new(standbys), budget, last: Mutex::default() });
        let of_queue = Arc::clone(&proofs);
        let handle = move |group: Vec<WaitingRead>| {
            let proofs = Arc::clone(&of_queue);
            async move {
                let proof = proofs.prove().await;
                for waiting in group {
                    // Whoever asked may have gone.
                    let _gone = waiting.send(proof.clone());
                }
            }
        };
        let waiting = GroupQueue::start(limits(connections, budget), |_| None::<()>, handle);
        Self { proofs, most, waiting }
    }

    /// Whether answers need a proof.
    pub(super) fn is_required(&self) -> bool {
        self.most.is_some()
    }

    /// Waits for a proof that is as young as it has to be; none if none is required. A commit goes on when nobody waits for
    /// it any more.
    pub(super) async fn proof(&self) -> Result<Option<Proof>, QueryFailure> {
        let Some(most) = self.most else { return Ok(None) };
        if let Some(last) = self.proofs.last().clone().filter(|last| last.age() < most) {
            return Ok(Some(last));
        }
        if let Some(proof) = self.proofs.standbys.prove_unless_busy().await {
            return Ok(Some(self.proofs.noted(proof)));
        }
        let (proven, proof) = oneshot::channel();
        self.waiting.add(proven);
        let aborted = || QueryFailure::Final(StoreError::Unavailable("a proof was aborted".to_owned()));
        proof.await.unwrap_or_else(|_| Err(aborted())).map(Some)
    }

    /// Checks that a proof is of the database that has answered, which is given where it was read. If it is of another
    /// one, or one whose settings have changed, both are forgotten.
    pub(super) async fn compare(
        &self,
        proof: Option<&Proof>,
        answered: Option<&StoreAndSettings>,
    ) -> Result<(), QueryFailure> {
        if proof.is_none_or(|proof| answered == Some(&proof.database)) {
            return Ok(());
        }
        *self.proofs.last() = None;
        self.proofs.standbys.forget().await;
        self.proofs.pool.forget_idle();
        Err(QueryFailure::Conflict)
    }
}

impl Proofs {
    fn last(&self) -> MutexGuard<'_, Option<Proof>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn noted(&self, proof: Proof) -> Proof {
        *self.last() = Some(proof.clone());
        proof
    }

    /// Proves by the answers of the standbys, else by a commit, after which the standbys can be asked again.
    async fn prove(&self) -> Result<Proof, QueryFailure> {
        if let Some(proof) = self.standbys.prove().await {
            return Ok(self.noted(proof));
        }
        let late = || Err(StoreError::Away("no standby confirms that this is the primary".to_owned()).into());
        let proof =
            timeout(self.budget, confirmed_commit::prove(&self.pool)).await.unwrap_or_else(|_| late());
        match &proof {
            Ok(_) => self.standbys.search(&self.pool),
            // Another host may be the primary by now.
            Err(_) => self.pool.forget_idle(),
        }
        proof.map(|proof| self.noted(proof))
    }
}
