//! The real binary as a process.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::machine;

/// A running service, ended when dropped.
pub(crate) struct Served {
    child: Child,
    pub(crate) address: SocketAddr,
    /// The time from before the process was made to its first line, which says that it listens.
    pub(crate) took: Duration,
}

impl Served {
    /// Starts the binary on the data in `folder`, with default settings except for free ports.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, &[])
    }

    /// Starts the binary as [`Served::start`] does, with these settings, each as an environment variable and its value.
    pub(crate) fn start_with(folder: &Path, settings: &[(&str, &str)]) -> Result<Self> {
        let log = folder.join("served.log");
        let started = Instant::now();
        let mut child = Command::new(env!("CARGO_BIN_EXE_rescind"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(folder.join("data"))
            .env("RESCIND_METRICS_LISTEN", "127.0.0.1:0")
            .envs(settings.iter().copied())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().context("no stdout")?).read_line(&mut line)?;
        let took = started.elapsed();
        let address =
            line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
        let said = || format!("it did not listen: {}", fs::read_to_string(&log).unwrap_or_default());
        Ok(Self { address: address.with_context(said)?, child, took })
    }

    /// The resident memory of the service in MiB.
    pub(crate) fn resident(&self) -> Result<f64> {
        machine::resident(self.child.id())
    }

    /// The highest resident memory of the service so far, in MiB.
    pub(crate) fn peak(&self) -> Result<f64> {
        machine::peak(self.child.id())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
