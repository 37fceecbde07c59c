//! The queue of lines that are never dropped on purpose: warnings and security events.
//!
//! When it is full, a thread that logs waits for a slot, but not for ever: a sign-out must not hang because nobody reads
//! standard error. If nothing is written for [`LONGEST_WAIT`], or a line finds no slot in [`ROUNDS`] times as long, the
//! reader counts as gone: further lines are lost and counted, without a wait, until half of the queue has been written.
//! Then the number of lost lines is logged. A line that only loses the race for a slot to others says nothing about the
//! reader.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing_appender::non_blocking::NonBlocking;

/// The longest wait for the reader to take a line.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How many times as long a line waits for a slot while the reader takes lines.
const ROUNDS: u32 = 5;

/// The sending side of the queue.
#[derive(Clone, Debug)]
pub(in crate::log) struct Kept {
    queue: NonBlocking,
    slots: Arc<QueueSlots>,
}

impl Kept {
    /// Sends lines to `queue`, whose slots `slots` counts.
    pub(super) fn new(queue: NonBlocking, slots: Arc<QueueSlots>) -> Self {
        Self { queue, slots }
    }

    /// The slots of the queue.
    pub(super) fn slots(&self) -> &Arc<QueueSlots> {
        &self.slots
    }
}

impl Write for Kept {
    /// Queues a line. A line that is lost is counted and is no error, since nobody could be told.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.slots.admit(LONGEST_WAIT) { self.queue.write(line) } else { Ok(line.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The slots of the queue, and the lines lost for want of one.
#[derive(Debug)]
pub(super) struct QueueSlots {
    most: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: usize,
    /// The number of lines that the reader has taken.
    taken: u64,
    /// Whether the reader counts as gone, so that lines are lost.
    gone: bool,
    /// The number of lines lost since the start of the process.
    lost: u64,
    /// The number of lost lines that the log already reports.
    reported: u64,
}

impl QueueSlots {
    /// An empty queue of `most` lines.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, state: Mutex::default(), changed: Condvar::new() })
    }

    /// The number of lines lost since the start of the process.
    pub(super) fn lost(&self) -> u64 {
        self.state().lost
    }

    /// Takes a slot for a line. Waits up to `longest` for the reader to take a line, and [`ROUNDS`] times as long for a
    /// slot. Returns false and counts the line as lost if there is none.
    fn admit(&self, longest: Duration) -> bool {
        let mut state = self.state();
        let began = Instant::now();
        while state.waiting >= self.most && !state.gone {
            let taken = state.taken;
            let stuck = |state: &mut State| state.waiting >= self.most && !state.gone && state.taken == taken;
            let left = (longest * ROUNDS).saturating_sub(began.elapsed());
            let waited = self.changed.wait_timeout_while(state, longest.min(left), stuck);
            let (changed, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = changed;
            if waited.timed_out() {
                state.gone = true;
                // No other thread has to wait any longer.
                self.changed.notify_all();
            }
        }
        if state.gone {
            state.lost += 1;
        } else {
            state.waiting += 1;
        }
        !state.gone
    }

    /// Frees a slot. Returns the number of lines lost since the last report when they are to be reported now.
    fn leave(&self) -> Option<u64> {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(1);
        state.taken += 1;
        // All, since each of those that wait has to see that the reader is there.
        self.changed.notify_all();
        if !state.gone || state.waiting > self.most / 2 {
            return None;
        }
        state.gone = false;
        let unreported = state.lost - state.reported;
        state.reported = state.lost;
        Some(unreported)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The receiving side of the queue: a writer that frees a line's slot when the line is written.
pub(super) struct QueueOutput<W> {
    writer: W,
    slots: Arc<QueueSlots>,
    /// Logs the number of lost lines.
    tell: fn(u64),
}

impl<W> QueueOutput<W> {
    /// Writes lines to `writer` and frees their slots in `slots`.
    pub(super) fn new(writer: W, slots: Arc<QueueSlots>, tell: fn(u64)) -> Self {
        Self { writer, slots, tell }
    }
}

impl<W> fmt::Debug for QueueOutput<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueOutput").field("slots", &self.slots).finish_non_exhaustive()
    }
}

impl<W: Write> Write for QueueOutput<W> {
    /// Writes one line as a whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let written = self.writer.write_all(line);
        if let Some(lost) = self.slots.leave() {
            (self.tell)(lost);
        }
        written.map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Logs the number of lost lines.
pub(super) fn tell(lost: u64) {
    tracing::error!(
        event = "log_lines_lost",
        lost,
        "nobody read standard error: warnings and security events were lost"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wait of these tests: a line without a slot is lost at once.
    const NOT_AT_ALL: Duration = Duration::ZERO;

    #[test]
    fn lines_are_lost_and_counted_only_while_nobody_reads() {
        let slots = QueueSlots::new(4);
        let admitted = |lines: usize| (0..lines).filter(|_| slots.admit(NOT_AT_ALL)).count();
        assert_eq!((admitted(7), slots.lost()), (4, 3));
        assert_eq!(slots.leave(), None, "three wait, and the reader may stop again");
        assert_eq!((admitted(2), slots.lost()), (0, 5));
        assert_eq!(slots.leave(), Some(5), "half of them were read");
        assert_eq!((admitted(2), slots.lost()), (2, 5));
        assert_eq!((admitted(1), slots.lost()), (0, 6));
        assert_eq!([slots.leave(), slots.leave()], [None, Some(1)], "only what was not reported before");
    }

    #[test]
    fn a_line_waits_for_a_reader_that_is_slow() {
        let slots = QueueSlots::new(1);
        assert!(slots.admit(NOT_AT_ALL));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.admit(Duration::from_secs(600)));
            assert_eq!(slots.leave(), None);
            assert!(waiting.join().unwrap());
        });
        assert_eq!(slots.lost(), 0);
    }

    /// Each slot that is freed is taken by another line at once, for longer than the reader may be idle.
    #[test]
    fn a_line_that_loses_the_race_for_a_slot_does_not_take_a_slow_reader_for_gone() {
        let (slots, longest) = (QueueSlots::new(1), Duration::from_millis(500));
        assert!(slots.admit(NOT_AT_ALL));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.admit(longest));
            let began = Instant::now();
            while began.elapsed() < longest * 2 {
                slots.state().taken += 1;
                slots.changed.notify_all();
                std::thread::yield_now();
            }
            assert_eq!(slots.leave(), None);
            assert!(waiting.join().unwrap());
        });
        assert_eq!(slots.lost(), 0);
    }

    #[test]
    fn a_line_that_finds_no_slot_for_long_is_lost() {
        let (slots, longest) = (QueueSlots::new(1), Duration::from_millis(20));
        assert!(slots.admit(NOT_AT_ALL));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.admit(longest));
            while !waiting.is_finished() {
                slots.state().taken += 1;
                slots.changed.notify_all();
                std::thread::yield_now();
            }
            assert!(!waiting.join().unwrap());
        });
        assert_eq!(slots.lost(), 1);
    }

    #[test]
    fn who_waits_leaves_with_the_first_who_gives_up() {
        let slots = QueueSlots::new(1);
        assert!(slots.admit(NOT_AT_ALL));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.admit(Duration::from_secs(600)));
            assert!(!slots.admit(NOT_AT_ALL));
            assert!(!waiting.join().unwrap());
        });
        assert_eq!(slots.lost(), 2);
    }
}
