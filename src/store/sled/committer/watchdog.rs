//! The detection of a failed or hanging disk, which ends the process.

use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The exit status after a disk failure (`EX_IOERR`).
const EXIT_CODE: i32 = 74;

/// The longest time to wait for standard error, so that a blocked reader does not keep the process alive.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long a group may take before the engine is asked whether a write has failed. A sync takes milliseconds; with
/// the next check, the process ends within a second of a failed write.
const ASK_AFTER: Duration = Duration::from_millis(300);

/// The interval of the watchdog's checks.
const LOOK: Duration = Duration::from_millis(150);

/// How long a group may take before the service reports that it is not ready.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// Asks the engine whether one of its writes has failed; may block for ever.
pub(super) type Probe = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The state that the writer and its watchdog share.
pub(super) struct Watchdog {
    busy_since: Mutex<Option<Instant>>,
    failed: AtomicBool,
    asking: AtomicBool,
    fatal: Box<dyn Fn(&str) + Send + Sync>,
}

impl Watchdog {
    pub(super) fn new(fatal: Box<dyn Fn(&str) + Send + Sync>) -> Self {
        Self {
            busy_since: Mutex::new(None),
            failed: AtomicBool::new(false),
            asking: AtomicBool::new(false),
            fatal,
        }
    }

    /// Notes that the writer begins a group.
    pub(super) fn begin(&self) {
        *self.busy() = Some(Instant::now());
    }

    /// Notes that the writer has made the group durable. `false` if the watchdog has failed it already: no caller may
    /// be answered then.
    pub(super) fn end(&self) -> bool {
        *self.busy() = None;
        !self.failed.load(Ordering::SeqCst)
    }

    /// Reports a failure, once.
    pub(super) fn fail(&self, reason: &str) {
        if !self.failed.swap(true, Ordering::SeqCst) {
            (self.fatal)(reason);
        }
    }

    /// How long the writer has been at its group, if that is a second or more or a failure was reported.
    pub(super) fn stalled(&self) -> Option<Duration> {
        let busy = self.busy().map(|since| since.elapsed());
        busy.filter(|busy| *busy >= STALLED_AFTER || self.failed.load(Ordering::SeqCst))
    }

    /// Checks the writer until it has ended. A few checks a second cost the writer less than a wake-up per group.
    ///
    /// After a failed write sled's `flush` may wait for ever for a write that will not be retried. But sled remembers
    /// the failure, and the next `flush` returns it: that is the probe.
    pub(super) fn watch(self: &Arc<Self>, writer_ended: &Receiver<()>, timeout: Duration, probe: &Probe) {
        let look = LOOK.min(timeout / 4);
        while let Err(RecvTimeoutError::Timeout) = writer_ended.recv_timeout(look) {
            let Some(busy) = self.busy().map(|since| since.elapsed()) else { continue };
            if busy > timeout {
                self.fail(&format!("a commit has taken longer than {timeout:?}: the disk does not answer"));
                return;
            }
            if busy > ASK_AFTER.min(timeout / 2) {
                self.ask(probe);
            }
        }
    }

    /// Runs the probe on a thread of its own, since it may never return; one at a time.
    fn ask(self: &Arc<Self>, probe: &Probe) {
        if self.asking.swap(true, Ordering::SeqCst) {
            return;
        }
        let (watchdog, probe) = (self.clone(), probe.clone());
        let asked = std::thread::Builder::new().name("store-probe".to_owned()).spawn(move || {
            if let Err(reason) = probe() {
                watchdog.fail(&reason);
            }
            watchdog.asking.store(false, Ordering::SeqCst);
        });
        if asked.is_err() {
            self.asking.store(false, Ordering::SeqCst);
        }
    }

    fn busy(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.busy_since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process at once: one line on standard error, no destructors, exit status 74.
///
/// No destructors, because sled's would try to write again.
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
