//! A command whose standard error is a terminal, so that it shows its progress.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

use crate::place::Ran;
use crate::server::Heard;

/// A command at a terminal, killed when dropped.
#[derive(Debug)]
pub(crate) struct AtTerminal {
    child: Child,
    stdout: Arc<Heard>,
    /// All that the terminal was sent, with its control sequences.
    pub(crate) screen: Arc<Heard>,
    ears: Vec<JoinHandle<()>>,
}

impl AtTerminal {
    /// Starts a command.
    pub(crate) fn start(mut command: Command) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let person = openpt(flags).unwrap();
        unlockpt(&person).unwrap();
        let terminal = ioctl_tiocgptpeer(&person, flags).unwrap();
        command.env("TERM", "xterm").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(terminal);
        let mut child = command.spawn().unwrap();
        // Once the command has the only descriptor of the terminal, its end is the end of what is read here.
        drop(command);
        let (stdout, out) = Heard::listen(child.stdout.take().unwrap());
        let (screen, err) = Heard::listen(File::from(person));
        Self { child, stdout, screen, ears: vec![out, err] }
    }

    /// Waits until the bar of this task shows that at least so much is done.
    pub(crate) fn wait_for_progress(&self, task: &str, least: u64) {
        let reached = |screen: &str| done(screen, task).filter(|done| *done >= least);
        let reached = self.screen.wait_for(task, reached);
        assert!(reached.is_some(), "it ended before: {}", self.screen.text());
    }

    /// Kills the command with SIGKILL.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.code(), None, "it had ended before: {}", self.screen.text());
    }

    /// Waits for the end of the command. Its standard error is all that the terminal was sent.
    pub(crate) fn end(mut self) -> Ran {
        let status = self.child.wait().unwrap();
        for ear in self.ears.drain(..) {
            ear.join().unwrap();
        }
        Ran { code: status.code(), out: self.stdout.text(), err: self.screen.text() }
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// How much of a task the last bar on the screen shows to be done.
fn done(screen: &str, task: &str) -> Option<u64> {
    let (_, bar) = screen.rsplit_once(task)?;
    let (done, _) = bar.split_once("] ")?.1.split_once('/')?;
    done.replace(',', "").parse().ok()
}
