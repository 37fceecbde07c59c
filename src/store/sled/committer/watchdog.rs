//! What happens when the disk fails, or hangs.

use std::io::Write as _;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The exit status after a failed disk (`EX_IOERR`).
const EXIT_CODE: i32 = 74;

/// How long the reason may take to reach standard error; a reader that has stopped reading must not keep us alive.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Shared by the writer and the thread that watches it.
pub(super) struct Watchdog {
    busy_since: Mutex<Option<Instant>>,
    failed: AtomicBool,
    fatal: Box<dyn Fn(&str) + Send + Sync>,
}

impl Watchdog {
    pub(super) fn new(fatal: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        Self { busy_since: Mutex::new(None), failed: AtomicBool::new(false), fatal }
    }

    /// The writer begins a group.
    pub(super) fn begin(&self) {
        *self.busy() = Some(Instant::now());
    }

    /// The writer has made the group durable. `false`: too late, the end has been called, nobody may be answered.
    pub(super) fn end(&self) -> bool {
        *self.busy() = None;
        !self.failed.load(Ordering::SeqCst)
    }

    /// Calls the end, once.
    pub(super) fn fail(&self, reason: &str) {
        if !self.failed.swap(true, Ordering::SeqCst) {
            (self.fatal)(reason);
        }
    }

    /// Looks at the writer until it is gone. A few looks per `patience`, instead of a wake-up per group, keep the
    /// watching out of the writer's way.
    pub(super) fn watch(&self, writer_ended: &Receiver<()>, patience: Duration) {
        while let Err(RecvTimeoutError::Timeout) = writer_ended.recv_timeout(patience / 4) {
            if self.busy().is_some_and(|since| since.elapsed() > patience) {
                self.fail(&format!("a commit has taken longer than {patience:?}: the disk does not answer"));
                return;
            }
        }
    }

    fn busy(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.busy_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process at once: one line on standard error, no destructor, exit status 74.
///
/// No destructor, because sled's would try to write again.
pub fn exit(reason: &str) -> ! {
    let line = format!("rescind: fatal: {reason}; nothing more was acknowledged, ending now\n");
    let (said, heard) = channel();
    // On a thread of its own: if standard error is blocked, we leave without it.
    let speaker = std::thread::Builder::new().spawn(move || {
        let _unheard = std::io::stderr().write_all(line.as_bytes());
        let _left = said.send(());
    });
    if speaker.is_ok() {
        let _silent = heard.recv_timeout(LAST_WORDS);
    }
    std::process::exit(EXIT_CODE)
}
