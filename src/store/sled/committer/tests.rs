use std::fs::File;
use std::sync::mpsc::{Receiver, channel};
use std::task::Poll;

use tempfile::TempDir;

use super::*;
use crate::store::sled::OpenMode;
use crate::store::sled::open::open;

mod process;

/// A committer on a real store, which records its callbacks.
struct Room {
    committer: Arc<Committer>,
    commits: Receiver<Commit>,
    fatal: Receiver<String>,
    store: SledOpened,
    _parent: TempDir,
}

/// Replacements of the writer's inputs.
#[derive(Default)]
struct Props {
    /// The file that is synced instead of the data file.
    file: Option<File>,
    reserve: u64,
    limits: CommitLimits,
    /// The probe of the engine.
    probe: Option<Probe>,
}

/// A probe that reports no failure.
fn well() -> Probe {
    Arc::new(|| Ok(()))
}

fn room(props: Props) -> Room {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let store = open(&path, 8 << 20, OpenMode::Create).unwrap();
    let (said, commits) = channel();
    let (cried, fatal) = channel();
    let hooks = Hooks {
        fatal: Box::new(move |reason| cried.send(reason.to_owned()).unwrap()),
        observer: Box::new(move |commit| {
            // The test may have ended.
            let _gone = said.send(commit);
        }),
    };
    let mut disk = store.disk().unwrap();
    disk.data = props.file.unwrap_or(disk.data);
    let reserve = Reserve::new(&path, props.reserve).unwrap();
    let committer =
        Committer::over(disk, reserve, props.limits, hooks, props.probe.unwrap_or_else(well)).unwrap();
    Room { committer: Arc::new(committer), commits, fatal, store, _parent: parent }
}

/// A descriptor on which `fdatasync` fails.
fn unsyncable() -> File {
    File::options().write(true).open("/dev/null").unwrap()
}

fn put(key: &str) -> Writes {
    let mut writes = Writes::none();
    writes.put(key, b"value".as_slice());
    writes
}

async fn write(committer: &Committer, key: &'static str) -> Result<(), StoreError> {
    committer.run(move |_| Ok((put(key), ()))).await
}

async fn read(committer: &Committer, key: &'static str) -> Result<bool, StoreError> {
    committer.run(move |view| Ok((Writes::none(), view.get(key.as_bytes())?.is_some()))).await
}

/// Keeps the writer busy until the returned sender is dropped, so that the steps queued meanwhile share a group.
async fn occupy(committer: &Arc<Committer>) -> SyncSender<()> {
    let (free, wait) = sync_channel::<()>(0);
    let (entered, inside) = oneshot::channel();
    let committer = committer.clone();
    tokio::spawn(async move {
        committer
            .run(move |_| {
                entered.send(()).unwrap();
                let _freed = wait.recv();
                Ok((Writes::none(), ()))
            })
            .await
    });
    inside.await.unwrap();
    free
}

/// Starts `future` and returns once it waits for its answer: its step is in the queue.
async fn queued<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    let mut future = Box::pin(future);
    let first = std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
    assert!(first.is_pending(), "answered before the writer was free");
    tokio::spawn(future)
}

fn run(
    committer: &Arc<Committer>,
    key: &'static str,
) -> impl Future<Output = Result<(), StoreError>> + use<> {
    let committer = committer.clone();
    async move { write(&committer, key).await }
}

#[tokio::test]
async fn a_step_sees_what_the_steps_before_it_wrote() {
    let room = room(Props::default());
    let free = occupy(&room.committer).await;
    let first = queued(run(&room.committer, "a")).await;
    let committer = room.committer.clone();
    let second = queued(async move { read(&committer, "a").await }).await;
    drop(free);
    first.await.unwrap().unwrap();
    assert!(second.await.unwrap().unwrap());
}

#[tokio::test]
async fn what_waits_together_shares_one_sync() {
    let room = room(Props::default());
    write(&room.committer, "first").await.unwrap();
    room.commits.recv().unwrap();
    let free = occupy(&room.committer).await;
    let a = queued(run(&room.committer, "a")).await;
    let b = queued(run(&room.committer, "b")).await;
    drop(free);
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
    let commit = room.commits.recv().unwrap();
    assert_eq!((commit.steps, commit.writes), (3, 2));
    assert!(commit.sync.is_some());
}

