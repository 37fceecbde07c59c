//! A fault-injecting proxy between a node and its database: it forwards, stalls or refuses connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// What the proxy does with connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Forwards every byte.
    Open,
    /// Forwards nothing and closes nothing: what was sent arrives once the proxy forwards again.
    Silent,
    /// Closes every connection, and every new one.
    Cut,
}

/// A running proxy, stopped when dropped.
#[derive(Debug)]
pub(super) struct DatabaseProxy {
    pub(super) address: String,
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    target: String,
    /// The current behaviour; `None` once the proxy is dropped.
    way: Mutex<Option<Way>>,
    changed: Condvar,
    open: Mutex<Vec<TcpStream>>,
}

impl DatabaseProxy {
    /// A proxy to the database at `target`.
    pub(super) fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let inner = Arc::new(Inner {
            target: target.to_owned(),
            way: Mutex::new(Some(Way::Open)),
            changed: Condvar::new(),
            open: Mutex::default(),
        });
        let ours = Arc::clone(&inner);
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                match *ours.way.lock().unwrap() {
                    None => return,
                    Some(Way::Cut) => continue,
                    Some(_) => ours.carry(&near),
                };
            }
        });
        Self { address, inner }
    }

    /// Changes the behaviour from now on.
    pub(super) fn set(&self, way: Way) {
        self.inner.set(Some(way));
    }
}

impl Drop for DatabaseProxy {
    fn drop(&mut self) {
        self.inner.set(None);
        let _woken = TcpStream::connect(&self.address);
    }
}

impl Inner {
    fn set(&self, way: Option<Way>) {
        *self.way.lock().unwrap() = way;
        self.changed.notify_all();
        if !matches!(way, Some(Way::Open | Way::Silent)) {
            for connection in self.open.lock().unwrap().drain(..) {
                let _gone = connection.shutdown(Shutdown::Both);
            }
        }
    }

    fn carry(self: &Arc<Self>, near: &TcpStream) -> Option<()> {
        let far = TcpStream::connect(&self.target).ok()?;
        for (from, to) in [(near, &far), (&far, near)] {
            let (mut from, mut to) = (from.try_clone().ok()?, to.try_clone().ok()?);
            self.open.lock().unwrap().push(from.try_clone().ok()?);
            let ours = Arc::clone(self);
            thread::spawn(move || {
                let mut bytes = [0; 16 << 10];
                while let Ok(count @ 1..) = from.read(&mut bytes) {
                    let way = ours.way.lock().unwrap();
                    let _open = ours.changed.wait_while(way, |way| *way == Some(Way::Silent)).unwrap();
                    if to.write_all(&bytes[..count]).is_err() {
                        break;
                    }
                }
                let _gone = to.shutdown(Shutdown::Both);
            });
        }
        Some(())
    }
}
