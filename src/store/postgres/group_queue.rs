//! A queue whose requests are handled in groups: those that arrive while others are under way wait, and go together.
//!
//! It knows nothing of what a request is. A request is never in a group that began before the request arrived.

use std::collections::VecDeque;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, Stream};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::yield_now;

use super::self_waking::self_waking;
use crate::time_limit::TimeLimit;

/// The size and the number of groups.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupLimits {
    /// The most requests in one group.
    pub(super) most: usize,
    /// How many groups are under way before further requests wait.
    pub(super) under_way: usize,
    /// How long further requests wait at most: a group that is slow does not hold back the next one.
    pub(super) patience: Duration,
}

/// How often a group that is being formed waits for more.
const MOST_WAITS: usize = 64;

/// How often in a row it waits in vain: a few microseconds, in which clients that were just answered can ask again.
const WAITS_IN_VAIN: usize = 4;

/// A group that was formed.
#[derive(Clone, Copy, Debug)]
pub struct Grouped {
    /// `read` or `step`.
    pub what: &'static str,
    /// How many requests are in the group.
    pub requests: usize,
}

/// Is told of every group.
pub type GroupObserver = Arc<dyn Fn(Grouped) + Send + Sync>;

/// A queue whose requests are handled in groups by one function. The number of waiting requests is not limited here: the
/// server limits how many requests it works on at once.
pub(super) struct GroupQueue<T> {
    waiting: UnboundedSender<T>,
    idle: Arc<Idle>,
}

/// Whether requests come one by one, so that each may be handled by its caller.
#[derive(Default)]
struct Idle {
    /// Whether nothing is waiting or in a group, and the last group was of one.
    is_idle: AtomicBool,
    /// Locked by a caller who handles a request.
    by_caller: Arc<Mutex<()>>,
}

/// The right to handle one request as a group of its own; others wait for it as for a group.
pub(super) struct Alone {
    _locked: OwnedMutexGuard<()>,
}

impl<T: Send + 'static> GroupQueue<T> {
    /// Spawns the task that forms groups. It ends when the queue is dropped, after the groups under way.
    ///
    /// `keep_apart` names what two requests of one group may not have in common; `None` fits with all.
    pub(super) fn start<K: PartialEq, F: Future<Output = ()> + Send + 'static>(
        limits: GroupLimits,
        keep_apart: impl Fn(&T) -> Option<K> + Send + 'static,
        handle: impl Fn(Vec<T>) -> F + Send + 'static,
    ) -> Self {
        let (waiting, arrived) = mpsc::unbounded_channel();
        let next_group = move |waiting: &mut VecDeque<T>| next_group(waiting, limits.most, &keep_apart);
        let idle = Arc::<Idle>::default();
        let forming = form_groups(limits, arrived, Arc::clone(&idle), next_group, handle);
        // A set of futures wakes itself whenever all of them have been polled.
        tokio::spawn(self_waking(Box::pin(forming)));
        Self { waiting, idle }
    }

    /// The right to handle a request that came alone, without waking the task that forms groups. `None` while others wait or
    /// are under way, or did until now: then the request has to be added.
    pub(super) fn alone(&self) -> Option<Alone> {
        let is_idle = self.idle.is_idle.load(Ordering::SeqCst);
        let locked = is_idle.then(|| Arc::clone(&self.idle.by_caller).try_lock_owned());
        Some(Alone { _locked: locked?.ok()? })
    }

    /// Adds a request. A request that can no longer be handled is dropped.
    pub(super) fn add(&self, request: T) {
        let _ended = self.waiting.send(request);
    }
}

