//! A server process, killed when it is dropped.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::{Client, PATIENCE};
use crate::secrets::Secrets;

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) client: Client,
    pub(crate) stdout: Arc<Heard>,
    pub(crate) stderr: Arc<Heard>,
    ears: Vec<JoinHandle<()>>,
}

/// The exit status of a server, and its standard error.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Server {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(command: Command, secrets: &Arc<Secrets>) -> Self {
        Self::start_at(command, secrets, "listening on http://")
    }

    /// Starts a server whose first line begins with `first_line`, followed by its address.
    pub(crate) fn start_at(mut command: Command, secrets: &Arc<Secrets>, first_line: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdout, out) = Heard::listen(child.stdout.take().unwrap());
        let (stderr, err) = Heard::listen(child.stderr.take().unwrap());
        let mut server =
            Self { child, client: Client::new("", secrets), stdout, stderr, ears: vec![out, err] };
        let first = server
            .stdout
            .wait_for("the first line", |text| text.split_once('\n').map(|(line, _)| line.to_owned()));
        let Some(address) = first.as_deref().and_then(|line| line.strip_prefix(first_line)) else {
            panic!("the server did not start: {first:?} {}", server.end().stderr);
        };
        server.client = Client::new(address, secrets);
        server
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal. After SIGSTOP it waits until every thread is suspended, which takes a moment on a busy machine.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        let began = Instant::now();
        while signal == Signal::STOP && !stands_still(self.pid()) {
            assert!(began.elapsed() < PATIENCE, "it does not stand still");
            std::thread::yield_now();
        }
    }

    /// Kills the server with SIGKILL, and returns its address.
    pub(crate) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.end();
        self.client.address.clone()
    }

    /// Stops the server with SIGTERM, as an operator would.
    pub(crate) fn stop(mut self) -> Ended {
        self.signal(Signal::TERM);
        let ended = self.end();
        assert!(ended.status.success(), "{ended:?}");
        ended
    }

    /// Waits for the end of the server, and until both pipes are closed, also by a tracer.
    pub(crate) fn end(&mut self) -> Ended {
        // A server that hangs never closes its pipes: then this fails, and the drop kills it.
        self.stderr.wait_for("the end", |_| None::<()>);
        let status = self.child.wait().unwrap();
        for ear in self.ears.drain(..) {
            ear.join().unwrap();
        }
        Ended { status, stderr: self.stderr.text() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
        for ear in self.ears.drain(..) {
            let _deaf = ear.join();
        }
        if !std::thread::panicking() {
            self.client.secrets.assert_absent("the server", &self.stdout.text());
            self.client.secrets.assert_absent("the server", &self.stderr.text());
        }
    }
}

/// The output of one pipe so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    so_far: Mutex<(String, bool)>,
    more: Condvar,
}

impl Heard {
    pub(crate) fn listen(mut pipe: impl Read + Send + 'static) -> (Arc<Self>, JoinHandle<()>) {
        let heard = Arc::new(Self::default());
        let ours = Arc::clone(&heard);
        let ear = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            loop {
                let count = pipe.read(&mut bytes).unwrap_or(0);
                let mut so_far = ours.so_far.lock().unwrap();
                so_far.0.push_str(&String::from_utf8_lossy(&bytes[..count]));
                so_far.1 = count == 0;
                ours.more.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        (heard, ear)
    }

    pub(crate) fn text(&self) -> String {
        self.so_far.lock().unwrap().0.clone()
    }

    /// Waits until `find` finds something in the text; `None` when the pipe was closed before.
    pub(crate) fn wait_for<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let mut so_far = self.so_far.lock().unwrap();
        loop {
            if let Some(found) = find(&so_far.0) {
                return Some(found);
            }
            if so_far.1 {
                return None;
            }
            let (next, late) = self.more.wait_timeout(so_far, PATIENCE).unwrap();
            if late.timed_out() {
                let text = next.0.clone();
                drop(next);
                panic!("waited for {what} in vain: {text}");
            }
            so_far = next;
        }
    }

    /// Waits for a line that contains this text.
    pub(crate) fn wait_for_line(&self, part: &str) -> String {
        let line = |text: &str| text.lines().find(|line| line.contains(part)).map(str::to_owned);
        self.wait_for(part, line).unwrap_or_else(|| panic!("{part} was not said: {}", self.text()))
    }
}

/// Whether every thread of a process is suspended.
pub(crate) fn stands_still(process: u32) -> bool {
    let mut threads = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.all(|thread| {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap_or_default();
        status.is_empty() || status.contains("\nState:\tT")
    })
}
