//! The queue of lines that may be dropped: those of requests, above all.
//!
//! It holds text, not lines: a line is appended to the text that waits, and its thread takes all of that at once. After it has
//! written, that thread waits a moment for more lines, so that a busy service wakes it a few hundred times a second and
//! not for every request.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The time that the thread waits for more lines after it has written.
const GATHERING: Duration = Duration::from_millis(5);

/// The longest wait for the last lines to be written when the queue ends.
const LONGEST_END: Duration = Duration::from_secs(1);

/// The capacity in bytes beyond which the memory of text that was written is freed.
const KEPT_CAPACITY: usize = 1 << 20;

/// The queue, of which all clones of the `Arc` are the sending side.
#[derive(Debug)]
pub(in crate::log) struct DroppableLines {
    /// The most lines that wait.
    most: usize,
    waiting: Mutex<Waiting>,
    /// Signals that there are lines, or that the queue ends.
    filled: Condvar,
    /// Signals that the thread has ended.
    ended: Condvar,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    text: Vec<u8>,
    lines: usize,
    /// Whether the thread has to be woken for a line.
    is_asleep: bool,
    is_closed: bool,
    has_ended: bool,
}

/// The thread that writes the lines. When dropped, it writes what still waits.
#[derive(Debug)]
pub(super) struct DroppableWriter(Arc<DroppableLines>);

impl DroppableLines {
    /// A queue of at most `most` lines, which a thread of its own writes to `writer`.
    pub(super) fn onto(writer: impl Write + Send + 'static, most: usize) -> (Arc<Self>, DroppableWriter) {
        let queue = Arc::new(Self {
            most,
            waiting: Mutex::default(),
            filled: Condvar::new(),
            ended: Condvar::new(),
            dropped: AtomicU64::new(0),
        });
        let own = Arc::clone(&queue);
        let spawned = thread::Builder::new().name("log".to_owned()).spawn(move || own.run(writer));
        // Without a thread nothing is written: every line is dropped, and counted.
        if spawned.is_err() {
            queue.waiting().has_ended = true;
        }
        (Arc::clone(&queue), DroppableWriter(queue))
    }

    /// Queues a line, or drops and counts it if too many wait.
    pub(in crate::log) fn push(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if waiting.lines >= self.most || waiting.has_ended {
            drop(waiting);
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.text.extend_from_slice(line);
        waiting.lines += 1;
        let wake = std::mem::take(&mut waiting.is_asleep);
        drop(waiting);
        if wake {
            self.filled.notify_one();
        }
    }

    /// The number of lines dropped so far.
    pub(in crate::log) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn run(&self, mut writer: impl Write) {
        let mut text = Vec::new();
        while self.take(&mut text) {
            // A failure to write the log cannot be reported.
            let _written = writer.write_all(&text).and_then(|()| writer.flush());
            let waiting = self.waiting();
            let gathered = self.filled.wait_timeout_while(waiting, GATHERING, |waiting| !waiting.is_closed);
            drop(gathered);
        }
        self.waiting().has_ended = true;
        self.ended.notify_all();
    }

    /// Waits for lines and exchanges them for `text`, which was written. Returns false if there are no more.
    fn take(&self, text: &mut Vec<u8>) -> bool {
        text.clear();
        if text.capacity() > KEPT_CAPACITY {
            *text = Vec::new();
        }
        let mut waiting = self.waiting();
        while waiting.lines == 0 {
            if waiting.is_closed {
                return false;
            }
            waiting.is_asleep = true;
            waiting = self.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.is_asleep = false;
        waiting.lines = 0;
        std::mem::swap(&mut waiting.text, text);
        true
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DroppableWriter {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.is_closed = true;
        self.0.filled.notify_all();
        let ended = self.0.ended.wait_timeout_while(waiting, LONGEST_END, |waiting| !waiting.has_ended);
        drop(ended);
    }
}
