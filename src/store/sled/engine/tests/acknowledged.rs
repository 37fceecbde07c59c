//! Tests that the log of revocations answers with nothing that is not durable yet.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;

use super::*;

/// The log's answers go to followers, which never receive contradicting ones.
#[tokio::test]
async fn the_log_says_nothing_that_is_not_acknowledged_yet() {
    let (_parent, path) = fresh();
    let (hold, holds) = channel::<Receiver<()>>();
    let observer = move |_| {
        if let Ok(until) = holds.try_recv() {
            let _freed = until.recv();
        }
    };
    let hooks = Hooks { observer: Box::new(observer), ..Hooks::default() };
    let engine = Sled::open(&path, Options { hooks, ..Options::default() }, OpenMode::Create).unwrap();
    let store = Store::new(Arc::new(engine));
    initialize(&store, &world()).await;
    let (free, until) = channel();
    hold.send(until).unwrap();
    let ending = tokio::spawn({
        let store = store.clone();
        async move { store.run(EndEveryone { now: START }).await }
    });
    while store.read(ReadCounters).await.unwrap().head != Position::new(1) {
        tokio::task::yield_now().await;
    }
    let mut log = pin!(store.read(ReadLog { after: Position::default(), limit: 9 }));
    for _ in 0..100 {
        assert!(poll_once(log.as_mut()).await.is_pending(), "it was told before it was acknowledged");
        tokio::task::yield_now().await;
    }
    drop::<Sender<()>>(free);
    assert_eq!(log.await.unwrap().len(), 1);
    ending.await.unwrap().unwrap();
}

async fn poll_once<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}