async fn form_groups<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
    limits: GroupLimits,
    mut arrived: UnboundedReceiver<T>,
    idle: Arc<Idle>,
    next_group: impl Fn(&mut VecDeque<T>) -> Vec<T>,
    handle: impl Fn(Vec<T>) -> F,
) {
    let mut waiting = VecDeque::new();
    // In this task: to wake another one for each group would take as long as a short group.
    let mut under_way = FuturesUnordered::new();
    let limit = TimeLimit::new(limits.patience);
    let mut alone = true;
    loop {
        if waiting.is_empty() {
            idle.is_idle.store(alone && under_way.is_empty(), Ordering::SeqCst);
            let Some(first) = first(&mut arrived, &mut under_way).await else { break };
            idle.is_idle.store(false, Ordering::SeqCst);
            waiting.push_back(first);
        }
        // A request that its caller handles is under way as a group is.
        if idle.by_caller.try_lock().is_err() {
            limit.wait(pin!(idle.by_caller.lock())).await;
        }
        take_arrived(&mut arrived, &mut waiting);
        if !(alone && waiting.len() == 1) {
            gather(limits.most, &mut arrived, &mut waiting).await;
        }
        let group = next_group(&mut waiting);
        alone = group.len() == 1;
        // What fails in one group is not another's error.
        under_way.push(AssertUnwindSafe(handle(group)).catch_unwind());
        while under_way.len() >= limits.under_way {
            if limit.wait(pin!(under_way.next())).await.is_none() {
                break;
            }
        }
    }
    while under_way.next().await.is_some() {}
}

/// Waits for a request while groups are under way; `None` if there will be no more.
async fn first<T>(arrived: &mut UnboundedReceiver<T>, under_way: &mut (impl Stream + Unpin)) -> Option<T> {
    loop {
        tokio::select! {
            first = arrived.recv() => return first,
            Some(_) = under_way.next() => {}
        }
    }
}

/// Waits for more requests as long as they arrive, each time no longer than the tasks run that can. Those who were answered
/// together often ask again together: they then form one group, and not two that take turns.
async fn gather<T>(most: usize, arrived: &mut UnboundedReceiver<T>, waiting: &mut VecDeque<T>) {
    let mut in_vain = 0;
    for _ in 0..MOST_WAITS {
        yield_now().await;
        in_vain = if take_arrived(arrived, waiting) == 0 { in_vain + 1 } else { 0 };
        if in_vain == WAITS_IN_VAIN || waiting.len() >= most {
            break;
        }
    }
}

/// Takes the requests that have arrived, and answers how many.
fn take_arrived<T>(arrived: &mut UnboundedReceiver<T>, waiting: &mut VecDeque<T>) -> usize {
    let before = waiting.len();
    while let Ok(request) = arrived.try_recv() {
        waiting.push_back(request);
    }
    waiting.len() - before
}

/// Takes the requests of the next group, the oldest first. Those that have to be kept apart stay, in order.
fn next_group<T, K: PartialEq>(
    waiting: &mut VecDeque<T>,
    most: usize,
    keep_apart: impl Fn(&T) -> Option<K>,
) -> Vec<T> {
    let mut group = Vec::new();
    let mut taken: Vec<K> = Vec::new();
    let mut later = VecDeque::new();
    while let Some(request) = waiting.pop_front() {
        let key = keep_apart(&request);
        if group.len() >= most || key.as_ref().is_some_and(|key| taken.contains(key)) {
            later.push_back(request);
            continue;
        }
        taken.extend(key);
        group.push(request);
    }
    *waiting = later;
    group
}

