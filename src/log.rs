//! The log: `tracing` events as text or JSON on standard error.
//!
//! Lines are written by threads of their own, from two queues. One is for the line of each request and for what
//! anybody can cause at no cost: when it is full, lines are dropped and counted rather than delay requests. The other
//! is for all other lines, warnings and security events above all: when it is full, a thread that logs to it waits, and
//! only when nobody reads standard error at all are lines lost, which is counted and logged (`kept`).
//!
//! The level that is set is that of this program's own lines. Libraries log warnings and errors only, whatever is
//! set: at a finer level the embedded store logs the records it writes.

use std::io::{self, BufWriter, Write};
use std::sync::{Arc, OnceLock};

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata, Subscriber};
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, fmt, prelude::*, util::TryInitError};

use crate::metrics;
use crate::settings::LogFormat;
use kept::{Kept, QueueOutput, QueueSlots};

mod kept;

mod ending_thread;

use ending_thread::EndingThread;

/// The most bytes that are written at once.
const BUFFER: usize = 64 * 1024;

/// The most lines that wait in each queue.
const QUEUE: usize = 32_768;

/// The target of lines that may be dropped: one for each request, and those that cost their cause nothing. Other
/// modules repeat the text, since they do not know this one.
const DROPPABLE: &str = "rescind::request";

/// The prefix of the targets of this program's own lines.
const OURS: &str = "rescind";

static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

/// The number of lines dropped since the start of the process.
fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |counter| counter.dropped_lines() as u64)
}

static KEPT: OnceLock<Arc<QueueSlots>> = OnceLock::new();

/// The number of lines lost since the start of the process that are never dropped on purpose.
fn lost_lines() -> u64 {
    KEPT.get().map_or(0, |slots| slots.lost())
}

/// Why the log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is neither a level nor a list of targets with levels.
    #[error(
        "log level {given:?} is not understood: use error, warn, info, debug or trace, or target=level,…"
    )]
    Level {
        /// The text that was given.
        given: String,
    },
    /// The process has a global subscriber already.
    #[error("the log was started twice")]
    Started(#[from] TryInitError),
}

/// The threads that write the log. Dropping the guard writes what is still queued, so it is kept until the process
/// ends.
#[derive(Debug)]
pub struct LogGuard(#[expect(dead_code, reason = "they end with it")] [WorkerGuard; 2]);

/// Starts the log of this process.
///
/// `level` is a level or an `EnvFilter` directive list, for example `info,rescind::http=debug`.
pub fn start(level: &str, format: LogFormat) -> Result<LogGuard, LogError> {
    let filter = parse_level(level)?;
    let (queues, guard) = Queues::onto(io::stderr, io::stderr);
    let _first = DROPPED.set(queues.droppable.error_counter());
    let _first = KEPT.set(Arc::clone(queues.kept.slots()));
    metrics::count_log_lines(dropped_lines, lost_lines);
    subscriber(filter, format, queues).try_init()?;
    Ok(guard)
}

/// Starts the log of a command that does the service's work itself: warnings and errors as text, each written at once.
pub fn start_for_command() -> Result<(), LogError> {
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(false);
    let ending_thread = EndingThread { writer: io::stderr, format: LogFormat::Text };
    Ok(tracing_subscriber::registry()
        .with(parse_level("warn")?)
        .with(layer)
        .with(ending_thread)
        .try_init()?)
}

/// Checks a level as [`start`] would, for the settings.
pub fn parse_level(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(level).map_err(|_| LogError::Level { given: level.to_owned() })
}

fn subscriber(filter: EnvFilter, format: LogFormat, queues: Queues) -> Box<dyn Subscriber + Send + Sync> {
    let ending_thread = EndingThread { writer: queues.clone(), format };
    let layer = fmt::layer().with_writer(queues).with_ansi(false);
    let registry = tracing_subscriber::registry().with(foreign_lines()).with(filter);
    match format {
        LogFormat::Text => Box::new(registry.with(layer).with(ending_thread)),
        LogFormat::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(registry.with(layer).with(ending_thread))
        }
    }
}

/// Leaves out lines of libraries below a warning.
fn foreign_lines<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    filter_fn(|line| line.target().starts_with(OURS) || *line.level() <= Level::WARN)
        .with_max_level_hint(LevelFilter::TRACE)
}

/// The two queues of lines.
#[derive(Clone, Debug)]
struct Queues {
    droppable: NonBlocking,
    kept: Kept,
}

impl Queues {
    fn onto<W: Write + Send + 'static>(one: fn() -> W, other: fn() -> W) -> (Self, LogGuard) {
        Self::over(WholeWrites(one()), WholeWrites(other()))
    }

    fn over<W: Write + Send + 'static>(one: W, other: W) -> (Self, LogGuard) {
        let (droppable, first) = queue(buffered(one), true);
        let slots = QueueSlots::new(QUEUE);
        let (kept, second) = queue(QueueOutput::new(buffered(other), Arc::clone(&slots), kept::tell), false);
        (Self { droppable, kept: Kept::new(kept, slots) }, LogGuard([first, second]))
    }
}

fn queue<W: Write + Send + 'static>(writer: W, lossy: bool) -> (NonBlocking, WorkerGuard) {
    let builder = NonBlockingBuilder::default().lossy(lossy).buffered_lines_limit(QUEUE);
    builder.thread_name("log").finish(writer)
}

/// A buffer before the writer of a log thread, which flushes it whenever its queue is empty: under load many lines are
/// written at once, and none waits in the buffer.
fn buffered<W: Write>(writer: W) -> BufWriter<W> {
    BufWriter::with_capacity(BUFFER, writer)
}

