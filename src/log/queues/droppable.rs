//! The queue of lines that may be dropped: those of requests, above all.
//!
//! It holds text, not lines: a line is appended to the text that waits, and its thread takes all of that at once. After it has
//! written, that thread waits a moment for more lines, so that a busy service wakes it a few hundred times a second and
//! not for every request. It writes in pieces, between which the thread of the lines that are kept gets standard error.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// The time that the thread waits for more lines after it has written.
const GATHERING: Duration = Duration::from_millis(5);

/// The pause between two pieces. Without it, this thread would lock standard error again before one that waits for it wakes.
const PAUSE: Duration = Duration::from_micros(200);

/// The longest wait for the last lines to be written when the queue ends.
const LONGEST_END: Duration = Duration::from_secs(1);

/// The capacity in bytes beyond which the memory of text that was written is freed.
const KEPT_CAPACITY: usize = 1 << 20;

/// The queue, of which all clones of the `Arc` are the sending side.
#[derive(Debug)]
pub(in crate::log) struct DroppableLines {
    /// The most lines that wait.
    most: usize,
    /// The most bytes that are written at once, except of a line that is longer.
    piece: usize,
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
    /// A queue of at most `most` lines, which a thread of its own writes to `writer`, at most `piece` bytes at once.
    pub(super) fn onto(
        writer: impl Write + Send + 'static,
        most: usize,
        piece: usize,
    ) -> (Arc<Self>, DroppableWriter) {
        let queue = Arc::new(Self {
            most,
            piece,
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
        let _end = End(self);
        let mut text = Vec::new();
        while self.take(&mut text) {
            // A failure to write the log cannot be reported.
            let _written = self.write(&mut writer, &text);
            let waiting = self.waiting();
            let gathered = self.filled.wait_timeout_while(waiting, GATHERING, |waiting| !waiting.is_closed);
            drop(gathered);
        }
    }

    fn write(&self, writer: &mut impl Write, text: &[u8]) -> io::Result<()> {
        let (mut piece, mut rest) = first_lines(text, self.piece);
        writer.write_all(piece)?;
        while !rest.is_empty() {
            thread::park_timeout(PAUSE);
            (piece, rest) = first_lines(rest, self.piece);
            writer.write_all(piece)?;
        }
        writer.flush()
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

/// The first lines of a text, of at most `most` bytes together but at least one line, and the rest.
fn first_lines(text: &[u8], most: usize) -> (&[u8], &[u8]) {
    let Some((start, end)) = text.split_at_checked(most) else { return (text, &[]) };
    let last = start.iter().rposition(|byte| *byte == b'\n');
    let first = || end.iter().position(|byte| *byte == b'\n').map(|at| most + at);
    last.or_else(first).map_or((text, &[]), |at| text.split_at(at + 1))
}

/// Ends the queue when dropped, after a panic of the writer too: then what waits is dropped, and counted.
struct End<'a>(&'a DroppableLines);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.has_ended = true;
        waiting.text = Vec::new();
        let lines = std::mem::take(&mut waiting.lines);
        drop(waiting);
        self.0.dropped.fetch_add(lines as u64, Ordering::Relaxed);
        self.0.ended.notify_all();
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Tells each write, once it may.
    struct Told {
        may: Receiver<()>,
        told: Sender<String>,
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.may.recv().expect("the writer is to panic");
            self.told.send(String::from_utf8(bytes.to_vec()).unwrap()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_waits_is_written_in_pieces_of_whole_lines() {
        let ((may, permits), (told, writes)) = (channel(), channel());
        let (queue, thread) = DroppableLines::onto(Told { may: permits, told }, 100, 10);
        queue.push(b"the first\n");
        may.send(()).unwrap();
        assert_eq!(writes.recv().unwrap(), "the first\n");
        let lines =
            ["1\n", "22\n", "4444\n", "88888888\n", "longer than a piece\n", "1\n", "333333\n", "1\n"];
        queue.push(b"a\n");
        // Until it may go on, nothing more is taken.
        for line in lines {
            queue.push(line.as_bytes());
        }
        (0..20).for_each(|_| may.send(()).unwrap());
        drop(thread);
        let written: Vec<String> = writes.try_iter().collect();
        assert_eq!(written.concat(), format!("a\n{}", lines.concat()));
        assert!(written.iter().all(|piece| piece.ends_with('\n')), "{written:?}");
        assert!(written.iter().all(|piece| piece.len() <= 10 || piece.lines().count() == 1), "{written:?}");
    }

    #[test]
    fn lines_that_a_writer_that_panics_leaves_are_counted_and_no_more_are_queued() {
        let ((may, permits), (told, _writes)) = (channel(), channel());
        let (queue, thread) = DroppableLines::onto(Told { may: permits, told }, 100, 10);
        queue.push(b"lost in the panic\n");
        while queue.waiting().lines > 0 {
            thread::yield_now();
        }
        queue.push(b"waits\n");
        drop(may);
        drop(thread);
        queue.push(b"late\n");
        assert_eq!((queue.dropped(), queue.waiting().lines), (2, 0));
    }
}