impl<T> fmt::Debug for GroupQueue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupQueue").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, mpsc};

    use super::*;

    fn groups(waiting: &[(u8, char)], most: usize) -> Vec<String> {
        let mut waiting: VecDeque<_> = waiting.iter().copied().collect();
        let mut groups = Vec::new();
        while !waiting.is_empty() {
            let group = next_group(&mut waiting, most, |(key, _)| (*key > 0).then_some(*key));
            groups.push(group.into_iter().map(|(_, name)| name).collect());
        }
        groups
    }

    #[test]
    fn requests_that_share_a_key_are_in_different_groups_in_their_order() {
        let waiting = [(1, 'a'), (2, 'b'), (1, 'c'), (0, 'd'), (0, 'e'), (1, 'f'), (2, 'g')];
        assert_eq!(groups(&waiting, 10), ["abde", "cg", "f"]);
        assert_eq!(groups(&waiting, 2), ["ab", "cd", "ef", "g"]);
    }

    /// A queue that says which groups it handles, and handles each until a permit is there for it.
    fn queue(limits: GroupLimits) -> (GroupQueue<u8>, mpsc::UnboundedReceiver<Vec<u8>>, Arc<Semaphore>) {
        let (begun, groups) = mpsc::unbounded_channel();
        let finish = Arc::new(Semaphore::new(0));
        let permits = Arc::clone(&finish);
        let handle = move |group| {
            let permits = Arc::clone(&permits);
            begun.send(group).unwrap();
            async move { permits.acquire().await.unwrap().forget() }
        };
        (GroupQueue::start(limits, |_| None::<()>, handle), groups, finish)
    }

    #[tokio::test]
    async fn requests_that_arrive_while_a_group_is_under_way_go_together() {
        let limits = GroupLimits { most: 3, under_way: 1, patience: Duration::from_secs(3600) };
        let (queue, mut groups, finish) = queue(limits);
        queue.add(0);
        assert_eq!(groups.recv().await, Some(vec![0]));
        (1..=4).for_each(|number| queue.add(number));
        finish.add_permits(1);
        assert_eq!(groups.recv().await, Some(vec![1, 2, 3]));
        finish.add_permits(1);
        assert_eq!(groups.recv().await, Some(vec![4]));
    }

    #[tokio::test]
    async fn a_group_of_several_waits_for_those_who_are_about_to_ask() {
        let limits = GroupLimits { most: 4, under_way: 1, patience: Duration::from_secs(3600) };
        let (queue, mut groups, _finish) = queue(limits);
        (0..=1).for_each(|number| queue.add(number));
        tokio::spawn(async move {
            queue.add(2);
            tokio::task::yield_now().await;
            queue.add(3);
            std::future::pending::<()>().await;
        });
        assert_eq!(groups.recv().await, Some(vec![0, 1, 2, 3]));
    }

    #[tokio::test]
    async fn a_request_that_comes_alone_may_be_handled_by_its_caller_while_others_wait() {
        let limits = GroupLimits { most: 3, under_way: 1, patience: Duration::from_secs(3600) };
        let (queue, mut groups, finish) = queue(limits);
        finish.add_permits(3);
        queue.add(0);
        assert_eq!(groups.recv().await, Some(vec![0]));
        yield_now().await;
        let alone = queue.alone().unwrap();
        assert!(queue.alone().is_none(), "one request comes alone at a time");
        (1..=2).for_each(|number| queue.add(number));
        yield_now().await;
        assert!(groups.try_recv().is_err(), "a group began while its caller handled a request");
        drop(alone);
        assert_eq!(groups.recv().await, Some(vec![1, 2]));
        yield_now().await;
        assert!(queue.alone().is_none(), "the last group was of two");
    }

    #[tokio::test]
    async fn a_group_that_panics_does_not_end_the_queue() {
        let (done, mut groups) = mpsc::unbounded_channel();
        let handle = move |group: Vec<u8>| {
            let done = done.clone();
            async move {
                assert!(group != [0], "the handling of the first group fails");
                done.send(group).unwrap();
            }
        };
        let limits = GroupLimits { most: 1, under_way: 1, patience: Duration::from_secs(3600) };
        let queue = GroupQueue::start(limits, |_| None::<()>, handle);
        (0..=1).for_each(|number| queue.add(number));
        assert_eq!(groups.recv().await, Some(vec![1]));
    }

    #[tokio::test]
    async fn a_group_that_is_slow_does_not_hold_back_the_next_one_for_ever() {
        let limits = GroupLimits { most: 3, under_way: 1, patience: Duration::from_millis(1) };
        let (queue, mut groups, finish) = queue(limits);
        queue.add(0);
        assert_eq!(groups.recv().await, Some(vec![0]));
        queue.add(1);
        assert_eq!(groups.recv().await, Some(vec![1]));
        drop(queue);
        finish.add_permits(2);
        assert_eq!(groups.recv().await, None);
    }
}
