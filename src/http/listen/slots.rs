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
mod tests;
