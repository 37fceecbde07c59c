//! Steps of different users, committed together: one transaction locks, reads, decides and writes for all that wait.
//!
//! A group never waits for a lock on a user: a step whose user is locked by somebody else, or does not exist, is left to
//! a transaction of its own, and so is every step of a group whose transaction was rolled back. So what stands in the way
//! of one caller is not another's error. If the outcome of the commit is unknown, it is unknown for the whole group.
//! Two steps of one user or one new name are never in one group, so that no step has to see what another one of its group
//! writes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connection::Connection;
use super::failure::QueryFailure;
use super::group_queue::{GroupLimits, GroupObserver, GroupQueue, Grouped};
use super::load;
use super::loaded::Loaded;
use super::standings::{self, Documents};
use super::transaction::{self, Transactions};
use crate::model::external_id::ExternalId;
use crate::model::ids::{DeviceId, UserId};
use crate::store::StoreError;
use crate::store::erased::ErasedStep;
use crate::store::priority::Priority;
use crate::store::records::{Changes, Records as _};
use crate::store::working_set::WorkingSet;

/// While two groups are under way, one of them can wait for the disk while the other one reads.
const LIMITS: GroupLimits = GroupLimits { most: 128, under_way: 2, patience: Duration::from_millis(25) };

/// Groups that append to the log commit one after the other anyway: one at a time is larger.
const ENDING: GroupLimits = GroupLimits { under_way: 1, ..LIMITS };

/// How often a group reads what its steps lack. A step that lacks more goes alone.
const ROUNDS: usize = 4;

/// Stands for the device in the read for a step that works on no device: no device has this id.
const NO_DEVICE: DeviceId = DeviceId::from_bytes([0; 16]);

/// What a step of a group works on.
enum Subject {
    /// A user, and perhaps a device of the user.
    User(UserId, Option<DeviceId>),
    /// A user to add, with this username's key and this external id.
    NewUser(String, Option<ExternalId>),
}

/// What two steps of one group may not have in common.
#[derive(PartialEq, Eq)]
enum KeptApart {
    User(UserId),
    Name(String),
}

impl Subject {
    fn of(working_set: WorkingSet) -> Option<Self> {
        match working_set {
            WorkingSet::User(user) => Some(Self::User(user, None)),
            WorkingSet::Device(user, device) => Some(Self::User(user, Some(device))),
            WorkingSet::NewUser(name, external_id) => Some(Self::NewUser(name, external_id)),
            _ => None,
        }
    }

    fn kept_apart(&self) -> KeptApart {
        match self {
            Self::User(user, _) => KeptApart::User(*user),
            Self::NewUser(name, _) => KeptApart::Name(name.clone()),
        }
    }

    fn user(&self) -> Option<(UserId, DeviceId)> {
        match self {
            Self::User(user, device) => Some((*user, device.unwrap_or(NO_DEVICE))),
            Self::NewUser(..) => None,
        }
    }

    fn new_user(&self) -> Option<(&str, Option<&ExternalId>)> {
        match self {
            Self::User(..) => None,
            Self::NewUser(name, external_id) => Some((name, external_id.as_ref())),
        }
    }
}

/// A step that waits for a group.
struct WaitingStep {
    subject: Subject,
    step: Arc<dyn ErasedStep>,
    done: oneshot::Sender<GroupOutcome>,
}

/// What became of a step in its group.
enum GroupOutcome {
    /// The step is done, or has failed: how many statements wrote something.
    Done(Result<usize, StoreError>),
    /// The step was not done, and needs a transaction of its own.
    NeedsOwnTransaction,
}

/// The queues of steps.
pub(super) struct GroupCommit {
    /// Steps that end devices. Their entries of the log are ordered by the lock on one row; no other step waits for it.
    ending: GroupQueue<WaitingStep>,
    others: GroupQueue<WaitingStep>,
}

impl GroupCommit {
    /// Queues whose groups are committed by `transactions`, each within `budget`.
    pub(super) fn start(
        transactions: &Arc<Transactions>,
        budget: Duration,
        observer: &GroupObserver,
    ) -> Self {
        let queue = |limits| {
            let (transactions, observer) = (Arc::clone(transactions), Arc::clone(observer));
            let handle = move |group: Vec<WaitingStep>| {
                observer(Grouped { what: "step", requests: group.len() });
                let transactions = Arc::clone(&transactions);
                async move { commit(&transactions, budget, group).await }
            };
            GroupQueue::start(limits, |waiting: &WaitingStep| Some(waiting.subject.kept_apart()), handle)
        };
        Self { ending: queue(ENDING), others: queue(LIMITS) }
    }

    /// Commits a step together with others; `None` if it was not done, and needs a transaction of its own. Answers with the
    /// number of statements that wrote something.
    pub(super) async fn commit(&self, step: &Arc<dyn ErasedStep>) -> Option<Result<usize, StoreError>> {
        let subject = Subject::of(step.working_set())?;
        let queue = if step.priority() == Priority::Ending { &self.ending } else { &self.others };
        let (done, taken) = oneshot::channel();
        queue.add(WaitingStep { subject, step: Arc::clone(step), done });
        match taken.await {
            Ok(GroupOutcome::Done(done)) => Some(done),
            Ok(GroupOutcome::NeedsOwnTransaction) => None,
            Err(_) => Some(Err(transaction::unknown("the task was aborted"))),
        }
    }
}

