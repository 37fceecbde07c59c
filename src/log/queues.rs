//! The two queues from which threads of their own write the log.
//!
//! One is for the line of each request and for what anybody can cause at no cost: when it is full, lines are dropped and
//! counted rather than delay requests. The other is for all other lines, warnings and security events above all: when it
//! is full, a thread that logs to it waits, and only when nobody reads standard error at all are lines lost, which is
//! counted and logged (`kept`).

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, OnceLock};

use tracing::{Level, Metadata};
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::fmt::MakeWriter;

use crate::metrics;
use droppable::{DroppableLines, DroppableWriter};
use kept::{Kept, QueueOutput, QueueSlots};

mod droppable;
mod kept;

/// The most bytes that are written at once.
const BUFFER: usize = 64 * 1024;

/// The most lines that wait in each queue.
const QUEUE: usize = 32_768;

/// The target of lines that may be dropped: one for each request, and those that cost their cause nothing. Other
/// modules repeat the text, since they do not know this one.
const DROPPABLE: &str = "rescind::request";

static DROPPED: OnceLock<Arc<DroppableLines>> = OnceLock::new();

/// The number of lines dropped since the start of the process.
fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |lines| lines.dropped())
}

static KEPT: OnceLock<Arc<QueueSlots>> = OnceLock::new();

/// The number of lines lost since the start of the process that are never dropped on purpose.
fn lost_lines() -> u64 {
    KEPT.get().map_or(0, |slots| slots.lost())
}

/// The two queues of lines.
#[derive(Clone, Debug)]
pub(super) struct Queues {
    droppable: Arc<DroppableLines>,
    kept: Kept,
}

/// The threads that write the log. Dropping the guard writes what is still queued, so it is kept until the process
/// ends.
#[derive(Debug)]
pub struct LogGuard {
    // Fields are dropped in this order: warnings do not wait for the lines of requests.
    #[expect(dead_code, reason = "its thread ends with it")]
    kept: WorkerGuard,
    #[expect(dead_code, reason = "its thread ends with it")]
    droppable: DroppableWriter,
}

impl Queues {
    pub(super) fn onto<W: Write + Send + 'static>(one: fn() -> W, other: fn() -> W) -> (Self, LogGuard) {
        Self::over(WholeWrites(one()), WholeWrites(other()))
    }

    pub(super) fn over<W: Write + Send + 'static>(one: W, other: W) -> (Self, LogGuard) {
        let (lines, droppable) = DroppableLines::onto(one, QUEUE, BUFFER);
        let slots = QueueSlots::new(QUEUE);
        let (queue, kept) = queue(QueueOutput::new(buffered(other), Arc::clone(&slots), kept::tell));
        (Self { droppable: lines, kept: Kept::new(queue, slots) }, LogGuard { kept, droppable })
    }

    /// Has the metrics show the lines that these queues dropped and lost. Only the queues of the first call count.
    pub(super) fn count(&self) {
        let _first = DROPPED.set(Arc::clone(&self.droppable));
        let _first = KEPT.set(Arc::clone(self.kept.slots()));
        metrics::count_log_lines(dropped_lines, lost_lines);
    }
}

fn queue<W: Write + Send + 'static>(writer: W) -> (NonBlocking, WorkerGuard) {
    let builder = NonBlockingBuilder::default().lossy(false).buffered_lines_limit(QUEUE);
    builder.thread_name("log").finish(writer)
}

/// A buffer before the writer of the thread of kept lines, which flushes it whenever its queue is empty: under load many lines are
/// written at once, and none waits in the buffer.
fn buffered<W: Write>(writer: W) -> BufWriter<W> {
    BufWriter::with_capacity(BUFFER, writer)
}

