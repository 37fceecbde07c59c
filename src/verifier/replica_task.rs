//! The task of a verifier that exchanges texts with the issuer.
//!
//! It decides nothing about tokens. A broken stream is opened again after an exponential back-off with jitter, so that
//! a restarted issuer does not receive all followers at once.

use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::event::{Event, EventListener};
use super::issuer_error::IssuerError;
use super::link::Link;
use super::published::PublishedKeys;
use super::replica::{Replica, StreamAction};
use super::stream::{Events, SseEvent};
use crate::model::counters::Position;
use crate::world::World;

/// The most pings waiting for an answer at once.
const MOST_PINGS: usize = 4;

/// A stream counts as dead after this many ping intervals without a helpful event, while an answer's head has not
/// arrived for as long.
const DEAD_AFTER_PINGS: u32 = 2;

/// The time limit for a stream's first event. Connecting has shorter limits of its own.
const OPENING: Duration = Duration::from_secs(10);

/// The first and the longest wait before a retry.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3));

/// The state of the task.
pub(super) struct ReplicaTask {
    replica: Replica,
    link: Link,
    world: World,
    listener: EventListener,
    pipe: Pipe,
    /// The follower's id on this stream, from the issuer's `hello`.
    follower: Option<String>,
    stream_wait: RetryWait,
    /// When the stream was opened, as its `hello` arrived.
    opened: Option<Instant>,
    /// When the last helpful event arrived; in the future while the stream is being opened.
    heard: Instant,
    pings: JoinSet<Result<String, IssuerError>>,
    ping_every: Duration,
    next_ping: Instant,
    keys: JoinSet<Result<PublishedKeys, IssuerError>>,
    keys_wait: RetryWait,
    next_keys: Instant,
}

/// The stream of events. It is read only when there is time to apply them, so that back-pressure reaches the issuer
/// instead of a queue here.
enum Pipe {
    Opening(Pin<Box<dyn Future<Output = Result<Events, IssuerError>> + Send>>),
    Open(Events),
}

/// The data of the event `hello`, the first of a stream.
#[derive(Deserialize)]
struct Hello {
    follower: String,
}

/// An exponential back-off: the number of failures so far.
#[derive(Clone, Copy, Debug, Default)]
struct RetryWait(u32);

impl ReplicaTask {
    /// A task with a stream that was opened just now.
    pub(super) fn new(
        replica: Replica,
        link: Link,
        world: World,
        listener: EventListener,
        events: Events,
        ping_every: Duration,
    ) -> Self {
        let now = Instant::now();
        Self {
            replica,
            link,
            world,
            listener,
            pipe: Pipe::Open(events),
            follower: None,
            stream_wait: RetryWait::default(),
            opened: None,
            heard: now + OPENING,
            pings: JoinSet::new(),
            ping_every,
            next_ping: now,
            keys: JoinSet::new(),
            keys_wait: RetryWait::default(),
            next_keys: now,
        }
    }

    /// Follows the issuer for ever; stops when dropped.
    pub(super) async fn run(mut self) {
        loop {
            let wants_keys = self.replica.wants_keys() && self.keys.is_empty();
            tokio::select! {
                event = self.pipe.next() => self.handle_event(event),
                Some(answer) = self.pings.join_next() => self.pong(answer.ok()),
                Some(answer) = self.keys.join_next() => self.published(answer.ok()),
                () = sleep_until(self.next_ping) => self.ping(),
                () = at(wants_keys.then_some(self.next_keys)) => {
                    let link = self.link.clone();
                    self.keys.spawn(async move { link.keys().await });
                }
            }
        }
    }

    fn handle_event(&mut self, event: Result<SseEvent, IssuerError>) {
        let next = match event {
            Ok(event) => match event.name.as_str() {
                "hello" => {
                    self.heard = Instant::now();
                    self.opened = Some(self.heard);
                    self.follower = serde_json::from_str(&event.data).ok().map(|Hello { follower }| follower);
                    StreamAction::Keep
                }
                // Somebody waits for all followers.
                "ping" => {
                    self.next_ping = Instant::now();
                    StreamAction::Keep
                }
                "frame" => {
                    let next = self.replica.frame(&event.data);
                    if next == StreamAction::Keep {
                        self.heard = Instant::now();
                    }
                    next
                }
                // Said by a later issuer to later followers.
                _ => StreamAction::Keep,
            },
            // What is missing is no longer kept: all that is kept is asked for.
            Err(IssuerError::Gone) => StreamAction::Begin,
            Err(error) => {
                self.listener.notify(&Event::Disconnected(error));
                StreamAction::Resume
            }
        };
        self.reopen(next);
    }

    fn pong(&mut self, answer: Option<Result<String, IssuerError>>) {
        match answer {
            Some(Ok(text)) => {
                let next = self.replica.pong(&text);
                self.reopen(next);
            }
            Some(Err(error)) => self.listener.notify(&Event::Unanswered(error)),
            None => {}
        }
    }