#[tokio::test]
async fn a_group_is_capped() {
    let limits = CommitLimits { group: 2, ..CommitLimits::default() };
    let room = room(Props { limits, ..Props::default() });
    let free = occupy(&room.committer).await;
    let mut waiting = Vec::new();
    for _ in 0..4 {
        waiting.push(queued(run(&room.committer, "a")).await);
    }
    drop(free);
    for answer in waiting {
        answer.await.unwrap().unwrap();
    }
    let groups: Vec<_> = room.commits.try_iter().map(|c| c.steps).collect();
    assert_eq!(groups, [2, 2, 1]);
}

#[tokio::test]
async fn reading_what_is_durable_costs_no_sync_but_the_first_read_of_a_process_does() {
    let room = room(Props::default());
    for synced in [true, false] {
        read(&room.committer, "a").await.unwrap();
        assert_eq!(room.commits.recv().unwrap().sync.is_some(), synced);
    }
}

#[tokio::test]
async fn without_a_sync_neither_the_writer_nor_its_reader_is_answered() {
    let room = room(Props { file: Some(unsyncable()), ..Props::default() });
    let free = occupy(&room.committer).await;
    let writer = queued(run(&room.committer, "a")).await;
    let committer = room.committer.clone();
    let reader = queued(async move { read(&committer, "a").await }).await;
    drop(free);
    assert!(room.fatal.recv().unwrap().contains("syncing the store to disk failed"));
    assert!(matches!(writer.await.unwrap(), Err(StoreError::Unavailable(_))));
    assert!(matches!(reader.await.unwrap(), Err(StoreError::Unavailable(_))));
    assert!(room.commits.try_recv().is_err());
    assert!(matches!(read(&room.committer, "a").await, Err(StoreError::Unavailable(_))));
    assert!(room.fatal.try_recv().is_err(), "called once, and never tried again");
}

