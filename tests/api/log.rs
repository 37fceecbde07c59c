//! The lines that the service logs while a test runs. Each test has a thread of its own, and so a log of its own.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

use serde_json::Value;
use tracing::Level;

static INSTALL: Once = Once::new();

thread_local! {
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Starts to collect the lines of this thread, at every level.
pub fn listen() {
    INSTALL.call_once(|| {
        let subscriber =
            tracing_subscriber::fmt().json().with_max_level(Level::TRACE).with_writer(|| ThisThread);
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
    });
    LINES.with_borrow_mut(|lines| *lines = Some(Vec::new()));
}

/// The lines collected since [`listen`].
pub fn text() -> String {
    LINES.with_borrow(|lines| String::from_utf8(lines.clone().expect("somebody listens")).unwrap())
}

/// The lines since then that name an event: the fields of each, and as `kept` whether the log drops it when there are too
/// many lines.
pub fn events() -> Vec<Value> {
    let lines = text();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let event = |line: Value| {
        let mut fields = line["fields"].clone();
        let is_info = line["level"] == "INFO" && line["target"] != "rescind::request";
        fields["kept"] = (is_info || line["level"] == "WARN" || line["level"] == "ERROR").into();
        fields.as_object_mut().unwrap().remove("message");
        fields
    };
    lines.filter(|line| line["fields"]["event"].is_string()).map(event).collect()
}

struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.extend_from_slice(bytes);
            }
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
