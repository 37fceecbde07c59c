//! A replica of an issuer, with its network and clocks in the hands of a test.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::super::{Replica, StreamAction};
use super::issuer::{Issuer, expected};
use crate::model::counters::{Era, Position};
use crate::model::timestamp::Timestamp;
use crate::verifier::ReplicaView;
use crate::verifier::event::{Event, EventListener};
use crate::verifier::keys::KeyHolder;
use crate::verifier::rejection::Rejection;
use crate::verifier::state::{Now, ReplicaState};
use crate::world::{Manual, World};

/// A replica and its issuer.
pub(super) struct Trial {
    pub(super) world: World,
    pub(super) hands: Arc<Manual>,
    pub(super) issuer: Issuer,
    pub(super) view: Arc<ReplicaView>,
    pub(super) replica: Replica,
    events: Arc<Mutex<Vec<String>>>,
}

impl Trial {
    pub(super) fn new() -> Self {
        Self::of(1_000_000)
    }

    pub(super) fn ready() -> Self {
        Self::with_room_for(1_000_000)
    }

    pub(super) fn with_room_for(entries: usize) -> Self {
        let mut trial = Self::of(entries);
        trial.prove();
        trial.begin();
        trial
    }

    fn of(max_entries: usize) -> Self {
        let (world, hands) = World::manual(Timestamp::from_unix(1_795_342_812), 1);
        let events = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&events);
        let listener =
            EventListener::new(move |event: &Event| heard.lock().unwrap().push(format!("{event:?}")));
        let keys = KeyHolder::new(64, expected());
        let view = Arc::new(ReplicaView {
            expected: expected(),
            max_staleness: Duration::from_secs(10),
            max_entries,
            listener,
            keys: ArcSwap::from_pointee(keys.none()),
            state: ArcSwap::from_pointee(ReplicaState::of(None, Era::default())),
            fresh: watch::Sender::new(false),
            world: world.clone(),
        });
        let issuer = Issuer::new(&world);
        let mut replica = Replica::new(Arc::clone(&view), keys);
        replica.publish(&issuer.published());
        Self { world, hands, issuer, view, replica, events }
    }

    /// Advances both clocks by `seconds`.
    pub(super) fn pass(&self, seconds: u64) {
        self.hands.advance(Duration::from_secs(seconds));
    }

    /// Sends a ping and delivers its answer.
    pub(super) fn prove(&mut self) {
        let asked = self.replica.ask().unwrap();
        self.replica.pong(&self.issuer.pong(&asked));
    }

    /// Delivers all pending frames.
    pub(super) fn deliver(&mut self) -> StreamAction {
        self.hear(self.replica.applied)
    }

    /// Opens the stream again and delivers its frames.
    pub(super) fn reopen(&mut self) -> StreamAction {
        self.hear(self.replica.resume())
    }

    fn hear(&mut self, after: Option<Position>) -> StreamAction {
        let mut next = StreamAction::Keep;
        for frame in self.issuer.frames(after) {
            next = self.replica.frame(&frame);
            if next != StreamAction::Keep {
                break;
            }
        }
        next
    }

    /// Delivers the keys, a snapshot and a proof.
    pub(super) fn begin(&mut self) {
        self.publish();
        for frame in self.issuer.snapshot() {
            self.replica.frame(&frame);
        }
        self.prove();
    }

    pub(super) fn publish(&mut self) {
        self.replica.publish(&self.issuer.published());
    }

    pub(super) fn check(&self, token: &str) -> Result<(), Rejection> {
        self.view.examine(token).map(drop).map_err(|(_, rejection)| rejection)
    }

    pub(super) fn lag(&self) -> u64 {
        self.view.state.load().lag(Now::of(&self.world)).unwrap().as_secs()
    }

    pub(super) fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }

    pub(super) fn heard(&self, name: &str) -> bool {
        self.events().iter().any(|event| event.starts_with(name))
    }

    pub(super) fn ends_heard(&self) -> usize {
        self.events().iter().filter(|event| event.starts_with("Ended")).count()
    }
}