#[tokio::test]
async fn a_refusal_also_waits_for_the_sync() {
    let room = room(Props { file: Some(unsyncable()), ..Props::default() });
    let refused = room.committer.run::<(), _>(|_| Err(StoreError::Corrupt("seen".to_owned()))).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_commit_that_hangs_ends_the_process_and_is_never_acknowledged() {
    let limits = CommitLimits { timeout: Duration::from_millis(20), ..CommitLimits::default() };
    let room = room(Props { limits, ..Props::default() });
    let free = occupy(&room.committer).await;
    let waiting = queued(run(&room.committer, "a")).await;
    assert!(room.fatal.recv().unwrap().contains("longer than 20ms"));
    drop(free);
    assert!(matches!(waiting.await.unwrap(), Err(StoreError::Unavailable(_))));
}

/// A time limit longer than any test.
const FOR_EVER: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_commit_that_hangs_after_a_failed_write_ends_the_process_without_patience() {
    let limits = CommitLimits { timeout: FOR_EVER, ..CommitLimits::default() };
    let probe: Probe = Arc::new(|| Err("writing to the store failed: EIO".to_owned()));
    let room = room(Props { limits, probe: Some(probe), ..Props::default() });
    let free = occupy(&room.committer).await;
    let waiting = queued(run(&room.committer, "a")).await;
    assert!(room.fatal.recv_timeout(Duration::from_secs(60)).unwrap().contains("EIO"));
    assert!(room.committer.stalled().is_some(), "the service is not ready any more");
    drop(free);
    assert!(matches!(waiting.await.unwrap(), Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_slow_commit_whose_engine_is_well_is_waited_for_but_not_called_ready() {
    let (asked, questions) = channel();
    let probe: Probe = Arc::new(move || {
        // The test may have ended.
        let _gone = asked.send(());
        Ok(())
    });
    let limits = CommitLimits { timeout: FOR_EVER, ..CommitLimits::default() };
    let room = room(Props { limits, probe: Some(probe), ..Props::default() });
    assert!(room.committer.stalled().is_none());
    let free = occupy(&room.committer).await;
    let waiting = queued(run(&room.committer, "a")).await;
    while room.committer.stalled().is_none() {
        questions.recv().unwrap();
    }
    drop(free);
    waiting.await.unwrap().unwrap();
    assert!(room.committer.stalled().is_none());
    assert!(room.fatal.try_recv().is_err());
}

#[tokio::test]
async fn an_idle_writer_is_not_taken_for_a_hanging_one() {
    let timeout = Duration::from_secs(3);
    let limits = CommitLimits { timeout, ..CommitLimits::default() };
    let room = room(Props { limits, ..Props::default() });
    write(&room.committer, "a").await.unwrap();
    let idle = room.fatal.recv_timeout(timeout * 3 / 2);
    assert!(idle.is_err(), "{idle:?}");
}

#[tokio::test]
async fn a_panicking_step_writes_nothing_and_takes_nobody_along() {
    let room = room(Props::default());
    let outcome: Result<(), _> = room
        .committer
        .run(|_| {
            let _writes = put("a");
            panic!("on purpose")
        })
        .await;
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))));
    assert!(!read(&room.committer, "a").await.unwrap());
    write(&room.committer, "b").await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_writes_nothing_and_its_error_is_passed_on() {
    let room = room(Props::default());
    let outcome = room.committer.run::<(), _>(|_| Err(StoreError::Corrupt("seen".to_owned()))).await;
    assert!(matches!(outcome, Err(StoreError::Corrupt(why)) if why == "seen"));
}

#[tokio::test]
async fn below_the_reserve_writing_is_refused_and_reading_goes_on() {
    let room = room(Props { reserve: u64::MAX, ..Props::default() });
    assert!(matches!(write(&room.committer, "a").await, Err(StoreError::Full(_))));
    assert!(!read(&room.committer, "a").await.unwrap());
}

#[tokio::test]
async fn more_than_the_queue_holds_is_refused_at_once() {
    let limits = CommitLimits { queue: 2, ..CommitLimits::default() };
    let room = room(Props { limits, ..Props::default() });
    let free = occupy(&room.committer).await;
    let a = queued(run(&room.committer, "a")).await;
    let b = queued(run(&room.committer, "b")).await;
    let mut c = Box::pin(write(&room.committer, "c"));
    let refused = std::future::poll_fn(|context| Poll::Ready(c.as_mut().poll(context))).await;
    assert!(matches!(refused, Poll::Ready(Err(StoreError::Unavailable(_)))), "{refused:?}");
    drop(free);
    a.await.unwrap().unwrap();
    b.await.unwrap().unwrap();
    assert!(!read(&room.committer, "c").await.unwrap());
}

#[tokio::test]
async fn a_caller_that_stops_waiting_takes_nothing_back() {
    let room = room(Props::default());
    let free = occupy(&room.committer).await;
    let mut gone = Box::pin(run(&room.committer, "a"));
    let first = std::future::poll_fn(|context| Poll::Ready(gone.as_mut().poll(context))).await;
    assert!(first.is_pending());
    drop(gone);
    drop(free);
    assert!(read(&room.committer, "a").await.unwrap());
}

#[tokio::test]
async fn closing_carries_out_what_is_queued_and_refuses_what_comes_later() {
    let room = room(Props::default());
    let free = occupy(&room.committer).await;
    let waiting = queued(run(&room.committer, "a")).await;
    drop(free);
    room.committer.close();
    waiting.await.unwrap().unwrap();
    assert!(matches!(write(&room.committer, "b").await, Err(StoreError::Unavailable(_))));
    room.committer.close();
    assert!(room.store.tree().contains_key("a").unwrap());
    assert!(!room.store.tree().contains_key("b").unwrap());
}

#[tokio::test]
async fn writes_are_counted() {
    let room = room(Props::default());
    room.committer
        .run(|_| {
            let mut writes = put("a");
            writes.put("b", b"12345".as_slice());
            writes.delete("c");
            assert_eq!((writes.count(), writes.bytes()), (3, 6 + 6 + 1));
            Ok((writes, ()))
        })
        .await
        .unwrap();
    assert_eq!(room.commits.recv().unwrap().writes, 3);
}

#[tokio::test]
async fn steps_of_many_callers_never_interleave() {
    let room = room(Props::default());
    let mut callers = Vec::new();
    for _ in 0..32 {
        let committer = room.committer.clone();
        callers.push(tokio::spawn(async move {
            for _ in 0..50 {
                committer.run(increment).await.unwrap();
            }
        }));
    }
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(*room.store.tree().get("n").unwrap().unwrap(), 1600_u32.to_be_bytes());
}

fn increment(view: SledView<'_>) -> Result<(Writes, ()), StoreError> {
    let now = view.get(b"n")?.map_or(0, |n| u32::from_be_bytes(n.as_ref().try_into().unwrap()));
    let mut writes = Writes::none();
    writes.put("n", &(now + 1).to_be_bytes());
    Ok((writes, ()))
}
