//! The log: `tracing` events as text or JSON on standard error.
//!
//! The level that is set is that of this program's own lines. Libraries log warnings and errors only, whatever is
//! set: at a finer level the embedded store logs the records it writes.
//!
//! Modules: `layer` (writes each event), `line` (as the text of one line), `queues` (what lines wait in until they are
//! written), [`request_id`] (the request that causes a line).

use std::io;

use tracing::{Level, Subscriber};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, prelude::*, util::TryInitError};

use crate::settings::LogFormat;

mod layer;
mod line;
mod queues;
pub mod request_id;

use layer::LineLayer;
use queues::Queues;

pub use queues::LogGuard;

/// The prefix of the targets of this program's own lines.
const OURS: &str = "rescind";

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

/// Starts the log of this process.
///
/// `level` is a level or an `EnvFilter` directive list, for example `info,rescind::http=debug`.
pub fn start(level: &str, format: LogFormat) -> Result<LogGuard, LogError> {
    let filter = parse_level(level)?;
    let (queues, guard) = Queues::onto(io::stderr, io::stderr);
    queues.count();
    subscriber(filter, format, queues).try_init()?;
    Ok(guard)
}

/// Starts the log of a command that does the service's work itself: warnings and errors as text, each written at once.
pub fn start_for_command() -> Result<(), LogError> {
    let layer = LineLayer { writer: io::stderr, format: LogFormat::Text };
    Ok(tracing_subscriber::registry().with(parse_level("warn")?).with(layer).try_init()?)
}

/// Checks a level as [`start`] would, for the settings.
pub fn parse_level(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(level).map_err(|_| LogError::Level { given: level.to_owned() })
}

fn subscriber(filter: EnvFilter, format: LogFormat, queues: Queues) -> impl Subscriber + Send + Sync {
    let layer = LineLayer { writer: queues, format };
    tracing_subscriber::registry().with(foreign_lines()).with(filter).with(layer)
}

/// Leaves out lines of libraries below a warning.
fn foreign_lines<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    // Without a hint of its own about the finest level: with one of `TRACE`, sled asks the log for each record it reads.
    filter_fn(|line| line.target().starts_with(OURS) || *line.level() <= Level::WARN)
}

/// Collects the log lines that this thread writes from now on, as JSON.
///
/// The subscriber is global: one for this thread alone would miss events that another thread was the first to reach.
#[cfg(test)]
pub(crate) fn capture() -> impl Fn() -> Vec<serde_json::Value> {
    static START: std::sync::Once = std::sync::Once::new();
    START.call_once(|| {
        let layer = LineLayer { writer: || tests::ThisThread, format: LogFormat::Json };
        tracing_subscriber::registry().with(foreign_lines()).with(layer).init();
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

    #[test]
    fn what_is_finer_than_the_level_costs_nothing() {
        let (queues, _guard) = Queues::over(Buffer::default(), Buffer::default());
        let subscriber = subscriber(parse_level("info,poem=warn").unwrap(), LogFormat::Text, queues);
        assert_eq!(subscriber.max_level_hint(), Some(tracing::level_filters::LevelFilter::INFO));
    }

    #[test]
    fn a_level_may_name_targets_and_nonsense_is_refused() {
        assert!(parse_level("warn,rescind::http=debug").is_ok());
        let error = parse_level("rescind=loud").unwrap_err();
        assert!(error.to_string().contains(r#""rescind=loud""#));
    }
}