async fn commit(transactions: &Transactions, budget: Duration, group: Vec<WaitingStep>) {
    let outcomes = async {
        match &*group {
            // Done here and not by its caller, so that the next steps wait and form a group.
            [alone] => Ok(vec![GroupOutcome::Done(transactions.alone(&*alone.step).await)]),
            _ => together(transactions, &group).await,
        }
    };
    let outcomes = match timeout(budget, outcomes).await {
        Ok(Ok(outcomes)) => outcomes,
        // Nothing was written.
        Ok(Err(_)) => group.iter().map(|_| GroupOutcome::NeedsOwnTransaction).collect(),
        Err(_) => group.iter().map(|_| GroupOutcome::Done(Err(transaction::too_slow()))).collect(),
    };
    group.into_iter().zip(outcomes).for_each(|(waiting, taken)| answer(waiting, taken));
}

fn answer(waiting: WaitingStep, taken: GroupOutcome) {
    // Whoever asked may have gone.
    let _gone = waiting.done.send(taken);
}

/// A step of a group: its records while its user is locked, and its decision once nothing is lacking.
struct Part<'a> {
    waiting: &'a WaitingStep,
    records: Option<Loaded>,
    decided: Option<Result<Changes, StoreError>>,
}

/// Commits the steps of a group in one transaction. An error says that nothing was written.
async fn together(
    transactions: &Transactions,
    group: &[WaitingStep],
) -> Result<Vec<GroupOutcome>, QueryFailure> {
    let connection = transactions.pool.connection().await?;
    connection.drive(take_together(&connection, transactions, group)).await
}

/// Does what [`together`] does over this connection.
async fn take_together(
    connection: &Connection,
    transactions: &Transactions,
    group: &[WaitingStep],
) -> Result<Vec<GroupOutcome>, QueryFailure> {
    let mut parts = lock_and_read(transactions, connection, group).await?;
    decide(connection, &mut parts).await?;
    // All of them read the counters in one statement.
    let counters = parts.iter().find_map(|part| part.records.as_ref()?.counters().ok());
    let era = counters.unwrap_or_default().era;
    let mut changes = Changes::none();
    let mut outcomes = Vec::with_capacity(parts.len());
    for part in parts {
        outcomes.push(match part.decided {
            Some(Ok(of_step)) => {
                changes.append(of_step);
                GroupOutcome::Done(Ok(0))
            }
            Some(Err(error)) => GroupOutcome::Done(Err(error)),
            None => GroupOutcome::NeedsOwnTransaction,
        });
    }
    let mut committed = transactions.commit(connection, changes, era).await?;
    for outcome in &mut outcomes {
        if let GroupOutcome::Done(done @ Ok(_)) = outcome {
            // The statements of the group count once.
            let counted_once = committed.clone().map(|_| 0);
            *done = std::mem::replace(&mut committed, counted_once);
        }
    }
    Ok(outcomes)
}

/// Begins a transaction, locks the users that nobody else has locked, and reads what their steps work on.
async fn lock_and_read<'a>(
    transactions: &Transactions,
    connection: &Connection,
    group: &'a [WaitingStep],
) -> Result<Vec<Part<'a>>, QueryFailure> {
    let users: Vec<_> = group.iter().filter_map(|waiting| waiting.subject.user()).collect();
    let new: Vec<_> = group.iter().filter_map(|waiting| waiting.subject.new_user()).collect();
    let lock = load::lock_users(users.iter().map(|(user, _)| *user));
    let read = standings::query(&users);
    let read_new = [load::lock_version(), standings::query_new(new.iter().copied())];
    let of_new = if new.is_empty() { &[][..] } else { &read_new };
    let queries = [transactions.begin(), &lock, &read].into_iter().chain(of_new);
    let rows = connection.run(&queries.collect::<Vec<_>>()).await?;
    let (locked, documents) = (load::locked_users(&rows)?, Documents::of(&rows)?);
    let part = |waiting: &'a WaitingStep| {
        let records = match &waiting.subject {
            Subject::User(user, device) => locked.contains(user).then(|| documents.loaded(*user, *device)),
            Subject::NewUser(name, external_id) => Some(documents.loaded_new(name, external_id.as_ref())),
        };
        Part { waiting, records, decided: None }
    };
    Ok(group.iter().map(part).collect())
}

/// Decides the steps whose records are loaded, and reads together what they lack.
async fn decide(connection: &Connection, parts: &mut [Part<'_>]) -> Result<(), QueryFailure> {
    for _ in 0..ROUNDS {
        let mut lacking = Vec::new();
        for part in parts.iter_mut().filter(|part| part.decided.is_none()) {
            let Some(records) = &mut part.records else { continue };
            let outcome = transaction::decide(&*part.waiting.step, records);
            match records.missed() {
                Some(need) => lacking.push((records, need)),
                None => part.decided = Some(outcome),
            }
        }
        let read = lacking.into_iter().map(|(records, need)| load::missed(need).run(connection, records));
        try_join_all(read).await?;
    }
    Ok(())
}
