//! The log: `tracing` events as text or JSON on standard error.
//!
//! Lines are written by a thread of their own. A full queue drops lines rather than hold up requests: the log is for
//! looking, and what must not be lost is in the store.

use std::io::{self, BufWriter};

use tracing_appender::non_blocking::{NonBlocking, WorkerGuard};
use tracing_subscriber::{EnvFilter, fmt, prelude::*, util::TryInitError};

/// How many bytes of lines go out at once.
const BUFFER: usize = 64 * 1024;

/// How lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for programs.
    Json,
}

/// Why the log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is neither a level nor a list of targets with levels.
    #[error(
        "log level {given:?} is not understood: use error, warn, info, debug or trace, or target=level,…"
    )]
    Level {
        /// What was given.
        given: String,
    },
    /// Something else in this process writes the log already.
    #[error("the log was started twice")]
    Started(#[from] TryInitError),
}

/// Starts the log of this process. Keep the guard to the end: dropping it writes what is still queued.
///
/// `level` is a level or an `EnvFilter` directive list, for example `info,rescind::http=debug`.
pub fn start(level: &str, format: Format) -> Result<WorkerGuard, LogError> {
    let filter = parse_level(level)?;
    // The writer flushes whenever its queue is empty, so under load many lines go out at once and none waits.
    let (writer, guard) = tracing_appender::non_blocking(BufWriter::with_capacity(BUFFER, io::stderr()));
    subscriber(filter, format, writer).try_init()?;
    Ok(guard)
}

/// Starts the log of a command that does the service's work itself: warnings and worse as text, each written at once.
pub fn start_for_command() -> Result<(), LogError> {
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(false);
    Ok(tracing_subscriber::registry().with(parse_level("warn")?).with(layer).try_init()?)
}

/// Checks a level as [`start`] would, for the settings.
pub fn parse_level(level: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder().parse(level).map_err(|_| LogError::Level { given: level.to_owned() })
}

fn subscriber(
    filter: EnvFilter,
    format: Format,
    writer: NonBlocking,
) -> Box<dyn tracing::Subscriber + Send + Sync> {
    let layer = fmt::layer().with_writer(writer).with_ansi(false);
    match format {
        Format::Text => Box::new(tracing_subscriber::registry().with(filter).with(layer)),
        Format::Json => {
            let layer = layer.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(tracing_subscriber::registry().with(filter).with(layer))
        }
    }
}

/// Collects the lines this thread writes from now on, as JSON.
///
/// The subscriber is the whole process's: a thread's own would miss events that another thread was the first to reach.
#[cfg(test)]
pub(crate) fn capture() -> impl Fn() -> Vec<serde_json::Value> {
    static START: std::sync::Once = std::sync::Once::new();
    START.call_once(|| {
        let layer = fmt::layer().json().flatten_event(true).with_writer(|| tests::ThisThread);
        tracing_subscriber::registry().with(layer).init();
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
    struct Buffer(Arc<Mutex<Vec<u8>>>);

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
            LINES.with_borrow_mut(|lines| lines.extend_from_slice(bytes));
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

    fn logged(level: &str, format: Format, log: impl FnOnce()) -> String {
        let buffer = Buffer::default();
        let (writer, guard) = tracing_appender::non_blocking(buffer.clone());
        tracing::subscriber::with_default(subscriber(parse_level(level).unwrap(), format, writer), log);
        drop(guard);
        String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_json_line_has_its_fields_at_the_top() {
        let text = logged("info", Format::Json, || {
            tracing::info!(status = 200, "answered");
            tracing::debug!("not this one");
        });
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&line["status"], &line["message"]), (&200.into(), &"answered".into()));
    }

    #[test]
    fn a_text_line_has_no_colours_in_a_file() {
        let text = logged("info", Format::Text, || tracing::info!(status = 200, "answered"));
        assert!(text.contains("answered status=200"), "{text}");
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn a_level_may_name_targets_and_nonsense_is_refused() {
        assert!(parse_level("warn,rescind::http=debug").is_ok());
        let error = parse_level("rescind=loud").unwrap_err();
        assert!(error.to_string().contains(r#""rescind=loud""#));
    }
}
