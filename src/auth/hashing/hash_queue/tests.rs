use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, Sender, channel};

use tokio::sync::Notify;
use tokio::task::yield_now;

use super::*;

const SOON: Duration = Duration::from_secs(20);
const HERE: HashSource = HashSource::Operator;

fn network(address: &str) -> HashSource {
    HashSource::of(address.parse().unwrap())
}

/// A job that signals its start, and ends when signalled.
fn held() -> (impl FnOnce(&HashTurn) + Send + 'static, Receiver<()>, Sender<()>) {
    let (begun, has_begun) = channel();
    let (end, may_end) = channel();
    let job = move |_: &HashTurn| {
        begun.send(()).unwrap();
        let _ = may_end.recv();
    };
    (job, has_begun, end)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_frees_nothing_early() {
    let queue = Arc::new(HashQueue::new(1, Duration::ZERO));
    let (job, has_begun, end) = held();
    let client = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.run(HERE, job).await }
    });
    has_begun.recv().unwrap();
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());

    assert_eq!(queue.load(), HashLoad { waiting: 0, running: 1, finished: 0, refused: 0 });
    assert_eq!(queue.run(HERE, |_| ()).await, Err(HashingError::Overloaded));

    end.send(()).unwrap();
    timeout(SOON, queue.queue.permit(HERE)).await.unwrap().unwrap();
    assert_eq!(queue.load(), HashLoad { waiting: 0, running: 0, finished: 1, refused: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn never_more_than_the_allowed_number_run_at_once() {
    let queue = Arc::new(HashQueue::new(3, SOON));
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..200)
        .map(|_| {
            let (queue, now, most) = (Arc::clone(&queue), Arc::clone(&now), Arc::clone(&most));
            tokio::spawn(async move {
                let job = move |_: &HashTurn| {
                    most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                    std::thread::yield_now();
                    now.fetch_sub(1, Relaxed);
                };
                queue.run(HERE, job).await
            })
        })
        .collect();
    for client in clients {
        assert_eq!(client.await.unwrap(), Ok(()));
    }
    assert!((1..=3).contains(&most.load(Relaxed)), "{most:?}");
    assert_eq!(queue.load(), HashLoad { waiting: 0, running: 0, finished: 200, refused: 0 });
}

#[tokio::test]
async fn who_hangs_up_while_waiting_leaves_the_queue() {
    let queue = Arc::new(HashQueue::new(0, SOON));
    let client = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.run(HERE, |_| ()).await }
    });
    while queue.load().waiting == 0 {
        yield_now().await;
    }
    client.abort();
    assert!(client.await.unwrap_err().is_cancelled());
    assert_eq!(queue.load(), HashLoad { waiting: 0, running: 0, finished: 0, refused: 0 });
}

#[tokio::test]
async fn a_job_that_dies_gives_its_turn_back() {
    let queue = HashQueue::new(1, SOON);
    assert_eq!(queue.run(HERE, |_| -> u8 { panic!("on purpose") }).await, Err(HashingError::Failed));
    assert_eq!(queue.run(HERE, |_| 7).await, Ok(7));
    assert_eq!(queue.load().running, 0);
}

/// Occupies the only permit, queues `sources` one after the other, and returns the order in which they ran.
async fn order_of_turns(sources: &[HashSource]) -> Vec<usize> {
    let queue = Arc::new(HashQueue::new(1, SOON));
    let (job, has_begun, end) = held();
    let first = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.run(HashSource::Operator, job).await }
    });
    tokio::task::spawn_blocking(move || has_begun.recv().unwrap()).await.unwrap();
    let order = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut clients = Vec::new();
    for (number, source) in sources.iter().copied().enumerate() {
        let (queue, order) = (Arc::clone(&queue), Arc::clone(&order));
        let asked = queue.load().waiting;
        clients.push(tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { queue.run(source, move |_: &HashTurn| order.lock().unwrap().push(number)).await }
        }));
        while queue.load().waiting == asked {
            yield_now().await;
        }
        // Counted just before it queues up.
        while queue.queue.waiting() < number + 1 {
            yield_now().await;
        }
    }
    end.send(()).unwrap();
    first.await.unwrap().unwrap();
    for client in clients {
        client.await.unwrap().unwrap();
    }
    Arc::into_inner(order).unwrap().into_inner().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_many_jobs_does_not_keep_another_waiting() {
    let (greedy, honest) = (network("192.0.2.1"), network("198.51.100.1"));
    let mut sources = vec![greedy; 20];
    sources.push(honest);
    let order = order_of_turns(&sources).await;
    assert_eq!(order[..3], [0, 20, 1], "{order:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_addresses_of_one_network_are_one_source() {
    let mut sources: Vec<_> = (1..=20).map(|host| network(&format!("192.0.2.{host}"))).collect();
    sources.extend((1..=20).map(|net| network(&format!("2001:db8:1:{net}::1"))));
    sources.push(network("198.51.100.1"));
    let order = order_of_turns(&sources).await;
    assert_eq!(order[..4], [0, 20, 40, 1], "{order:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_so_many_jobs_of_one_source_wait() {
    let queue = Arc::new(HashQueue::new(0, SOON));
    let asked = Arc::new(Notify::new());
    let clients: Vec<_> = (0..WAITING_PER_PERMIT)
        .map(|_| {
            let queue = Arc::clone(&queue);
            tokio::spawn(async move { queue.run(network("192.0.2.1"), |_| ()).await })
        })
        .collect();
    while queue.queue.waiting() < WAITING_PER_PERMIT {
        yield_now().await;
    }
    assert_eq!(queue.run(network("192.0.2.1"), |_| ()).await, Err(HashingError::Overloaded));
    let other = tokio::spawn({
        let (queue, asked) = (Arc::clone(&queue), Arc::clone(&asked));
        async move {
            asked.notify_one();
            queue.run(network("198.51.100.1"), |_| ()).await
        }
    });
    asked.notified().await;
    while queue.queue.waiting() == WAITING_PER_PERMIT && !other.is_finished() {
        yield_now().await;
    }
    assert!(!other.is_finished(), "another source waits for itself");
    // Whoever hangs up leaves room for another one of the same source.
    for client in &clients {
        client.abort();
    }
    for client in clients {
        assert!(client.await.unwrap_err().is_cancelled());
    }
    let again = tokio::spawn({
        let queue = Arc::clone(&queue);
        async move { queue.run(network("192.0.2.1"), |_| ()).await }
    });
    while queue.load().waiting < 2 && !again.is_finished() {
        yield_now().await;
    }
    assert!(!again.is_finished(), "it waits");
    other.abort();
    again.abort();
    assert!(other.await.unwrap_err().is_cancelled());
    assert!(again.await.unwrap_err().is_cancelled());
}
