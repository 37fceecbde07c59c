//! Password hashing: argon2id, with bounded concurrency and equal cost for every outcome.
//!
//! One hash takes 19 MiB and a core for some 15 ms, so the limit on concurrent hashes protects memory and the other
//! requests. An unknown or disabled user costs the same work as a wrong password, so that the time of the answer does
//! not tell them apart (user enumeration).
//!
//! Randomness is an argument: the caller supplies the salt.
//!
//! Modules: `hash_queue` is the queue of jobs, `memory` the pool of memory blocks, `budget` the memory of imported
//! hashes, `argon` the computation, `foreign` the verification of other systems' hashes, `error` the errors of all.

use std::sync::Arc;
use std::time::Duration;

use argon2::Block;

use crate::model::password::encoding::MOST_MEMORY;
use crate::model::password::{Password, PasswordHash};

mod argon;
mod budget;
mod error;
mod foreign;
mod hash_queue;
mod memory;

pub use argon::{HashParameters, Salt};
pub use error::HashingError;
pub use hash_queue::{HashLoad, HashSource};

use argon::Argon2Job;
use budget::MemoryBudget;
use foreign::ForeignJob;
use hash_queue::{HashQueue, HashTurn};
use memory::BlockPool;

/// The result of verifying a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordVerified {
    /// The password is the user's.
    Match {
        /// Whether the hash has outdated parameters, or another algorithm: the password should be hashed again and
        /// stored in place of this very hash.
        stale: bool,
    },
    /// The password is wrong, or there is no such user.
    Mismatch,
}

/// The password hasher. It is shared, since its limit holds for the whole process; its capacity is divided fairly
/// between clients by [`HashSource`].
#[derive(Debug)]
pub struct Hashing {
    parameters: HashParameters,
    queue: HashQueue,
    pool: Arc<BlockPool>,
    budget: Arc<MemoryBudget>,
}

impl Hashing {
    /// A hasher that runs at most `at_once` hashes at the same time and refuses one that has waited for `wait`.
    pub fn new(parameters: HashParameters, at_once: usize, wait: Duration) -> Result<Self, HashingError> {
        parameters.check()?;
        let budget = MemoryBudget::new(at_once.saturating_mul(parameters.memory()).max(MOST_MEMORY));
        let queue = HashQueue::new(at_once, wait);
        Ok(Self { parameters, queue, pool: Arc::default(), budget: Arc::new(budget) })
    }

    /// Hashes a new password, queued under `source`. The salt must be fresh random bytes.
    pub async fn hash(
        &self,
        source: HashSource,
        password: &Password,
        salt: Salt,
    ) -> Result<PasswordHash, HashingError> {
        let job = Argon2Job::fresh(self.parameters, salt);
        let password = password.clone();
        self.work(source, job, move |job, blocks| job.hash(&password, blocks)).await
    }

    /// Verifies a password against the user's hash, queued under `source`. `None`, for an unknown or disabled user,
    /// costs the same and never matches.
    ///
    /// A hash with other parameters costs what those cost, so until its user has signed in once the time may
    /// distinguish it from an unknown name.
    pub async fn verify(
        &self,
        source: HashSource,
        password: &Password,
        stored: Option<&PasswordHash>,
    ) -> Result<PasswordVerified, HashingError> {
        let password = password.clone();
        let (matches, stale) = if let Some(job) = stored.map(ForeignJob::read).transpose()?.flatten() {
            let memory = self.memory(job.memory());
            let run = move |_: &HashTurn| {
                let _share = memory.map(|(budget, bytes)| budget.take(bytes));
                job.matches(&password)
            };
            (self.queue.run(source, run).await??, true)
        } else {
            let job = match stored {
                Some(stored) => Argon2Job::read(stored)?,
                None => Argon2Job::decoy(self.parameters),
            };
            let stale = job.differs_from(self.parameters);
            (self.work(source, job, move |job, blocks| job.matches(&password, blocks)).await?, stale)
        };
        Ok(if matches { PasswordVerified::Match { stale } } else { PasswordVerified::Mismatch })
    }

