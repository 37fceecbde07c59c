//! The limits on the number of connections, for all and for each address, and which connection is closed for another.
//!
//! A connection that has not sent the head of a request is of no use to anybody, so the oldest of those is closed
//! when there is no room for another: first one of the same address. One that has sent a request stays until it ends.
//!
//! A trusted proxy's connections do not count for the proxy: each counts for the client of its current request.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// The connection slots of a listener.
#[derive(Debug)]
pub(super) struct ConnectionSlots {
    most: usize,
    most_of_address: usize,
    state: Mutex<SlotCounts>,
    /// Signals that a connection has ended. One permit is kept.
    changed: Notify,
    /// Signals that the last connection has ended.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct SlotCounts {
    next: u64,
    /// Every open connection, with the address it counts for.
    open: HashMap<u64, Option<IpAddr>>,
    /// The connections that have sent no request, the oldest first; each is closed through its sender.
    silent: BTreeMap<u64, oneshot::Sender<()>>,
    of_address: HashMap<IpAddr, Share>,
    /// Whether the log already says that all slots are taken.
    is_logged: bool,
}

#[derive(Debug, Default)]
struct Share {
    taken: usize,
    /// Whether the log already says that the address has reached its limit.
    is_logged: bool,
}

/// Why a connection or a proxied request was not admitted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The address has reached the limit of one address.
    OfAddress,
    /// All slots are taken, by connections that have sent a request.
    OfAll,
}

/// An admitted connection: its slot, and a receiver that resolves when it has to close for another one.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) slot: ConnectionSlot,
    pub(super) give_way: oneshot::Receiver<()>,
}

/// The slot of a connection, free again when dropped.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    id: u64,
    slots: Arc<ConnectionSlots>,
    has_sent_request: AtomicBool,
}

/// The share of a client's limit that its request through a proxy takes, given back when dropped.
#[derive(Debug)]
pub(super) struct ClientSlot {
    address: IpAddr,
    slots: Arc<ConnectionSlots>,
}

impl ConnectionSlots {
    pub(super) fn new(most: usize, most_of_address: usize) -> Arc<Self> {
        let most = most.max(1);
        Arc::new(Self {
            most,
            // With a single slot, every address may take it.
            most_of_address: if most == 1 { usize::MAX } else { most_of_address.min(most / 2) },
            state: Mutex::default(),
            changed: Notify::new(),
            emptied: Notify::new(),
        })
    }

    /// Waits until a slot is free or can be freed.
    pub(super) async fn room(&self) {
        loop {
            {
                let state = self.state();
                if state.open.len() < self.most || !state.silent.is_empty() {
                    return;
                }
            }
            // A change after the check has left a permit.
            self.changed.notified().await;
        }
    }

    /// Waits until no connection is left.
    pub(super) async fn empty(&self) {
        while !self.state().open.is_empty() {
            self.emptied.notified().await;
        }
    }

    /// Takes a slot for a connection. `None` as address counts it for no address.
    pub(super) fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Admitted, Full> {
        let address = address.map(source);
        let mut state = self.state();
        if let Some(address) = address
            && state.taken(address) >= self.most_of_address
            && !state.cut_oldest(Some(address))
        {
            state.log_once(address, self.most_of_address);
            return Err(Full::OfAddress);
        }
        if state.open.len() >= self.most {
            if !std::mem::replace(&mut state.is_logged, true) {
                let connections = self.most;
                tracing::warn!(
                    connections,
                    "every connection is taken: the oldest without a request gives way"
                );
            }
            if !state.cut_oldest(None) {
                return Err(Full::OfAll);
            }
        }
        let (cut, give_way) = oneshot::channel();
        let id = state.next;
        state.next += 1;
        state.open.insert(id, address);
        state.silent.insert(id, cut);
        if let Some(address) = address {
            state.of_address.entry(address).or_default().taken += 1;
        }
        let slot = ConnectionSlot { id, slots: Arc::clone(self), has_sent_request: AtomicBool::new(false) };
        Ok(Admitted { slot, give_way })
    }

    /// Counts a request through a proxy against its client's limit.
    pub(super) fn admit_client(self: &Arc<Self>, address: IpAddr) -> Result<ClientSlot, Full> {
        let address = source(address);
        let mut state = self.state();
        if state.taken(address) >= self.most_of_address {
            state.log_once(address, self.most_of_address);
            return Err(Full::OfAddress);
        }
        state.of_address.entry(address).or_default().taken += 1;
        Ok(ClientSlot { address, slots: Arc::clone(self) })
    }

