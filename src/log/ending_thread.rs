//! The log lines of a thread that is ending.
//!
//! The destructor of a thread-local value may run after that of the buffer in which `tracing_subscriber::fmt` formats
//! lines. That buffer is thread-local too: to use it then is a panic, and a panic there aborts the process. sled
//! leaves work, and with it its warnings, to destructors of whatever thread ends. Such a line is formatted here.

use std::cell::Cell;
use std::fmt;
use std::io::Write as _;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::layer::Context;

use crate::settings::LogFormat;

thread_local! {
    /// Whether the buffer of `fmt` may be gone. The flag has no destructor, so that it can be read until the thread
    /// ends.
    static BUFFER_GONE: Cell<bool> = const { Cell::new(false) };

    /// Sets the flag when it is destroyed. Destructors run in the reverse order of first uses; this value's first use
    /// follows that of the buffer.
    static BEFORE_BUFFER: SaysBufferGone = const { SaysBufferGone };
}

struct SaysBufferGone;

impl Drop for SaysBufferGone {
    fn drop(&mut self) {
        BUFFER_GONE.set(true);
    }
}

/// The outermost layer of a log: writes the lines of a thread whose buffer is gone and keeps them from the other layers.
pub(super) struct EndingThread<W> {
    /// The writer of the log.
    pub(super) writer: W,
    /// The format of log lines.
    pub(super) format: LogFormat,
}

impl<S: Subscriber, W: for<'a> MakeWriter<'a> + 'static> Layer<S> for EndingThread<W> {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if !BUFFER_GONE.get() {
            return true;
        }
        let line = LineFields::of(event).format(self.format);
        // A failure to write the log cannot be reported.
        let _written = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
        false
    }

    fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
        // The inner layers have formatted the line by now.
        BEFORE_BUFFER.with(|_| ());
    }
}

/// The fields of one event, by their names.
#[derive(Default)]
struct LineFields(Map<String, Value>);

impl LineFields {
    fn of(event: &Event<'_>) -> Self {
        let mut line = Self::default();
        line.insert("target", event.metadata().target().into());
        event.record(&mut line);
        // An event of the crate `log` has its target in a field.
        if let Some(target) = line.0.remove("log.target") {
            line.insert("target", target);
        }
        line.0.retain(|name, _| !name.starts_with("log."));
        line.insert("level", event.metadata().level().as_str().into());
        let mut time = String::new();
        // A String takes what is written.
        let _formatted = SystemTime.format_time(&mut Writer::new(&mut time));
        line.insert("timestamp", time.into());
        line
    }

    fn insert(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn format(mut self, format: LogFormat) -> String {
        if format == LogFormat::Json {
            return format!("{}\n", Value::Object(self.0));
        }
        let mut take = |name| self.0.remove(name).map_or_else(String::new, |value| plain(&value));
        let start =
            [take("timestamp"), format!("{:>5}", take("level")), take("target") + ":", take("message")];
        let fields = self.0.iter().map(|(name, value)| format!("{name}={value}"));
        start.into_iter().chain(fields).collect::<Vec<_>>().join(" ") + "\n"
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), |text| text.escape_debug().to_string())
}

impl Visit for LineFields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.insert(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.insert(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.insert(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.insert(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.insert(field.name(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::thread;

    use tracing::dispatcher::{Dispatch, with_default};

    use super::*;
    use crate::log::{parse_level, queues::Queues, subscriber, tests::Buffer};

    /// A value that logs a warning when its thread ends.
    struct WarnsAtTheEnd(Dispatch);

    impl Drop for WarnsAtTheEnd {
        fn drop(&mut self) {
            with_default(&self.0, || tracing::warn!(target: "sled", tries = 3, "late\nwarning"));
        }
    }

    thread_local! {
        static WARNING: RefCell<Option<WarnsAtTheEnd>> = const { RefCell::new(None) };
    }

    /// Returns the lines of a thread that logs `early` before it ends and a warning in its last destructor.
    fn lines_of_ending_thread(format: LogFormat) -> String {
        let buffer = Buffer::default();
        let (queues, guard) = Queues::over(buffer.clone(), buffer.clone());
        let dispatch = Dispatch::new(subscriber(parse_level("info").unwrap(), format, queues));
        let work = move || {
            // The dispatcher's own thread-local value outlives the warning when it is used first.
            with_default(&dispatch, || WARNING.set(Some(WarnsAtTheEnd(dispatch.clone()))));
            with_default(&dispatch, || tracing::info!("early"));
        };
        thread::spawn(work).join().unwrap();
        drop(guard);
        buffer.text()
    }

    #[test]
    fn a_thread_that_ends_writes_its_last_warning_as_text() {
        let text = lines_of_ending_thread(LogFormat::Text);
        let (early, late) = text.split_once('\n').unwrap();
        assert!(early.ends_with("early"), "{text}");
        assert!(late.ends_with("Z  WARN sled: late\\nwarning tries=3\n"), "{text}");
    }

    #[test]
    fn a_thread_that_ends_writes_its_last_warning_as_json() {
        let text = lines_of_ending_thread(LogFormat::Json);
        let (_, late) = text.split_once('\n').unwrap();
        let mut line: Value = serde_json::from_str(late).unwrap();
        let time = line["timestamp"].take();
        assert!(time.as_str().is_some_and(|time| time.ends_with('Z')), "{text}");
        let expected = serde_json::json!({
            "level": "WARN", "message": "late\nwarning", "target": "sled", "timestamp": null, "tries": 3,
        });
        assert_eq!(line, expected);
    }
}
