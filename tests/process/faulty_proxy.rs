//! A fault-injecting proxy, between followers and their issuer or between a node and its database. It can be cut and
//! silenced. Before an issuer it can also corrupt the frames of the stream and the answers to pings, each as a whole; all
//! other answers pass unchanged.
//!
//! Modules: `feed_answers` (the faults of frames and answers to pings).

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::client::PATIENCE;

mod feed_answers;

/// What the proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkFault {
    /// Forwards everything.
    None,
    /// Closes every connection, and every new one.
    Cut,
    /// Forwards no byte and closes nothing: what was sent arrives once the proxy forwards again.
    Silent,
    /// Delays frames and answers to pings; before a database everything, in both directions.
    Delay(Duration),
    /// Drops every frame.
    DropFrames,
    /// Sends every frame twice.
    RepeatFrames,
    /// Holds each frame until the next one was sent.
    SwapFrames,
    /// Changes one character of each frame.
    AlterFrames,
    /// Adds an event of an unknown type before each frame.
    AddEvents,
    /// Never sends answers to pings.
    DropPongs,
    /// Answers every ping with the last answer that was forwarded.
    RepeatPongs,
    /// Changes one character of each answer to a ping.
    AlterPongs,
    /// Drops every frame and answers every ping with the last answer that was forwarded, as an attacker who hides
    /// what has ended.
    Hide,
    /// Sends frames and answers that never end.
    Flood,
}

/// A running proxy, stopped when dropped.
#[derive(Debug)]
pub(crate) struct FaultyProxy {
    pub(crate) address: String,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// Whether the server is an issuer, whose answers are read.
    is_issuer: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    target: String,
    fault: NetworkFault,
    open: Vec<TcpStream>,
    /// The last answer to a ping that was forwarded, if any.
    pong: Option<Vec<u8>>,
    /// The number of streams opened so far.
    streams: usize,
    closed: bool,
}

impl FaultyProxy {
    /// A proxy to the issuer at `target`.
    pub(crate) fn to(target: &str) -> Self {
        Self::new(target, true)
    }

    /// A proxy to the database at `target`, which forwards bytes without reading them: it can be cut, silenced and slowed down.
    pub(crate) fn to_database(target: &str) -> Self {
        Self::new(target, false)
    }

    fn new(target: &str, is_issuer: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = State {
            target: target.to_owned(),
            fault: NetworkFault::None,
            open: Vec::new(),
            pong: None,
            streams: 0,
            closed: false,
        };
        let inner = Arc::new(Inner { is_issuer, state: Mutex::new(state), changed: Condvar::new() });
        let ours = Arc::clone(&inner);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if ours.state.lock().unwrap().closed {
                    return;
                }
                if let Ok(connection) = connection {
                    ours.carry(connection);
                }
            }
        });
        Self { address, inner }
    }

    /// Forwards to another server from now on, and closes every connection.
    pub(crate) fn lead_to(&self, target: &str) {
        target.clone_into(&mut self.inner.state.lock().unwrap().target);
        self.cut_all();
    }

    /// Changes the behaviour from now on.
    pub(crate) fn set(&self, fault: NetworkFault) {
        self.inner.state.lock().unwrap().fault = fault;
        self.inner.changed.notify_all();
        if fault == NetworkFault::Cut {
            self.cut_all();
        }
    }

    /// Waits until `more` streams have been opened from now on.
    #[track_caller]
    pub(crate) fn wait_for_streams(&self, more: usize) {
        let state = self.inner.state.lock().unwrap();
        let enough = state.streams + more;
        let few = |state: &mut State| state.streams < enough;
        let streams = self.inner.changed.wait_timeout_while(state, PATIENCE, few).unwrap().0.streams;
        assert!(streams >= enough, "{streams} of {enough} streams");
    }

    fn cut_all(&self) {
        for connection in self.inner.state.lock().unwrap().open.drain(..) {
            let _gone = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for FaultyProxy {
    fn drop(&mut self) {
        self.inner.state.lock().unwrap().closed = true;
        self.inner.changed.notify_all();
        self.cut_all();
        let _woken = TcpStream::connect(&self.address);
    }
}

impl Inner {
    fn fault(&self) -> NetworkFault {
        self.state.lock().unwrap().fault
    }

    fn carry(self: &Arc<Self>, near: TcpStream) {
        let mut state = self.state.lock().unwrap();
        let far = match state.fault {
            NetworkFault::Cut => return,
            _ => TcpStream::connect(&state.target),
        };
        let Ok(far) = far else { return };
        let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else { return };
        state.open.extend([near.try_clone(), far.try_clone()].into_iter().flatten());
        drop(state);
        let ours = Arc::clone(self);
        thread::spawn(move || ours.forward(near_too, far_too));
        let ours = Arc::clone(self);
        thread::spawn(move || {
            let (near_end, far_end) = (near.try_clone(), far.try_clone());
            if ours.is_issuer {
                ours.answers(BufReader::new(far), near);
            } else {
                ours.forward(far, near);
            }
            for end in [near_end, far_end].into_iter().flatten() {
                let _gone = end.shutdown(Shutdown::Both);
            }
        });
    }

    /// Forwards bytes until one side has closed.
    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 16 << 10];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if let NetworkFault::Delay(time) = self.fault()
                && !self.is_issuer
            {
                self.wait(time);
            }
            self.wait_while_silent();
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _gone = to.shutdown(Shutdown::Both);
    }

    fn wait_while_silent(&self) {
        let state = self.state.lock().unwrap();
        let silent = |state: &mut State| state.fault == NetworkFault::Silent && !state.closed;
        let _state = self.changed.wait_while(state, silent).unwrap();
    }

    /// Waits for a time, or until the behaviour changes.
    fn wait(&self, time: Duration) {
        let state = self.state.lock().unwrap();
        let fault = state.fault;
        let _state = self
            .changed
            .wait_timeout_while(state, time, |state| state.fault == fault && !state.closed)
            .unwrap();
    }

    /// Waits until the behaviour changes; then the connection ends.
    fn never(&self) -> Option<Vec<u8>> {
        let state = self.state.lock().unwrap();
        let fault = state.fault;
        let _state = self.changed.wait_while(state, |state| state.fault == fault && !state.closed).unwrap();
        None
    }
}