    /// Closes the oldest connection that has sent no request, to free something other than a slot. Returns whether
    /// there was one.
    pub(super) fn give_way(&self) -> bool {
        self.state().cut_oldest(None)
    }

    fn ended(&self, id: u64) {
        let mut state = self.state();
        state.end(id);
        if state.open.len() < self.most / 2 {
            state.is_logged = false;
        }
        let empty = state.open.is_empty();
        drop(state);
        self.changed.notify_one();
        if empty {
            self.emptied.notify_one();
        }
    }

    fn state(&self) -> MutexGuard<'_, SlotCounts> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SlotCounts {
    fn taken(&self, address: IpAddr) -> usize {
        self.of_address.get(&address).map_or(0, |share| share.taken)
    }

    /// Closes the oldest connection that has sent no request, of one address or of all. Returns whether there was one.
    fn cut_oldest(&mut self, address: Option<IpAddr>) -> bool {
        let of_address =
            |id: &&u64| address.is_none() || self.open.get(*id).is_some_and(|counted| *counted == address);
        let Some(id) = self.silent.keys().find(of_address).copied() else { return false };
        if let Some(cut) = self.silent.remove(&id) {
            // The connection's task ends with the message; a task that has ended already does not receive it.
            let _ = cut.send(());
        }
        self.end(id);
        true
    }

    /// Removes a connection from the lists; the second time it does nothing.
    fn end(&mut self, id: u64) {
        self.silent.remove(&id);
        if let Some(Some(address)) = self.open.remove(&id) {
            self.give_back(address);
        }
    }

    fn give_back(&mut self, address: IpAddr) {
        if let Some(share) = self.of_address.get_mut(&address) {
            share.taken = share.taken.saturating_sub(1);
            if share.taken == 0 {
                self.of_address.remove(&address);
            }
        }
    }

    /// Logs that an address has reached its limit: once, until the address has no connection left.
    fn log_once(&mut self, address: IpAddr, most: usize) {
        let share = self.of_address.entry(address).or_default();
        if !std::mem::replace(&mut share.is_logged, true) {
            tracing::warn!(
                %address,
                connections = most,
                "an address has as many connections as one may have: more are refused; if it is a proxy of yours, name it in trusted_proxies"
            );
        }
    }
}

impl ConnectionSlot {
    /// Records that the connection has sent the head of a request, after which it is not closed for another.
    pub(super) fn record_request(&self) {
        if !self.has_sent_request.swap(true, Ordering::Relaxed) {
            self.slots.state().silent.remove(&self.id);
        }
    }

    pub(super) fn slots(&self) -> &Arc<ConnectionSlots> {
        &self.slots
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.slots.ended(self.id);
    }
}

impl Drop for ClientSlot {
    fn drop(&mut self) {
        self.slots.state().give_back(self.address);
    }
}