/// The sending side of one of the queues.
pub(super) enum Line<'a> {
    Droppable(&'a DroppableLines),
    Kept(Kept),
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Droppable(queue) => {
                queue.push(bytes);
                Ok(bytes.len())
            }
            Self::Kept(queue) => queue.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queues {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Line::Kept(self.kept.clone())
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Self::Writer {
        let droppable =
            *line.level() > Level::WARN && line.target() == DROPPABLE || *line.level() > Level::INFO;
        if droppable { Line::Droppable(&self.droppable) } else { self.make_writer() }
    }
}

/// Writes each buffer in one piece, so that the lines of two queues never mix.
struct WholeWrites<W>(W);

impl<W: Write> Write for WholeWrites<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Standard error is locked for the whole buffer.
        self.0.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, MutexGuard};

    use super::*;
    use crate::log::{parse_level, subscriber, tests::Buffer};
    use crate::settings::LogFormat;

    /// A writer that blocks until a lock is released.
    struct Stuck(Arc<Mutex<()>>, Buffer);

    impl io::Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _free = self.0.lock().unwrap();
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Queues whose lines a reader takes into the buffer while nobody holds the lock.
    fn with_a_reader() -> (Arc<Mutex<()>>, Buffer, Queues, LogGuard) {
        let (reader, buffer) = (Arc::new(Mutex::new(())), Buffer::default());
        let stuck = || Stuck(reader.clone(), buffer.clone());
        let (queues, guard) = Queues::over(stuck(), stuck());
        (reader, buffer, queues, guard)
    }

    /// What is in the buffer once `log` has run while the reader stood still, and the reader has read all.
    fn logged(
        log: impl FnOnce(),
        queues: Queues,
        stopped: MutexGuard<'_, ()>,
        guard: LogGuard,
        buffer: &Buffer,
    ) -> String {
        let subscriber = subscriber(parse_level("info").unwrap(), LogFormat::Text, queues);
        tracing::subscriber::with_default(subscriber, log);
        drop(stopped);
        drop(guard);
        buffer.text()
    }

    #[test]
    fn a_flood_of_request_lines_is_dropped_and_counted_and_no_event_with_it() {
        const FLOOD: usize = 2 * QUEUE;
        let (reader, buffer, queues, guard) = with_a_reader();
        let lines = Arc::clone(&queues.droppable);
        let stopped = reader.lock().unwrap();
        let log = || {
            for n in 0..FLOOD {
                tracing::info!(target: DROPPABLE, "request");
                if n % 1000 == 0 {
                    tracing::warn!(n, "warned");
                    tracing::info!(n, "noted");
                }
            }
        };
        let text = logged(log, queues, stopped, guard, &buffer);
        let count = |word| text.lines().filter(|line| line.contains(word)).count();
        let (requests, dropped) = (count(": request"), usize::try_from(lines.dropped()).unwrap());
        assert!(dropped > 0, "nothing was dropped");
        assert_eq!(requests + dropped, FLOOD);
        assert_eq!((count("warned"), count("noted")), (FLOOD.div_ceil(1000), FLOOD.div_ceil(1000)));
    }

    #[test]
    fn events_that_nobody_reads_hang_nobody_and_are_counted() {
        const EVENTS: usize = QUEUE + 100;
        let (reader, buffer, queues, guard) = with_a_reader();
        let slots = Arc::clone(queues.kept.slots());
        let stopped = reader.lock().unwrap();
        // The text fills the buffer, so that the writer blocks.
        let text = "x".repeat(BUFFER / 8);
        let log =
            || (0..EVENTS).for_each(|n| tracing::warn!(n, text = if n < 16 { &*text } else { "" }, "warned"));
        let text = logged(log, queues, stopped, guard, &buffer);
        let kept = text.lines().filter(|line| line.contains("warned")).count();
        let lost = usize::try_from(slots.lost()).unwrap();
        assert!(lost > 0 && kept + lost == EVENTS, "{kept} were kept, {lost} lost");
    }

    #[test]
    fn only_what_costs_its_cause_nothing_and_what_is_for_debugging_may_be_dropped() {
        let (droppable, kept) = (Buffer::default(), Buffer::default());
        let (queues, guard) = Queues::over(droppable.clone(), kept.clone());
        tracing::subscriber::with_default(
            subscriber(parse_level("debug").unwrap(), LogFormat::Text, queues),
            || {
                tracing::info!(target: DROPPABLE, "request");
                tracing::debug!(target: DROPPABLE, "quiet request");
                tracing::debug!("detail");
                tracing::warn!(target: DROPPABLE, "bad request");
                tracing::info!("event");
                tracing::error!("failure");
            },
        );
        drop(guard);
        let words = |buffer: &Buffer| {
            let text = buffer.text();
            let word = |line: &str| line.rsplit(": ").next().unwrap().to_owned();
            text.lines().map(word).collect::<Vec<_>>()
        };
        assert_eq!(words(&droppable), ["request", "quiet request", "detail"]);
        assert_eq!(words(&kept), ["bad request", "event", "failure"]);
    }

    #[test]
    fn the_lines_of_one_queue_go_out_in_one_piece() {
        struct Pieces(Vec<String>);

        impl io::Write for Pieces {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                unreachable!("another thread could write in between")
            }

            fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
                self.0.push(String::from_utf8(bytes.to_vec()).unwrap());
                Ok(())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let mut writer = WholeWrites(Pieces(Vec::new()));
        assert_eq!(writer.write(b"one\ntwo\n").unwrap(), 8);
        assert_eq!(writer.0.0, ["one\ntwo\n"]);
    }
}
