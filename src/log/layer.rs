//! The layer that writes each event as one line.
//!
//! A thread formats its lines in a buffer that it keeps. sled leaves work, and with it its warnings, to destructors of
//! whatever thread ends; the buffer may be destroyed by then, and such a line gets one of its own.

use std::cell::Cell;
use std::io::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use time::OffsetDateTime;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;

use super::line;
use crate::settings::LogFormat;

thread_local! {
    static LINE: Cell<String> = const { Cell::new(String::new()) };
    /// The last second in which this thread wrote a line, with its text.
    static SECOND: Cell<(u64, LineTime)> = const { Cell::new((0, EPOCH)) };
}

/// Writes each event as one line to `writer`.
pub(super) struct LineLayer<W> {
    /// The writer of the log.
    pub(super) writer: W,
    /// The format of log lines.
    pub(super) format: LogFormat,
}

impl<S: Subscriber, W: for<'a> MakeWriter<'a> + 'static> Layer<S> for LineLayer<W> {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        // The buffer is also missing while a value of another line is formatted, which may log, too.
        let mut line = LINE.try_with(Cell::take).unwrap_or_default();
        line::append(&mut line, event, self.format, LineTime::now().as_str());
        // A failure to write the log cannot be reported.
        let _written = self.writer.make_writer_for(event.metadata()).write_all(line.as_bytes());
        line.clear();
        let _kept = LINE.try_with(|own| own.set(line));
    }
}

/// A moment as RFC 3339 writes it in UTC, to the microsecond.
#[derive(Clone, Copy)]
struct LineTime([u8; 27]);

const EPOCH: LineTime = LineTime(*b"1970-01-01T00:00:00.000000Z");

impl LineTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "lines have the time of the machine, also where a test sets another"
    )]
    fn now() -> Self {
        Self::of(std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn of(since_epoch: Duration) -> Self {
        let second = since_epoch.as_secs();
        let (last, mut time) = SECOND.get();
        if second != last {
            time = Self::of_second(second);
            SECOND.set((second, time));
        }
        if let Some(micros) = time.0.get_mut(20..26) {
            write_digits(micros, since_epoch.subsec_micros());
        }
        time
    }

    fn of_second(second: u64) -> Self {
        let mut time = EPOCH;
        let second =
            i64::try_from(second).ok().and_then(|second| OffsetDateTime::from_unix_timestamp(second).ok());
        let Some(at) = second else { return time };
        let year = u32::try_from(at.year()).unwrap_or_default();
        let parts = [
            (0..4, year),
            (5..7, u8::from(at.month()).into()),
            (8..10, at.day().into()),
            (11..13, at.hour().into()),
            (14..16, at.minute().into()),
            (17..19, at.second().into()),
        ];
        for (place, value) in parts {
            if let Some(digits) = time.0.get_mut(place) {
                write_digits(digits, value);
            }
        }
        time
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Writes a number in decimal, with leading zeros.
fn write_digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b"0123456789".get(number as usize % 10).copied().unwrap_or(b'0');
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::thread;

    use tracing::dispatcher::{Dispatch, with_default};

    use super::*;
    use crate::log::{parse_level, queues::Queues, subscriber, tests::Buffer};

    #[test]
    fn a_line_has_the_time_in_utc_to_the_microsecond() {
        for (seconds, micros, text) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000001Z"),
            (951_782_400, 999_999, "2000-02-29T00:00:00.999999Z"),
            (951_782_399, 20, "2000-02-28T23:59:59.000020Z"),
            (253_402_300_799, 123_456, "9999-12-31T23:59:59.123456Z"),
        ] {
            assert_eq!(LineTime::of(Duration::new(seconds, micros * 1000 + 999)).as_str(), text);
        }
    }

    /// A value that logs a line when it is formatted.
    struct Talkative;

    impl std::fmt::Debug for Talkative {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            tracing::info!("inner");
            f.write_str("value")
        }
    }

    #[test]
    fn a_value_may_log_while_it_is_formatted() {
        let buffer = Buffer::default();
        let (queues, guard) = Queues::over(buffer.clone(), buffer.clone());
        let subscriber = subscriber(parse_level("info").unwrap(), LogFormat::Text, queues);
        // A subscriber of one thread ignores what is logged within a line; the global one does not.
        let layered = Dispatch::new(subscriber);
        with_default(&layered, || tracing::info!(value = ?Talkative, "outer"));
        drop(guard);
        let text = buffer.text();
        assert!(text.lines().all(|line| line.matches("INFO").count() == 1), "{text}");
        assert!(text.contains("outer value=value\n"), "{text}");
    }

    /// A value that logs a warning when its thread ends.
    struct WarnsAtTheEnd(Dispatch);

    impl Drop for WarnsAtTheEnd {
        fn drop(&mut self) {
            with_default(&self.0, || tracing::warn!(target: "sled", tries = 3, "late warning"));
        }
    }

    thread_local! {
        static WARNING: RefCell<Option<WarnsAtTheEnd>> = const { RefCell::new(None) };
    }

    /// Returns the lines of a thread that logs `early` before it ends and a warning in its last destructor, when its
    /// buffer is gone.
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
    fn a_thread_that_ends_writes_its_last_warning() {
        let text = lines_of_ending_thread(LogFormat::Text);
        let (early, late) = text.split_once('\n').unwrap();
        assert!(early.ends_with("early"), "{text}");
        assert!(late.ends_with("Z  WARN sled: late warning tries=3\n"), "{text}");

        let text = lines_of_ending_thread(LogFormat::Json);
        let (_, late) = text.split_once('\n').unwrap();
        let expected = r#"Z","level":"WARN","message":"late warning","tries":3,"target":"sled"}"#;
        assert!(late.trim_end().ends_with(expected), "{text}");
    }
}