    fn published(&mut self, answer: Option<Result<PublishedKeys, IssuerError>>) {
        match answer {
            Some(Ok(published)) => self.replica.publish(&published),
            Some(Err(error)) => self.listener.notify(&Event::Unanswered(error)),
            None => {}
        }
        // An answer may be older than what is wanted: a cache gave it. Then it is asked for again, but not at once.
        self.keys_wait =
            if self.replica.wants_keys() { self.keys_wait.longer() } else { RetryWait::default() };
        self.next_keys = Instant::now() + self.keys_wait.long(&self.world);
    }

    fn ping(&mut self) {
        let now = Instant::now();
        self.next_ping = now + somewhat_less(self.ping_every, &self.world);
        if self.pings.len() < MOST_PINGS
            && let Some(asked) = self.replica.ask()
        {
            let (link, follower) = (self.link.clone(), self.follower.clone());
            self.pings.spawn(async move { link.ping(&asked, follower.as_deref()).await });
        }
        // One that is only just being opened is given its time: else none would ever be open.
        let dead_after = self.ping_every * DEAD_AFTER_PINGS;
        if now.saturating_duration_since(self.heard) > dead_after && self.replica.is_behind(dead_after) {
            self.reopen(StreamAction::Resume);
        }
    }

    fn reopen(&mut self, next: StreamAction) {
        let from = match next {
            StreamAction::Keep => return,
            StreamAction::Resume => self.replica.resume(),
            StreamAction::Begin => None,
        };
        let wait = self.stream_wait.after_a_stream(self.opened.take().map(|opened| opened.elapsed()));
        let start = Instant::now() + wait.long(&self.world);
        self.stream_wait = wait.longer();
        self.heard = start + OPENING;
        self.pipe = Pipe::Opening(Box::pin(connect(self.link.clone(), from, start)));
    }
}

async fn connect(link: Link, from: Option<Position>, start: Instant) -> Result<Events, IssuerError> {
    sleep_until(start).await;
    link.stream(from).await
}

impl Pipe {
    /// The next event. After an error the stream has to be opened again.
    async fn next(&mut self) -> Result<SseEvent, IssuerError> {
        loop {
            match self {
                Self::Opening(stream) => *self = Self::Open(stream.await?),
                Self::Open(events) => return events.next().await,
            }
        }
    }
}

impl RetryWait {
    /// The back-off after a stream that lasted so long: starts again after a stream that outlasted the longest wait.
    fn after_a_stream(self, lasted: Option<Duration>) -> Self {
        if lasted.is_some_and(|lasted| lasted >= WAIT.1) { Self::default() } else { self }
    }

    fn longer(self) -> Self {
        Self((self.0 + 1).min(8))
    }

    /// A random duration between half and all of the wait.
    fn long(self, world: &World) -> Duration {
        let most = (WAIT.0 * 2_u32.pow(self.0)).min(WAIT.1);
        let [chance] = world.random::<1>();
        most / 2 + most / 510 * u32::from(chance)
    }
}

/// A random duration between seven eighths and all of `time`, so that followers that started together, as after a
/// restart of the issuer, do not stay synchronized.
fn somewhat_less(time: Duration, world: &World) -> Duration {
    let [chance] = world.random::<1>();
    time / 8 * 7 + time / 8 / 255 * u32::from(chance)
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::timestamp::Timestamp;

    #[test]
    fn the_first_event_of_a_stream_names_the_follower() {
        let hello: Hello = serde_json::from_str(r#"{"follower": "f", "later": 1}"#).unwrap();
        assert_eq!(hello.follower, "f");
    }

    #[test]
    fn a_wait_grows_up_to_a_limit_and_is_never_the_same_for_two() {
        let (world, _) = World::manual(Timestamp::from_unix(0), 7);
        let mut wait = RetryWait::default();
        for most in [100, 200, 400, 800, 1_600, 3_000, 3_000, 3_000, 3_000, 3_000] {
            let most = Duration::from_millis(most);
            let waits: BTreeSet<_> = (0..64).map(|_| wait.long(&world)).collect();
            assert!(waits.iter().all(|wait| (most / 2..=most).contains(wait)), "{waits:?}");
            assert!(waits.len() > 32, "{waits:?}");
            wait = wait.longer();
        }
    }

    #[test]
    fn followers_that_began_together_do_not_ask_together() {
        let (world, _) = World::manual(Timestamp::from_unix(0), 7);
        let every = Duration::from_secs(2);
        let waits: BTreeSet<_> = (0..64).map(|_| somewhat_less(every, &world)).collect();
        assert!(waits.iter().all(|wait| (every / 8 * 7..=every).contains(wait)), "{waits:?}");
        assert!(waits.len() > 32, "{waits:?}");
    }

    #[test]
    fn a_stream_that_lasted_is_opened_again_soon_and_one_that_did_not_ever_later() {
        let wait = RetryWait::default().longer().longer();
        assert_eq!(wait.after_a_stream(Some(WAIT.1)).0, 0);
        assert_eq!(wait.after_a_stream(Some(WAIT.1 / 2)).0, wait.0);
        assert_eq!(wait.after_a_stream(None).0, wait.0);
    }
}