/// The addresses that one client can choose from freely: one IPv4 address, or the /64 network of an IPv6 address.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(slots: &Arc<ConnectionSlots>, address: &str) -> Result<Admitted, Full> {
        slots.admit(Some(address.parse().unwrap()))
    }

    fn gives_way(admitted: &mut Admitted) -> bool {
        admitted.give_way.try_recv().is_ok()
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let slots = ConnectionSlots::new(100, 2);
        let taken: Vec<_> = (0..2).map(|_| admit(&slots, "198.51.100.1").unwrap()).collect();
        for admitted in &taken {
            admitted.slot.record_request();
        }
        assert_eq!(admit(&slots, "198.51.100.1").unwrap_err(), Full::OfAddress);
        assert_eq!(admit(&slots, "::ffff:198.51.100.1").unwrap_err(), Full::OfAddress, "the same, as IPv6");
        let _other = admit(&slots, "198.51.100.2").unwrap();
        drop(taken);
        assert!(admit(&slots, "198.51.100.1").is_ok());
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let slots = ConnectionSlots::new(100, 1);
        let first = admit(&slots, "2001:db8::1").unwrap();
        first.slot.record_request();
        assert_eq!(admit(&slots, "2001:db8::2").unwrap_err(), Full::OfAddress);
        assert!(admit(&slots, "2001:db8:0:1::1").is_ok());
    }

    #[test]
    fn the_oldest_that_never_spoke_gives_way_when_every_slot_is_taken() {
        let slots = ConnectionSlots::new(3, 3);
        let mut spoken = admit(&slots, "198.51.100.1").unwrap();
        spoken.slot.record_request();
        let [mut oldest, mut younger] = [2, 3].map(|at| admit(&slots, &format!("198.51.100.{at}")).unwrap());
        let mut new = admit(&slots, "198.51.100.4").unwrap();
        assert_eq!(
            [&mut spoken, &mut oldest, &mut younger, &mut new].map(gives_way),
            [false, true, false, false]
        );
        assert_eq!(slots.state().open.len(), 3, "its slot is free at once");
        drop(oldest);
        let _next = admit(&slots, "198.51.100.5").unwrap();
        assert!(gives_way(&mut younger), "its slot was given away once, not twice");
    }

    #[test]
    fn an_addresss_own_silent_connection_gives_way_before_it_is_refused() {
        let slots = ConnectionSlots::new(100, 2);
        let mut other = admit(&slots, "198.51.100.2").unwrap();
        let mut first = admit(&slots, "198.51.100.1").unwrap();
        let mut second = admit(&slots, "198.51.100.1").unwrap();
        let _third = admit(&slots, "198.51.100.1").unwrap();
        assert_eq!([&mut other, &mut first, &mut second].map(gives_way), [false, true, false]);
        assert_eq!(slots.state().taken("198.51.100.1".parse().unwrap()), 2, "its slot is free at once");
    }

    #[test]
    fn the_log_says_once_that_an_address_has_all_it_may_have_and_again_after_it_had_none() {
        let lines = crate::log::capture();
        let slots = ConnectionSlots::new(100, 1);
        for round in 1..=2 {
            let taken = admit(&slots, "198.51.100.1").unwrap();
            taken.slot.record_request();
            for _ in 0..3 {
                assert!(admit(&slots, "198.51.100.1").is_err());
                assert!(slots.admit_client("198.51.100.1".parse().unwrap()).is_err());
            }
            let said = lines();
            assert_eq!(said.len(), 1, "round {round}: {said:?}");
            assert_eq!((&said[0]["address"], &said[0]["connections"]), (&"198.51.100.1".into(), &1.into()));
        }
    }

    #[test]
    fn the_log_says_once_that_every_slot_is_taken_and_again_after_half_of_them_were_free() {
        let lines = crate::log::capture();
        let slots = ConnectionSlots::new(4, 4);
        let mut taken: Vec<_> =
            (1..5).map(|at| admit(&slots, &format!("198.51.100.{at}")).unwrap()).collect();
        let one_more = |at: u8| admit(&slots, &format!("198.51.100.{at}")).unwrap();
        assert!(lines().is_empty());
        let more = [one_more(5), one_more(6)];
        let said = lines();
        assert_eq!((said.len(), &said[0]["connections"]), (1, &4.into()), "{said:?}");
        // Two of the others gave way. Half of all is not yet fewer than half.
        drop(more);
        taken.extend([one_more(7), one_more(8), one_more(9)]);
        assert!(lines().is_empty());
        drop(taken);
        let _again: Vec<_> = (1..6).map(|at| admit(&slots, &format!("198.51.100.{at}")).unwrap()).collect();
        assert_eq!(lines().len(), 1);
    }

    #[test]
    fn no_address_ever_has_more_than_half() {
        let slots = ConnectionSlots::new(4, 1_000);
        let taken: Vec<_> = (0..2).map(|_| admit(&slots, "198.51.100.1").unwrap()).collect();
        for admitted in &taken {
            admitted.slot.record_request();
        }
        assert_eq!(admit(&slots, "198.51.100.1").unwrap_err(), Full::OfAddress);
        assert!(admit(&ConnectionSlots::new(1, 1_000), "198.51.100.1").is_ok());
    }

    #[test]
    fn a_proxys_connections_count_for_the_clients_whose_requests_are_on_them() {
        let slots = ConnectionSlots::new(100, 2);
        let _proxied: Vec<_> = (0..50).map(|_| slots.admit(None).unwrap()).collect();
        let client = "198.51.100.1".parse().unwrap();
        let first = slots.admit_client(client).unwrap();
        let _second = slots.admit_client(client).unwrap();
        assert_eq!(slots.admit_client(client).unwrap_err(), Full::OfAddress);
        assert_eq!(admit(&slots, "198.51.100.1").unwrap_err(), Full::OfAddress, "directly neither");
        drop(first);
        assert!(slots.admit_client(client).is_ok());
        assert!(slots.admit_client("198.51.100.2".parse().unwrap()).is_ok());
    }

    #[tokio::test]
    async fn room_is_waited_for_only_where_nobody_gives_way() {
        let slots = ConnectionSlots::new(1, 1);
        let first = admit(&slots, "198.51.100.1").unwrap();
        slots.room().await;
        first.slot.record_request();
        let mut waiting = std::pin::pin!(slots.room());
        assert!(
            std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await
        );
        drop(first);
        waiting.await;
        slots.empty().await;
        assert!(slots.state().of_address.is_empty(), "nothing is kept of an address that has left");
    }
}