    async fn work<T: Send + 'static>(
        &self,
        source: HashSource,
        job: Argon2Job,
        compute: impl FnOnce(&Argon2Job, &mut [Block]) -> Result<T, HashingError> + Send + 'static,
    ) -> Result<T, HashingError> {
        let pool = Arc::clone(&self.pool);
        let memory = self.memory(job.parameters().memory());
        let run = move |turn: &HashTurn| {
            let _share = memory.map(|(budget, bytes)| budget.take(bytes));
            let mut blocks = pool.take(job.block_count());
            let answer = compute(&job, &mut blocks);
            if turn.is_awaited() {
                pool.put(blocks);
            } else {
                pool.clear();
            }
            answer
        };
        self.queue.run(source, run).await?
    }

    /// The budget for a job that takes so many bytes; `None` for one that takes no more than the configured parameters.
    fn memory(&self, bytes: usize) -> Option<(Arc<MemoryBudget>, usize)> {
        (bytes > self.parameters.memory()).then(|| (Arc::clone(&self.budget), bytes))
    }

    /// The current load of the hash queue, for metrics.
    pub fn load(&self) -> HashLoad {
        self.queue.load()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: HashSource = HashSource::Operator;
    const CHEAP: HashParameters = HashParameters { memory_kib: 64, iterations: 1, parallelism: 1 };

    fn hashing(parameters: HashParameters) -> Hashing {
        Hashing::new(parameters, 2, Duration::from_secs(5)).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::presented(text).unwrap()
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let hashing = hashing(CHEAP);
        let hash = hashing.hash(HERE, &password("correct horse"), Salt([7; 16])).await.unwrap();
        let check = async |text| hashing.verify(HERE, &password(text), Some(&hash)).await.unwrap();
        assert_eq!(check("correct horse").await, PasswordVerified::Match { stale: false });
        assert_eq!(check("Correct horse").await, PasswordVerified::Mismatch);
        assert_eq!(check("").await, PasswordVerified::Mismatch);
    }

    #[tokio::test]
    async fn an_unknown_user_costs_one_hash_too_and_never_matches() {
        let hashing = hashing(CHEAP);
        let hash = hashing.hash(HERE, &password("correct horse"), Salt([7; 16])).await.unwrap();
        let before = hashing.load().finished;
        assert_eq!(
            hashing.verify(HERE, &password("wrong"), Some(&hash)).await,
            Ok(PasswordVerified::Mismatch)
        );
        let wrong = hashing.load().finished - before;
        assert_eq!(
            hashing.verify(HERE, &password("correct horse"), None).await,
            Ok(PasswordVerified::Mismatch)
        );
        let unknown = hashing.load().finished - before - wrong;
        assert_eq!((wrong, unknown), (1, 1));
        assert_eq!(Argon2Job::decoy(CHEAP).cost(), Argon2Job::read(&hash).unwrap().cost());
    }

    #[tokio::test]
    async fn a_hash_made_with_other_parameters_matches_and_is_stale() {
        let old = hashing(CHEAP).hash(HERE, &password("correct horse"), Salt([7; 16])).await.unwrap();
        let now = hashing(HashParameters { iterations: 2, ..CHEAP });
        assert_eq!(
            now.verify(HERE, &password("correct horse"), Some(&old)).await,
            Ok(PasswordVerified::Match { stale: true })
        );
        let new = now.hash(HERE, &password("correct horse"), Salt([8; 16])).await.unwrap();
        assert_eq!(
            now.verify(HERE, &password("correct horse"), Some(&new)).await,
            Ok(PasswordVerified::Match { stale: false })
        );
    }

    #[tokio::test]
    async fn a_hash_of_another_system_matches_once_and_is_replaced() {
        let hashing = hashing(CHEAP);
        for (text, right) in [
            ("pbkdf2_sha256$1000$salt$boRToEKoQr22LeDTyHDsEkHpDsDOTyWJq16HknEiweU=", "correct horse"),
            (
                "scrypt$1024$salt$8$1$+jRLtWGqwbUzRvMN4+1uXPEu+5SPbkMPyA7E6CwOjKu9tNn5IpEqAsB1N4hj5NmJ26Y0VvTc/xzFrIx25wpiyQ==",
                "correct horse",
            ),
            ("argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$bynHEyr4haxtPeI7EZzgYQ", "correct horse"),
            ("argon2$argon2i$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$uR/RiQECR32qTVFXH3cIUw", "correct horse"),
        ] {
            let stored = PasswordHash::parse(text).unwrap();
            let check = async |text| hashing.verify(HERE, &password(text), Some(&stored)).await.unwrap();
            assert_eq!(check(right).await, PasswordVerified::Match { stale: true }, "{text}");
            assert_eq!(check("Correct horse").await, PasswordVerified::Mismatch, "{text}");
        }
        assert_eq!(hashing.load().finished, 8);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn after_a_burst_no_memory_is_kept() {
        let hashing = Arc::new(Hashing::new(CHEAP, 2, Duration::from_secs(60)).unwrap());
        let clients: Vec<_> = (0..50)
            .map(|_| {
                let hashing = Arc::clone(&hashing);
                tokio::spawn(async move { hashing.verify(HERE, &password("any"), None).await })
            })
            .collect();
        for client in clients {
            assert_eq!(client.await.unwrap(), Ok(PasswordVerified::Mismatch));
            assert!(hashing.pool.len() <= 2);
        }
        assert_eq!(hashing.pool.len(), 0);
    }

    #[tokio::test]
    async fn without_a_turn_it_is_overloaded() {
        let hashing = Hashing::new(CHEAP, 0, Duration::ZERO).unwrap();
        assert_eq!(hashing.verify(HERE, &password("any"), None).await, Err(HashingError::Overloaded));
        assert_eq!(hashing.hash(HERE, &password("any"), Salt([0; 16])).await, Err(HashingError::Overloaded));
        assert_eq!(hashing.load().refused, 2);
    }
}
