//! Steps and queries with their types erased, as an engine sees them: an engine runs an operation and never learns what
//! its answer is. The answer stays with the operation until the engine says that the operation is done.

use std::sync::{Arc, Mutex, PoisonError};

use super::priority::Priority;
use super::queries::Query;
use super::records::{Changes, Records};
use super::steps::Step;
use super::working_set::WorkingSet;
use super::{SeenStanding, StoreError};

/// A [`Step`] with its outcome's type erased.
pub trait ErasedStep: Send + Sync {
    /// The records that the step is known to work on.
    fn working_set(&self) -> WorkingSet;

    /// How long the step is still carried out when free space runs out.
    fn priority(&self) -> Priority;

    /// Decides, remembers the outcome, and returns what is to be written. May be called again: the last call counts.
    ///
    /// # Errors
    /// When a record that the step needs cannot be read.
    fn decide(&self, records: &dyn Records) -> Result<Changes, StoreError>;
}

/// A [`Query`] with its answer's type erased.
pub trait ErasedQuery: Send + Sync {
    /// The records that the query is known to read.
    fn working_set(&self) -> WorkingSet;

    /// Reads and remembers the answer. May be called again: the last call counts.
    ///
    /// # Errors
    /// When a record that the query needs cannot be read.
    fn run(&self, records: &dyn Records) -> Result<(), StoreError>;

    /// Whether [`ErasedQuery::run_on_cached`] may answer.
    fn is_cached(&self) -> bool {
        false
    }

    /// Remembers the answer that a cached standing gives; `false` if it gives none, and the records are to be read.
    fn run_on_cached(&self, _standing: SeenStanding) -> bool {
        false
    }
}

/// A step or a query on its way through an engine, and its answer once there is one.
pub(super) struct InFlight<O, T> {
    operation: O,
    answer: Mutex<Option<T>>,
}

impl<O, T> InFlight<O, T> {
    pub(super) fn new(operation: O) -> Self {
        Self { operation, answer: Mutex::new(None) }
    }

    /// Takes the answer of an operation that the engine says is done.
    pub(super) fn answer(&self) -> Result<T, StoreError> {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner).take();
        answer.ok_or_else(|| StoreError::Unavailable("the engine did not run the operation".to_owned()))
    }

    fn remember(&self, answer: T) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

impl<S: Step> ErasedStep for InFlight<S, S::Outcome> {
    fn working_set(&self) -> WorkingSet {
        self.operation.working_set()
    }

    fn priority(&self) -> Priority {
        self.operation.priority()
    }

    fn decide(&self, records: &dyn Records) -> Result<Changes, StoreError> {
        let mut changes = Changes::of(self.operation.priority());
        self.remember(self.operation.decide(records, &mut changes)?);
        Ok(changes)
    }
}

impl<Q: Query> ErasedQuery for InFlight<Q, Q::Answer> {
    fn working_set(&self) -> WorkingSet {
        self.operation.working_set()
    }

    fn run(&self, records: &dyn Records) -> Result<(), StoreError> {
        self.remember(self.operation.run(records)?);
        Ok(())
    }

    fn is_cached(&self) -> bool {
        Q::CACHED
    }

    fn run_on_cached(&self, standing: SeenStanding) -> bool {
        self.operation.answer_cached(standing).map(|answer| self.remember(answer)).is_some()
    }
}

/// A query as a step that writes nothing, so that it is answered only once all it read is durable.
pub(super) struct DurableRead(pub(super) Arc<dyn ErasedQuery>);

impl ErasedStep for DurableRead {
    fn working_set(&self) -> WorkingSet {
        self.0.working_set()
    }

    fn priority(&self) -> Priority {
        Priority::default()
    }

    fn decide(&self, records: &dyn Records) -> Result<Changes, StoreError> {
        self.0.run(records)?;
        Ok(Changes::default())
    }
}