/// The sending side of one of the queues.
enum Line {
    Droppable(NonBlocking),
    Kept(Kept),
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Droppable(queue) => queue.write(bytes),
            Self::Kept(queue) => queue.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queues {
    type Writer = Line;

    fn make_writer(&'a self) -> Self::Writer {
        Line::Kept(self.kept.clone())
    }

    fn make_writer_for(&'a self, line: &Metadata<'_>) -> Self::Writer {
        let droppable =
            *line.level() > Level::WARN && line.target() == DROPPABLE || *line.level() > Level::INFO;
        if droppable { Line::Droppable(self.droppable.clone()) } else { self.make_writer() }
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

/// Collects the log lines that this thread writes from now on, as JSON.
///
/// The subscriber is global: one for this thread alone would miss events that another thread was the first to reach.
#[cfg(test)]
pub(crate) fn capture() -> impl Fn() -> Vec<serde_json::Value> {
    static START: std::sync::Once = std::sync::Once::new();
    START.call_once(|| {
        let layer = fmt::layer().json().flatten_event(true).with_writer(|| tests::ThisThread);
        let ending_thread = EndingThread { writer: || tests::ThisThread, format: LogFormat::Json };
        tracing_subscriber::registry().with(foreign_lines()).with(layer).with(ending_thread).init();
    });
    tests::ThisThread::lines();
    || tests::ThisThread::lines().lines().map(|line| serde_json::from_str(line).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        cell::RefCell,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Buffer {
        pub(super) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    thread_local! {
        static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) struct ThisThread;

    impl ThisThread {
        pub(super) fn lines() -> String {
            String::from_utf8(LINES.take()).unwrap()
        }
    }

    impl io::Write for ThisThread {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // A thread that is ending has nobody left who reads its lines.
            let _kept = LINES.try_with(|lines| lines.borrow_mut().extend_from_slice(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: &str, format: LogFormat, log: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let (queues, guard) = Queues::over(buffer.clone(), buffer.clone());
        tracing::subscriber::with_default(subscriber(parse_level(level).unwrap(), format, queues), log);
        drop(guard);
        buffer.text()
    }

    #[test]
    fn a_json_line_has_its_fields_at_the_top() {
        let text = logged("info", LogFormat::Json, || {
            tracing::info!(status = 200, "answered");
            tracing::debug!("not this one");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["status"], &line["message"]), (&200.into(), &"answered".into()));
    }

    #[test]
    fn a_text_line_has_no_colours_in_a_file() {
        let text = logged("info", LogFormat::Text, || tracing::info!(status = 200, "answered"));
        assert!(text.contains("answered status=200"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn libraries_say_warnings_only_whatever_is_set() {
        for level in ["trace", "info", "trace,sled=trace", "warn,sled::pagecache=debug,rescind=trace"] {
            let text = logged(level, LogFormat::Text, || {
                tracing::trace!(target: "sled::pagecache", "record of a secret");
                tracing::debug!(target: "sled", "record of a secret");
                tracing::info!(target: "hyper", "record of a secret");
                tracing::warn!(target: "sled", "the disk is slow");
                tracing::info!(target: "rescind::auth", "ours");
            });
            assert!(!text.contains("secret") && text.contains("the disk is slow"), "{level}: {text}");
            assert!(text.contains("ours"), "{level}: {text}");
        }
    }

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

    #[test]
    fn a_flood_of_request_lines_is_dropped_and_counted_and_no_event_with_it() {
        const FLOOD: usize = 2 * QUEUE;
        let (reader, buffer) = (Arc::new(Mutex::new(())), Buffer::default());
        let stuck = || Stuck(reader.clone(), buffer.clone());
        let (queues, guard) = Queues::over(stuck(), stuck());
        let counter = queues.droppable.error_counter();
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
        tracing::subscriber::with_default(
            subscriber(parse_level("info").unwrap(), LogFormat::Text, queues),
            log,
        );
        drop(stopped);
        drop(guard);
        let text = buffer.text();
        let count = |word| text.lines().filter(|line| line.contains(word)).count();
        let (requests, dropped) = (count(": request"), counter.dropped_lines());
        assert!(dropped > 0, "nothing was dropped");
        assert_eq!(requests + dropped, FLOOD);
        assert_eq!((count("warned"), count("noted")), (FLOOD.div_ceil(1000), FLOOD.div_ceil(1000)));
    }

    #[test]
    fn events_that_nobody_reads_hang_nobody_and_are_counted() {
        const EVENTS: usize = QUEUE + 100;
        let (reader, buffer) = (Arc::new(Mutex::new(())), Buffer::default());
        let stuck = || Stuck(reader.clone(), buffer.clone());
        let (queues, guard) = Queues::over(stuck(), stuck());
        let slots = Arc::clone(queues.kept.slots());
        let stopped = reader.lock().unwrap();
        // The text fills the buffer, so that the writer blocks.
        let text = "x".repeat(BUFFER / 8);
        let log =
            || (0..EVENTS).for_each(|n| tracing::warn!(n, text = if n < 16 { &*text } else { "" }, "warned"));
        tracing::subscriber::with_default(
            subscriber(parse_level("info").unwrap(), LogFormat::Text, queues),
            log,
        );
        drop(stopped);
        drop(guard);
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
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
            let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
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

    #[test]
    fn a_level_may_name_targets_and_nonsense_is_refused() {
        assert!(parse_level("warn,rescind::http=debug").is_ok());
        let error = parse_level("rescind=loud").unwrap_err();
        assert!(error.to_string().contains(r#""rescind=loud""#));
    }
}
