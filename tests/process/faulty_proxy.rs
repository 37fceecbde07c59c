//! A fault-injecting proxy between followers and their issuer. It can be cut, and can corrupt the frames of the
//! stream and the answers to pings, each as a whole. All other answers pass unchanged.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::client::PATIENCE;

/// What the proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NetworkFault {
    /// Forwards everything.
    None,
    /// Closes every connection, and every new one.
    Cut,
    /// Delays frames and answers to pings.
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
    /// A proxy to the server at `target`.
    pub(crate) fn to(target: &str) -> Self {
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
        let inner = Arc::new(Inner { state: Mutex::new(state), changed: Condvar::new() });
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
        thread::spawn(move || copy(near_too, far_too));
        let ours = Arc::clone(self);
        thread::spawn(move || {
            let (near_end, far_end) = (near.try_clone(), far.try_clone());
            ours.answers(BufReader::new(far), near);
            for end in [near_end, far_end].into_iter().flatten() {
                let _gone = end.shutdown(Shutdown::Both);
            }
        });
    }

    /// Forwards answers until one side has closed.
    fn answers(&self, mut from: BufReader<TcpStream>, mut to: TcpStream) -> Option<()> {
        loop {
            let head = head(&mut from)?;
            if head.contains("text/event-stream") {
                to.write_all(head.as_bytes()).ok()?;
                self.state.lock().unwrap().streams += 1;
                self.changed.notify_all();
                return self.chunks(from, to);
            }
            let mut body = vec![0; length(&head)];
            from.read_exact(&mut body).ok()?;
            if body.starts_with(b"{\"pong\"") {
                if self.fault() == NetworkFault::Flood {
                    to.write_all(with_length(&head, usize::MAX / 2).as_bytes()).ok()?;
                    return flood(|bytes| to.write_all(bytes));
                }
                body = self.pong(body)?;
            }
            to.write_all(with_length(&head, body.len()).as_bytes()).ok()?;
            to.write_all(&body).ok()?;
        }
    }

    fn pong(&self, mut body: Vec<u8>) -> Option<Vec<u8>> {
        match self.fault() {
            NetworkFault::DropPongs => return self.never(),
            NetworkFault::RepeatPongs | NetworkFault::Hide => {
                return Some(self.state.lock().unwrap().pong.get_or_insert(body).clone());
            }
            NetworkFault::AlterPongs => alter(&mut body),
            NetworkFault::Delay(time) => self.wait(time),
            _ => {}
        }
        self.state.lock().unwrap().pong = Some(body.clone());
        Some(body)
    }

    /// Forwards the chunks of a stream; the server writes each event as one chunk.
    fn chunks(&self, mut from: BufReader<TcpStream>, mut to: TcpStream) -> Option<()> {
        let mut kept: Option<Vec<u8>> = None;
        loop {
            let mut chunk = chunk(&mut from)?;
            let is_frame = String::from_utf8_lossy(&chunk).contains("v4.public.");
            let send = match self.fault() {
                _ if !is_frame => vec![chunk],
                NetworkFault::Flood => {
                    // The frame without its end.
                    write_chunk(&mut to, chunk.trim_ascii_end()).ok()?;
                    return flood(|bytes| write_chunk(&mut to, bytes));
                }
                NetworkFault::DropFrames | NetworkFault::Hide => vec![],
                NetworkFault::RepeatFrames => vec![chunk.clone(), chunk],
                NetworkFault::SwapFrames => {
                    if let Some(earlier) = kept.take() {
                        vec![chunk, earlier]
                    } else {
                        kept = Some(chunk);
                        Vec::new()
                    }
                }
                NetworkFault::AddEvents => vec![b"event: weather\ndata: rain\n\n".to_vec(), chunk],
                NetworkFault::AlterFrames => {
                    alter(&mut chunk);
                    vec![chunk]
                }
                NetworkFault::Delay(time) => {
                    self.wait(time);
                    vec![chunk]
                }
                _ => vec![chunk],
            };
            for chunk in send {
                write_chunk(&mut to, &chunk).ok()?;
            }
        }
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

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let _copied = std::io::copy(&mut from, &mut to);
    let _gone = to.shutdown(Shutdown::Both);
}

fn head(from: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if from.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

fn length(head: &str) -> usize {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let length = lines.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    length.map_or(0, |(_, length)| length.parse().unwrap())
}

fn with_length(head: &str, length: usize) -> String {
    let lines = head.lines().map(|line| match line.split_once(": ") {
        Some((name, _)) if name.eq_ignore_ascii_case("content-length") => format!("{name}: {length}\r\n"),
        _ => format!("{line}\r\n"),
    });
    lines.collect()
}

fn chunk(from: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut size = String::new();
    from.read_line(&mut size).ok()?;
    let size = usize::from_str_radix(size.trim(), 16).ok().filter(|size| *size > 0)?;
    let mut chunk = vec![0; size + 2];
    from.read_exact(&mut chunk).ok()?;
    chunk.truncate(size);
    Some(chunk)
}

fn write_chunk(to: &mut impl Write, chunk: &[u8]) -> std::io::Result<()> {
    to.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
    to.write_all(chunk)?;
    to.write_all(b"\r\n")
}

/// Writes until the other side has closed.
fn flood(mut write: impl FnMut(&[u8]) -> std::io::Result<()>) -> Option<()> {
    let bytes = vec![b'A'; 64 << 10];
    while write(&bytes).is_ok() {}
    None
}

/// Changes one character within the signed text.
fn alter(text: &mut [u8]) {
    let start = text.windows(10).position(|part| part == b"v4.public.").unwrap() + 10;
    let at = start + (text.len() - start) / 3;
    text[at] = if text[at] == b'A' { b'B' } else { b'A' };
}
